"""Running one claimed step to its end: what it writes is told, what it came to is read from its folder."""

from __future__ import annotations

import asyncio

import msgspec

from ondeck.errors import LinkLost
from ondeck.operate.ports import Emit
from ondeck.reach.detached import CUT, Detached, Look, Stage
from ondeck.reach.ports import Completed
from ondeck.text import decode, safe_line

_LAST = 4096


class Done(msgspec.Struct, frozen=True):
    """Where a step is after it was followed, and the end of what it wrote."""

    look: Look
    out: bytes = b""
    err: bytes = b""

    @property
    def ok(self) -> bool:
        """It ended, and with 0."""
        return self.look.stage is Stage.ENDED and self.look.status == 0

    def said(self) -> str:
        """How it ended, with the last line that it wrote."""
        return said(Completed(self.look.status, self.out, self.err))


async def run(step: Detached, argv: list[str], emit: Emit, seconds: float, out: str = "") -> Done:
    """Run one claimed step; cancelled or out of time means that it was seen to stop.

    Args:
        step: Its claim.
        argv: What it runs.
        emit: Where its output goes.
        seconds: How long it may take, timescale applied.
        out: Words for the end of an error's text: `, still drained`.

    Raises:
        LinkLost: Not known whether it stopped.
        TimeoutError: It took too long and was stopped.
    """
    ends = {False: b"", True: b""}

    def take(data: bytes, err: bool) -> None:
        emit.output(data, err=err)
        ends[err] = (ends[err] + data)[-_LAST:]

    try:
        await step.launch(argv)
        async with asyncio.timeout(seconds):
            await step.follow(take)
    except asyncio.CancelledError:
        await asyncio.shield(step.stop())
        raise
    except TimeoutError as error:
        ended = await step.stop()
        if ended.stage is not Stage.ENDED:
            raise LinkLost(f"took too long; {ended.finding().evidence}") from error
        text = f"the step took too long and was stopped: {ended.finding().evidence}{out}"
        raise TimeoutError(text) from error
    look = await step.look()
    if look.cut:
        emit.step(CUT)
    return Done(look, ends[False], ends[True])


def said(done: Completed) -> str:
    """The last line that a failed command wrote, with its status."""
    lines = decode((done.stderr.strip() or done.stdout.strip())[-_LAST:]).splitlines()
    ended = f"signal {done.signal}" if done.signal else f"exit {done.status}"
    return f"{ended}: {safe_line(lines[-1])[:300]}" if lines else ended
