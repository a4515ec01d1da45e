"""`top` and `changes`: figures and changes of hosts, with every source that could not be asked named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import click

from ondeck import times
from ondeck.capabilities import Capabilities
from ondeck.counting import counted
from ondeck.errors import BadInput, ExitCode
from ondeck.inventory.live import HostFacts, Live
from ondeck.inventory.model import Host
from ondeck.observe.fleet import Standing, fullest
from ondeck.observe.history import EveryChange, gather_changes, newest_first, silent
from ondeck.observe.ports import FactsReader
from ondeck.observe.records import Asked, Change, SourceState
from ondeck.observe.sampling import AT_ONCE, sample_all, standings
from tui.cli.face import Face, form_option, pass_face, selector_option
from tui.cli.out import At, Format, Rows

if TYPE_CHECKING:
    from ondeck.inventory.selector import Selector
    from ondeck.operate.bench import FaceBench


def chosen(face: Face, selectors: Sequence[str], what: str) -> tuple[Host, ...]:
    """Hosts of the selectors.

    Raises:
        BadInput: No selector was given; reading every host of a large inventory is never implied.
    """

    inventory = face.deck.inventory
    if not selectors and len(inventory.hosts) > AT_ONCE:
        raise BadInput(f"which of {len(inventory.hosts)} hosts?", hint=f"ondeck {what} -l env=prod,group=web")
    if not selectors:
        return tuple(inventory.hosts.values())
    return selected(face, selectors)


def selected(face: Face, selectors: Sequence[str]) -> tuple[Host, ...]:
    """Hosts of the selectors; those that only a look can judge (`disk>90`, `state=lost`) are looked at.

    Raises:
        NoMatch: None matches.
        BadInput: A selector is malformed.
    """
    return _seen(face, selectors)[0]


def _seen(face: Face, selectors: Sequence[str]) -> tuple[tuple[Host, ...], Live | None]:
    """Hosts of the selectors, and what a look at those gave that only a look can judge."""
    from ondeck.inventory import selector

    wanted = selector.parse(selectors)
    live = looked(face, wanted)
    hosts = wanted.select(face.deck.inventory, live)
    tell_unjudged(face, wanted.judge(face.deck.inventory, live).unjudged)
    return hosts, live


def looked(face: Face, wanted: Selector | None) -> Live | None:
    """What a look at the hosts gave that only a look can judge; None when the files say it all."""
    if wanted is None:
        return None
    from ondeck.observe import live

    hosts = live.undecided(wanted, face.deck.inventory)
    if not hosts:
        return None
    face.say(f"looking at {counted(len(hosts), 'host')} for {wanted}")
    return asyncio.run(_looked(face, wanted))


async def _looked(face: Face, wanted: Selector) -> Live:
    from ondeck.observe import live

    bench = _bench(face)
    try:
        return await live.look(wanted, Capabilities(face.deck.registry), bench)
    finally:
        await bench.aclose()


def tell_unjudged(face: Face, count: int) -> None:
    """Say how many hosts a live figure might have chosen, but did not say."""
    if count:
        face.say(f"NOT JUDGED  {counted(count, 'host')} could not be asked: they are not among these")


def settled(face: Face, selectors: Sequence[str]) -> tuple[str, ...]:
    """Selectors without live figures: those with some become the names of the hosts that have them now."""
    return judged_now(face, selectors)[0]


def judged_now(
    face: Face, selectors: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, dict[str, float | None]]]:
    """As `settled`, and by asked figure its value on each host that was looked at."""
    from ondeck.inventory import selector
    from ondeck.observe import live

    if not selectors or not live.undecided(selector.parse(selectors), face.deck.inventory):
        return tuple(selectors), {}
    hosts, seen = _seen(face, selectors)
    asked = selector.keys(selector.parse(selectors).tree)
    figures = {
        key: {name: figure(facts) for name, facts in (seen.facts if seen else {}).items()}
        for key, figure in selector.FIGURES.items()
        if key in asked
    }
    return (f"name in ({','.join(host.name for host in hosts)})",), figures


def _bench(face: Face) -> FaceBench:
    from ondeck.operate.bench import FaceBench

    return FaceBench(face.deck)


async def _look(face: Face, hosts: Sequence[Host]) -> dict[str, HostFacts | SourceState]:
    bench = _bench(face)
    try:
        return await sample_all(
            cast(FactsReader, Capabilities(face.deck.registry).host("facts")), hosts, bench
        )
    finally:
        await bench.aclose()


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 1)


def _row(host: Host, found: HostFacts | SourceState, state: Standing) -> tuple[object, ...]:
    if isinstance(found, SourceState):
        return (host.name, host.env, state.severity.word, None, None, None, "", None, None, state.why)
    mount, worst = fullest(found) or ("", None)
    uptime = times.length(found.uptime) if found.uptime is not None else None
    cpu, memory = _percent(found.cpu), _percent(found.memory)
    return (
        host.name, host.env, state.severity.word, cpu, memory, _percent(worst), mount, found.load1, uptime, state.why,
    )  # fmt: skip


def _heaviest(found: HostFacts | SourceState) -> float:
    if isinstance(found, SourceState):
        return 0.0
    full = fullest(found)
    return -max(found.cpu or 0.0, found.memory or 0.0, full[1] if full else 0.0)


@click.command()
@selector_option
@form_option
@pass_face
def top(face: Face, selectors: tuple[str, ...], form: str) -> int:
    """Figures of hosts right now, the lost, the worst and the busiest first; percentages."""
    hosts = chosen(face, selectors, "top")
    found = asyncio.run(_look(face, hosts))
    states = standings(hosts, found, time.time_ns())
    ordered = sorted(hosts, key=lambda host: (-states[host.name].severity, _heaviest(found[host.name])))
    rows = [_row(host, found[host.name], states[host.name]) for host in ordered]
    titles = ("host", "env", "state", "cpu", "mem", "disk", "mount", "load1", "up", "note")
    right = ("cpu", "mem", "disk", "load1")
    face.rows(Rows(titles, tuple(rows), right=right, spare=("note", "mount"), drop=("env",)), form)
    lost = sum(isinstance(facts, SourceState) for facts in found.values())
    if lost:
        face.say(f"{lost} of {counted(len(found), 'host')} gave no figures")
    return int(_exit(lost, len(found)))


def _exit(lost: int, asked: int) -> ExitCode:
    if not lost:
        return ExitCode.OK
    return ExitCode.UNREACHABLE if lost == asked else ExitCode.SOME_FAILED


async def _changes(face: Face, hosts: Sequence[Host], since: int) -> list[Asked]:
    bench = _bench(face)
    try:
        reader = EveryChange(Capabilities(face.deck.registry).every("changes"))
        return await gather_changes(bench, reader, hosts, since)
    finally:
        await bench.aclose()


@click.command()
@selector_option
@click.option(
    "--since", default="1h", show_default=True, metavar="TIME", help="10m (ago), 03:00 (UTC) or a date."
)
@click.option("--own", is_flag=True, help="Only ondeck's own jobs and marks; asks no host.")
@form_option
@pass_face
def changes(face: Face, selectors: tuple[str, ...], since: str, own: bool, form: str) -> int:
    """What changed: own jobs, marks, restarts, packages, reboots; newest first.

    A source that did not answer is named: an empty list with such a line does not mean that nothing changed.
    The exit code is 0 when every source answered at least partly, 3 when some gave nothing, 6 when all did.
    """
    start = times.moment(since, what="--since")
    hosts = () if own else chosen(face, selectors, "changes")
    answers = asyncio.run(_changes(face, hosts, start)) if hosts else []
    envs = {host.env for host in hosts}
    recorded = [c for c in face.deck.record.changes(start) if not envs or c.env in envs]
    found = newest_first([Asked(source="own record", changes=tuple(recorded)), *answers])
    titles = ("time", "env", "kind", "subject", "text", "host", "who")
    rows = tuple(map(_cells, found))
    face.rows(Rows(titles, rows, spare=("who", "subject", "text"), drop=("env", "kind")), form)
    unheard = silent(answers)
    for answer in unheard:
        face.say(f"{'PARTLY' if answer.partly else 'NOT ASKED'}  {answer.source}: {answer.error}")
    if not found and hosts and not unheard and form == Format.TABLE:
        face.say(f"every source answered: nothing changed since {times.iso(start)}")
    return int(_exit(sum(not answer.partly for answer in unheard), len(answers)))


def _cells(change: Change) -> tuple[object, ...]:
    return (
        At(change.time),
        change.env,
        change.kind,
        change.subject,
        change.text,
        change.host,
        change.who,
    )
