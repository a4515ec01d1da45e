"""An interactive operation: a program on the user's own terminal, down the same road as every change."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

from ondeck.errors import BadInput, ExitCode, NeedsPerson
from ondeck.job.spec import OperationSpec, Risk
from tui.cli import consent, operation
from tui.cli.face import Face


def open_here(
    face: Face,
    spec: OperationSpec,
    subject: str,
    selectors: tuple[str, ...],
    params: dict[str, Any],
    asked: operation.Asked,
) -> int:
    """Plan it, get consent, hand the terminal over; returns the exit code.

    Raises:
        BadInput: There is no terminal to hand over.
        NeedsPerson: The rules ask for more than was said.
    """
    from ondeck.operate import interactive, road

    if not sys.stdin.isatty():
        raise BadInput(f"{spec.verb} needs a terminal", hint="ondeck exec -l name=HOST -- COMMAND")
    request = operation.request_of(face, spec, subject, selectors, params, asked.reason)
    drafted = asyncio.run(road.draft(face.deck, request))
    assert drafted.plan.draft.risk is not Risk.READ
    given = consent.obtain(face, drafted.plan, road.judge(face.deck, drafted.plan), asked)
    if given is None:
        raise NeedsPerson("nothing was opened")
    with interactive.opened(face.deck, drafted, given) as opened:
        opened.status = subprocess.run(list(opened.argv), check=False).returncode
    return int(ExitCode.OK if opened.status == 0 else ExitCode.FAILED)
