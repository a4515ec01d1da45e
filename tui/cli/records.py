"""`audit`, `report` and `handover`: what was done, in a form that others can check and read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ondeck import times
from ondeck.counting import counted
from ondeck.errors import ExitCode
from ondeck.job.outcome import JobState
from ondeck.job.plan import work_of
from ondeck.text import safe_line
from tui.cli import out
from tui.cli.face import Face, pass_face

if TYPE_CHECKING:
    from ondeck.observe.records import Change
    from ondeck.record.view import JobView


@click.group()
def audit() -> None:
    """The hash-chained record of every intent and outcome."""


@audit.command()
@pass_face
def verify(face: Face) -> int:
    """Check the chain; names the first line that is not as it was written, and jobs that are missing in it."""
    found = face.deck.record.audit.verify()
    missing, older = face.deck.record.unaudited()
    for job in found.open:
        face.say(f"intent without outcome: job {job}")
    for job in missing:
        face.say(f"no intent in the audit: job {job}, which changed something")
    if older:
        face.say(f"{len(older)} jobs are from before this audit begins, the last of them {older[-1]}")
    if not found.ok:
        face.say(f"ondeck: the audit is NOT as it was written: line {found.bad}: {found.why}")
    elif missing:
        face.say(f"ondeck: the audit is NOT as it was written: lines of {len(missing)} jobs are missing")
    if missing or not found.ok:
        return int(ExitCode.FAILED)
    face.say(f"{counted(found.entries, 'entry', 'entries')}, the chain holds")
    return int(ExitCode.OK)


@audit.command()
@pass_face
def export(face: Face) -> int:
    """Every entry as one JSON object a line."""
    for entry in face.deck.record.audit.entries():
        face.data(out.compact(entry) + "\n")
    return int(ExitCode.OK)


def _heading(title: str, start: int, face: Face) -> list[str]:
    root = face.deck.inventory.revision
    return [
        f"# {title}",
        "",
        f"From {times.iso(start)} to {times.iso(time.time_ns())} (UTC). Inventory {root.label()}.",
        f"Written by {face.settings.actor} with ondeck; own jobs and marks only, hosts were not asked.",
        "",
    ]


def _changes(found: list[Change]) -> list[str]:
    if not found:
        return ["No own job and no mark in this time.", ""]
    lines = ["| time (UTC) | env | what | text | who | job |", "|---|---|---|---|---|---|"]
    for c in sorted(found, key=lambda change: change.time):
        cells = (times.iso(c.time), c.env, c.subject, c.text, c.who, c.job)
        lines.append("| " + " | ".join(safe_line(cell).replace("|", "\\|") or "-" for cell in cells) + " |")
    return [*lines, ""]


def _job(view: JobView) -> list[str]:
    request = view.plan.request
    outcome = view.outcome.value if view.outcome else view.state.value
    lines = [
        f"### {view.id}: {view.plan.title} {safe_line(request.subject)}: {outcome}",
        "",
        f"{safe_line(view.plan.draft.summary)}. By {view.people}. Why: {safe_line(view.reason) or 'not said'}.",
        "",
        *(f"**WRONG: {text}**" for text in view.wrong),
        "| target | outcome | evidence |",
        "|---|---|---|",
    ]
    for row in view.targets.values():
        word = row.outcome.value if row.outcome else "in doubt" if row.in_doubt else "waiting"
        lines.append(f"| {row.target} | {word} | {safe_line(row.text).replace('|', chr(92) + '|')} |")
    return [*lines, ""]


@click.command("report")
@click.argument("subject", required=False, metavar="[SERVICE@ENV]")
@click.option(
    "--since", default="1h", show_default=True, metavar="TIME", help="10m (ago), 03:00 (UTC) or a date."
)
@pass_face
def report_(face: Face, subject: str | None, since: str) -> int:
    """What happened since a time, as Markdown for a post-mortem: marks, jobs, targets, evidence."""
    start = times.moment(since, what="--since")
    record = face.deck.record
    found = [c for c in record.changes(start) if subject in (None, c.subject)]
    lines = [
        *_heading(f"Report{f' on {subject}' if subject else ''}", start, face),
        "## What changed",
        "",
        *_changes(found),
    ]
    wanted = {change.job for change in found if change.job}
    views = [view for view in record.jobs(500) if view.id in wanted]
    if views:
        lines += ["## Jobs", ""]
        for view in reversed(views):
            lines += _job(view)
    face.lines(lines)
    return int(ExitCode.OK)


def _open_matters(face: Face) -> list[str]:
    """What somebody has to look after, a line each."""
    record = face.deck.record
    lines = []
    for view in record.jobs(200):
        work = f"{safe_line(work_of(view.plan))}, on {safe_line(view.plan.request.subject)}"
        name = f"job {view.id} ({work}, {view.people})"
        if view.unsettled and view.over:
            doubts = ", ".join(view.doubts) or "outcome"
            lines.append(f"- UNKNOWN: {name}: {doubts}; `ondeck reconcile {view.id}`")
        elif view.state is not JobState.ENDED:
            lines.append(
                f"- {view.state.value.upper()}: {name}: {safe_line(view.pause or view.detail) or 'goes on'}"
            )
    for lock in record.locks():
        state = "held" if lock.held else "kept, in doubt"
        lines.append(
            f"- LOCK {lock.key}: {state} by {lock.actor}, {times.ago(lock.since)}: {safe_line(lock.reason)}"
        )
    return lines


@click.command()
@click.option(
    "--since", default="8h", show_default=True, metavar="TIME", help="10m (ago), 03:00 (UTC) or a date."
)
@pass_face
def handover(face: Face, since: str) -> int:
    """What the next person on call has to know: open matters first, then what was done."""
    start = times.moment(since, what="--since")
    record = face.deck.record
    broken = [view for view in record.jobs(200) if view.break_glass and view.made >= start]
    lines = [*_heading("Hand-over", start, face), "## Needs somebody", ""]
    lines += [*(_open_matters(face) or ["Nothing waits for a person."]), ""]
    if broken:
        lines += [
            "## Glass was broken",
            "",
            *(f"- job {v.id} by {v.people}: {safe_line(v.reason)}" for v in broken),
            "",
        ]
    lines += ["## What changed", "", *_changes(record.changes(start))]
    face.lines(lines)
    return int(ExitCode.OK)
