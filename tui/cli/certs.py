"""`ondeck certs`: the certificate that every member serves, the soonest to end first."""

from __future__ import annotations

import asyncio

import click

from ondeck import times
from ondeck.capabilities import Capabilities
from ondeck.errors import ExitCode
from ondeck.observe import checks
from ondeck.observe.checks import CheckLook
from ondeck.observe.fleet import Severity
from ondeck.operate.bench import FaceBench
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import Rows

_TITLES = ("subject", "name", "member", "state", "ends", "note", "issuer", "serial")


async def _look(face: Face) -> list[CheckLook]:
    bench = FaceBench(face.deck)
    try:
        return await checks.look(Capabilities(face.deck.registry), bench)
    finally:
        await bench.aclose()


@click.command()
@form_option
@pass_face
def certs(face: Face, form: str) -> int:
    """Certificates of every `checks: [{tls: ...}]`, each member asked by its own address from this machine.

    A member that could not be asked is `?` and the exit code is 3; it is 1 when a certificate is bad.
    """
    found = [one for one in asyncio.run(_look(face)) if one.kind == "tls"]
    face.rows(Rows(_TITLES, tuple(map(_cells, found))), form)
    if any(one.severity is Severity.BAD for one in found):
        return int(ExitCode.FAILED)
    return int(
        ExitCode.SOME_FAILED if any(one.severity is Severity.UNKNOWN for one in found) else ExitCode.OK
    )


def _cells(one: CheckLook) -> tuple[object, ...]:
    ends = times.iso(one.ends) if one.ends else None
    serial, issuer = one.serial or None, one.issuer or None
    return (one.subject, one.target, one.member or "-", one.state, ends, one.text, issuer, serial)
