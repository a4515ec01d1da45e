"""`ondeck now`: the first screen as text or data: what fails, what waits, what changed, who did not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import click
import msgspec

from ondeck import times
from ondeck.errors import ExitCode, OndeckError
from ondeck.inventory.model import Host, Service
from ondeck.observe import firing
from ondeck.observe.firing import Standing
from ondeck.observe.ports import FactsReader, ReleaseReader
from ondeck.observe.records import Change, Health
from ondeck.operate.bench import FaceBench
from ondeck.operate.lock import LockView
from ondeck.operate.outcome import JobState, Outcome
from ondeck.text import safe_line
from tui.cli import out
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import Format, Rows

if TYPE_CHECKING:
    from ondeck.record.view import JobView

_HOUR = 3600 * 10**9
_SMALL = 64  # hosts: in a larger fleet only services with a change or a job in the last day are asked
_WAIT = 10.0


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


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts of an environment: who answered, who was lost with why, who was not asked."""

    env: str
    hosts: int
    ok: tuple[str, ...]
    lost: dict[str, str]
    unknown: tuple[str, ...]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A service whose health check fails, with the change before it."""

    standing: Standing
    change: Change | None
    last_good: str


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `ondeck now` shows; times in ns since 1970."""

    time: int
    failing: tuple[Check, ...]
    not_known: dict[str, str]
    waiting: tuple[Waiting, ...]
    running: tuple[Waiting, ...]
    locks: tuple[LockView, ...]
    changes: tuple[Change, ...]
    fleet: tuple[Fleet, ...]


def _wait_of(view: JobView) -> Waiting:
    unknown = view.over
    why = "outcome unknown: " + ", ".join(view.in_doubt) if unknown else view.pause or view.detail
    state = f"{view.state.value}:{view.waiting_for.value}" if view.waiting_for else view.state.value
    return Waiting(
        job=view.id, state="unknown" if unknown else state, operation=view.plan.request.operation,
        subject=view.plan.request.subject, env=view.plan.request.env, actor=view.actor,
        began=view.started or view.made, why=safe_line(why),
        do=f"ondeck {'reconcile' if unknown else 'attach'} {view.id}",
    )  # fmt: skip


def _jobs(views: list[JobView]) -> tuple[tuple[Waiting, ...], tuple[Waiting, ...]]:
    """Jobs that wait for a person, and jobs that run."""
    stands = [v for v in views if v.state in (JobState.WAITING, JobState.PAUSED)]
    doubt = [v for v in views if v.over and (v.outcome is Outcome.UNKNOWN or v.in_doubt)]
    runs = [v for v in views if v.state in (JobState.RUNNING, JobState.QUEUED)]
    return tuple(map(_wait_of, [*stands, *doubt])), tuple(map(_wait_of, runs))


def _of_interest(face: Face, recent: list[Change]) -> Callable[[Service, str], bool] | None:
    inventory = face.deck.inventory
    if len(inventory.hosts) <= _SMALL:
        return None
    subjects = {change.subject for change in recent}
    return lambda service, env: f"{service.name}@{env}" in subjects


async def _answers(reader: FactsReader, host: Host, bench: FaceBench) -> str:
    """Why a host does not answer; empty when it does."""
    try:
        async with asyncio.timeout(bench.settings.seconds(_WAIT)):
            async with aclosing(reader.watch(host, bench)) as batches:
                async for batch in batches:
                    if batch.facts is not None:
                        return ""
                    if batch.state is not None and batch.state.health is Health.LOST:
                        return batch.state.error or "lost"
    except TimeoutError:
        return f"no answer in {_WAIT:.0f} s"
    except OndeckError as error:
        return safe_line(error.message)
    return "its figures ended"


async def _look(face: Face, recent: list[Change]) -> tuple[list[Standing], dict[str, str]]:
    """What services say, and per host that was asked why it did not answer (empty when it did)."""
    deck = face.deck

    def releases(service: Service) -> ReleaseReader:
        kind = service.deploy.kind if service.deploy else ""
        manifest = deck.registry.serving("deploy.kind", kind)
        return cast(ReleaseReader, deck.registry.load(manifest.name, "releases"))

    bench = FaceBench(deck)
    try:
        found = await firing.standings(bench, releases, only=_of_interest(face, recent))
        hosts = {fact.host: fact.error for standing in found for fact in standing.facts}
        rest = [host for host in deck.inventory.hosts.values() if host.name not in hosts]
        if len(deck.inventory.hosts) <= _SMALL and rest:
            reader = cast(FactsReader, deck.registry.load("linux", "facts"))
            said = await asyncio.gather(*(_answers(reader, host, bench) for host in rest))
            hosts |= {host.name: error for host, error in zip(rest, said, strict=True)}
        return found, hosts
    finally:
        await bench.aclose()


