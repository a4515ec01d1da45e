"""A job that stands for what happened goes on with the environment's own word only, whoever asks and however."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from ondeck.deck import Deck
from ondeck.errors import NeedsPerson, Refused
from ondeck.inventory.model import Protection
from ondeck.job.consent import Consent
from ondeck.job.events import Ask, What
from ondeck.job.outcome import JobState, Outcome
from ondeck.operate import again, reconcile, road
from ondeck.record.view import JobView
from tests import road as on_road
from tui.app.live.road import LiveRoad
from tui.app.session import Assent
from tui.cli import jobs
from tui.cli.face import Face, Globals

CONTINUE = Ask(what=What.CONTINUE, by="anna", reason="looked")
TYPED = Consent(typed="lab")


def protected(tmp: Path) -> Deck:
    return on_road.deck(tmp, protection={"touch": Protection.TYPE_NAME})


def standing(on: Deck, tmp: Path, **params: object) -> JobView:
    drafted = on_road.drafted(on, tmp, batches="1,2", **params)
    job = road.start(on, drafted, TYPED)
    return on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)


def failed(on: Deck, tmp: Path) -> JobView:
    return standing(on, tmp, script=("web-1=fail",))


def verb(on: Deck, *words: str) -> Result:
    face = Face(Globals())
    face.__dict__["deck"] = on
    return CliRunner().invoke(jobs.continue_, list(words), obj=face)


def end(on: Deck, job: str) -> JobView:
    on.record.ask(job, Ask(what=What.CANCEL, by="anna"))
    return on_road.over(on, job)


def test_a_failed_rollout_goes_on_only_when_the_name_is_typed_again(tmp_path: Path) -> None:
    on = protected(tmp_path)
    view = failed(on, tmp_path)
    needed = again.needed(on, view.id)
    assert needed is not None
    assert needed.why == "would go on to 2 targets: 1 failed, more than 0 may (web-1 failed)"
    with pytest.raises(NeedsPerson, match="'lab' has to be typed"):
        reconcile.tend(on, view.id, CONTINUE, Consent(confirmed=True))
    reconcile.tend(on, view.id, CONTINUE, TYPED)
    assert on_road.over(on, view.id).targets["web-3"].outcome is Outcome.SUCCEEDED


def test_the_worker_refuses_a_request_without_the_word(tmp_path: Path) -> None:
    on = protected(tmp_path)
    view = failed(on, tmp_path)
    on.record.ask(view.id, CONTINUE)
    view = on_road.wait_for(on, view.id, lambda v: len(v.asked) == 1)
    assert "continue asked by anna was refused: 'lab' has to be typed" in view.notes[-1]
    view = end(on, view.id)
    assert set(on_road.effects(tmp_path)) == {"web-1"}


def test_the_worker_refuses_a_word_that_was_given_for_another_pause(tmp_path: Path) -> None:
    on = protected(tmp_path)
    view = failed(on, tmp_path)
    ask = again.agreed(on, on.record.folder(view.id), CONTINUE, TYPED)
    on.record.ask(view.id, msgspec.structs.replace(ask, pause=view.paused_at - 1))
    view = on_road.wait_for(on, view.id, lambda v: len(v.asked) == 1)
    assert "stands for something else" in view.notes[-1]
    with pytest.raises(Refused, match="something else"):
        reconcile.tend(on, view.id, msgspec.structs.replace(CONTINUE, pause=view.paused_at - 1), TYPED)
    end(on, view.id)


def test_a_gate_without_data_needs_the_word_too(tmp_path: Path) -> None:
    on = protected(tmp_path)
    view = standing(on, tmp_path, gate=True, script=("gate0=none",))
    needed = again.needed(on, view.id)
    assert needed is not None
    assert needed.why == "would go on to 2 targets: the gate after batch 1 has no data"
    end(on, view.id)


def test_a_pause_by_hand_goes_on_as_it_was_asked_to(tmp_path: Path) -> None:
    on = protected(tmp_path)
    view = failed(on, tmp_path)
    on.record.ask(view.id, Ask(what=What.PAUSE, by="anna"))
    view = on_road.wait_for(on, view.id, lambda v: v.paused_by == "anna")
    assert again.needed(on, view.id) is None
    reconcile.tend(on, view.id, CONTINUE)
    view = on_road.wait_for(on, view.id, lambda v: v.state is JobState.PAUSED and not v.paused_by)
    assert "1 failed" in view.pause, "what it stood for before is not forgiven by that"
    end(on, view.id)


def by_hand(on: Deck, tmp: Path) -> JobView:
    drafted = on_road.drafted(on, tmp, batches="1,2", delay=20.0)
    job = road.start(on, drafted, TYPED)
    on_road.wait_for(on, job, lambda v: v.targets["web-1"].running)
    on.record.ask(job, Ask(what=What.PAUSE, by="anna"))
    return on_road.wait_for(on, job, lambda v: v.paused_by == "anna")


def refused_by_the_worker(on: Deck, view: JobView, ask: Ask) -> str:
    on.record.ask(view.id, ask)
    asked = on_road.wait_for(on, view.id, lambda v: len(v.asked) > len(view.asked))
    return asked.notes[-1] if asked.notes else ""


def test_a_pause_by_hand_does_not_hide_who_asks_from_face_and_worker(tmp_path: Path) -> None:
    on = protected(tmp_path)
    view = by_hand(on, tmp_path)
    bob = Ask(what=What.CONTINUE, by="bob", reason="anna went home")
    with pytest.raises(NeedsPerson, match="it was anna who started it"):
        reconcile.tend(on, view.id, bob)
    assert "'lab' has to be typed" in refused_by_the_worker(on, view, bob)
    reconcile.tend(on, view.id, bob, TYPED)
    assert on_road.over(on, view.id).targets["web-3"].outcome is Outcome.SUCCEEDED


def test_a_pause_by_hand_does_not_hide_rules_that_changed(tmp_path: Path) -> None:
    on = protected(tmp_path)
    view = by_hand(on, tmp_path)
    on.settings.policy_floor.write_text("environments: {lab: {protection: {restart: type-name}}}\n")
    on.settings.policy_floor.chmod(0o644)
    with pytest.raises(NeedsPerson, match="the rules changed since"):
        reconcile.tend(on, view.id, CONTINUE)
    assert "'lab' has to be typed" in refused_by_the_worker(on, view, CONTINUE)
    end(on, view.id)


def test_a_pause_by_hand_does_not_go_on_in_a_read_only_session_or_on_a_read_only_bastion(
    tmp_path: Path,
) -> None:
    on = protected(tmp_path)
    view = by_hand(on, tmp_path)
    looking = msgspec.structs.replace(on, settings=msgspec.structs.replace(on.settings, read_only=True))
    with pytest.raises(Refused, match="read-only"):
        reconcile.tend(looking, view.id, CONTINUE)
    on.settings.policy_floor.write_text("read_only: true\n")
    on.settings.policy_floor.chmod(0o644)
    with pytest.raises(Refused, match="bastion is read-only"):
        reconcile.tend(on, view.id, CONTINUE)
    assert "bastion is read-only" in refused_by_the_worker(on, view, CONTINUE)
    end(on, view.id)
    assert set(on_road.effects(tmp_path)) == {"web-1"}


def test_the_command_line_asks_for_the_word_and_ends_with_4_without_it(tmp_path: Path) -> None:
    on = protected(tmp_path)
    view = failed(on, tmp_path)
    asked = verb(on, view.id)
    assert asked.exit_code == 4 or isinstance(asked.exception, NeedsPerson)
    assert "would go on to 2 targets: 1 failed" in asked.stderr
    assert not on.record.is_asked(view.id)
    assert verb(on, view.id, "--confirm", "lab").exit_code == 0
    assert on_road.over(on, view.id).targets["web-3"].outcome is Outcome.SUCCEEDED


async def test_the_app_takes_the_same_word_over_the_same_road(tmp_path: Path) -> None:
    import asyncio

    on = protected(tmp_path)
    view = await asyncio.to_thread(failed, on, tmp_path)
    live = LiveRoad(on, None, lambda what, command, result: None)  # type: ignore[arg-type]
    rules = await live.going_on(view.id)
    assert rules is not None
    assert (rules.type_this, rules.pause) == ("lab", view.paused_at)
    with pytest.raises(NeedsPerson):
        await live.order(view.id, "continue")
    await live.order(view.id, "continue", assent=Assent(typed="lab", pause=rules.pause))
    done = await asyncio.to_thread(on_road.over, on, view.id)
    assert done.targets["web-3"].outcome is Outcome.SUCCEEDED
