"""`ondeck now`: the first screen as text or data: what fails, what waits, what changed, who did not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import click
import msgspec

from ondeck import times
from ondeck.capabilities import Capabilities
from ondeck.counting import counted
from ondeck.errors import ExitCode
from ondeck.inventory.model import Service
from ondeck.job.outcome import JobState, Outcome
from ondeck.observe import checks, firing
from ondeck.observe import now as judging
from ondeck.observe.checks import CheckLook, CheckTrouble
from ondeck.observe.firing import Standing
from ondeck.observe.fleet import Severity
from ondeck.observe.fleet import Standing as HostStanding
from ondeck.observe.ports import FactsReader
from ondeck.observe.records import Change
from ondeck.observe.sampling import sample_all, standings
from ondeck.operate.bench import FaceBench
from ondeck.operate.wayback import way_of
from ondeck.record.lock import LockView
from ondeck.text import safe_line
from tui.cli import out
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import Format, Rows

if TYPE_CHECKING:
    from ondeck.record.view import JobView

_HOUR = 3600 * 10**9
_SMALL = 64  # hosts: in a larger fleet services without a change in the last day are only asked for health
_TROUBLE = {Severity.WARN: "WARN", Severity.BAD: "CRIT", Severity.LOST: "LOST"}


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A job that waits for a person, or whose outcome is unknown; `do` is the command that goes on."""

    job: str
    state: str
    operation: str
    subject: str
    env: str
    actor: str
    began: int
    why: str
    do: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A service whose health check fails, with the change before it."""

    standing: Standing
    change: Change | None
    way_back: str


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `ondeck now` shows; times in ns since 1970."""

    time: int
    services: int
    failing: tuple[Check, ...]
    not_known: dict[str, str]
    not_asked: tuple[str, ...]
    hosts: tuple[HostStanding, ...]
    checks: tuple[CheckTrouble, ...]
    waiting: tuple[Waiting, ...]
    running: tuple[Waiting, ...]
    locks: tuple[LockView, ...]
    changes: tuple[Change, ...]
    fleet: tuple[judging.Fleet, ...]


def _wait_of(view: JobView) -> Waiting:
    state = f"{view.state.value}:{view.waiting_for.value}" if view.waiting_for else view.state.value
    why, verb = view.pause or view.detail, "attach"
    if view.over and view.unsettled:
        state, why, verb = "unknown", "outcome unknown: " + ", ".join(view.doubts), "reconcile"
    elif view.over:
        left = sum(row.outcome is Outcome.NOT_STARTED for row in view.targets.values())
        state, why, verb = "lost", f"its worker was lost; {counted(left, 'target')} never begun", "continue"
    return Waiting(
        job=view.id, state=state, operation=view.plan.request.operation,
        subject=view.plan.request.subject, env=view.plan.request.env, actor=view.people,
        began=view.started or view.made, why=safe_line(why),
        do=f"ondeck {verb} {view.id}",
    )  # fmt: skip


def _jobs(views: list[JobView]) -> tuple[tuple[Waiting, ...], tuple[Waiting, ...]]:
    """Jobs that wait for a person, and jobs that run."""
    waits = [
        v for v in views
        if judging.wait_of(
            str(v.state), str(v.outcome or ""), in_doubt=v.over and v.unsettled, half_done=v.half_done
        )
    ]  # fmt: skip
    runs = [v for v in views if v.state in (JobState.RUNNING, JobState.QUEUED)]
    waits.sort(key=lambda v: v.over)
    return tuple(map(_wait_of, waits)), tuple(map(_wait_of, runs))


def _of_interest(face: Face, recent: list[Change]) -> Callable[[Service, str], bool] | None:
    inventory = face.deck.inventory
    if len(inventory.hosts) <= _SMALL:
        return None
    subjects = {change.subject for change in recent}
    return lambda service, env: f"{service.name}@{env}" in subjects


async def _look(
    face: Face, recent: list[Change]
) -> tuple[list[Standing], dict[str, HostStanding], list[CheckLook]]:
    """What services say, how the hosts are that were looked at, and what checks say."""
    deck = face.deck
    able, bench = Capabilities(deck.registry), FaceBench(deck)
    try:
        found = await firing.standings(bench, able.releases, first=_of_interest(face, recent))
        near = {name for standing in found for name in standing.hosts}
        small = len(deck.inventory.hosts) <= _SMALL
        hosts = [host for host in deck.inventory.hosts.values() if small or host.name in near]
        seen = await sample_all(cast(FactsReader, able.host("facts")), hosts, bench) if hosts else {}
        looks = await checks.look(able, bench)
        return found, standings(hosts, seen, time.time_ns()), looks
    finally:
        await bench.aclose()


