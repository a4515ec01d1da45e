from __future__ import annotations

import http.server
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.errors import BadInput
from ondeck.inventory.model import HealthCheck, Host
from ondeck.observe.health import ask, filled, wait_healthy
from ondeck.reach.ports import Link
from ondeck.settings import Settings
from providers.local.reach import LocalReach

HOST = Host(name="here", env="test", transport="local", address="127.0.0.1")


class Answers:
    """A server that answers with a list of statuses, the last one for ever."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.body = b"fine"
        self.missing = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status = outer.statuses.pop(0) if len(outer.statuses) > 1 else outer.statuses[0]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/other")
                if outer.missing:
                    self.send_header("Content-Length", str(len(outer.body) + outer.missing))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *args: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return self.server.server_port


@pytest.fixture
def answers() -> Iterator[Answers]:
    one = Answers()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path, cache=tmp_path, config=tmp_path, timescale=0.05)


@pytest.fixture
async def link(settings: Settings) -> AsyncIterator[Link]:
    reach = LocalReach(settings)
    yield await reach.connect(HOST)
    await reach.aclose()


def check(answers: Answers, **more: object) -> HealthCheck:
    base = HealthCheck(
        http=f"http://${{address}}:{answers.port}/healthz", times=2, every=0.4, within=10, timeout=40
    )
    return msgspec.structs.replace(base, **more)


class Proxied:
    """A link to a host whose environment names a proxy."""

    def __init__(self, link: Link, proxy: str) -> None:
        self._link = link
        names = ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy")
        self._env = dict.fromkeys(names, proxy)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    async def run(self, argv: Sequence[str], **more: Any) -> Any:
        return await self._link.run(argv, env=self._env, **more)


@pytest.mark.parametrize("tool", ["curl", "python3", "wget"])
async def test_the_service_itself_is_asked_and_never_a_proxy_of_the_host(
    tool: str, answers: Answers, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools_in(tmp_path / "bin", tool, monkeypatch)
    proxy = Answers()
    answers.statuses = [503]
    try:
        link: Any = Proxied(await LocalReach(settings).connect(HOST), f"http://127.0.0.1:{proxy.port}")
        found = await ask(link, check(answers), HOST, settings)
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
    assert found.ok is False
    assert "503" in found.text


def tools_in(tools: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with a shell and at most one program that can ask."""
    tools.mkdir()
    for name in ("sh", "head", "cat", *([tool] if tool else [])):
        where = sys.executable if name == "python3" else shutil.which(name)
        if where is None:
            pytest.skip(f"{name} is not installed")
        (tools / name).symlink_to(where)
    monkeypatch.setenv("PATH", str(tools))


@pytest.mark.parametrize("tool", ["curl", "python3", "wget", ""])
async def test_every_way_of_asking_gives_the_same_answer(
    tool: str, answers: Answers, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools_in(tmp_path / "bin", tool, monkeypatch)
    link = await LocalReach(settings).connect(HOST)
    found = await ask(link, check(answers), HOST, settings)
    answers.missing = 1
    cut = await ask(link, check(answers), HOST, settings)
    answers.missing, answers.body = 0, b"x" * 200_000
    long = await ask(link, check(answers), HOST, settings)
    answers.statuses = [503]
    bad = await ask(link, check(answers), HOST, settings)
    answers.statuses = [302]
    redirected = await ask(link, check(answers), HOST, settings)
    answers.server.shutdown()
    answers.server.server_close()
    refused = await ask(link, check(answers), HOST, settings)
    if not tool:
        assert found.ok is None
        assert "has no curl" in found.text
        return
    assert (found.ok, found.text) == (True, "http 200")
    assert cut.ok is False
    assert tool == "wget" or "did not come to its end" in cut.text
    assert (long.ok, long.text) == (True, "http 200")
    assert bad.ok is False
    assert bad.text.startswith("http 503")
    assert redirected.ok is False
    assert refused.ok is False


async def test_it_must_be_healthy_so_many_times_in_a_row(
    answers: Answers, link: Link, settings: Settings
) -> None:
    answers.statuses = [200, 503, 200, 200, 200]
    verdict = await wait_healthy(link, check(answers, times=3), HOST, settings)
    assert verdict.ok is True
    assert verdict.tries == 5


async def test_health_that_flaps_while_it_settles_fails(
    answers: Answers, link: Link, settings: Settings
) -> None:
    answers.statuses = [200, 200, 200, 503]
    verdict = await wait_healthy(link, check(answers, settle=40), HOST, settings)
    assert verdict.ok is False
    assert "was healthy, then http 503" in verdict.text


async def test_what_the_service_said_is_evidence_and_safe(
    answers: Answers, link: Link, settings: Settings
) -> None:
    answers.statuses = [500]
    answers.body = b"no \x1b[2J database"
    verdict = await wait_healthy(link, check(answers, within=1), HOST, settings)
    assert verdict.ok is False
    assert "no ␛[2J database" in verdict.text


async def test_a_dead_process_is_not_waited_for(answers: Answers, link: Link, settings: Settings) -> None:
    async def alive() -> str:
        return "checkout.service is failed"

    answers.statuses = [503]
    verdict = await wait_healthy(link, check(answers, within=100000), HOST, settings, alive=alive)
    assert (verdict.ok, verdict.text, verdict.tries) == (False, "checkout.service is failed", 0)


async def test_nothing_declared_is_no_data(link: Link, settings: Settings) -> None:
    assert (await ask(link, HealthCheck(), HOST, settings)).ok is None


async def test_a_port_and_a_command_can_be_asked(answers: Answers, link: Link, settings: Settings) -> None:
    both = HealthCheck(tcp=answers.port, run=("test", "${host}", "=", "here"), timeout=40)
    assert (await ask(link, both, HOST, settings)).ok is True
    wrong = msgspec.structs.replace(both, run=("sh", "-c", "echo not yet >&2; exit 4"))
    assert (await ask(link, wrong, HOST, settings)).text == "sh: exit 4: not yet"


async def test_a_closed_port_is_not_healthy(answers: Answers, link: Link, settings: Settings) -> None:
    port = answers.port
    answers.server.shutdown()
    answers.server.server_close()
    assert (await ask(link, HealthCheck(tcp=port, timeout=40), HOST, settings)).ok is False


def test_an_unknown_placeholder_is_named() -> None:
    with pytest.raises(BadInput, match=r"\$\{port\}"):
        filled("http://${address}:${port}/", {"address": "a"})
