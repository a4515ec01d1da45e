"""A person's consent on the command line: what the rules ask for, no more and no less."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ondeck.counting import counted
from ondeck.errors import NeedsPerson, Refused
from ondeck.inventory.model import Protection
from ondeck.job.plan import Plan
from ondeck.operate.guard import Consent, Ruling
from ondeck.text import safe_line

if TYPE_CHECKING:
    from ondeck.operate.road import Drafted
    from tui.cli.face import Face
    from tui.cli.operation import Asked


def by_hand(drafted: Drafted) -> str:
    """The command that starts exactly this plan."""
    return f"ondeck apply {drafted.plan.id}"


def obtain(face: Face, plan: Plan, ruling: Ruling, asked: Asked, targets: int = 0) -> Consent | None:
    """What the rules ask for, from the flags or from the person; None when they said no.

    Args:
        face: Who asks.
        plan: What would be done.
        ruling: What the rules say of it.
        asked: The flags.
        targets: On how many targets, where it is not all of the plan's.

    Raises:
        Refused: A rule says no, whatever anybody says.
        NeedsPerson: A person is needed and none may be asked.
    """
    if ruling.refused:
        raise Refused(ruling.refused, hint="\n".join(ruling.why))
    for line in ruling.why:
        face.say(f"  rule: {line}")
    given = Consent(
        confirmed=asked.yes, typed=asked.confirm, reason=asked.reason, break_glass=asked.break_glass
    )
    if ruling.level is Protection.NONE:
        return given
    if ruling.level is Protection.CONFIRM:
        return given if asked.yes or asked.confirm else _confirm(face, plan, asked, targets)
    if ruling.level is Protection.TYPE_NAME:
        return _typed(face, ruling, asked, given)
    return _two_persons(face, ruling, asked, given)


def _two_persons(face: Face, ruling: Ruling, asked: Asked, given: Consent) -> Consent | None:
    if not ruling.break_glass:
        raise NeedsPerson("this takes two persons, and you may not break the glass", hint=ruling.why[-1])
    if not asked.break_glass:
        raise NeedsPerson("this takes two persons", hint="alone at night: --break-glass --reason WHY")
    if not asked.reason:
        raise NeedsPerson("breaking the glass needs a reason", hint="--reason WHY")
    return _typed(face, ruling, asked, given)


def _typed(face: Face, ruling: Ruling, asked: Asked, given: Consent) -> Consent | None:
    if asked.confirm:
        if asked.confirm != ruling.type_this:
            raise NeedsPerson(f"--confirm is {asked.confirm!r}, the rules want {ruling.type_this!r}")
        return given
    typed = _ask(face, asked, f"type  {ruling.type_this}  to start: ", f"--confirm {ruling.type_this}")
    if typed != ruling.type_this:
        return None
    return Consent(confirmed=True, typed=typed, reason=asked.reason, break_glass=asked.break_glass)


def _confirm(face: Face, plan: Plan, asked: Asked, targets: int) -> Consent | None:
    count = targets or len(plan.targets)
    answer = _ask(face, asked, f"start on {counted(count, 'target')} in {plan.request.env}? [y/N] ", "--yes")
    if answer.lower() not in ("y", "yes"):
        return None
    return Consent(confirmed=True, typed="", reason=asked.reason, break_glass=False)


def _ask(face: Face, asked: Asked, question: str, flag: str) -> str:
    if asked.no_input or not face.may_ask:
        raise NeedsPerson(
            "the rules want a person's word before this starts", hint=f"look at the plan, then: {flag}"
        )
    _forget_typed_ahead()
    sys.stderr.write(safe_line(question))
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _forget_typed_ahead() -> None:
    """What was typed before the question was seen is no answer to it."""
    import termios

    try:
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    except (termios.error, OSError):
        return
