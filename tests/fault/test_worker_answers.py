"""What a face says of a request is what the worker did with it, never only that it was left."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click import Command
from click.testing import CliRunner, Result

from ondeck.deck import Deck
from ondeck.errors import Refused
from ondeck.job.events import Ask, JobStarted
from ondeck.job.outcome import Outcome
from ondeck.operate import reconcile
from ondeck.record.store import Record
from tests import road as on_road
from tests.fault.test_worker_resumed import killed, paused_and_killed
from tests.fault.test_worker_stands import CONTINUE, end, failed
from tui.app.live.road import LiveRoad
from tui.cli import jobs
from tui.cli.face import Face, Globals


def patient(tmp: Path) -> Deck:
    """A deck whose faces wait as long as real ones do."""
    on = on_road.deck(tmp)
    own = msgspec.structs.replace(on.settings, timescale=1.0)
    return msgspec.structs.replace(on, settings=own, record=Record(own))


def cli(on: Deck, command: Command, *words: str) -> Result:
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    return CliRunner().invoke(command, list(words), obj=face, standalone_mode=False)


def pid_of(on: Deck, job: str) -> int:
    return next(e for e in on.record.folder(job).events_after(0) if isinstance(e, JobStarted)).pid


def all_left_at_once(on: Deck, job: str, count: int) -> list[str]:
    """That many faces ask before the worker sees any of it."""
    view = on.record.job(job)
    ask = msgspec.structs.replace(CONTINUE, pause=view.paused_at)
    os.kill(pid_of(on, job), signal.SIGSTOP)
    names = [reconcile.tend(on, job, ask, on_road.YES) for _ in range(count)]
    os.kill(pid_of(on, job), signal.SIGCONT)
    return names


def test_of_three_that_let_it_go_on_two_are_told(tmp_path: Path) -> None:
    on = patient(tmp_path)
    job = failed(on, tmp_path).id
    told = []
    for name in all_left_at_once(on, job, 3):
        try:
            told.append(str(reconcile.answered(on, job, name)))
        except Refused as error:
            told.append(error.message)
    assert told[0] == "True"
    assert ["somebody else let it go on" in said or "ended without" in said for said in told[1:]] == [
        True
    ] * 2
    assert all(len(lines) == 1 for lines in on_road.effects(tmp_path).values())


def test_the_command_line_and_the_app_say_that_somebody_else_was_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    on = patient(tmp_path)
    job = failed(on, tmp_path).id
    tend = reconcile.tend

    def second(deck: Deck, name: str, ask: Ask, *given: Any) -> str:
        os.kill(pid_of(on, job), signal.SIGSTOP)
        tend(deck, name, ask, on_road.YES)
        mine = tend(deck, name, ask, on_road.YES)
        os.kill(pid_of(on, job), signal.SIGCONT)
        return mine

    monkeypatch.setattr("ondeck.operate.road.tend", second)
    said = cli(on, jobs.continue_, job, "--yes")
    assert isinstance(said.exception, Refused), said.output
    assert said.exception.exit_code == 4
    assert "it goes on" not in said.output
    on_road.over(on, job)
    (tmp_path / "again").mkdir()
    on = patient(tmp_path / "again")
    job = failed(on, tmp_path / "again").id
    monkeypatch.setattr(reconcile, "tend", second)
    live = LiveRoad(on, None, lambda what, command, result: None)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        asyncio.run(live.order(job, "continue"))
    on_road.over(on, job)


def test_continue_says_that_it_goes_on_once_it_does(tmp_path: Path) -> None:
    on = patient(tmp_path)
    job = failed(on, tmp_path).id
    said = cli(on, jobs.continue_, job, "--yes")
    assert said.return_value == 0, said
    assert "it goes on" in said.output
    on_road.over(on, job)


def test_a_worker_that_does_not_look_has_not_taken_it_yet(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = failed(on, tmp_path).id
    os.kill(pid_of(on, job), signal.SIGSTOP)
    said = cli(on, jobs.continue_, job, "--yes")
    os.kill(pid_of(on, job), signal.SIGCONT)
    assert "asked; not taken yet" in said.output
    assert "it goes on" not in said.output
    on_road.over(on, job)


def test_settle_of_what_is_known_is_refused_and_sets_nothing(tmp_path: Path) -> None:
    on = patient(tmp_path)
    job = paused_and_killed(on, tmp_path)
    for words, why in (
        (("web-1", "succeeded"), "its outcome is known"),
        (("web-9", "failed"), "no target 'web-9'"),
        (("--gate", "passed"), "no gate of it is open"),
    ):
        said = cli(on, jobs.settle, job, *words, "--reason", "looked")
        assert isinstance(said.exception, Refused), said.output
        assert said.exception.exit_code == 4
        assert why in said.exception.message
        assert "is set to" not in said.output
    assert on.record.job(job).targets["web-1"].outcome is Outcome.FAILED


def test_what_the_worker_refuses_to_settle_is_refused_by_the_command(tmp_path: Path) -> None:
    on = patient(tmp_path)
    job = failed(on, tmp_path).id
    said = cli(on, jobs.settle, job, "web-1", "succeeded", "--reason", "looked")
    assert isinstance(said.exception, Refused), said.output
    assert "settle makes no sense while the job runs" in said.exception.message
    assert "is set to" not in said.output
    end(on, job)


def test_settle_says_that_it_is_set_once_it_is(tmp_path: Path) -> None:
    on = patient(tmp_path)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-1=lost",))
    on_road.wait_for(on, job, lambda v: v.targets["web-1"].outcome is Outcome.UNKNOWN)
    killed(on, job)
    said = cli(on, jobs.settle, job, "web-1", "failed", "--reason", "looked")
    assert said.return_value == 0, said
    assert f"web-1 of {job} is set to failed" in said.output
    assert on_road.over(on, job).targets["web-1"].outcome is Outcome.FAILED
