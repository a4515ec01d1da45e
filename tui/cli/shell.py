"""`ondeck shell HOST`: the system's ssh on the user's own terminal, down the same road as every change."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import click

from ondeck.errors import BadInput, ExitCode, NeedsPerson
from ondeck.operate.spec import Risk
from tui.cli import consent, flags, operation, plans
from tui.cli.face import Face, pass_face


@click.command(params=[option for option in flags.common() if option.name in ("reason", "yes", "confirm")])
@click.argument("host")
@click.option("--become", default="", metavar="USER", help="Become this user through sudo.")
@pass_face
def shell(face: Face, /, host: str, become: str, reason: str, yes: bool, confirm: str) -> int:
    """Open an interactive shell; what is typed in it is not seen by ondeck, that it was opened is recorded."""
    from ondeck.operate import interactive, road

    if not sys.stdin.isatty():
        raise BadInput("a shell needs a terminal", hint="ondeck exec -l name=HOST -- COMMAND")
    spec = plans.spec_named(face, "host.shell")
    asked = operation.Asked(reason=reason, yes=yes, confirm=confirm)
    request = operation.request_of(face, spec, host, (), {"become": become}, reason)
    drafted = asyncio.run(road.draft(face.deck, request))
    assert drafted.plan.draft.risk is not Risk.READ
    given = consent.obtain(face, drafted.plan, road.judge(face.deck, drafted.plan), asked)
    if given is None:
        raise NeedsPerson("nothing was opened")
    with interactive.opened(face.deck, drafted, given) as opened:
        opened.status = subprocess.run(list(opened.argv), check=False).returncode
    return int(ExitCode.OK if opened.status == 0 else ExitCode.FAILED)
