"""`ondeck logs`: many sources merged by time, as text or JSON lines."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import aclosing

import click
import msgspec

from ondeck import times
from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.counting import counted
from ondeck.errors import BadInput, ExitCode
from ondeck.observe import choosing
from ondeck.observe.folding import repeats
from ondeck.observe.logs import Tail, merged
from ondeck.observe.logstore import Filtered, LogStore
from ondeck.observe.ports import LAST
from ondeck.observe.records import Health, Level, LogLine, SourceState
from ondeck.operate.naming import is_selector
from tui.cli import out
from tui.cli.face import Face, pass_face, selector_option


class Wanted(msgspec.Struct, frozen=True):
    """What of the lines is printed; until is ns, 0 means no end."""

    keep: Callable[[str], object] | None
    least: Level
    until: int
    form: str

    def takes(self, line: LogLine) -> bool:
        """True for a line that is to be printed."""
        if line.level < self.least or (self.until and line.time > self.until):
            return False
        return self.keep is None or bool(self.keep(line.message))


def _tails(face: Face, target: str, selectors: Sequence[str], source: str) -> tuple[Tail, ...]:
    from tui.cli.reading import selected

    inventory = face.deck.inventory

    reader = Capabilities(face.deck.registry).logs
    if target and selectors:
        raise BadInput("a TARGET or -l, not both")
    if not target and not selectors:
        raise BadInput("logs of what?", hint="ondeck logs checkout@prod, or: ondeck logs -l group=web")
    if target and target not in inventory.hosts and not is_selector(inventory, target):
        name, env = choosing.subject_of(inventory, target)
        return choosing.of_service(inventory, name, env, reader, only=source)
    chosen = selected(face, selectors or [f"name={target}"])
    return choosing.of_hosts(inventory, chosen, reader, source=source)


def _line(line: LogLine, width: int, form: str) -> str:
    if form == "json":
        return out.compact(_fields(line)) + "\n"
    late = f"  (late by {times.length(line.late / 1e9)})" if line.late else ""
    return f"{times.clock(line.time)} {line.level.word:5} {line.source:{width}} {line.message}{late}\n"


def _fields(line: LogLine) -> dict[str, object]:
    """A line as programs read it; docs/output.md names the fields."""
    return {
        "time": times.rfc3339(line.time),
        "ns": line.time,
        "source": line.source,
        "level": line.level.word or None,
        "message": line.message,
        "late": line.late,
        "run": line.run,
    }


def _how_far_back(tails: Sequence[Tail]) -> str:
    """What was read when no time was asked for."""
    which = f"each of {len(tails)} sources" if len(tails) > 1 else tails[0].name
    return f"-- the last {LAST} lines of {which}; --since asks for more"


class _Printer:
    """Prints what arrives until the sources end, or until somebody has seen enough."""

    def __init__(
        self, face: Face, tails: Sequence[Tail], wanted: Wanted, store: LogStore | None = None
    ) -> None:
        self._store = store
        self._face = face
        self._tails = tails
        self._wanted = wanted
        self._width = max(len(tail.name) for tail in tails)
        self.states: dict[str, SourceState] = {}

    async def run(self, since: int, follow: bool) -> None:
        """Print; ctrl-c ends it in order, so that every remote reader is stopped."""
        from ondeck.operate.bench import FaceBench

        bench = FaceBench(self._face.deck)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
        reading = asyncio.ensure_future(self._read(bench, since, follow))
        leaving = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            for task in (reading, leaving):
                task.cancel()
            await asyncio.gather(reading, leaving, return_exceptions=True)
            await bench.aclose()

    async def _read(self, bench: Bench, since: int, follow: bool) -> None:
        form = self._wanted.form
        async with aclosing(merged(self._tails, bench, since=since, follow=follow)) as batches:
            async for batch in batches:
                taken = [line for line in batch.lines if self._wanted.takes(line)]
                if self._store is not None:
                    self._store.append(taken)
                else:
                    self._face.data("".join(_line(line, self._width, form) for line in taken))
                if batch.state is not None:
                    _tell(self._face, batch.state, self.states.get(batch.state.source), form)
                    self.states[batch.state.source] = batch.state

    def tell_repeats(self) -> None:
        """With a store: what repeats in it, and how many lines do not."""
        store = self._store
        if store is None:
            return
        found = repeats(store, Filtered(store).finish(), len(store))
        for fold in found:
            self._face.data(f"{times.clock(fold.first)} {fold.level.word:5} {fold.text()}\n")
        single = len(store) - sum(len(fold.ids) for fold in found)
        self._face.say(f"-- {len(store)} lines, {single} of them do not repeat")


def _tell(face: Face, state: SourceState, before: SourceState | None, form: str) -> None:
    """Say a source's change that a reader has to know: what is lost, what came back, what is not all there."""
    if state.cut is not None and (before is None or before.cut != state.cut):
        begins = f"HISTORY BEGINS {times.iso(state.cut.time)}" if state.cut.time else "HAS NO HISTORY"
        face.say(f"-- {state.source} {begins}: {state.cut.why}")
        if form == "json":
            face.data(out.compact({"source": state.source, "history_cut": state.cut}) + "\n")
    was_lost = before is not None and before.health is Health.LOST
    if state.health is Health.LOST and not was_lost:
        face.say(f"-- {state.source} LOST: {state.error}; nothing is known after this")
    elif was_lost and state.health is Health.OK:
        face.say(f"-- {state.source} is back")


