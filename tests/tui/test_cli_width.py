"""Tables of the command line on a terminal of 80 columns, and where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.terminal import Terminal

ONDECK = str(Path(sys.executable).with_name("ondeck"))
REASON = "a service of the shop with a rather long name that nobody reads to its end"
OWNER = REASON.replace(" ", "-")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops/ondeck.yml").write_text(
        "ondeck: 1\nenvironments:\n  prod: {protection: none}\nhosts:\n"
        + "".join(f"  web-{n}: {{env: prod, group: [web], transport: local}}\n" for n in range(1, 5))
        + f"services:\n  checkout:\n    on: {{prod: group=web}}\n    owner: {OWNER}\n"
        "    needs: [orders]\n  orders: {on: {prod: group=web}, logs: {app: {file: /var/log/x}}}\n"
    )
    return {
        **os.environ,
        "ONDECK_INVENTORY": str(tmp_path / "ops"),
        "ONDECK_STATE": str(tmp_path / "state"),
        "LANG": "C.UTF-8",
    }


def on_a_terminal(env: dict[str, str], *argv: str, columns: int = 80) -> list[str]:
    """What it printed, a line at a time as it was written, before any wrapping."""
    with Terminal([ONDECK, *argv], env=env, columns=columns, rows=60) as terminal:
        terminal.wait(40)
        terminal.close()
        return terminal.raw.decode().replace("\r", "").splitlines()


@pytest.mark.slow
def test_no_table_is_wider_than_the_terminal(env: dict[str, str]) -> None:
    script = 'test "$0" = sh'
    subprocess.run(
        [ONDECK, "exec", "-l", "name in (web-1,web-2,web-3)", "--yes", "--", "sh", "-c", script],
        env=env, check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run([ONDECK, "mark", "checkout@prod", REASON * 2], env=env, check=True, capture_output=True)
    for argv in (("jobs",), ("get", "services"), ("doctor",), ("check",), ("changes", "--own")):
        lines = on_a_terminal(env, *argv)
        assert len(lines) > 1, argv
        assert max(map(len, lines)) <= 80, (argv, lines)
    whole = on_a_terminal(env, "get", "services", "-o", "table")
    assert any(OWNER in line for line in whole), "who asks for the form gets all of it"
    piped = subprocess.run([ONDECK, "get", "services"], env=env, check=True, capture_output=True, text=True)
    assert OWNER in piped.stdout


@pytest.mark.slow
def test_the_targets_of_a_job_are_counted_by_their_outcome(env: dict[str, str]) -> None:
    def exec_on(selector: str, *argv: str) -> None:
        subprocess.run(
            [ONDECK, "exec", "-l", selector, "--yes", "--max-failures", "9", "--", *argv],
            env=env, check=False, capture_output=True,
        )  # fmt: skip

    exec_on("name=web-1", "false")
    exec_on("group=web", "true")
    rows = [line for line in on_a_terminal(env, "jobs") if "exec" in line or "web" in line]
    assert " 4 ok " in rows[0]
    assert " 1 failed " in rows[1]
