"""Declared checks are asked of every member, and what cannot be asked is never calm. Real TLS on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ondeck.deck import open_deck
from ondeck.inventory.loader import load
from ondeck.settings import Settings
from tests.certificates import NAME, Authority, serving
from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app.live.parts import Parts
from tui.cli.root import main

MEMBERS = {"lb-1": "127.0.0.21", "lb-2": "127.0.0.22", "lb-3": "127.0.0.23", "lb-4": "127.0.0.24"}


def written(folder: Path, checks: str) -> None:
    hosts = "".join(
        f"  {name}: {{env: lab, group: [lb], transport: local, address: {address}}}\n"
        for name, address in MEMBERS.items()
    )
    folder.mkdir(exist_ok=True)
    (folder / "ondeck.yml").write_text(
        f"ondeck: 1\nenvironments: {{lab: {{}}}}\nhosts:\n{hosts}"
        f"services:\n  checkout:\n    on: {{lab: group=lb}}\n    checks: [{checks}]\n"
    )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    authority = Authority(tmp_path)
    contexts = {
        MEMBERS["lb-1"]: authority.context(timedelta(days=61)),
        MEMBERS["lb-2"]: authority.context(timedelta(hours=2)),
        MEMBERS["lb-3"]: authority.context(timedelta(days=61), "other.example.com"),
    }
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path / "ops"))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    with serving(contexts) as port:
        written(tmp_path / "ops", f'{{tls: "{NAME}:{port}", each: group=lb, warn: 21d, crit: 7d}}')
        yield tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_every_member_is_asked_by_its_own_address_and_the_refusing_one_is_unknown(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "certs", "-o", "json")
    found = {row["member"]: row for row in json.loads(out)}
    assert {name: row["state"] for name, row in found.items()} == {
        "lb-1": "ok", "lb-2": "bad", "lb-3": "bad", "lb-4": "?",
    }  # fmt: skip
    assert found["lb-2"]["note"].startswith("ends in 1h")
    assert "other.example.com" in found["lb-3"]["note"] or "mismatch" in found["lb-3"]["note"]
    assert "refused" in found["lb-4"]["note"]
    assert found["lb-1"]["serial"] != found["lb-2"]["serial"]
    assert found["lb-1"]["issuer"] == "a CA of the test"
    assert code == 1


def test_a_chain_that_nobody_trusts_is_told_beside_the_end_of_the_certificate(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    found = {row["member"]: row for row in json.loads(run(capsys, "certs", "-o", "json")[1])}
    assert found["lb-1"]["state"] == "bad"
    assert "unable to get local issuer" in found["lb-1"]["note"]
    assert "ends in 60d" in found["lb-1"]["note"]


def test_now_names_what_checks_say_and_what_they_cannot_say(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "now")
    failing = out.partition("WAITING")[0]
    assert any("CRIT" in line and "lb-2" in line and NAME in line for line in failing.splitlines())
    assert any(line.strip().startswith("?") and "lb-4" in line for line in failing.splitlines())
    assert "lb-4" in err
    assert code == 3


@pytest.mark.parametrize("check", ['{http: "http://x/", each: group=lb}', '{tcp: "x:5432"}'])
def test_a_kind_of_check_that_nobody_evaluates_is_a_finding_and_never_calm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], check: str
) -> None:
    written(tmp_path / "ops", check)
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path / "ops"))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    assert "nobody evaluates checks of kind" in run(capsys, "check")[1]
    code, out, _ = run(capsys, "now")
    assert any(line.strip().startswith("?") and "no provider serves" in line for line in out.splitlines())
    assert code == 3


async def test_the_app_shows_checks_in_now_and_certs(site: Path, tmp_path: Path) -> None:
    settings = Settings(
        state=tmp_path / "s", cache=tmp_path / "c", config=tmp_path / "e", timescale=0.2, actor="anna"
    )
    parts = Parts(open_deck(settings, load(tmp_path / "ops")), lambda what, command, result: None)
    session = FakeSession()
    parts.engine.start()
    session.check_list = list(parts.checks.looks())
    async with playing(session) as play:
        await play.until("not asked yet")
        for _ in range(1500):
            if parts.checks.drain():
                break
            await asyncio.sleep(0.01)
        session.check_list, session.dirty = list(parts.checks.looks()), True
        shown = await play.until("ends in 1h")
        assert next(line for line in shown.splitlines() if "lb-4" in line).strip(" >").startswith("?")
        await play.press(":")
        await play.type("certs")
        await play.press("enter")
        shown = await play.until("CERTIFICATES 4")
        assert "refused" in shown
        assert "ok" in next(line for line in shown.splitlines() if "lb-1" in line)
    await asyncio.to_thread(parts.engine.stop, 5.0)