def _not_known(found: list[Standing]) -> dict[str, str]:
    """Services of which not everything is known, with why."""
    words = {s.subject: s.error for s in found if s.error and s.asked}
    for standing in found:
        why = {f.host: f.error or f.health_text for f in standing.facts}
        if not standing.error and standing.unknown:
            words[standing.subject] = "; ".join(
                f"{name}: {why.get(name) or 'no answer'}" for name in standing.unknown
            )
    return words


def screen(face: Face) -> Screen:
    """Ask everything once, within bounded time.

    Raises:
        OndeckError: The inventory or our own record cannot be read.
    """
    record, now = face.deck.record, time.time_ns()
    recent = record.changes(now - 24 * _HOUR)
    found, seen, looks = asyncio.run(_look(face, recent))
    failing = tuple(
        Check(
            standing=standing, change=firing.change_before(recent, standing.subject),
            way_back=way_of(record.remembered, standing.subject, standing.facts),
        )
        for standing in found
        if standing.failing
    )  # fmt: skip
    waiting, running = _jobs(record.jobs(200))
    return Screen(
        time=now, services=len(found), failing=failing, checks=tuple(checks.troubles(looks)),
        not_known=_not_known(found), not_asked=tuple(s.subject for s in found if not s.asked),
        waiting=waiting, running=running,
        locks=tuple(record.locks()), changes=tuple(c for c in recent if c.time >= now - _HOUR),
        fleet=judging.fleets(face.deck.inventory, seen), hosts=tuple(judging.troubles(seen.values())),
    )  # fmt: skip


@click.command()
@form_option
@pass_face
def now(face: Face, form: str) -> int:
    """What needs a person now: failing checks with the change before them, jobs, locks, changes, the fleet.

    Every source that did not answer is named; nothing unknown is counted as well. With more than 64 hosts the
    services that changed in the last day come first; of the others only the health is asked, for 30 seconds.
    """
    found = screen(face)
    if form == Format.JSON:
        face.data(out.dumps(found) + "\n")
    elif form == Format.TABLE:
        face.lines(lines(found))
    else:
        face.rows(_rows(found), form)
    for subject, why in found.not_known.items():
        face.say(f"NOT KNOWN  {subject}: {why}")
    if found.not_asked:
        face.say(_not_asked(found))
    for one in found.checks:
        if one.severity is Severity.UNKNOWN:
            face.say(f"NOT KNOWN  {one.subject}: {one.text}{_on(one)}")
    for fleet in found.fleet:
        for host, why in fleet.lost.items():
            face.say(f"LOST  {host}: {why}")
    silent = (
        bool(found.not_known or found.not_asked)
        or len(found.checks) > _known_bad(found)
        or any(fleet.lost for fleet in found.fleet)
    )
    return int(ExitCode.SOME_FAILED if silent else ExitCode.OK)


def lines(found: Screen) -> Iterator[str]:
    """The screen as text, top to bottom in the order of a bad night."""
    yield f"NOW {times.iso(found.time)}"
    severities = [*(host.severity for host in found.hosts), *(one.severity for one in found.checks)]
    yield judging.headline(severities, len(found.failing))
    yield from _troubles(found)
    yield f"WAITING FOR A PERSON {len(found.waiting)}"
    for wait in found.waiting:
        yield from _job_lines(wait, found.time)
    if found.running:
        yield f"RUNNING {len(found.running)}"
        for run in found.running:
            yield from _job_lines(run, found.time)
    yield f"LOCKS {len(found.locks)}"
    for lock in found.locks:
        kept = "held" if lock.held else "kept, in doubt"
        yield f"  {lock.key}  {kept} by {lock.actor} {times.ago(lock.since, found.time)}  {safe_line(lock.reason)}"
    yield f"CHANGED IN THE LAST HOUR {len(found.changes)}  (own jobs and marks; hosts: ondeck changes)"
    for change in found.changes:
        yield f"  {times.clock(change.time)[:5]}  {change.subject}  {_said(change)}"
    yield "FLEET"
    for fleet in found.fleet:
        yield "  " + _fleet_line(fleet)


def _troubles(found: Screen) -> Iterator[str]:
    for check in found.failing:
        yield from _check_lines(check, found.time)
    if found.not_asked:
        yield _not_asked(found)
    for standing in found.hosts:
        yield f"  {_TROUBLE[standing.severity]}  {standing.env}  {standing.host}  {standing.why}"
    for one in found.checks:
        yield f"  {_TROUBLE.get(one.severity, '?   ')}  {one.subject}  {one.text}{_on(one)}"


