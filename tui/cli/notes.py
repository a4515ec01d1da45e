"""`ondeck mark`: what was changed elsewhere, so that the first question at night has an answer."""

from __future__ import annotations

import time

import click

from ondeck import times
from ondeck.errors import ExitCode
from tui.cli.face import Face, pass_face


@click.command()
@click.argument("subject", metavar="SERVICE@ENV")
@click.argument("text")
@click.option("--by", default="", help="Who or what did it, e.g. ci#4411; else who you are.")
@click.option("--at", default="", metavar="TIME", help="When, e.g. 10m or 03:00 (UTC); else now.")
@pass_face
def mark(face: Face, subject: str, text: str, by: str, at: str) -> int:
    """Note a change that ondeck did not make: a deploy by CI, a thing done by hand."""
    from ondeck.operate.allowed import allow

    allow(face.deck, "mark", subject.rpartition("@")[2] if "@" in subject else "", subject=subject)
    when = times.moment(at, what="--at") if at else time.time_ns()
    face.deck.record.mark(subject, text, who=by or face.settings.actor, time=when)
    face.say(f"noted for {subject} at {times.iso(when)}")
    return int(ExitCode.OK)
