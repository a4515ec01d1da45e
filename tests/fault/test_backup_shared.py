"""Repositories that many hosts share, and words that look like options: real tools, whatever was meant by it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.errors import BadInput, OndeckError, Refused
from ondeck.job.outcome import Outcome
from ondeck.observe.backup_judging import judge
from ondeck.observe.backups import NS, RepositoryLock
from ondeck.observe.fleet import Severity
from ondeck.operate.backup.engine import Seat, Setting
from ondeck.operate.backup.holders import holders
from ondeck.operate.backup.planning import table
from ondeck.reach.ports import Completed
from providers.borg.engine import Borg
from providers.restic.engine import Restic
from tests.contract.backup_doing import Doing
from tests.contract.backup_site import BorgSite, ResticSite
from tests.contract.test_backups import needing
from tests.required import cannot

_RULE = {"last": 1, "max_remove": "100%"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    needing("restic")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def doing(home: Path) -> Doing:
    return Doing(ResticSite(home, keep=_RULE))


def of_another(doing: Doing) -> None:
    """Another host saves the same folder into the same repository."""
    doing.site.by_cron("--host", "web-7")


# --- whose it is


async def test_what_another_host_saved_of_the_same_folder_is_none_of_ours(doing: Doing) -> None:
    of_another(doing)
    look = await doing.look()
    assert (look.snapshots, look.others) == ((), 1)
    verdict = judge(look, time.time_ns())
    assert verdict.severity is Severity.BAD
    assert "saved by web-7: if that is db-1, write it as host_name" in verdict.text


async def test_what_cron_saved_on_the_same_host_and_what_ondeck_saved_both_count(doing: Doing) -> None:
    of_another(doing)
    doing.site.by_cron()
    assert (await doing.do("backup.run")).outcome is Outcome.SUCCEEDED
    look = await doing.look()
    assert [s.host for s in look.snapshots] == ["db-1", socket.gethostname()]
    assert look.others == 1


async def test_a_host_that_is_named_in_the_inventory_is_the_only_one_that_counts(doing: Doing) -> None:
    of_another(doing)
    doing.site.by_cron()
    doing.site.backup.options["host_name"] = "web-7"
    assert [s.host for s in (await doing.look()).snapshots] == ["web-7"]
    assert (await doing.do("backup.run")).outcome is Outcome.SUCCEEDED
    assert [s.host for s in (await doing.look()).snapshots] == ["web-7", "web-7"]


async def test_restoring_the_newest_never_takes_what_another_host_saved(doing: Doing) -> None:
    doing.site.by_cron()
    (doing.site.data / "orders.csv").write_text("of another host\n")
    of_another(doing)
    target = doing.site.root / "out" / "new"
    assert (await doing.do("backup.restore", path=str(target))).outcome is Outcome.SUCCEEDED
    assert "apple" in (target / str(doing.site.data).lstrip("/") / "orders.csv").read_text()


async def test_a_forget_by_rule_plans_nothing_that_another_host_saved(doing: Doing) -> None:
    for _ in range(3):
        doing.site.by_cron()
        of_another(doing)
    found = await doing.do("backup.forget")
    assert found.outcome is Outcome.SUCCEEDED, found
    left = [s["hostname"] for s in json.loads(doing.site.tool("snapshots", "--json"))]
    assert sorted(left) == sorted([socket.gethostname(), *["web-7"] * 3])


async def test_a_plan_to_forget_says_what_its_rules_were_applied_to_and_nothing_of_it_by_hand(
    doing: Doing,
) -> None:
    doing.site.by_cron()
    doing.site.by_cron()
    rows = (await doing.plan("backup.forget")).draft.preflight
    assert [(row.name, str(doing.site.data) in row.note) for row in rows] == [("rules apply to", True)]
    oldest = (await doing.look()).snapshots[-1]
    assert (await doing.plan("backup.forget", snapshots=[oldest.short])).draft.preflight == ()


async def test_without_a_prefix_borg_takes_only_archives_called_after_the_backup(home: Path) -> None:
    needing("borg")
    doing = Doing(BorgSite(home, keep=_RULE))
    (home / "etc").mkdir()
    for _ in range(2):
        doing.site.save(str(home / "etc"))
        doing.site.by_cron()
    look = await doing.look()
    assert (len(look.snapshots), look.others) == (2, 2)
    plan = await doing.plan("backup.forget")
    assert [row.note for row in plan.draft.preflight] == ["archives called orders-* together"]
    assert (await doing.apply(plan)).outcome is Outcome.SUCCEEDED
    left = sorted(name.partition("-")[0] for name in doing.site.tool("list", "--short").split())
    assert left == ["etc", "etc", "orders"]


# --- words that look like options


@pytest.mark.parametrize("kind", [ResticSite, BorgSite])
async def test_no_word_of_a_person_is_an_option_of_the_tool(home: Path, kind: type[ResticSite]) -> None:
    needing("borg")
    doing = Doing(kind(home))
    doing.site.by_cron()
    site, ran = doing.site, home / "ran"
    (home / "evil").write_text(f"#!/bin/sh\necho x >{ran}\necho correct horse\n")
    (home / "evil").chmod(0o755)
    words = (f"--password-command={home}/evil", f"--rsh={home}/evil")
    reader: Any = doing.reader
    for word in words:
        with pytest.raises(BadInput, match="not an absolute path"):
            await reader.entries(site.backup, "", word, site.bench)
        assert (await reader.find(site.backup, word, site.bench)).found == ()
        found = await doing.do("backup.restore", path=str(home / "out" / word[2:5]), include=[word])
        assert found.outcome is not Outcome.UNKNOWN
    assert not ran.exists()


@pytest.mark.parametrize("kind", [ResticSite, BorgSite])
async def test_a_path_that_an_engine_is_given_is_never_its_option(home: Path, kind: type[ResticSite]) -> None:
    """Below the face that refuses such a path, and with the real tools."""
    needing("borg")
    doing = Doing(kind(home))
    doing.site.by_cron()
    site, ran = doing.site, home / "ran"
    (home / "evil").write_text(f"#!/bin/sh\necho x >{ran}\necho correct horse\n")
    (home / "evil").chmod(0o755)
    engine: Any = Restic() if kind is ResticSite else Borg()
    at = await table(engine, site.request("backup.verify"), site.bench)  # type: ignore[arg-type]
    word = f"--password-command={home}/evil"
    with suppress(OndeckError):
        assert (await engine.entries(at.reader, at.look.snapshots[0], word)).entries == ()
    assert not ran.exists()


# --- locks


async def test_a_lock_that_cannot_be_read_is_not_taken_for_one_that_was_let_go(doing: Doing) -> None:
    doing.site.by_cron()
    (doing.site.repo / "locks" / ("ab" * 32)).write_bytes(os.urandom(200))
    look = await doing.look()
    assert "lock abababab cannot be read" in look.locks_error
    assert judge(look, time.time_ns()).severity is Severity.WARN
    with pytest.raises(Refused, match="locks cannot be read"):
        await doing.plan("backup.unlock")


async def test_locks_beyond_those_that_are_read_are_said(
    doing: Doing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.restic.engine._LOCKS", 0)
    (doing.site.repo / "locks" / ("ab" * 32)).write_bytes(os.urandom(200))
    assert (await doing.look()).locks_error == "1 more than the 0 that are read"


class _Hiding:
    """A link whose commands see only the processes of their own user, who is nobody."""

    host = "db-1"

    async def run(self, argv: Sequence[str], **_: Any) -> Completed:
        inner = 'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"'
        words = ["unshare", "-m", "sh", "-c", inner, "sh", *argv]
        done = await asyncio.to_thread(subprocess.run, words, capture_output=True)
        return Completed(stdout=done.stdout, stderr=done.stderr, status=done.returncode)


async def test_a_holder_that_may_not_be_seen_is_not_called_dead() -> None:
    if os.geteuid() != 0:
        cannot("hiding processes needs root")
    link: Any = _Hiding()
    host, seat = socket.gethostname(), Seat(link, Setting(), {})
    lock = RepositoryLock(id="a", host=host, pid=os.getpid(), since=time.time_ns() + 60 * NS)
    asked = await holders(seat, [lock, msgspec.structs.replace(lock, id="b", pid=1)])
    assert asked.host == host, "it was asked"
    assert [one.alive for one in asked.locks] == [None, None]
