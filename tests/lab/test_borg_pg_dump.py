"""borg with pg_dump of a real PostgreSQL from the command line: a dump, its proof, a drill, retention and a hold."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.backups import postgres
from tests.lab.backup_place import PASSWORD, Place
from tests.required import cannot


class Orders:
    """A database that is saved with borg."""

    def __init__(self, root: Path, server: postgres.Server) -> None:
        self.root, self.server, self.repo = root, server, root / "repo"
        self.place = Place(
            root,
            {
                "engine": "borg",
                "host": "db-1",
                "prefix": "orders-",
                "what": {
                    "stdin": ["pg_dump", "-Fc", "orders"], "as": "postgres", "name": "orders.dump", "env": server.env,
                },
                "repo": {"url": str(self.repo), "password": "env:REPO_PASSWORD"},
                "promise": {"every": "1h", "rpo": "2h", "rto": "1h"},
                "keep": {"last": 1, "max_remove": "90%"},
                "prove": {
                    "read_data": "all in 7d",
                    "restore": {
                        "beside": "db-1", "env": dict(server.env), "load": ["pg_restore", "-d", "${scratch}"],
                        "compare": ["select count(*) from orders"],
                    },
                },
            },
        )  # fmt: skip
        self.borg("init", "-e", "repokey")
        server.sql("create database orders")
        server.sql("create table orders as select n from generate_series(1, 700) n", "orders")

    def borg(self, *words: str) -> str:
        env = {**self.place.env, "BORG_REPO": str(self.repo), "BORG_PASSPHRASE": PASSWORD, "TZ": "UTC"}
        return subprocess.run(["borg", *words], env=env, capture_output=True, check=True).stdout.decode()


@pytest.fixture
def orders(tmp_path: Path) -> Iterator[Orders]:
    if shutil.which("borg") is None:
        cannot("borg is not installed")
    if reason := postgres.missing():
        cannot(reason)
    with postgres.server() as server:
        yield Orders(tmp_path, server)


def test_a_dump_is_taken_read_back_and_drilled(orders: Orders) -> None:
    place = orders.place
    place.backup("run", "orders-db", code=0)
    place.backup("verify", "orders-db", "--data", code=0)
    assert [s["proof"] for s in place.look()["snapshots"]] == [2]
    done = place.backup("drill", "orders-db", code=0)
    assert "restored 700, live 700" in done.err
    look = place.look()
    assert look["state"] == "ok", look["says"]
    assert look["snapshots"][0]["proof"] == 3
    assert look["last_restore"]["drilled"]
    assert orders.server.sql("select count(*) from pg_database where datname like 'ondeck%'") == "0"


def test_a_dump_of_a_database_that_is_gone_leaves_no_archive(orders: Orders) -> None:
    orders.server.sql("drop database orders")
    done = orders.place.backup("run", "orders-db", code=1)
    assert "no snapshot of it is listed" in done.err
    assert orders.borg("list", "--short") == ""


def test_a_drill_that_restores_nothing_of_what_lives_fails(orders: Orders) -> None:
    orders.server.sql("create table kept as table orders", "orders")
    orders.server.sql("truncate orders", "orders")
    orders.place.backup("run", "orders-db", code=0)
    orders.server.sql("insert into orders table kept", "orders")
    done = orders.place.backup("drill", "orders-db", code=1)
    assert "restored 0, live 700" in done.err or "gave 0, live 700" in done.err
    assert orders.place.look()["last_restore"] is None


def test_an_archive_that_is_held_is_outside_of_every_prune_also_of_cron(orders: Orders) -> None:
    place = orders.place
    for _ in range(3):
        place.backup("run", "orders-db", code=0)
        time.sleep(1.1)  # borg tells archives apart by the second
    newest, middle, oldest = place.look()["snapshots"]
    place.backup("hold", "orders-db", "--snapshots", oldest["short"], code=0)
    orders.borg("prune", "--glob-archives", "orders-*", "--keep-last", "2")
    left = [s["key"] for s in place.look()["snapshots"]]
    assert left == [newest["key"], middle["key"], oldest["key"]]
    place.run("backup", "forget", "orders-db", "--confirm", "orders-db 1", code=0)
    assert [s["key"] for s in place.look()["snapshots"]] == [newest["key"], oldest["key"]]
    place.run("backup", "prune", "orders-db", "--yes", code=0)
    place.backup("release", "orders-db", code=0)
    assert [s["id"] for s in place.look()["snapshots"]][1] == oldest["id"]


def test_the_lock_of_a_borg_that_was_killed_goes_and_that_of_a_living_one_stays(orders: Orders) -> None:
    env = {**orders.place.env, "BORG_REPO": str(orders.repo), "BORG_PASSPHRASE": PASSWORD}
    script = "sleep 600 | borg create ::orders-x -"
    other = subprocess.Popen(["sh", "-c", script], env=env, start_new_session=True)
    try:
        while not list(orders.repo.glob("lock.exclusive/*")):
            time.sleep(0.05)
        alive = orders.place.run("backup", "unlock", "orders-db", "--yes")
        assert alive.code == 4
        assert "lives" in alive.err
    finally:
        os.killpg(other.pid, 9)
        other.wait()
    assert any("left behind" in reason for reason in orders.place.look()["says"])
    orders.place.backup("unlock", "orders-db", code=0)
    assert not list(orders.repo.glob("lock.exclusive/*"))
