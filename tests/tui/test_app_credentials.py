"""The keys at hand on screen are those of now, and an agent that has gone is said."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app.live.agent import AgentWatch, keys_at_hand

MINUTE = 60_000_000_000


class Agent:
    """An agent that holds so many keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys = 2
        self.asked = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer:
                peer.recv(64)
                self.asked += 1
                peer.sendall(struct.pack(">IBI", 5, 12, self.keys))

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    found = Agent(tmp_path / "agent")
    yield found
    if found.path.exists():
        found.close()


def until(wanted: Callable[[], bool]) -> None:
    patience = time.monotonic() + 30
    while not wanted():
        assert time.monotonic() < patience
        time.sleep(0.01)


def test_the_agent_is_asked_again_and_its_going_is_said_with_its_age(agent: Agent) -> None:
    watch = AgentWatch({"SSH_AUTH_SOCK": str(agent.path)}, every=0.01)
    watch.start()
    try:
        until(lambda: watch.words(time.time_ns()) == "agent 2 keys")
        agent.keys = 1
        until(lambda: watch.words(time.time_ns()) == "agent 1 key")
        agent.close()
        until(lambda: "gone" in watch.words(time.time_ns()))
        said = watch.words(time.time_ns() + 4 * MINUTE)
        assert said.startswith("agent gone 4m: SSH_AUTH_SOCK points nowhere")
    finally:
        watch.stop()


def test_what_was_heard_long_ago_says_how_old_it_is(agent: Agent) -> None:
    watch = AgentWatch({"SSH_AUTH_SOCK": str(agent.path)}, every=15.0)
    watch.start()
    until(lambda: watch.words(time.time_ns()) == "agent 2 keys")
    watch.stop()
    assert watch.words(time.time_ns() + 9 * MINUTE) == "agent 2 keys 9m ago"


def test_a_socket_that_points_nowhere_says_so(tmp_path: Path) -> None:
    assert keys_at_hand({}) == "no agent"
    for path in (tmp_path / "gone", tmp_path):
        said = keys_at_hand({"SSH_AUTH_SOCK": str(path)})
        assert said == "no agent: SSH_AUTH_SOCK points nowhere"


@pytest.mark.parametrize(("size", "shown"), [((80, 24), "agent gone"), ((160, 48), "points nowhere")])
async def test_an_agent_that_has_gone_is_on_screen(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], shown: str
) -> None:
    monkeypatch.setattr(
        FakeSession, "credentials", lambda self: "agent gone 4m: SSH_AUTH_SOCK points nowhere"
    )
    async with playing(size=size) as play:
        assert shown in play.text.splitlines()[0]
