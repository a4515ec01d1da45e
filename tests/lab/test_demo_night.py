"""The demo's first night from end to end: what changed, back to the release before, healthy again."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator

import pytest

from lab.embedded.demo import Demo, start_demo
from lab.embedded.names import Way
from ondeck import settings
from ondeck.deck import Deck, open_deck
from ondeck.job.consent import Consent
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Request
from ondeck.operate import road
from ondeck.operate.bench import FaceBench
from ondeck.record.view import JobView

_WEB = ("web-1", "web-2", "web-3")


@pytest.fixture(params=[None, Way.FOLDERS], ids=["best way", "plain folders"])
def night(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Demo, Deck]]:
    with start_demo(way=request.param) as demo:
        for name, value in demo.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ONDECK_TIMESCALE", "0.5")
        yield demo, open_deck(settings.load(inventory=demo.inventory))


async def _ended(deck: Deck, job: str) -> JobView:
    async for _, event in deck.record.follow(job):
        if type(event).__name__ == "JobEnded":
            break
    return deck.record.job(job)


async def _walk(deck: Deck, operation: str, params: dict[str, str]) -> JobView:
    bench = FaceBench(deck)
    try:
        request = Request(
            operation=operation,
            subject="checkout@prod",
            targets=_WEB,
            env="prod",
            params=params,
            reason="the shop is slow since 2.15.0",
        )
        drafted = await road.draft(deck, request, bench)
        typed = road.judge(deck, drafted.plan).type_this
        job = await asyncio.to_thread(
            road.start, deck, drafted, Consent(confirmed=True, typed=typed, reason=request.reason)
        )
        return await _ended(deck, job)
    finally:
        await bench.aclose()


def _ssh(demo: Demo, host: str, command: str) -> str:
    done = subprocess.run(
        ["ssh", "-F", str(demo.base / "ssh_config"), "-o", "BatchMode=yes", host, command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout.strip()


async def test_going_back_makes_every_host_healthy(night: tuple[Demo, Deck]) -> None:
    demo, deck = night
    assert [change.who for change in deck.record.changes(0) if change.env == "prod"] == ["ci#4411"]
    ended = await _walk(deck, "service.rollback", {})
    assert ended.outcome is Outcome.SUCCEEDED, ended
    for host in _WEB:
        assert _ssh(demo, host, "readlink /srv/checkout/current") == "releases/2.14.0"


async def test_the_fixed_release_reaches_every_host(night: tuple[Demo, Deck]) -> None:
    demo, deck = night
    fixed = await _walk(deck, "service.deploy", {"version": "2.16.0"})
    assert fixed.outcome is Outcome.SUCCEEDED, fixed
    assert _ssh(demo, "web-2", "cat /srv/checkout/current/VERSION") == "2.16.0"
