"""What the inventory may say of a backup: the grammar of the design loads, and every mistake has its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.errors import BadInput, Refused
from ondeck.inventory.backups import Options, options_of
from ondeck.inventory.loader import load
from ondeck.inventory.model import Backup, Inventory
from ondeck.observe.backups import Proof, Snapshot
from ondeck.operate.backup.forgetting import railed
from ondeck.operate.backup.reading import promise_of
from providers.borg.engine import BorgOptions
from providers.restic.engine import ResticOptions
from tests.unit.test_backup_judging import HOUR, NOW, look, snapshot

DESIGN = """
ondeck: 1
environments: {prod: {}, staging: {}}
hosts: {db-1: {env: prod}, stg-1: {env: staging}}
backups:
  orders-db:
    engine: restic
    host: db-1
    what: {stdin: [pg_dump, -Fc, orders], as: postgres, name: orders.dump}   # or paths: [/var/lib/x]
    repo: {url: "s3:https://s3.example.net/backup/orders", password: vault:kv/backup/orders#password}
    promise: {every: 1h, rpo: 2h, rto: 1h}
    keep: {hourly: 48, daily: 14, weekly: 8, monthly: 12, at_least: 3}
    prove:
      read_data: all in 28d
      restore:
        {every: 30d, beside: stg-1, load: [pg_restore, -d, "${scratch}"], compare: ["select count(*) from orders"]}
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    (tmp_path / "ondeck.yml").write_text(DESIGN)
    return load(tmp_path)


def test_the_example_of_the_design_is_taken_as_it_stands(inventory: Inventory) -> None:
    found = options_of(inventory, inventory.backups["orders-db"], ResticOptions)
    assert found.what.stdin == ("pg_dump", "-Fc", "orders")
    assert (found.what.user, found.what.dataset) == ("postgres", ("/orders.dump",))
    assert found.keep.rules() == {"hourly": 48, "daily": 14, "weekly": 8, "monthly": 12}
    assert (found.keep.at_least, found.parts) == (3, 28)
    promise = promise_of(found)
    assert (promise.every, promise.rpo, promise.rto) == (3600, 7200, 3600)
    assert (promise.read_within, promise.restore_every) == (28 * 86400, 30 * 86400)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two sources": ({"what": {"paths": ["/a"], "stdin": ["x"], "name": "n"}}, "exactly one of"),
    "no source": ({"what": {}}, "exactly one of"),
    "output without a name": ({"what": {"stdin": ["x"]}}, "plain file name"),
    "relative path": ({"what": {"paths": ["a"]}}, "absolute path"),
    "path that climbs": ({"what": {"paths": ["/a/../b"]}}, "absolute path"),
    "secret for the source": ({"what": {"stdin": ["x"], "name": "n", "env": {"P": "env:P"}}}, "no secrets"),
    "password in the file": ({"repo": {"url": "/r", "password": "hunter2"}}, "reference to a secret"),
    "password in the address": (
        {"repo": {"url": "rest:http://a:b@h/", "password": "env:P"}},
        "holds a password",
    ),
    "secret of the store": (
        {"repo": {"url": "/r", "password": "env:P", "env": {"AWS_SECRET_ACCESS_KEY": "hunter2"}}},
        "AWS_SECRET_ACCESS_KEY holds a secret",
    ),
    "secret of the source": (
        {"what": {"stdin": ["x"], "name": "n", "env": {"PGPASSWORD": "hunter2"}}},
        "no secrets",
    ),
    "secret of the drill": (
        {"prove": {"restore": {"beside": "stg-1", "env": {"P": "env:P"}}}},
        "no secrets",
    ),
    "unknown host": ({"repo": {"url": "/r", "password": "env:P", "read_from": "nope"}}, "no host 'nope'"),
    "unknown key": ({"what": {"paths": ["/a"], "pathz": 1}}, "unknown field"),
    "span": ({"promise": {"every": "1x"}}, "duration"),
    "count": ({"keep": {"hourly": "many"}}, "Expected `int`"),
    "share": ({"keep": {"max_remove": "0%"}}, "percentage"),
    "nothing has to stay": ({"keep": {"at_least": 0}}, "at least 1"),
    "no tag of a hold": ({"keep": {"tags": []}}, "tag of a hold"),
    "reading": ({"prove": {"read_data": "5%"}}, "all in 28d"),
    "beside": ({"prove": {"restore": {"beside": "nope"}}}, "no host 'nope'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_mistake_names_its_key_and_its_place(name: str, inventory: Inventory) -> None:
    given, words = WRONG[name]
    backup = inventory.backups["orders-db"]
    changed = msgspec.structs.replace(backup, options={**backup.options, **given})
    with pytest.raises(BadInput) as caught:
        options_of(inventory, changed, Options)
    assert words in caught.value.message
    assert caught.value.message.startswith("backups.orders-db")
    assert caught.value.where.startswith("ondeck.yml:")
    assert "hunter2" not in str(caught.value)


def test_what_only_names_a_key_may_stand_in_the_file(inventory: Inventory) -> None:
    backup = inventory.backups["orders-db"]
    env = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "vault:kv/s3#key"}
    repo = {**backup.options["repo"], "env": env}
    plain = msgspec.structs.replace(backup, options={**backup.options, "repo": repo})
    assert options_of(inventory, plain, ResticOptions).repo.env == env


def test_what_belongs_to_one_engine_is_none_of_another(inventory: Inventory) -> None:
    backup = inventory.backups["orders-db"]
    odd = Backup(
        name="x", engine="restic", host="db-1", env="prod", options={**backup.options, "prefix": "a-"}
    )
    with pytest.raises(BadInput, match="prefix"):
        options_of(inventory, odd, ResticOptions)
    assert options_of(inventory, odd, BorgOptions).parts == 1, "borg reads everything or nothing"


# --- rails of a forget


def gone(wanted: list[Snapshot], everything: list[Snapshot], least: int = 1) -> list[Snapshot]:
    return railed(look(*everything), wanted, NOW, least=least, by_hand=False)[0]


def test_a_forget_spares_what_is_held_the_newest_and_the_newest_that_is_proven() -> None:
    newest, held = snapshot(1), snapshot(3, held=True)
    proven, old = snapshot(5, proof=Proof.RESTORED, proved=NOW - HOUR), snapshot(9)
    everything = [newest, held, proven, old]
    assert gone(everything, everything) == [old]


def test_a_forget_never_leaves_fewer_than_have_to_stay() -> None:
    everything = [snapshot(n) for n in range(1, 8)]
    assert len(gone(everything[1:], everything, least=4)) == 3
    assert gone(everything[1:], everything, least=9) == []


def test_what_is_named_by_hand_and_may_not_go_is_refused() -> None:
    held = snapshot(3, held=True)
    with pytest.raises(Refused, match="held"):
        railed(look(snapshot(1), held), [held], NOW, least=1, by_hand=True)
