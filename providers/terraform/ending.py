"""How a run ended: from its exit status, its own summary and the state, never from one of them alone."""

from __future__ import annotations

import asyncio

from ondeck.errors import OndeckError
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.reach.command import signal_of
from ondeck.reach.detached import Look, Stage
from ondeck.text import decode, safe_line
from providers.terraform import state as states
from providers.terraform import surgery, unlocking
from providers.terraform.planning import lock_words
from providers.terraform.progress import Progress
from providers.terraform.state import Seen
from providers.terraform.work import Ready, Work


async def final(
    ready: Ready, work: Work, attempt: str, look: Look, progress: Progress, before: Seen | None
) -> Finding:
    """The outcome of a run that is over, with its evidence."""
    if work.operation == "stack.unlock" and look.stage is Stage.ENDED and look.status == 0:
        return await unlocking.seen_after(ready, work)
    if not work.plan:
        return await surgery.final(ready, work, look, progress)
    now, said = await _evidence(ready, work, before)
    reader = progress.reader
    if look.stage is not Stage.ENDED or look.status is None:
        text = f"{look.finding().evidence}; {said}; what it had begun and not written down is not known"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text)
    status = look.status
    if waiting := await asyncio.to_thread(ready.folders.left_by, attempt, ready.module):
        text = f"exit {status}; the state could not be saved and waits in {waiting}; {said}"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text, status=status)
    if name := signal_of(status):
        text = f"exit {status} (SIG{name}); {said}; what it had begun and not written down is not known"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text, status=status)
    if status == 0:
        if reader.summary is None or now is None:
            why = "it told no summary" if reader.summary is None else "the state cannot be read"
            return Finding(outcome=Outcome.UNKNOWN, evidence=f"exit 0, but {why}; {said}", status=0)
        text = f"exit 0, {reader.summary.words()}; {said}"
        return Finding(outcome=Outcome.SUCCEEDED, evidence=text, status=0)
    if (lock := reader.lock) is not None:
        text = f"exit {status}: the state is locked: {lock_words(lock)}; nothing was changed"
        return Finding(outcome=Outcome.NOT_STARTED, evidence=text, status=status)
    return _failed(status, progress, said, same=_same(work, now))


def _failed(status: int, progress: Progress, said: str, *, same: bool) -> Finding:
    reader = progress.reader
    done = f"{len(reader.done)} done"
    if reader.failed:
        done += f", {len(reader.failed)} failed ({', '.join(reader.failed[:3])})"
    if reader.interrupted:
        # Only what was seen to have changed nothing is cancelled; else something is half done.
        whole = same and not reader.done and not reader.failed
        text = f"stopped at a safe point, exit {status}: {done}; {said}"
        return Finding(outcome=Outcome.CANCELLED if whole else Outcome.FAILED, evidence=text, status=status)
    trouble = reader.trouble() or safe_line(decode(bytes(progress.said)).strip()[-300:])
    text = f"exit {status}: {trouble}; {done}; {said}"
    return Finding(outcome=Outcome.FAILED, evidence=text, status=status)


def _same(work: Work, now: Seen | None) -> bool:
    return now is not None and now.label() == work.seen


async def _evidence(ready: Ready, work: Work, before: Seen | None) -> tuple[Seen | None, str]:
    """What the state says now against before; in words."""
    try:
        now = (await ready.state()).seen
    except (OndeckError, TimeoutError) as error:
        said = error.message if isinstance(error, OndeckError) else "no answer in time"
        return None, f"the state cannot be read: {safe_line(said)}"
    if now.label() == work.seen:
        return now, f"state as before, {now.label()}"
    words = f"state {work.seen.partition(' of ')[0]} -> serial {now.serial}"
    if before is not None:
        words += f", {states.between(before, now).words()}"
    tainted = now.tainted()
    if tainted:
        words += f", left half made: {', '.join(tainted[:3])}"
    return now, words
