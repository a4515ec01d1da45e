"""What a job stood for when it was cancelled or killed still takes a word of its own when the job goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from ondeck.deck import Deck
from ondeck.errors import NeedsPerson
from ondeck.job.events import Ask, Ended, Mode, What
from ondeck.job.outcome import JobState, Outcome
from ondeck.operate import again, launch, reconcile, road
from tests import road as on_road
from tests.fault.test_worker_resumed import killed
from tests.fault.test_worker_stands import CONTINUE, TYPED, end, failed, protected, standing
from tui.cli import jobs
from tui.cli.face import Face, Globals


def gone(on: Deck, job: str, how: str) -> None:
    if how == "cancelled":
        end(on, job)
    else:
        killed(on, job)


@pytest.mark.parametrize("how", ["cancelled", "killed"])
def test_a_failure_wants_the_word_also_after_the_job_has_ended(tmp_path: Path, how: str) -> None:
    on = protected(tmp_path)
    job = failed(on, tmp_path).id
    gone(on, job, how)
    needed = again.needed(on, job)
    assert needed is not None
    assert needed.why == "web-1 failed, it stood: 1 failed, more than 0 may"
    with pytest.raises(NeedsPerson, match="web-1 failed"):
        reconcile.tend(on, job, CONTINUE)
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    said = CliRunner().invoke(jobs.continue_, [job, "--no-input"], obj=face, standalone_mode=False)
    assert isinstance(said.exception, NeedsPerson), said.output
    assert set(on_road.effects(tmp_path)) == {"web-1"}
    reconcile.tend(on, job, CONTINUE, TYPED)
    assert on_road.over(on, job).targets["web-3"].outcome is Outcome.SUCCEEDED


def test_the_worker_itself_wants_the_word_for_a_failure(tmp_path: Path) -> None:
    on = protected(tmp_path)
    job = failed(on, tmp_path).id
    end(on, job)
    at = on.record.folder(job)
    at.ask(CONTINUE)
    launch.spawn(at, on.settings, Mode.RESUME, {}, on.manifests)
    view = on_road.over(on, job)
    assert view.why is Ended.REFUSED
    assert "web-1 failed" in view.summary
    assert "needs a fresh consent" in view.summary
    assert set(on_road.effects(tmp_path)) == {"web-1"}


@pytest.mark.parametrize("word", ["bad", "none"])
def test_a_gate_that_did_not_pass_wants_the_word_after_the_end(tmp_path: Path, word: str) -> None:
    on = protected(tmp_path)
    job = standing(on, tmp_path, gate=True, script=(f"gate0={word}",)).id
    end(on, job)
    with pytest.raises(NeedsPerson, match="the gate after batch 1"):
        reconcile.tend(on, job, CONTINUE)
    assert set(on_road.effects(tmp_path)) == {"web-1"}


def test_a_pause_by_hand_on_top_launders_nothing(tmp_path: Path) -> None:
    on = protected(tmp_path)
    job = failed(on, tmp_path).id
    on.record.ask(job, Ask(what=What.PAUSE, by="anna"))
    on_road.wait_for(on, job, lambda v: v.paused_by == "anna")
    end(on, job)
    with pytest.raises(NeedsPerson, match="web-1 failed"):
        reconcile.tend(on, job, CONTINUE)


def test_what_a_word_was_given_for_is_not_asked_again(tmp_path: Path) -> None:
    on = protected(tmp_path)
    drafted = on_road.drafted(on, tmp_path, batches="1,1,1", script=("web-1=fail",), delay=20.0)
    job = road.start(on, drafted, TYPED)
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    reconcile.tend(on, job, CONTINUE, TYPED)
    on_road.wait_for(on, job, lambda v: v.targets["web-2"].running)
    on.record.ask(job, Ask(what=What.CANCEL, by="anna"))
    view = on_road.over(on, job)
    assert view.targets["web-2"].outcome is Outcome.SUCCEEDED
    assert again.needed(on, job) is None
    reconcile.tend(on, job, msgspec.structs.replace(CONTINUE, reason="the rest"))
    assert on_road.over(on, job).targets["web-3"].outcome is Outcome.SUCCEEDED
