"""`top` and `changes`: figures and changes of hosts, with every source that could not be asked named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import click

from ondeck import times
from ondeck.errors import BadInput, ExitCode
from ondeck.inventory.model import Host
from ondeck.observe.ports import ChangeReader, FactsReader
from ondeck.observe.records import Asked, Change, Health, HostFacts, SourceState
from tui.cli.face import Face, form_option, pass_face, selector_option
from tui.cli.out import Format, Rows

if TYPE_CHECKING:
    from ondeck.operate.bench import FaceBench

_WAIT = 15.0
_AT_ONCE = 64


def chosen(face: Face, selectors: Sequence[str], what: str) -> tuple[Host, ...]:
    """Hosts of the selectors.

    Raises:
        BadInput: No selector was given; reading every host of a large inventory is never implied.
    """
    from ondeck.inventory import selector

    inventory = face.deck.inventory
    if not selectors and len(inventory.hosts) > _AT_ONCE:
        raise BadInput(f"which of {len(inventory.hosts)} hosts?", hint=f"ondeck {what} -l env=prod,group=web")
    if not selectors:
        return tuple(inventory.hosts.values())
    return selector.parse(selectors).select(inventory)


def _bench(face: Face) -> FaceBench:
    from ondeck.operate.bench import FaceBench

    return FaceBench(face.deck)


async def _sample(reader: FactsReader, host: Host, bench: FaceBench) -> HostFacts | SourceState:
    """Facts with a CPU figure (that takes two samples), else what is wrong with the source."""
    last: HostFacts | SourceState | None = None
    try:
        async with asyncio.timeout(bench.settings.seconds(_WAIT)):
            async with aclosing(reader.watch(host, bench, every=1.0)) as batches:
                async for batch in batches:
                    last = batch.facts or (batch.state if _is_lost(batch.state) else last)
                    if isinstance(last, SourceState) or (last is not None and last.cpu is not None):
                        return last
    except TimeoutError:
        pass
    return last or SourceState(host.name, Health.LOST, time.time_ns(), error=f"no answer in {_WAIT:.0f} s")


def _is_lost(state: SourceState | None) -> bool:
    return state is not None and state.health is Health.LOST


async def _top(face: Face, hosts: Sequence[Host]) -> list[tuple[Host, HostFacts | SourceState]]:
    reader = cast(FactsReader, face.deck.registry.load("linux", "facts"))
    bench = _bench(face)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(host: Host) -> tuple[Host, HostFacts | SourceState]:
        async with gate:
            return host, await _sample(reader, host, bench)

    try:
        return list(await asyncio.gather(*(one(host) for host in hosts)))
    finally:
        await bench.aclose()


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 1)


def _row(host: Host, found: HostFacts | SourceState) -> tuple[object, ...]:
    if isinstance(found, SourceState):
        return (host.name, host.env, found.health.value, None, None, None, "", None, None, found.error)
    mount, worst = max(
        ((m, used) for m, (used, _, _) in found.disks.items()), key=lambda e: e[1], default=("", None)
    )
    uptime = times.length(found.uptime) if found.uptime is not None else None
    cpu, memory = _percent(found.cpu), _percent(found.memory)
    return (host.name, host.env, "ok", cpu, memory, _percent(worst), mount, found.load1, uptime, "")


def _heaviest(row: tuple[object, ...]) -> float:
    figures = [value for value in row[3:6] if isinstance(value, float)]
    return -max(figures) if figures else -1000.0


@click.command()
@selector_option
@form_option
@pass_face
def top(face: Face, selectors: tuple[str, ...], form: str) -> int:
    """Figures of hosts right now, the lost and the busiest first; percentages."""
    found = asyncio.run(_top(face, chosen(face, selectors, "top")))
    rows = sorted((_row(host, facts) for host, facts in found), key=_heaviest)
    titles = ("host", "env", "state", "cpu", "mem", "disk", "mount", "load1", "up", "note")
    face.rows(Rows(titles, tuple(rows), right=("cpu", "mem", "disk", "load1")), form)
    lost = sum(isinstance(facts, SourceState) for _, facts in found)
    if lost:
        face.say(f"{lost} of {len(found)} hosts gave no figures")
    return int(_exit(lost, len(found)))


def _exit(lost: int, asked: int) -> ExitCode:
    if not lost:
        return ExitCode.OK
    return ExitCode.UNREACHABLE if lost == asked else ExitCode.SOME_FAILED


async def _changes(face: Face, hosts: Sequence[Host], since: int) -> list[Asked]:
    reader = cast(ChangeReader, face.deck.registry.load("linux", "changes"))
    bench = _bench(face)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(host: Host) -> Asked:
        async with gate:
            return await reader.changes(host, bench, since=since)

    try:
        return list(await asyncio.gather(*(one(host) for host in hosts)))
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
    """
    start = times.moment(since, what="--since")
    hosts = () if own else chosen(face, selectors, "changes")
    answers = asyncio.run(_changes(face, hosts, start)) if hosts else []
    envs = {host.env for host in hosts}
    recorded = [c for c in face.deck.record.changes(start) if not envs or c.env in envs]
    found = [*recorded, *(change for answer in answers for change in answer.changes)]
    found.sort(key=lambda change: -change.time)
    face.rows(
        Rows(("time", "env", "kind", "subject", "text", "host", "who"), tuple(map(_cells, found))), form
    )
    silent = [f"{answer.source}: {answer.error}" for answer in answers if answer.error]
    for line in silent:
        face.say(f"NOT ASKED  {line}")
    if not found and hosts and not silent and form == Format.TABLE:
        face.say(f"every source answered: nothing changed since {times.iso(start)}")
    return int(_exit(len(silent), len(answers)))


def _cells(change: Change) -> tuple[object, ...]:
    return (
        times.iso(change.time),
        change.env,
        change.kind,
        change.subject,
        change.text,
        change.host,
        change.who,
    )
