"""`get`, `check`, `init` and `schema`: what exists, whether it is right, how to begin."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import msgspec

from ondeck.capabilities import Capabilities
from ondeck.counting import counted
from ondeck.errors import BadInput, ExitCode, OndeckError
from ondeck.inventory.model import Host
from ondeck.reach.ports import Checked, LiveCheck
from tui.cli import out
from tui.cli.face import Face, form_option, pass_face, selector_option
from tui.cli.out import Format, Rows

if TYPE_CHECKING:
    from ondeck.inventory import kinds
    from ondeck.inventory.findings import Finding

_JUNIT = click.Choice([*(str(f.value) for f in Format), "junit"])


@click.command()
@click.argument("kind", default="")
@click.argument("name", nargs=-1)
@selector_option
@form_option
@pass_face
def get(face: Face, kind: str, name: tuple[str, ...], selectors: tuple[str, ...], form: str) -> int:
    """Show records of the inventory (hosts, services, clusters, stacks, ...) or live things (containers, ...).

    Without a KIND the kinds that there are. Live things are asked for now, of every place or those named; a
    PLACE/THING is described. With -o json the whole records, else the columns of a table;
    a live figure that was asked for (-l 'disk>80') stands beside them.
    """
    from ondeck.inventory import kinds
    from tui.cli.reading import judged_now

    live = face.deck.registry.lists()
    if not kind:
        counts = kinds.counts(face.deck.inventory)
        rows = (*counts.items(), *((one, "live") for one in live))
        face.rows(Rows(("kind", "count"), rows), form)
        return int(ExitCode.OK)
    if kind in live:
        from tui.cli import listing

        if selectors:
            raise BadInput(
                f"-l chooses hosts, and {kind} live in other places: name those", hint=f"get {kind} PLACE"
            )
        return listing.show(face, live[kind], name, form)
    if kinds.plural(kind) in ("hosts", "clusters"):
        from tui.cli import discovery

        discovery.tell_stale(face)
    names, figures = judged_now(face, selectors)
    found = kinds.rows(face.deck.inventory, kind, name, names)
    if found.kind == "hosts" and figures:
        found = _with_figures(found, figures)
    if form in (Format.JSON, Format.JSONL):
        records = [row.data for row in found.rows]
        face.data(
            out.dumps(records) + "\n"
            if form == Format.JSON
            else "".join(out.compact(record) + "\n" for record in records)
        )
        return int(ExitCode.OK)
    titles = tuple(column.lower() for column in found.columns)
    spare = tuple(title for title in _SPARE if title in titles)
    drop = tuple(title for title in _DROP if title in titles)
    face.rows(Rows(titles, tuple(row.cells for row in found.rows), spare=spare, drop=drop), form)
    return int(ExitCode.OK)


_SPARE = ("labels", "needs", "logs", "may", "protection", "services", "hosts", "groups")
_DROP = ("via", "nature", "owner", "colour", "needs", "freezes", "labels")
"""Columns that a narrow terminal cuts or leaves out first."""


def _with_figures(found: kinds.Rows, figures: Mapping[str, Mapping[str, float | None]]) -> kinds.Rows:
    """Hosts with the figures that chose them: a column for each, and `seen` in the record."""
    rows = []
    for row in found.rows:
        seen = {key: _rounded(values.get(row.name)) for key, values in figures.items()}
        cells = tuple("?" if value is None else f"{value:g}" for value in seen.values())
        rows.append(msgspec.structs.replace(row, cells=(*row.cells, *cells), data={**row.data, "seen": seen}))
    columns = (*found.columns, *(key.upper() for key in figures))
    return msgspec.structs.replace(found, columns=columns, rows=tuple(rows))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


@click.command()
@click.option("--live", is_flag=True, help="Log in everywhere: reachable, sudo, clock, room for jobs.")
@selector_option
@click.option("-o", "--output", "form", type=_JUNIT, default="table", show_default=True, help="How to print.")
@pass_face
def check(face: Face, live: bool, selectors: tuple[str, ...], form: str) -> int:
    """Look the inventory over; every problem is named at once with file, line and column."""
    from ondeck.inventory import checking
    from ondeck.inventory.findings import Severity

    inventory = face.deck.inventory
    if live:
        return _live(face, selectors, form)
    if selectors:
        raise BadInput("-l chooses hosts for --live", hint="ondeck check --live -l env=staging")
    found = checking.check(inventory, face.deck.registry.serves())
    if form == "junit":
        face.data(_junit([(f.where, f"{f.message} {f.hint}".strip()) for f in found]))
    elif found or form != Format.TABLE:
        face.rows(_findings(found), form)
    count = sum(finding.severity is Severity.WARNING for finding in found)
    hosts, services = counted(len(inventory.hosts), "host"), counted(len(inventory.services), "service")
    face.say(f"{hosts}, {services}: no errors, {counted(count, 'warning')}")
    return int(ExitCode.OK)


def _findings(found: Sequence[Finding]) -> Rows:
    return Rows(
        ("severity", "where", "message", "hint"),
        tuple((f.severity.value, f.where, f.message, f.hint) for f in found),
        below=("message", "hint"),
    )


async def _check_live(face: Face, hosts: Sequence[Host]) -> list[Checked]:
    from ondeck.operate.bench import FaceBench

    bench, able = FaceBench(face.deck), Capabilities(face.deck.registry)
    gate = asyncio.Semaphore(32)

    async def one(host: Host) -> Sequence[Checked]:
        async with gate:
            try:
                capability = cast(LiveCheck, able.transport(host.transport, "live_check"))
                return await capability.check(host, bench.reach(host.transport))
            except OndeckError as error:
                return [Checked(host=host.name, what="reachable", ok=None, text=error.message)]

    try:
        return [row for rows in await asyncio.gather(*(one(host) for host in hosts)) for row in rows]
    finally:
        await bench.aclose()


def _live(face: Face, selectors: tuple[str, ...], form: str) -> int:
    from tui.cli.reading import chosen

    rows = asyncio.run(_check_live(face, chosen(face, selectors, "check --live")))
    words = {True: "ok", False: "BAD", None: "?"}
    if form == "junit":
        face.data(_junit([(f"{r.host} {r.what}", "" if r.ok else r.text) for r in rows]))
    else:
        face.rows(
            Rows(
                ("host", "what", "state", "text"),
                tuple((r.host, r.what, words[r.ok], r.text) for r in rows),
                below=("text",),
            ),
            form,
        )
    bad = {row.host for row in rows if row.ok is not True}
    hosts = {row.host for row in rows}
    face.say(f"{len(hosts) - len(bad)} of {counted(len(hosts), 'host')} passed every check")
    if not bad:
        return int(ExitCode.OK)
    return int(ExitCode.FAILED if bad == hosts else ExitCode.SOME_FAILED)


def _junit(cases: Sequence[tuple[str, str]]) -> str:
    """JUnit XML as CI systems read it; a case with a text has failed."""
    from xml.etree.ElementTree import Element, SubElement, tostring

    failed = sum(bool(text) for _, text in cases)
    suite = Element("testsuite", name="ondeck check", tests=str(len(cases)), failures=str(failed))
    for name, text in cases:
        case = SubElement(suite, "testcase", name=name)
        if text:
            SubElement(case, "failure", message=text)
    return tostring(suite, encoding="unicode") + "\n"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="ansible:FILE, ssh_config[:FILE] or aws:PROFILE[:REGION,...]; repeatable.",
)
@pass_face
def init(face: Face, folder: Path, sources: tuple[str, ...]) -> int:
    """Write a first inventory into FOLDER, to look over and commit; overwrites nothing."""
    from ondeck.inventory import starting
    from tui.cli import discovery

    live = tuple(source for source in sources if discovery.is_live(source))
    more = discovery.found(face, live) if live else ()
    written = starting.write(folder, [source for source in sources if source not in live], more)
    face.say(
        f"{counted(written.hosts, 'host')}; look the files over, run `ondeck -i {folder} check`, commit them"
    )
    for line in (*written.joined, *written.notes):
        face.say(f"  {line}")
    face.data("".join(f"{path}\n" for path in written.written))
    return int(ExitCode.OK)


@click.command()
@click.argument("kind", default="inventory")
@pass_face
def schema(face: Face, kind: str) -> int:
    """Print the JSON Schema of a file kind (inventory) for editors."""
    from ondeck.inventory.schema import json_schema

    face.data(out.dumps(json_schema(kind)) + "\n")
    return int(ExitCode.OK)
