"""03:10: somebody dropped a table. Hold first, find the newest snapshot before the drop, restore beside, compare:
in a pty at 80x24 by keyboard alone, then by commands only, on a real PostgreSQL and a real restic repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.backups import postgres
from tests.lab.backup_place import Place, Restic
from tests.playing import ONDECK
from tests.required import cannot
from tests.terminal import Terminal

MINUTE = 60.0
DROPPED = 40 * MINUTE


class Night:
    """A server whose table is gone, and snapshots from before and after that."""

    def __init__(self, root: Path, server: postgres.Server) -> None:
        self.server = server
        repo = root / "repo"
        tools = server.env
        self.place = Place(
            root,
            {
                "engine": "restic",
                "host": "db-1",
                "what": {
                    "stdin": ["pg_dump", "-Fc", "orders"],
                    "as": "postgres",
                    "name": "orders.dump",
                    "env": tools,
                },
                "repo": {"url": str(repo), "password": "env:REPO_PASSWORD"},
                "promise": {"every": "1h", "rpo": "2h", "rto": "1h"},
                "keep": {"last": 1, "hourly": 1, "max_remove": "90%"},
                "prove": {
                    "restore": {
                        "beside": "db-1",
                        "env": tools,
                        "load": ["pg_restore", "-d", "${scratch}"],
                        "compare": ["select count(*) from orders"],
                    }
                },
            },
        )
        self.restic = Restic(str(repo), self.place.env)
        self.restic("init", "-q")
        server.sql("create database orders")
        server.sql("create table orders (id int, what text)", "orders")
        server.sql("create table customers (id int)", "orders")
        for ago, rows in ((164, 500), (104, 1000)):
            server.sql(
                f"insert into orders select n, 'pear' from generate_series(1, {rows - self.rows()}) n",
                "orders",
            )
            self.by_cron(ago * MINUTE)
        server.sql("drop table orders", "orders")
        self.by_cron(30 * MINUTE)

    def rows(self) -> int:
        return int(self.server.sql("select count(*) from orders", "orders"))

    def by_cron(self, ago: float) -> None:
        dump = subprocess.run(
            ["pg_dump", "-Fc", "orders"],
            env={**self.place.env, **self.server.env},
            capture_output=True,
            check=True,
        )
        self.restic.at(ago, "--stdin", "--stdin-filename", "orders.dump", given=dump.stdout)

    @property
    def cursor(self) -> str:
        """When it was dropped, as it is typed."""
        return time.strftime("%H:%M", time.gmtime(time.time() - DROPPED))


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    if shutil.which("restic") is None:
        cannot("restic is not installed")
    if reason := postgres.missing():
        cannot(reason)
    with postgres.server() as server:
        yield Night(tmp_path, server)


def shorts(night: Night) -> list[str]:
    return [s["short"] for s in night.place.look()["snapshots"]]


def test_by_keyboard_the_newest_before_the_drop_is_held_and_restored_beside(night: Night) -> None:
    after, good, _ = shorts(night)
    with Terminal([ONDECK], env={**night.place.env, "TERM": "xterm-256color"}, pace=0.08) as terminal:
        terminal.wait_for("1 Now", 30)
        terminal.type("8")
        terminal.wait_for(re.compile(r"orders-db +prod"), 30)
        terminal.type("enter", "t", *night.cursor, "enter")
        screen = terminal.wait_for(re.compile(rf"> *{good} .*1h4[45]m"), 30)
        assert terminal.typed <= 12, "to the newest snapshot before the drop, with what is lost"
        assert after in screen, "the one that lacks the table is there, and is not the one that is meant"

        terminal.type("H")
        plan = terminal.wait_for("y starts it", 30)
        assert f"hold {good} of orders-db" in plan
        terminal.type("y")
        terminal.wait_for(re.compile("SUCCEEDED|1 succeeded|succeeded 1"), 40)
        held = night.place.look()["snapshots"][1]
        assert held["held"], "whoever wanted to forget it tonight cannot"
        assert held["key"].startswith(good)

        terminal.type("8", "enter")
        terminal.wait_for(re.compile(rf"> *{held['short']} "), 40)
        terminal.type("R")
        plan = terminal.wait_for("y starts it", 30)
        assert "1h4" in plan, "what is lost is said before anything is done"
        terminal.type("y")
        terminal.wait_for(re.compile("SUCCEEDED|1 succeeded|succeeded 1"), 40)
    (folder,) = (night.place.root / "home" / ".local" / "state" / "ondeck" / "restores").iterdir()
    assert folder.name == f"orders-db-{held['short']}"
    listed = subprocess.run(
        ["pg_restore", "-l", str(folder / "orders.dump")], capture_output=True, check=True
    )
    assert b"TABLE DATA public orders" in listed.stdout
    assert "does not exist" in asked(night), "nothing was written over what is live"


def asked(night: Night) -> str:
    try:
        return night.server.sql("select count(*) from orders", "orders")
    except subprocess.CalledProcessError as error:
        return str(error.stderr)


def test_by_commands_alone_and_what_is_restored_is_compared(night: Night) -> None:
    before = night.place.run("backup", "list", "orders-db", "--before", "40m", "-o", "json", code=0).data[0]
    good = before["snapshots"][0]["short"]
    night.place.backup("hold", "orders-db", "--snapshots", good, code=0)
    refused = night.place.run("backup", "forget", "orders-db", "--snapshots", good, "--yes")
    assert refused.code != 0
    assert "held" in refused.err
    done = night.place.backup("drill", "orders-db", "--before", "40m", code=0)
    assert "restored 1000, live ? exit 1" in re.sub(r"live .*\? exit", "live ? exit", done.err)
    databases = night.server.sql("select string_agg(datname, ' ') from pg_database")
    assert "ondeck_drill" not in databases, "what a drill makes it takes away"
    look = night.place.look()
    assert [s["proof"] for s in look["snapshots"]] == [0, 3, 0]
    assert look["last_restore"]["drilled"]
