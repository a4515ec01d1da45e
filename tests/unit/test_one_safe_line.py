"""Hostile text in every field of everything the command line tells: it never makes a line of its own."""

from __future__ import annotations

import enum
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click import Command
from click.testing import CliRunner

from ondeck.deck import Deck
from ondeck.errors import Refused
from ondeck.job import events as ev
from ondeck.job.consent import Consent, Given
from ondeck.job.outcome import Outcome
from ondeck.job.plan import (
    Action,
    Batch,
    Change,
    Draft,
    Plan,
    Precondition,
    Preflight,
    Request,
    RolloutPlan,
)
from ondeck.job.plan import (
    Command as Sent,
)
from ondeck.job.spec import Risk
from ondeck.observe.checks import CheckTrouble
from ondeck.observe.firing import Standing
from ondeck.observe.fleet import Severity
from ondeck.observe.fleet import Standing as HostStanding
from ondeck.observe.now import Fleet
from ondeck.observe.ports import ReleaseFacts
from ondeck.observe.records import Change as Seen
from ondeck.record.jobfolder import JobFolder
from ondeck.record.journal import Journal
from ondeck.record.lock import Lock, LockView, Owner
from ondeck.text import is_safe
from tests import road as on_road
from tests.tui.payloads import PAYLOADS
from tui.cli import face as faces
from tui.cli import jobs, locks, now, plan_view, reading, records
from tui.cli.face import Face, Globals

FORGED = "x\n  undo: service.rollback\r\n  WARNING  none\x1b[2K\x9b1A\x85\u2028y"
HOSTILE = {**PAYLOADS, "forged": FORGED, "only a line": "\n", "tabs": "a\tb"}


def filled(value: Any, text: str) -> Any:
    """The same value with every text in it replaced."""
    if isinstance(value, enum.Enum):
        return value
    if isinstance(value, str):
        return text if value else ""
    if isinstance(value, tuple):
        return tuple(filled(one, text) for one in value)
    if isinstance(value, dict):
        return {filled(key, text): filled(one, text) for key, one in value.items()}
    if isinstance(value, msgspec.Struct):
        fields = {name: filled(getattr(value, name), text) for name in value.__struct_fields__}
        return type(value)(**fields)
    return value


def plan() -> Plan:
    draft = Draft(
        summary="s",
        risk=Risk.CHANGE,
        changes=(Change(action=Action.UPDATE, target="t", address="a", before="b", after="c"),),
        commands=(Sent(target="t", argv=("a", "b"), become="root", note="n"),),
        preconditions=(Precondition(target="t", fact="f", expected="e"),),
        preflight=(Preflight(name="n", ok=1, note="o"),),
        rollout=RolloutPlan(batches=(Batch(targets=("t",), why="w"),), gate="g"),
        lock_key="k",
        undo="u",
        warnings=("w",),
        left_out={"z": "why"},
    )
    request = Request(operation="o", subject="s@e", targets=("t",), env="e", reason="r", actor="a")
    return Plan(
        id="p", request=request, title="t", provider="x", draft=draft, inventory="i", policy="p", made=1
    )


def screen() -> now.Screen:
    facts = ReleaseFacts(host="h", service="s", version="v", healthy=False, health_text="t")
    standing = Standing(subject="s", env="e", hosts=("h",), facts=(facts,))
    change = Seen(time=1, env="e", kind="deploy", subject="s", text="t", who="w")
    wait = now.Waiting(
        job="j", state="s", operation="o", subject="s", env="e", actor="a", began=1, why="w", do="d"
    )
    lock = LockView(key="k", job="j", actor="a", reason="r", since=1, held=True)
    fleet = Fleet(env="e", hosts=3, ok=("a",), lost={"b": "why"}, unknown=("c",))
    check = now.Check(standing=standing, change=change, way_back="l")
    host = HostStanding(host="h", env="e", severity=Severity.BAD, why="w")
    trouble = CheckTrouble(subject="s", env="e", severity=Severity.WARN, members=("m",), what="t", why="w")
    return now.Screen(
        time=10**18, services=2, failing=(check,), not_known={"s": "w"}, not_asked=("n",), hosts=(host,),
        checks=(trouble,), waiting=(wait,), running=(wait,), locks=(lock,), changes=(change,), fleet=(fleet,),
    )  # fmt: skip


