from __future__ import annotations

import asyncio
import threading

import pytest

from ondeck.operate.syncing import SharedSync


class Disk:
    """A log in memory with a disk that answers when it is told to."""

    def __init__(self) -> None:
        self.written = self.durable = self.syncs = 0
        self.begun = threading.Event()
        self.answer = threading.Event()

    def sync(self) -> None:
        upto = self.written
        self.begun.set()
        assert self.answer.wait(10)
        self.durable, self.syncs = upto, self.syncs + 1


async def record(disk: Disk, shared: SharedSync) -> None:
    disk.written += 1
    mine = disk.written
    await shared.wait()
    assert disk.durable >= mine


async def test_who_waits_together_shares_a_sync_and_who_comes_late_gets_the_next() -> None:
    disk = Disk()
    shared = SharedSync(disk.sync)
    first = [asyncio.ensure_future(record(disk, shared)) for _ in range(50)]
    await asyncio.to_thread(disk.begun.wait)
    late = [asyncio.ensure_future(record(disk, shared)) for _ in range(50)]
    await asyncio.sleep(0)
    disk.answer.set()
    await asyncio.gather(*first, *late)
    assert (disk.written, disk.syncs) == (100, 2)


async def test_one_who_is_cancelled_does_not_take_the_sync_from_the_others() -> None:
    disk = Disk()
    shared = SharedSync(disk.sync)
    left, stays = (asyncio.ensure_future(record(disk, shared)) for _ in range(2))
    await asyncio.to_thread(disk.begun.wait)
    left.cancel()
    disk.answer.set()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await left


async def test_a_disk_that_says_no_is_heard_by_everybody_and_asked_again_by_the_next() -> None:
    answers = iter([OSError("no room"), None])

    def sync() -> None:
        if error := next(answers):
            raise error

    shared = SharedSync(sync)
    found = await asyncio.gather(shared.wait(), shared.wait(), return_exceptions=True)
    assert [str(error) for error in found] == ["no room", "no room"]
    await shared.wait()
