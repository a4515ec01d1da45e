"""What a detached command's folder tells: its end, what of its output was not kept, what it left running."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ondeck.errors import Refused
from ondeck.inventory.model import Host
from ondeck.job.outcome import Outcome
from ondeck.reach.detached import KEPT, Detached, Look, Stage
from ondeck.reach.ports import Link
from ondeck.settings import Settings
from providers.local.reach import LocalReach


def settings(folder: Path) -> Settings:
    return Settings(state=folder, cache=folder, config=folder, timescale=0.2)


@pytest.fixture
async def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Link]:
    monkeypatch.setenv("HOME", str(tmp_path))
    reach = LocalReach(settings(tmp_path))
    yield await reach.connect(Host(name="here", env="test", transport="local"))
    await reach.aclose()


async def followed(job: Detached, *argv: str) -> tuple[Look, bytes]:
    said: list[bytes] = []
    await job.launch(argv)
    await job.follow(lambda data, err: said.append(data))
    return await job.look(), b"".join(said)


async def test_the_shortest_command_is_never_unknown_and_nothing_of_ours_is_in_its_output(
    link: Link, tmp_path: Path
) -> None:
    gate = asyncio.Semaphore(8)

    async def one(number: int) -> tuple[Look, bytes]:
        async with gate:
            return await followed(Detached(link, f"short-{number}", settings(tmp_path)), "true")

    ends = await asyncio.gather(*(one(number) for number in range(60)))
    assert {(look.stage, look.status, said) for look, said in ends} == {(Stage.ENDED, 0, b"")}


async def test_output_whose_middle_was_not_kept_is_told_outside_of_it(link: Link, tmp_path: Path) -> None:
    long = Detached(link, "long-1", settings(tmp_path))
    look, _ = await followed(long, "sh", "-c", f"head -c {KEPT * 3} /dev/zero")
    assert (look.stage, look.status, look.cut) == (Stage.ENDED, 0, True)
    forged = Detached(link, "forged-1", settings(tmp_path))
    look, said = await followed(forged, "echo", "[... cut ...]")
    assert said == b"[... cut ...]\n"
    assert not look.cut


async def test_a_line_is_seen_while_the_command_that_printed_it_still_runs(
    link: Link, tmp_path: Path
) -> None:
    """The command waits for who follows to have seen its first line, so a late one never ends it."""
    job, seen = Detached(link, "live-1", settings(tmp_path)), tmp_path / "seen"
    script = (
        "echo early; n=0; while [ $n -lt 600 ] && [ ! -e $0 ]; do n=$((n+1)); sleep 0.05; done; [ -e $0 ]"
    )
    await job.launch(["sh", "-c", script, str(seen)])
    await job.follow(lambda data, err: seen.touch() if b"early" in data else None)
    assert (await job.look()).finding().outcome is Outcome.SUCCEEDED


async def test_what_a_stopped_command_left_in_a_session_of_its_own_is_named(
    link: Link, tmp_path: Path
) -> None:
    job = Detached(link, "left-1", settings(tmp_path))
    script = (
        f"setsid sh -c 'echo $$ > {tmp_path}/child; exec sleep 600' </dev/null >/dev/null 2>&1 & sleep 600"
    )
    await job.launch(["sh", "-c", script])
    while not (child := tmp_path / "child").exists() or not child.read_text().strip():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    pid = int(child.read_text())
    try:
        look = await job.stop()
        assert look.stage is Stage.ENDED
        assert look.left == (pid,)
        assert look.finding().outcome is Outcome.FAILED
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_what_was_found_not_begun_is_found_so_again(link: Link, tmp_path: Path) -> None:
    job = Detached(link, "never-1", settings(tmp_path))
    assert (await job.look()).stage is Stage.ABSENT
    assert (await job.look(take=True)).stage is Stage.ABSENT
    for take in (False, True, False):
        assert (await job.look(take=take)).stage is Stage.UNSTARTED
    with pytest.raises(Refused):
        await job.launch(["true"])
    begun = Detached(link, "begun-1", settings(tmp_path))
    folder = tmp_path / ".local/state/ondeck/jobs/begun-1"
    folder.mkdir(parents=True)
    (folder / "argv").write_bytes(b"true\0")
    for take in (True, False, True):
        assert (await begun.look(take=take)).stage is Stage.UNSTARTED


async def test_a_tool_that_ends_in_order_on_an_interrupt_hears_it(link: Link, tmp_path: Path) -> None:
    """A shell ignores it for what it starts beside itself, and a worker does for all that it starts."""
    job, told = Detached(link, "int-1", settings(tmp_path)), bytearray()
    was = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        script = "trap 'echo in order; exit 7' INT; echo up; while :; do sleep 0.05; done"
        await job.launch(["sh", "-c", script])
    finally:
        signal.signal(signal.SIGINT, was)
    while b"up" not in (tmp_path / ".local/state/ondeck/jobs/int-1/out").read_bytes():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    look = await job.stop(signal="INT", leader=True, grace=50)
    await job.follow(lambda data, err: told.extend(data))
    assert (look.stage, look.status, bytes(told)) == (Stage.ENDED, 7, b"up\nin order\n")


async def test_the_process_group_of_a_leader_that_ended_is_ended_after_it(link: Link, tmp_path: Path) -> None:
    job, pid = Detached(link, "group-1", settings(tmp_path)), tmp_path / "pid"
    script = (
        "trap 'exit 7' HUP; sh -c 'trap \"\" HUP; echo $$ > $0; while :; do sleep 0.05; done' $0 & "
        "while :; do sleep 0.05; done"
    )
    await job.launch(["sh", "-c", script, str(pid)])
    while not pid.exists() or not pid.read_text().strip():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    look = await job.stop(signal="HUP", leader=True)
    assert (look.stage, look.status, look.left) == (Stage.ENDED, 7, ())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
