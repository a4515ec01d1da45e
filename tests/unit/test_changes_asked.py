"""What changed is asked of each source within its own bounds: one that hangs or breaks is named, nobody waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ondeck.deck import Deck
from ondeck.errors import Unreachable
from ondeck.inventory.model import Host
from ondeck.observe import history
from ondeck.observe.records import Asked, Change
from ondeck.record.store import Record
from ondeck.registry import Manifest, Registry
from tests import road as on_road
from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app.views import Answer
from tui.cli import reading
from tui.cli.face import Face, Globals


class Changes:
    """A third party's reader that refuses, breaks, hangs, or answers, by the host's name."""

    async def changes(self, host: Host, bench: Any, *, since: int) -> Asked:
        match host.name:
            case "refuses":
                raise Unreachable("connection refused")
            case "breaks":
                raise KeyError("surprise")
            case "hangs":
                await asyncio.Event().wait()
        change = Change(time=since + 1, env="lab", kind="restart", subject="nginx", text="restarted")
        return Asked(source=host.name, changes=(change,))


THEIRS = Manifest(name="theirs", title="t", capabilities={"changes": f"{__name__}:Changes"})


async def test_a_reader_that_hangs_or_breaks_is_named_and_the_others_are_heard(tmp_path: Path) -> None:
    settings = on_road.settings(tmp_path)
    face = Face(Globals())
    face.__dict__["deck"] = Deck(
        inventory=on_road.inventory(), registry=Registry([THEIRS]), record=Record(settings), settings=settings
    )
    hosts = [Host(name=name, env="lab") for name in ("refuses", "breaks", "hangs", "answers")]
    answers = await reading._changes(face, hosts, 1)
    assert {a.source: a.error for a in history.silent(answers)} == {
        "refuses": "connection refused",
        "breaks": "KeyError: 'surprise'",
        "hangs": "no answer within 30 s",
    }
    assert [change.kind for change in history.newest_first(answers)] == ["restart"]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_now_asks_connected_hosts_what_changed_and_says_who_was_not_asked(
    size: tuple[int, int],
) -> None:
    session = FakeSession()
    session.answers = [Answer(source="own record"), Answer(source="web-1")]
    async with playing(session, size=size) as play:
        shown = await play.until("CHANGED IN THE LAST 60 MIN")
        head = next(line for line in shown.splitlines() if "CHANGED IN" in line)
        assert "5 hosts not asked" in head
        assert "nothing in what could be asked" in shown
        asked = next(order for order in session.orders if order[0] == "changes")
        assert set(asked[1:]) == {"web-1", "web-2", "web-3", "db-1", "stg-1"}
