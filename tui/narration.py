"""A job's events in words, the same in both faces."""

from __future__ import annotations

from ondeck.counting import counted
from ondeck.job import events as ev


def line_of(event: ev.Event) -> str:  # noqa: C901, PLR0912 - one arm for each kind of event
    """One line of narration for an event; empty for what a person need not read."""
    match event:
        case ev.Waiting():
            return f"waiting for {event.on.value}: {event.detail}"
        case ev.Opened():
            left = f", {event.left_out} left out" if event.left_out else ""
            return f"{counted(event.ready, 'connection')} open and held{left}"
        case ev.BatchStarted():
            return f"batch {event.index + 1}: {' '.join(event.targets)}"
        case ev.Step():
            return f"{event.target}: {event.text}" if event.target else event.text
        case ev.AttemptVoid():
            return f"{event.target}: did not start, will be tried again: {event.why}"
        case ev.TargetEnded():
            return f"{event.target}: {event.outcome.value}: {event.evidence}"
        case ev.GateAnswered():
            verdict = {True: "passed", False: "FAILED", None: "NO DATA"}[event.passed]
            return f"gate after batch {event.index + 1}: {verdict}: {event.evidence}"
        case ev.Paused():
            return f"PAUSED: {event.why}; it stands until somebody says: {' or '.join(event.choices)}"
        case ev.Continued():
            return f"goes on: {event.why}"
        case ev.Asked():
            refused = f": refused, {event.refused}" if event.refused else ""
            return f"{event.by} asks to {event.what}{refused}"
        case ev.Resumed():
            why = f": {event.reason}" if event.reason else ""
            return f"{event.by} goes on with it ({event.decision}){why}"
        case ev.Reconciled():
            still = ", still running" if event.still_running else ""
            return f"{event.target}: found {event.outcome.value}{still}: {event.evidence}"
        case ev.Settled():
            return f"{event.target}: set to {event.outcome.value} by {event.by}: {event.reason}"
        case ev.GateAccepted():
            why = f": {event.reason}" if event.reason else ""
            return f"gate after batch {event.index + 1}: accepted by {event.by}{why}"
        case ev.GateSettled():
            word = "passed" if event.passed else "FAILED"
            return f"gate after batch {event.index + 1}: set to {word} by {event.by}: {event.reason}"
        case ev.Note() | ev.LogShort():
            return event.text
        case _:
            return ""
