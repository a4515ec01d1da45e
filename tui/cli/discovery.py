"""`ondeck discover`, and what the other verbs say of live sources: how old their answers are, what is missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import click

from ondeck import times
from ondeck.counting import counted
from ondeck.deck import Deck
from ondeck.errors import BadInput, ExitCode
from ondeck.inventory import discovering
from ondeck.inventory.discovering import Discovered, Entry
from ondeck.inventory.model import Inventory, Revision
from ondeck.inventory.sources import Source
from ondeck.observe import discovery
from ondeck.operate.bench import FaceBench
from ondeck.record.store import Record
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import Rows

_TITLES = ("source", "hosts", "clusters", "asked", "state", "note")
_LIVE = "aws:"
_OLD = 86_400.0  # seconds


@click.command()
@form_option
@pass_face
def discover(face: Face, form: str) -> int:
    """Ask every live source of the inventory now and keep what it says; the files win over it.

    Other verbs never wait for a source: they work with the last answer. A source that cannot be asked keeps what
    it said before, with its age; the exit code is 3 then, or 6 when none answered.
    """
    found = discovering.entries(face.deck.inventory)
    if not found:
        raise BadInput("the inventory names no live source", hint="see `discover` in docs/inventory.md")
    answers = asyncio.run(_refreshed(face, found))
    face.rows(Rows(_TITLES, tuple(map(_cells, answers)), below=("note",)), form)
    failed = [answer for answer in answers if answer.error]
    if not failed:
        return int(ExitCode.OK)
    whole = len(failed) == len(answers) and not any(answer.partly for answer in failed)
    return int(ExitCode.UNREACHABLE if whole else ExitCode.SOME_FAILED)


async def _refreshed(face: Face, entries: Sequence[Entry]) -> list[Discovered]:
    bench = FaceBench(face.deck)
    try:
        return await discovery.refresh(face.deck.registry, bench, entries)
    finally:
        await bench.aclose()


def _cells(answer: Discovered) -> tuple[object, ...]:
    state = "partly" if answer.error and answer.partly else "lost" if answer.error else "ok"
    asked = times.iso(answer.asked) if answer.asked else None
    note = "; ".join((*((answer.error,) if answer.error else ()), *answer.notes[:5]))
    return (answer.source, len(answer.hosts), len(answer.clusters), asked, state, note)


def tell_stale(face: Face) -> None:
    """Say which sources never answered, could not be asked last time, or answered long ago."""
    for source in face.deck.inventory.sources:
        if source.error:
            age = f", what it said {times.ago(source.asked)} ago is shown" if source.asked else ""
            face.say(f"{source.name}: {source.error}{age}; ask now: ondeck discover")
        elif time.time_ns() - source.asked > _OLD * 1e9:
            face.say(f"{source.name}: asked {times.ago(source.asked)} ago; ask now: ondeck discover")


def is_live(source: str) -> bool:
    """Whether `init --from SOURCE` asks a provider."""
    return source.startswith(_LIVE)


def found(face: Face, sources: Sequence[str]) -> list[Source]:
    """What `aws:PROFILE[:REGION,REGION]` names, for a first inventory.

    Raises:
        BadInput: It names no profile.
        Unreachable: It could not be asked, or not all of it: a first inventory is not half of one.
    """
    return asyncio.run(_found(face, sources))


async def _found(face: Face, sources: Sequence[str]) -> list[Source]:
    empty = Inventory(revision=Revision(root=""))
    deck = Deck(inventory=empty, registry=face.registry, record=Record(face.settings), settings=face.settings)
    bench = FaceBench(deck)
    read = []
    try:
        for source in sources:
            answer = await discovery.ask(face.registry, bench, _entry(source))
            if answer.error:
                raise BadInput(f"{source}: {answer.error}", hint="nothing was written")
            face.say(f"{answer.source}: {counted(len(answer.hosts), 'host')}")
            read.append(Source(name=answer.source, hosts=list(answer.hosts), notes=list(answer.notes)))
    finally:
        await bench.aclose()
    return read


def _entry(source: str) -> Entry:
    _, profile, *rest = source.split(":")
    if not profile:
        raise BadInput("aws needs a profile", hint="--from aws:PROFILE or aws:PROFILE:eu-west-1,eu-central-1")
    options: dict[str, object] = {"profile": profile, "group": ["tag:Role", "tag:Env"]}
    if rest and rest[0]:
        options["regions"] = rest[0].split(",")
    return Entry(kind="aws", env="", where=source, options=options)