def _not_asked(found: Screen) -> str:
    names = " ".join(found.not_asked[:8])
    more = f" and {len(found.not_asked) - 8} more" if len(found.not_asked) > 8 else ""
    return f"NOT ASKED {len(found.not_asked)} of {found.services} services, time was up: {names}{more}"


def _check_lines(check: Check, now: int) -> Iterator[str]:
    standing = check.standing
    names = " ".join(fact.host for fact in standing.failing)
    count = f"{len(standing.failing)} of {len(standing.hosts)}"
    yield f"  CRIT  {standing.subject}  health fails on {names} ({count}): {standing.failing[0].health_text}"
    if check.change is not None:
        yield f"        {times.ago(check.change.time, now)} ago: {_said(check.change)}"
    else:
        yield "        no change of it is known in the last day"
    if standing.versions:
        running = ", ".join(f"{version} on {count}" for version, count in standing.versions.items())
        back = f"go back to {check.way_back}" if check.way_back else "go back"
        yield f"        runs {running}; {back}: ondeck rollback {standing.subject}"


def _known_bad(found: Screen) -> int:
    return sum(one.severity is not Severity.UNKNOWN for one in found.checks)


def _on(one: CheckTrouble) -> str:
    return f" on {' '.join(one.members[:4])}{' ..' * (len(one.members) > 4)}" if one.members else ""


def _said(change: Change) -> str:
    kind = "" if change.job or change.kind == "mark" else f"{change.kind} "
    return f"{kind}{change.text}  by {change.who or '?'}"


def _job_lines(wait: Waiting, now: int) -> Iterator[str]:
    what = f"{wait.operation} {safe_line(wait.subject)}"
    yield f"  {wait.state}  {what}  {wait.actor} {times.ago(wait.began, now)}  {wait.why}"
    yield f"        {wait.do}"


def _fleet_line(fleet: judging.Fleet) -> str:
    groups = (("warn", tuple(fleet.warn)), ("bad", tuple(fleet.bad)), ("lost", tuple(fleet.lost)))
    words = [f"{len(names)} {word}{_named(names)}" for word, names in groups]
    unknown = f"{len(fleet.unknown)} ?{_named(fleet.unknown)}"
    count = f"{fleet.hosts} host{'s' * (fleet.hosts != 1)}"
    return f"{fleet.env}  {count}: {len(fleet.ok)} ok, {', '.join(words)}, {unknown}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f" ({' '.join(names[:8])}{more})" if names else ""


def _rows(found: Screen) -> Rows:
    rows: list[tuple[object, ...]] = []
    for check in found.failing:
        before = (
            f"; {times.ago(check.change.time, found.time)} ago: {_said(check.change)}" if check.change else ""
        )
        failing = " ".join(fact.host for fact in check.standing.failing)
        text = f"health fails on {failing}{before}"
        rows.append((check.standing.subject, "failing", "check", check.standing.env, text, found.time, ""))
    for one in found.hosts:
        rows.append((one.host, one.severity.word, "host", one.env, one.why, found.time, ""))
    for check_ in found.checks:
        word = "?" if check_.severity is Severity.UNKNOWN else check_.severity.word
        rows.append((check_.subject, word, "check", check_.env, check_.text + _on(check_), found.time, ""))
    for subject, why in found.not_known.items():
        rows.append((subject, "?", "check", subject.rpartition("@")[2], why, found.time, ""))
    for subject in found.not_asked:
        env = subject.rpartition("@")[2]
        rows.append((subject, "?", "check", env, "not asked: time was up", found.time, ""))
    for wait in (*found.waiting, *found.running):
        text = f"{wait.operation} {wait.subject}: {wait.why}"
        rows.append((wait.job, wait.state, "job", wait.env, text, wait.began, wait.actor))
    for lock in found.locks:
        env = lock.key.rpartition("@")[2]
        rows.append(
            (lock.key, "held" if lock.held else "in doubt", "lock", env, lock.reason, lock.since, lock.actor)
        )
    for change in found.changes:
        rows.append(
            (change.subject, "changed", change.kind, change.env, change.text, change.time, change.who)
        )
    for fleet in found.fleet:
        rows.append((fleet.env, "fleet", "fleet", fleet.env, _fleet_line(fleet), found.time, ""))
    titles = ("subject", "state", "kind", "env", "text", "time", "who")
    return Rows(titles, tuple((*row[:5], times.iso(cast(int, row[5])), row[6]) for row in rows))
