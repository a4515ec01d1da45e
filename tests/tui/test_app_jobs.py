"""The list of jobs says of each what its page says."""

from __future__ import annotations

import msgspec

from tests.tui.playing import playing
from tests.tui.stage import FakeSession, old_job
from tui.app.views import JobLook, TargetLook


async def test_what_failed_or_never_ran_is_not_counted_as_done() -> None:
    def ended(name: str, *outcomes: str) -> JobLook:
        targets = tuple(TargetLook(name=f"web-{n}", outcome=o) for n, o in enumerate(outcomes, 1))
        return msgspec.structs.replace(old_job(), id=name, actor="annabell", outcome="mixed", targets=targets)

    session = FakeSession()
    session.job_list = [
        ended("j-7", "cancelled", "cancelled", "cancelled"),
        ended("j-8", "succeeded", "failed", "timed_out"),
    ]
    async with playing(session) as play:
        await play.press("0")
        shown = await play.until("1/3 2 bad")
        assert " 0/3 " in shown
        assert "3/3" not in shown
        assert "annabell" in shown