def _pattern(raw: str) -> Callable[[str], object] | None:
    if not raw:
        return None
    from ondeck.observe import patterns

    return patterns.compile(raw).search


@click.command()
@click.argument("target", default="", metavar="[SERVICE@ENV|HOST]")
@selector_option
@click.option("--source", default="", help="A declared source, a /path on the host, or unit:NAME.")
@click.option("-f", "--follow", is_flag=True, help="Go on with lines as they come; ctrl-c ends it.")
@click.option(
    "--since", default="", metavar="TIME", help="10m (ago), 03:00 (UTC) or a date; else the last lines."
)
@click.option("--until", default="", metavar="TIME", help="As --since.")
@click.option("--grep", default="", metavar="RE", help="Only lines that match (re2 syntax).")
@click.option(
    "--level", type=click.Choice(["debug", "info", "warn", "error", "fatal"]), help="At least this severe."
)
@click.option(
    "--fold", is_flag=True, help="Only what repeats and how often, the most frequent first; with no -f."
)
@click.option(
    "-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@pass_face
def logs(  # noqa: PLR0913 - one argument for each flag
    face: Face,
    /,
    target: str,
    selectors: tuple[str, ...],
    source: str,
    follow: bool,
    since: str,
    until: str,
    grep: str,
    level: str | None,
    fold: bool,
    form: str,
) -> int:
    """Read logs of a service or of hosts, merged by time; times are UTC. Without --since the last lines of each.

    A source that is lost is named on standard error with why, and the exit code is 3 or 6. So is one whose
    history is not all there (rotated away); with -o json as {"source": S, "history_cut": {"time", "why"}} too.
    """
    if fold and (follow or form != "text"):
        raise BadInput("--fold counts what is there: it takes no -f, and no -o json")
    tails = _tails(face, target, selectors, source)
    least = Level[level.upper()] if level else Level.NONE
    end = times.moment(until, what="--until") if until else 0
    wanted = Wanted(_pattern(grep), least, end, form)
    start = times.moment(since, what="--since") if since else 0
    if not start:
        face.say(_how_far_back(tails))
    printer = _Printer(face, tails, wanted, LogStore() if fold else None)
    asyncio.run(printer.run(start, follow))
    printer.tell_repeats()
    states = printer.states
    lost = [state for state in states.values() if state.health is Health.LOST]
    dropped = sum(state.dropped for state in states.values())
    if dropped:
        face.say(f"-- {counted(dropped, 'line')} dropped by their sources")
    if not lost:
        return int(ExitCode.OK)
    face.say(f"-- lost {len(lost)} of {counted(len(tails), 'source')}: {', '.join(s.source for s in lost)}")
    return int(ExitCode.UNREACHABLE if len(lost) == len(tails) else ExitCode.SOME_FAILED)
