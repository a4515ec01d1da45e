"""`ondeck stack list`, `show`, `state` and `output`: what stacks are and hold, asked now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import click
import msgspec

from ondeck import times
from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.errors import BadInput, ExitCode, NoMatch
from ondeck.inventory.model import Stack
from ondeck.inventory.problems import listed, nearest
from ondeck.observe.ports import StackReader
from ondeck.observe.stacks import StackLook
from ondeck.operate.bench import FaceBench
from ondeck.text import safe
from tui.cli import listing, out
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import At, Format, Rows

_T = TypeVar("_T")
_TITLES = (
    "stack",
    "env",
    "ref",
    "commit",
    "serial",
    "resources",
    "lock",
    "half done",
    "waiting",
    "drift",
    "error",
)


def _stack(face: Face, name: str) -> Stack:
    known = face.deck.inventory.stacks
    if name not in known:
        raise NoMatch(
            f"no stack {name!r}", hint=nearest(name, known) or f"{listed(known)}; see: ondeck stack list"
        )
    return known[name]


def _asked(face: Face, work: Callable[[Capabilities, Bench], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        bench = FaceBench(face.deck)
        try:
            return await work(Capabilities(face.deck.registry), bench)
        finally:
            await bench.aclose()

    return asyncio.run(run())


def _reader(able: Capabilities, stack: Stack) -> StackReader:
    return cast(StackReader, able.place(stack, "stacks"))


def _looks(face: Face, stacks: Sequence[Stack]) -> list[StackLook]:
    async def work(able: Capabilities, bench: Bench) -> list[StackLook]:
        return list(await asyncio.gather(*(_reader(able, stack).look(stack, bench) for stack in stacks)))

    return _asked(face, work)


@click.command("list")
@form_option
@pass_face
def list_(face: Face, form: str) -> int:
    """Every stack with its state, its lock and what waits; what could not be asked is `?`."""
    stacks = list(face.deck.inventory.stacks.values())
    if not stacks:
        raise BadInput("the inventory names no stacks", hint="docs/terraform.md shows one")
    looks = _looks(face, stacks)
    if form in (Format.JSON, Format.JSONL):
        _data(face, [msgspec.to_builtins(look) for look in looks], form)
    else:
        face.rows(Rows(_TITLES, tuple(map(_cells, looks)), drop=("drift", "waiting", "commit")), form)
    lost = sum(1 for look in looks if look.error)
    return int(
        ExitCode.OK if not lost else ExitCode.UNREACHABLE if lost == len(looks) else ExitCode.SOME_FAILED
    )


def _data(face: Face, records: list[Any], form: str) -> None:
    if form == Format.JSONL:
        face.data("".join(out.compact(record) + "\n" for record in records))
    else:
        face.data(out.dumps(records) + "\n")


def _cells(look: StackLook) -> tuple[object, ...]:
    known = look.known
    return (
        look.stack,
        look.env,
        look.ref or "HEAD",
        look.commit[:7] or None,
        look.serial if known else None,
        look.resources if known else None,
        lock_words(look),
        len(look.half_done) if known else None,
        len(look.waiting),
        f"{look.drift.count} as of {times.ago(look.drift.at)} ago" if look.drift else None,
        look.error or "-",
    )


def lock_words(look: StackLook) -> str | None:
    """Who holds the lock, in a few words; None when that is not known."""
    lock = look.lock
    if lock is None:
        return "free" if look.lock_known else None
    alive = {True: "lives", False: "DEAD", None: "not known whether it lives"}[lock.alive]
    seen = f", seen {times.ago(lock.seen)} ago" if lock.seen else ""
    return f"{lock.who or 'somebody'} {times.ago(lock.since)}, {alive}{seen}"


@click.command("show")
@click.argument("stack")
@click.argument("address", default="")
@form_option
@pass_face
def show(face: Face, stack: str, address: str, form: str) -> int:
    """All that is known of a STACK; with an ADDRESS that resource, sensitive values masked."""
    if address:
        _stack(face, stack)
        return listing.show(face, face.deck.registry.lists()["resources"], [f"{stack}/{address}"], form)
    (look,) = _looks(face, [_stack(face, stack)])
    if form in (Format.JSON, Format.JSONL):
        face.data((out.dumps if form == Format.JSON else out.compact)(msgspec.to_builtins(look)) + "\n")
    else:
        face.rows(Rows(("key", "value"), tuple(_lines(look)), below=("value",)), form)
    if look.error:
        face.say(f"{stack}: {look.error}")
        return int(ExitCode.SOME_FAILED if look.known else ExitCode.UNREACHABLE)
    return int(ExitCode.OK)


def _lines(look: StackLook) -> list[tuple[object, ...]]:
    lines: list[tuple[object, ...]] = [
        (
            "state",
            f"serial {look.serial}, {look.resources} resources, {look.outputs} outputs"
            if look.known
            else None,
        ),
        ("lineage", look.lineage or None),
        ("workspace", look.workspace or None),
        ("backend", look.backend or None),
        ("program", look.program or None),
        ("ref", f"{look.ref or 'HEAD'} at {look.commit[:7]} ({look.subject})" if look.commit else None),
        ("applied", _applied(look)),
        ("lock", lock_words(look)),
    ]
    if look.lock:
        lines += [
            ("lock id", look.lock.id),
            ("holder", look.lock.why),
            ("holder's job", look.lock.job or "none of ours"),
        ]
    lines += [("half done", name) for name in look.half_done]
    lines += [("waiting", f"{one.path}, serial {one.serial}: {one.differs}") for one in look.waiting]
    lines += [
        ("seen", f"{At(one.at)} serial {one.serial}, {one.changed or 'the first'}") for one in look.states
    ]
    if look.drift:
        lines.append(("drift", f"{look.drift.count} as of {At(look.drift.at)}"))
    return [*lines, *(("warning", warning) for warning in look.warnings)]


def _applied(look: StackLook) -> str:
    if not look.applied:
        return "never by ondeck here"
    behind = f"{look.behind} commits behind" if look.behind >= 0 else "not known how far behind"
    return f"{look.applied[:7]}, {behind}"


@click.command("state")
@click.argument("stack")
@form_option
@pass_face
def state(face: Face, stack: str, form: str) -> int:
    """Resources that the state of a STACK names."""
    _stack(face, stack)
    return listing.show(face, face.deck.registry.lists()["resources"], [stack], form)


@click.command("output")
@click.argument("stack")
@click.option(
    "--show", "name", default="", metavar="NAME", help="This one in clear, also when it is sensitive."
)
@form_option
@pass_face
def output(face: Face, stack: str, name: str, form: str) -> int:
    """Outputs of a STACK, sensitive ones masked; with --show NAME that one in clear."""
    place = _stack(face, stack)
    if not name:
        return listing.show(face, face.deck.registry.lists()["outputs"], [stack], form)
    found = _asked(face, lambda able, bench: _reader(able, place).reveal(place, name, bench))
    face.data(safe(found.reveal()) + "\n")
    return int(ExitCode.OK)


COMMANDS = (list_, show, state, output)
"""Verbs of the group `stack` beside its operations."""
