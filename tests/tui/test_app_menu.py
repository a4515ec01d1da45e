"""A menu takes its keys for itself: none of them means a second thing to the view below."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from ondeck.job.spec import OperationSpec
from providers.host.params import SHELL
from tests.tui.playing import playing
from tests.tui.stage import FakeSession


class WithShell(FakeSession):
    """With the shell as it is shipped."""

    def specs(self) -> tuple[OperationSpec, ...]:
        return (*super().specs(), SHELL)


def with_one_that_runs(session: FakeSession) -> None:
    job = session.job_list[1]
    runs = tuple(msgspec.structs.replace(target, started=1) for target in job.targets)
    session.job_list = [msgspec.structs.replace(job, targets=runs)]


async def test_the_key_that_cancels_and_stops_opens_no_shell_on_the_host_below() -> None:
    session = WithShell()
    with_one_that_runs(session)
    async with playing(session) as play:
        await play.press("0", "enter")
        await play.until("JOB j-2")
        await play.press("X")
        await play.until("stop the 1 that runs too")
        assert "n y s  choose   esc leaves" in play.text
        await play.press("s")
        await play.until("what runs is stopped too")
        for _ in range(20):
            await play.settle()
        assert session.planned == []


async def test_a_cancel_is_said_before_the_worker_has_taken_it() -> None:
    session = FakeSession()
    taken = asyncio.Event()
    plain = session.order

    async def slow(*args: Any, **more: Any) -> str:
        await taken.wait()
        return await plain(*args, **more)

    session.order = slow  # type: ignore[method-assign]
    async with playing(session) as play:
        await play.press("0", "enter", "X")
        await play.until("1 never starts")
        await play.press("y")
        await play.until("asking job j-2 to cancel")
        taken.set()
        await play.until("nothing new starts")
