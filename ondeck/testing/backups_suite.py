"""The contract suite of `backups`: what every provider that reads backups has to hold.

Subclass it in a test module, name the provider, give a `case` fixture with a real repository.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
import pytest

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory.model import Backup
from ondeck.observe.backup_judging import judge
from ondeck.observe.backups import NS, Proof
from ondeck.observe.fleet import Severity
from ondeck.observe.ports import BackupReader
from ondeck.observe.proofs import Proofs
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe


class BackupCase(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite needs to try a reader.

    Attributes:
        backup: Its repository holds nothing yet.
        save: Saves its data once more as somebody else would, with the given file beside it.
        save_other: Saves something else into the same repository.
        unreadable: Backups that cannot be read: a wrong password, no repository, ...
        world: A fingerprint of the repository.
        remember: Makes the bench remember facts.
        folder: Folder that is saved.
        lose: Lets no link through from now on.
    """

    backup: Backup
    bench: Bench
    save: Callable[[str], None]
    save_other: Callable[[], None]
    unreadable: tuple[Backup, ...]
    world: Callable[[], str]
    remember: Callable[[dict[str, str]], None]
    folder: str
    lose: Callable[[], None]


class BackupReaderSuite(PortSuite):
    """Promises of `ondeck.observe.ports.BackupReader`."""

    capability = "backups"

    async def test_an_empty_repository_is_an_answer_and_bad(
        self, provided: BackupReader, case: BackupCase
    ) -> None:
        look = await provided.look(case.backup, case.bench)
        assert (look.error, look.snapshots) == ("", ())
        assert judge(look, time.time_ns()).severity is Severity.BAD

    async def test_what_others_saved_is_listed_newest_first_with_when_it_began(
        self, provided: BackupReader, case: BackupCase
    ) -> None:
        before = time.time_ns()
        case.save("a")
        case.save("b")
        case.save_other()
        look = await provided.look(case.backup, case.bench)
        assert look.error == ""
        assert [len(look.snapshots), look.others] == [2, 1]
        assert look.snapshots[0].time >= look.snapshots[1].time
        assert all(before - NS <= s.time <= time.time_ns() for s in look.snapshots)
        assert all(s.size for s in look.snapshots)
        assert look.snapshots[0].proof is Proof.CREATED

    async def test_looking_changes_nothing_in_the_repository(
        self, provided: BackupReader, case: BackupCase
    ) -> None:
        case.save("a")
        before = case.world()
        await provided.look(case.backup, case.bench)
        await provided.entries(case.backup, "", case.folder, case.bench)
        await provided.find(case.backup, "a", case.bench)
        assert case.world() == before

    async def test_what_cannot_be_read_is_an_error_and_never_an_empty_list_that_looks_calm(
        self, provided: BackupReader, case: BackupCase
    ) -> None:
        for backup in case.unreadable:
            look = await provided.look(backup, case.bench)
            assert look.error
            assert is_safe(look.error)
            assert judge(look, time.time_ns()).word == "?"
            with pytest.raises(OndeckError):
                await provided.entries(backup, "", case.folder, case.bench)

    async def test_a_lost_host_is_an_error(self, provided: BackupReader, case: BackupCase) -> None:
        case.save("a")
        case.lose()
        look = await provided.look(case.backup, case.bench)
        assert look.error
        assert look.snapshots == ()

    async def test_proof_is_remembered_for_the_snapshot_and_no_other(
        self, provided: BackupReader, case: BackupCase
    ) -> None:
        case.save("a")
        first = (await provided.look(case.backup, case.bench)).snapshots[0]
        case.remember(Proofs().seen([first.key], time.time_ns() // NS).facts(case.backup.name))
        case.save("b")
        look = await provided.look(case.backup, case.bench)
        assert [s.proof for s in look.snapshots] == [Proof.CREATED, Proof.STRUCTURE]

    async def test_folders_files_and_differences_are_found(
        self, provided: BackupReader, case: BackupCase
    ) -> None:
        case.save("first.csv")
        case.save("second.csv")
        newer, older = (await provided.look(case.backup, case.bench)).snapshots
        inside = await provided.entries(case.backup, older.short, case.folder, case.bench)
        assert f"{case.folder}/first.csv".lstrip("/") in {e.path.lstrip("/") for e in inside.entries}
        found = await provided.find(case.backup, "first.csv", case.bench)
        assert [place.snapshot.key for place in found.found] == [newer.key, older.key]
        differs = await provided.differences(case.backup, older.short, newer.short, case.bench)
        signs = {d.path.rpartition("/")[2]: d.sign for d in differs.differences}
        assert signs["second.csv"] == "+"
        assert "first.csv" not in signs

    async def test_a_snapshot_that_is_none_is_said(self, provided: BackupReader, case: BackupCase) -> None:
        case.save("a")
        with pytest.raises(OndeckError):
            await provided.entries(case.backup, "ffffffffffff", case.folder, case.bench)

    async def test_names_in_a_repository_cannot_reach_the_terminal(
        self, provided: BackupReader, case: BackupCase
    ) -> None:
        case.save("evil\x1b]0;x\x07.csv")
        inside = await provided.entries(case.backup, "", case.folder, case.bench)
        found = await provided.find(case.backup, "evil*", case.bench)
        names = [e.path for e in inside.entries] + [place.entry.path for place in found.found]
        assert any("evil" in name for name in names)
        assert all(map(is_safe, names))
