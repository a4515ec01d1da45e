"""A host is judged once: by the thresholds of the inventory, in the same words in every face."""

from __future__ import annotations

import ast
import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from ondeck.deck import open_deck
from ondeck.errors import NoMatch
from ondeck.inventory.loader import load
from ondeck.inventory.model import Threshold
from ondeck.settings import Settings
from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app.live.parts import Parts
from tui.app.session import Wish
from tui.cli.root import main

CALM = "{memory: 101/101, disk: 101/101, inodes: 101/101, cpu: 101/101, load: 1000/1000, clock: 900/900}"
INVENTORY = f"""ondeck: 1
environments:
  lab: {{protection: {{exec: confirm}}}}
hosts:
  here-1: {{env: lab, transport: local, thresholds: {{memory: 0/0.001, disk: 101/101, inodes: 101/101}}}}
  here-2: {{env: lab, transport: local, thresholds: {CALM}}}
services:
  shop:
    on: {{lab: name=here-*}}
    deploy:
      kind: command
      deploy: ["true"]
      version: [cat, "{{folder}}/${{host}}"]
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ops"
    folder.mkdir()
    (folder / "ondeck.yml").write_text(INVENTORY.replace("{folder}", str(tmp_path)))
    (tmp_path / "here-1").write_text("2.14.0\n")
    (tmp_path / "here-2").write_text("2.15.0\n")
    monkeypatch.setenv("ONDECK_INVENTORY", str(folder))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("ONDECK_TIMESCALE", "0.2")
    return folder


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_top_and_now_judge_by_the_thresholds_of_the_inventory(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json.loads(run(capsys, "top", "-o", "json")[1])
    assert {row["host"]: row["state"] for row in rows} == {"here-1": "bad", "here-2": "ok"}
    assert "memory" in rows[0]["note"]
    found = json.loads(run(capsys, "now", "-o", "json")[1])
    (fleet,) = found["fleet"]
    assert fleet["ok"] == ["here-2"]
    assert "memory" in fleet["bad"]["here-1"]
    assert [host["host"] for host in found["hosts"]] == ["here-1"]


@pytest.mark.parametrize(
    ("selector", "host"),
    [
        ("state=bad", "here-1"),
        ("state!=bad", "here-2"),
        ("version!=2.14.0", "here-2"),
        ("service=shop,version=2.14.*", "here-1"),
    ],
)
def test_live_selectors_choose_on_the_command_line(
    site: Path, capsys: pytest.CaptureFixture[str], selector: str, host: str
) -> None:
    assert run(capsys, "get", "hosts", "-l", selector, "-o", "name")[1].split() == [host]
    code, out, _ = run(capsys, "exec", "-l", selector, "--plan", "-o", "json", "--", "touch", "/nowhere")
    assert code == 0
    assert json.loads(out)["request"]["targets"] == [host]


@pytest.mark.parametrize(
    ("selector", "host"), [("state=bad", "here-1"), ("disk>=0,version=2.15.0", "here-2")]
)
async def test_the_app_looks_before_it_plans_on_a_live_selector(
    site: Path, tmp_path: Path, selector: str, host: str
) -> None:
    settings = Settings(
        state=tmp_path / "s", cache=tmp_path / "c", config=tmp_path / "e", timescale=0.2, actor="anna"
    )
    parts = Parts(open_deck(settings, load(site)), lambda what, command, result: None)
    parts.engine.start()
    try:
        wish = Wish(operation="host.exec", subject=selector, params={"argv": ("touch", "/nowhere")})
        card = await parts.road.plan(wish)
        assert card.plan.targets == (host,)
        with pytest.raises(NoMatch):
            await parts.road.plan(msgspec.structs.replace(wish, subject="disk>100.5"))
    finally:
        await asyncio.to_thread(parts.engine.stop, 5.0)


async def test_thresholds_of_the_inventory_decide_in_every_pane() -> None:
    session = FakeSession()
    hosts = dict(session.inventory.hosts)
    strict = {"disk": Threshold(warn=20, bad=30)}
    hosts["stg-1"] = msgspec.structs.replace(hosts["stg-1"], thresholds=strict)
    calm = {"disk": Threshold(warn=95, bad=99), "cpu": Threshold(warn=99, bad=100)}
    hosts["db-1"] = msgspec.structs.replace(hosts["db-1"], thresholds=calm)
    session.inventory = msgspec.structs.replace(session.inventory, hosts=hosts)
    async with playing(session, size=(120, 40)) as play:
        shown = await play.until("FAILING")
        assert "CRIT staging stg-1      disk / 63%" in shown
        assert "db-1 " not in shown.partition("WAITING")[0]
        await play.press("2")
        shown = await play.until("BAD disk")
        assert next(line for line in shown.splitlines() if "db-1" in line).split()[3] == "ok"
        await play.press("/")
        await play.type("state=bad,env=staging")
        await play.press("enter", "enter")
        await play.until("disk / 63%, disk /var 40%")


def test_no_face_names_an_adapter(checkout: Path) -> None:
    named = []
    for path in sorted((checkout / "tui").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                loads = node.func.attr in ("load", "serving") and "registry" in ast.unparse(node.func)
                word = node.args and isinstance(node.args[0], ast.Constant)
                if loads or (word and node.func.attr in ("transport", "carried", "reach", "manifest")):
                    named.append(f"{path.relative_to(checkout)}:{node.lineno}: {ast.unparse(node)}")
            if isinstance(node, ast.Compare) and "transport" in ast.unparse(node.left):
                named.append(f"{path.relative_to(checkout)}:{node.lineno}: {ast.unparse(node)}")
    assert not named, "faces ask ondeck.capabilities who can do it"
