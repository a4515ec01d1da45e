"""Going on with a job that is over: what was not begun is done, once, and who asked for it is on record."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner, Result

from ondeck.deck import Deck
from ondeck.errors import ExitCode, Refused
from ondeck.job.events import Ask, Asked, JobStarted, What
from ondeck.job.outcome import JobState, Outcome, WaitingFor
from ondeck.observe.now import Wait, wait_of
from ondeck.operate import reconcile
from ondeck.record.view import JobView
from tests import road as on_road
from tui.cli import jobs
from tui.cli.face import Face, Globals

CONTINUE = Ask(what=What.CONTINUE, by="bob", reason="looked at it")


def cli(on: Deck, command: Command, *words: str) -> Result:
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    return CliRunner().invoke(command, list(words), obj=face, standalone_mode=False)


def killed(on: Deck, job: str) -> JobView:
    """The job after kill -9 of its worker."""
    started = next(e for e in on.record.folder(job).events_after(0) if isinstance(e, JobStarted))
    os.kill(started.pid, signal.SIGKILL)
    return on_road.over(on, job)


def paused_and_killed(on: Deck, tmp: Path) -> str:
    job = on_road.start(on, tmp, batches="1,2", script=("web-1=fail",))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    assert killed(on, job).lost
    return job


def test_a_lost_job_goes_on_from_the_command_line_with_what_was_not_begun(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path)
    view = on.record.job(job)
    assert view.half_done
    assert (
        wait_of(view.state, view.outcome or "", in_doubt=view.unsettled, half_done=view.half_done)
        is Wait.LOST
    )
    result = cli(on, jobs.continue_, job, "--yes")
    assert result.return_value == ExitCode.SOME_FAILED, result.output
    assert "goes on with the targets that were not begun" in result.output
    view = on.record.job(job)
    assert [view.targets[name].outcome for name in on_road.TARGETS] == [
        Outcome.FAILED,
        Outcome.SUCCEEDED,
        Outcome.SUCCEEDED,
    ]
    assert all(len(lines) == 1 for lines in on_road.effects(tmp_path).values())


def test_a_request_counts_as_asked_until_a_worker_took_it(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-1=fail",))
    view = on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    assert not on.record.is_asked(job)
    started = next(e for e in on.record.folder(job).events_after(0) if isinstance(e, JobStarted))
    os.kill(started.pid, signal.SIGSTOP)
    on_road.go_on(on, job)
    assert on.record.is_asked(job)
    os.kill(started.pid, signal.SIGCONT)
    on_road.wait_for(on, job, lambda v: len(v.asked) > len(view.asked))
    assert not on.record.is_asked(on_road.over(on, job).id)


def test_who_went_on_is_in_the_record_and_in_the_audit(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path)
    reconcile.tend(on, job, CONTINUE, on_road.YES)
    on_road.over(on, job)
    asked = [e for e in on.record.folder(job).events_after(0) if isinstance(e, Asked)]
    assert [(e.what, e.by, e.reason, e.refused) for e in asked] == [("continue", "bob", "looked at it", "")]
    assert any(e.text.startswith("resumed by bob, begun by anna") for e in on.record.audit.entries())
    assert on.record.audit.verify().ok


def test_what_was_asked_of_the_worker_that_died_does_not_stop_the_next(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path)
    on.record.folder(job).ask(Ask(what=What.CANCEL, by="anna", hard=True))
    reconcile.tend(on, job, CONTINUE, on_road.YES)
    view = on_road.over(on, job)
    assert view.targets["web-3"].outcome is Outcome.SUCCEEDED
    assert any("cancel asked by anna was refused: the job went on after it" in note for note in view.notes)


def test_a_cancelled_job_goes_on_and_one_that_is_done_does_not(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, batches="1,2", gate=True, script=("gate0=none",))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    on.record.ask(job, Ask(what=What.CANCEL, by="anna"))
    on_road.over(on, job)
    reconcile.tend(on, job, CONTINUE, on_road.YES)
    view = on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    assert "no data" in view.pause, "the gate is asked again, never taken as passed"
    reconcile.tend(on, job, CONTINUE, on_road.YES)
    view = on_road.over(on, job)
    assert {row.outcome for row in view.targets.values()} == {Outcome.SUCCEEDED}
    with pytest.raises(Refused, match="nothing of job"):
        reconcile.tend(on, job, CONTINUE)


def test_a_job_in_doubt_is_not_continued_and_says_what_to_do_first(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-1=lost",))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    killed(on, job)
    result = cli(on, jobs.continue_, job)
    assert isinstance(result.exception, Refused)
    assert "web-1" in result.exception.message
    assert result.exception.hint == f"ondeck reconcile {job}"
    assert set(on_road.effects(tmp_path)) == {"web-1"}


def test_asking_something_of_a_job_that_is_over_says_what_is_possible(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path)
    result = cli(on, jobs.cancel, job)
    assert isinstance(result.exception, Refused)
    assert result.exception.hint == f"do what is left of it: ondeck continue {job}"
    done = on_road.over(on, on_road.start(on, tmp_path)).id
    result = cli(on, jobs.pause, done)
    assert isinstance(result.exception, Refused)
    assert f"job {done} is over" in result.exception.message
    assert "a new operation" in result.exception.hint


def test_continue_lends_the_agent_to_a_job_that_waits_for_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-2=auth",))
    on_road.wait_for(on, job, lambda v: v.waiting_for is WaitingFor.CREDENTIALS)
    (tmp_path / "effects" / "lent").touch()
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    result = cli(on, jobs.continue_, job)
    assert result.return_value == ExitCode.OK
    view = on_road.over(on, job)
    assert view.outcome is Outcome.SUCCEEDED
    assert not [note for note in view.notes if "refused" in note]


def test_the_help_says_that_a_timeout_only_ends_the_following() -> None:
    from tui.cli import flags

    texts = [p.help for p in flags.common() if "--timeout" in p.opts]
    assert "the job itself has no time limit and goes on" in str(texts)