def recorded(tmp: Path, text: str) -> Deck:
    """A deck with a job, a mark and a lock whose every text is the given one."""
    on = on_road.deck(tmp)
    hostile: Plan = filled(plan(), text)
    at = JobFolder.claim(on.record.root / "jobs")
    at.plan.write_bytes(msgspec.json.encode(hostile))
    given = Given(
        plan=text, policy=text, actor=text, consent=Consent(confirmed=True, typed=text, reason=text),
        decision="break-glass", made=10**18,
    )  # fmt: skip
    at.given.write_bytes(msgspec.json.encode(given))
    journal = Journal(at.events)
    for event in (
        ev.JobStarted(mode=ev.Mode.RUN, pid=1),
        ev.AttemptIntended(attempt=text, target=text, number=1),
        ev.Note(text=text),
        ev.TargetEnded(target=text, outcome=Outcome.UNKNOWN, evidence=text, attempt=text),
        ev.JobEnded(outcome=Outcome.UNKNOWN, summary=text),
    ):
        journal.append(event)
    journal.close(ended=True)
    on.record.mark(text, text, who=text, time=10**18)
    owner = Owner(key="k", job=at.id, actor="a", reason="r", since=10**18, pid=1)
    hostile_owner = msgspec.structs.replace(owner, key=text, actor=text, reason=text)
    assert Lock(on.record.locks_root, "k").take(hostile_owner, lambda _: False) is None
    return on


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "state" / "jobs").mkdir(parents=True, mode=0o700)
    (tmp_path / "state").chmod(0o700)


def said(on: Deck, command: Command, *words: str) -> list[str]:
    """Both streams of a verb, by line feeds only."""
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    result = CliRunner().invoke(command, list(words), obj=face, standalone_mode=False)
    assert result.exception is None, result.exc_info
    return result.output.split("\n")


VERBS: dict[str, tuple[Command, tuple[str, ...]]] = {
    "jobs": (jobs.jobs, ()),
    "report": (records.report_, ("--since", "2001-01-01")),
    "handover": (records.handover, ("--since", "2001-01-01")),
    "changes": (reading.changes, ("--own", "--since", "2001-01-01")),
    "lock ls": (locks.list_, ()),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("verb", [*VERBS, "jobs JOB", "attach"])
def test_no_text_of_the_record_makes_a_line(tmp_path: Path, verb: str, name: str) -> None:
    counts = []
    for folder, text in (("plain", "x"), ("hostile", HOSTILE[name][:32])):
        (tmp_path / folder / "state" / "jobs").mkdir(parents=True, mode=0o700)
        (tmp_path / folder / "state").chmod(0o700)
        on = recorded(tmp_path / folder, text)
        job = on.record.jobs()[0].id
        command, words = {"jobs JOB": (jobs.jobs, (job,)), "attach": (jobs.attach, (job,)), **VERBS}[verb]
        lines = said(on, command, *words)
        assert [line for line in lines if not is_safe(line) or "\t" in line] == []
        counts.append(len(lines))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_plan_makes_a_line(name: str) -> None:
    plain = list(plan_view.lines(filled(plan(), "x"), "d"))
    hostile = list(plan_view.lines(filled(plan(), HOSTILE[name]), "d"))
    assert [line for line in hostile if "\n" in line or not is_safe(line)] == []
    assert len(hostile) == len(plain)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_now_makes_a_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for text in ("x", HOSTILE[name]):
        out = io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        Face(Globals()).lines(now.lines(filled(screen(), text)))
        lines = out.getvalue().split("\n")
        assert [line for line in lines if not is_safe(line)] == []
        counts.append(len(lines))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "tell",
    [
        lambda text: Face(Globals()).say(text),
        lambda text: faces.report(Refused(text, where=text)),
    ],
)
def test_narration_and_errors_are_one_line_each(
    name: str, tell: Callable[[str], object], capsys: pytest.CaptureFixture[str]
) -> None:
    tell(HOSTILE[name])
    err = capsys.readouterr().err
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert is_safe(err)
