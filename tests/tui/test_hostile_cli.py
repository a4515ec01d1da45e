from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.terminal import Terminal
from tests.tui.grammar import problems
from tests.tui.payloads import PAYLOADS
from tui.cli import out

ONDECK = str(Path(sys.executable).with_name("ondeck"))
EVERYTHING = "\n".join(f"{name} {text} end" for name, text in PAYLOADS.items() if name != "lone") + "\n\x1b"
COMMANDS: dict[str, tuple[str, ...]] = {
    "exec": ("exec", "-l", "env=prod", "--yes", "--reason", "{lines}", "--", "cat", "{file}"),
    "exec that fails": ("exec", "-l", "env=prod", "--yes", "--", "sh", "-c", "cat '{file}' >&2; exit 3"),
    "exec without a program": ("exec", "-l", "name=web-1", "--yes", "--", "no-such-{line}"),
    "exec as json": ("exec", "-l", "env=prod", "--yes", "-o", "json", "--", "cat", "{file}"),
    "logs": ("logs", "shop@prod", "--since", "1h"),
    "logs as json": ("logs", "shop@prod", "--since", "1h", "-o", "json"),
    "logs with a pattern": ("logs", "shop@prod", "--grep", "{line}"),
    "changes": ("changes", "--since", "1h"),
    "changes as json": ("changes", "--since", "1h", "-o", "json"),
    "jobs": ("jobs",),
    "jobs as json": ("jobs", "-o", "json"),
    "jobs as csv": ("jobs", "-o", "csv"),
    "audit": ("audit", "export"),
    "report": ("report", "--since", "1h"),
    "handover": ("handover",),
    "now": ("now",),
    "top": ("top",),
    "a verb that is not there": ("{line}",),
    "a host that is not there": ("get", "hosts", "{line}"),
    "a selector that is none": ("exec", "-l", "{line}", "--yes", "--", "true"),
    "a service that is not there": ("logs", "{line}@prod"),
    "a time that is none": ("changes", "--since", "{line}"),
    "a job that is not there": ("attach", "{line}"),
    "a file that is not there": ("put", "{line}", "web-1:/{line}", "--yes"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two local hosts with one hostile log, a mark, a job and a release name that carry payloads."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "inventory").mkdir()
    log = folder / "shop.log"
    log.write_text(EVERYTHING)
    (folder / "inventory/ondeck.yml").write_text("ondeck: 1\nenvironments:\n  prod: {protection: none}\n")
    (folder / "inventory/hosts.yml").write_text(
        "hosts:\n" + "".join(f"  web-{n}: {{env: prod, transport: local}}\n" for n in (1, 2))
    )
    (folder / "inventory/services.yml").write_text(
        f"services:\n  shop:\n    on: {{prod: env=prod}}\n    logs: {{app: {{file: {log}}}}}\n"
    )
    return folder


@pytest.fixture
def env(place: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ONDECK_INVENTORY": str(place / "inventory"),
        "ONDECK_STATE": str(place / "state"),
        "XDG_CACHE_HOME": str(place / "cache"),
        "HOME": str(place),
        "LANG": "C.UTF-8",
    }


def on_a_terminal(env: dict[str, str], *argv: str, status: int | None = None) -> bytes:
    with Terminal([ONDECK, *argv], env=env, columns=120, rows=40) as terminal:
        code = terminal.wait(40)
        terminal.close()
        assert status is None or code == status, terminal.text()
        assert b"Traceback" not in terminal.raw, terminal.text()
        return bytes(terminal.raw)


@pytest.mark.slow
def test_no_verb_passes_hostile_text_on_to_the_terminal(env: dict[str, str], place: Path) -> None:
    line = "".join(text for text in PAYLOADS.values() if "\0" not in text)
    on_a_terminal(env, "mark", "shop@prod", line)
    found: dict[str, list[str]] = {}
    for name, argv in COMMANDS.items():
        words = [w.format(line=line, lines=line, file=place / "shop.log") for w in argv]
        wrong = problems(on_a_terminal(env, *words))
        if wrong:
            found[name] = wrong[:3]
    assert not found


@pytest.mark.slow
def test_the_hostile_host_was_really_heard(env: dict[str, str], place: Path) -> None:
    said = on_a_terminal(
        env, "exec", "-l", "name=web-1", "--yes", "--", "cat", str(place / "shop.log"), status=0
    )
    assert b"markup" in said
    assert b"evil.example" in said
    assert b"evil.example" in on_a_terminal(env, "logs", "shop@prod", status=0)


def test_json_says_the_same_and_hides_nothing() -> None:
    value = {"text": EVERYTHING, "tag": "\U000e0041", "word": "zähler ✓"}
    for written in (out.dumps(value), out.compact(value)):
        assert json.loads(written) == value
        assert problems(written.encode()) == []
        assert "zähler ✓" in written