def _fleet(face: Face, asked: dict[str, str]) -> tuple[Fleet, ...]:
    return tuple(
        Fleet(
            env=env, hosts=len(names), ok=tuple(n for n in names if asked.get(n) == ""),
            lost={n: asked[n] for n in names if asked.get(n)}, unknown=tuple(n for n in names if n not in asked),
        )
        for env, names in firing.of_environments(face.deck.inventory).items()
    )  # fmt: skip


def _not_known(found: list[Standing]) -> dict[str, str]:
    """Services of which not everything is known, with why."""
    words = {s.subject: s.error for s in found if s.error}
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
    found, asked = asyncio.run(_look(face, recent))
    checks = tuple(
        Check(
            standing=standing, change=firing.change_before(recent, standing.subject),
            last_good=record.remembered(f"last-good {standing.subject}").partition(",")[0].partition(" ")[0],
        )
        for standing in found
        if standing.failing
    )  # fmt: skip
    waiting, running = _jobs(record.jobs(200))
    return Screen(
        time=now, failing=checks, not_known=_not_known(found), waiting=waiting, running=running,
        locks=tuple(record.locks()), changes=tuple(c for c in recent if c.time >= now - _HOUR),
        fleet=_fleet(face, asked),
    )  # fmt: skip


@click.command()
@form_option
@pass_face
def now(face: Face, form: str) -> int:
    """What needs a person now: failing checks with the change before them, jobs, locks, changes, the fleet.

    Every source that did not answer is named; nothing unknown is counted as well.
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
    for fleet in found.fleet:
        for host, why in fleet.lost.items():
            face.say(f"NOT ASKED  {host}: {why}")
    silent = bool(found.not_known) or any(fleet.lost for fleet in found.fleet)
    return int(ExitCode.SOME_FAILED if silent else ExitCode.OK)


def lines(found: Screen) -> Iterator[str]:
    """The screen as text, top to bottom in the order of a bad night."""
    yield f"NOW {times.iso(found.time)}"
    yield f"FAILING {len(found.failing)}"
    for check in found.failing:
        yield from _check_lines(check, found.time)
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
        good = (
            f"; last good {check.last_good}"
            if check.last_good and check.last_good not in standing.versions
            else ""
        )
        yield f"        runs {running}{good}; go back: ondeck rollback {standing.subject}"


def _said(change: Change) -> str:
    kind = "" if change.kind in ("job", "mark") else f"{change.kind} "
    return f"{kind}{change.text}  by {change.who or '?'}"


def _job_lines(wait: Waiting, now: int) -> Iterator[str]:
    what = f"{wait.operation} {safe_line(wait.subject)}"
    yield f"  {wait.state}  {what}  {wait.actor} {times.ago(wait.began, now)}  {wait.why}"
    yield f"        {wait.do}"


def _fleet_line(fleet: Fleet) -> str:
    lost = f" ({' '.join(fleet.lost)})" if fleet.lost else ""
    some = " ".join(fleet.unknown[:8]) + (
        f" and {len(fleet.unknown) - 8} more" if len(fleet.unknown) > 8 else ""
    )
    unknown = f" ({some}: not asked)" if fleet.unknown else ""
    count = f"{fleet.hosts} host{'s' * (fleet.hosts != 1)}"
    good, bad = f"{len(fleet.ok)} ok", f"{len(fleet.lost)} lost{lost}"
    return f"{fleet.env}  {count}: {good}, {bad}, {len(fleet.unknown)} ?{unknown}"


def _rows(found: Screen) -> Rows:
    rows: list[tuple[object, ...]] = []
    for check in found.failing:
        before = (
            f"; {times.ago(check.change.time, found.time)} ago: {_said(check.change)}" if check.change else ""
        )
        failing = " ".join(fact.host for fact in check.standing.failing)
        text = f"health fails on {failing}{before}"
        rows.append((check.standing.subject, "failing", "check", check.standing.env, text, found.time, ""))
    for subject, why in found.not_known.items():
        rows.append((subject, "?", "check", subject.rpartition("@")[2], why, found.time, ""))
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
