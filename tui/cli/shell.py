"""`ondeck shell HOST`: the system's ssh on the user's own terminal, recorded in the audit."""

from __future__ import annotations

import subprocess
import sys
from typing import cast

import click

from ondeck.errors import BadInput, ExitCode, NoMatch, Refused
from ondeck.reach.ports import Become, Shell
from tui.cli.face import Face, pass_face


@click.command()
@click.argument("host")
@click.option("--become", default="", metavar="USER", help="Become this user through sudo.")
@click.option("--reason", default="", help="Why; goes into the audit.")
@pass_face
def shell(face: Face, host: str, become: str, reason: str) -> int:
    """Open an interactive shell; what is typed in it is not seen by ondeck, that it was opened is recorded."""
    from difflib import get_close_matches

    if not sys.stdin.isatty():
        raise BadInput("a shell needs a terminal", hint="ondeck exec -l name=HOST -- COMMAND")
    inventory = face.deck.inventory
    known = inventory.hosts.get(host)
    if known is None:
        near = get_close_matches(host, inventory.hosts, n=3)
        raise NoMatch(f"no host {host!r}", hint=f"near: {', '.join(near)}" if near else "ondeck get hosts")
    if face.settings.read_only:
        raise Refused("read-only: a shell can change things", hint="start without --read-only")
    capability = cast(Shell, face.deck.registry.load(known.transport, "shell"))
    argv = capability.shell_argv(inventory, known, become=Become(become) if become else None)
    face.deck.record.shell_opened(known.name, known.env, reason)
    status = subprocess.run(list(argv), check=False).returncode
    face.deck.record.shell_closed(known.name, known.env, status)
    return int(ExitCode.OK if status == 0 else ExitCode.FAILED)
