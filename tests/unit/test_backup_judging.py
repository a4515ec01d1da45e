"""Backups are judged by what lies in the repository, and nothing that is not known is calm."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ondeck.observe.backup_judging import in_bytes, judge
from ondeck.observe.backups import (
    NS,
    BackupLook,
    Damage,
    LastRestore,
    Promise,
    Proof,
    RepositoryLock,
    Snapshot,
)
from ondeck.observe.fleet import Severity
from ondeck.observe.proofs import Proofs, recall, with_proofs

NOW = 1_763_953_985 * NS
HOUR = 3600 * NS


def snapshot(ago: float, **more: Any) -> Snapshot:
    key = f"{int(ago * 1000):x}".rjust(12, "a")
    return Snapshot(id=key, short=key[:8], key=key, time=NOW - int(ago * HOUR), **more)


def look(*snapshots: Snapshot, **more: Any) -> BackupLook:
    plain: dict[str, Any] = {"promise": Promise(every=3600, rpo=7200), "asked": NOW, **more}
    return BackupLook(name="x", env="prod", engine="restic", host="db-1", snapshots=snapshots, **plain)


def said(found: BackupLook) -> tuple[Severity, str]:
    verdict = judge(found, NOW)
    return verdict.severity, verdict.text


def test_a_young_snapshot_is_ok() -> None:
    assert said(look(snapshot(0.5))) == (Severity.OK, "")


def test_one_that_was_never_asked_or_could_not_be_is_not_known() -> None:
    assert judge(look(asked=0), NOW).word == "?"
    assert judge(look(snapshot(0.5), error="connection refused"), NOW).word == "?"
    assert judge(look(snapshot(0.5), asked=NOW - HOUR), NOW).word == "?", "what is old says nothing of now"


def test_a_late_one_warns_and_one_beyond_its_promise_is_bad() -> None:
    wide = Promise(every=3600, rpo=4 * 3600)
    assert said(look(snapshot(2.5), promise=wide))[0] is Severity.WARN
    assert said(look(snapshot(2.1)))[0] is Severity.BAD
    assert said(look())[0] is Severity.BAD


def test_the_age_counts_from_the_begin_and_a_date_in_the_future_is_never_the_newest() -> None:
    found = look(snapshot(-2), snapshot(3))
    severity, text = said(found)
    assert severity is Severity.BAD
    assert "in the future" in text
    newest = found.newest(NOW)
    assert newest is not None
    assert newest.time == NOW - 3 * HOUR


def test_bytes_far_from_the_usual_warn() -> None:
    usual = [snapshot(n, size=1000) for n in range(1, 8)]
    assert said(look(snapshot(0.5, size=400), *usual))[0] is Severity.WARN
    assert said(look(snapshot(0.5, size=2100), *usual))[0] is Severity.WARN
    assert said(look(snapshot(0.5, size=900), *usual))[0] is Severity.OK
    assert said(look(snapshot(0.5), *usual))[0] is Severity.OK, "a size that nobody knows is no finding"


def test_proof_that_was_promised_and_is_not_there_warns() -> None:
    promise = Promise(every=3600, rpo=7200, rto=60, read_within=86400, restore_every=86400)
    assert "never read back" in said(look(snapshot(0.5), promise=promise))[1]
    assert "never restored" in said(look(snapshot(0.5), promise=promise))[1]
    slow = LastRestore(NOW - HOUR, 90.0, 1, "k", "h")
    read = snapshot(0.5, proof=Proof.READ, proved=NOW - HOUR)
    assert said(look(read, promise=promise, last_restore=slow))[0] is Severity.BAD
    old = snapshot(0.5, proof=Proof.READ, proved=NOW - 30 * HOUR)
    assert "read back 1d06h ago" in said(look(old, promise=promise))[1]


def test_damage_is_bad_whatever_else_is_fine() -> None:
    severity, text = said(look(snapshot(0.5), damage=Damage(NOW - HOUR, "part 1/28: pack")))
    assert severity is Severity.BAD
    assert text.startswith("damaged")


def test_locks_of_the_dead_clocks_and_unread_locks_are_said() -> None:
    lock = RepositoryLock(id="l", host="db-1", pid=1, since=NOW - HOUR, alive=False)
    assert "dead" in said(look(snapshot(0.5), locks=(lock,)))[1]
    alive = msgspec.structs.replace(lock, alive=True)
    assert said(look(snapshot(0.5), locks=(alive,)))[0] is Severity.OK
    assert "ahead of ours" in said(look(snapshot(0.5), skew=120.0))[1]
    assert "not known" in said(look(snapshot(0.5), locks_error="no"))[1]


def test_proofs_are_for_the_snapshots_that_a_check_saw_and_reading_counts_when_every_part_came_after() -> (
    None
):
    old, new = snapshot(5), snapshot(1)
    proofs = Proofs().seen([old.key], 100).read(1, 2, 100)
    assert proofs.level(old) == (Proof.STRUCTURE, 100 * NS)
    proofs = proofs.read(2, 2, 200)
    assert proofs.level(old) == (Proof.READ, 100 * NS)
    proofs = proofs.seen([new.key, old.key], 300).read(1, 2, 300)
    assert proofs.level(new)[0] is Proof.STRUCTURE, "part 2 was read before it was there"
    assert proofs.level(old)[0] is Proof.READ
    assert proofs.next_part(2) == 2
    assert proofs.read(1, 3, 400).level(old)[0] is Proof.STRUCTURE, "another cut begins again"
    assert proofs.damaged(500, "part 1/2: x").level(old)[0] is Proof.STRUCTURE
    restored = proofs.restored(LastRestore(600 * NS, 5.0, 9, new.key, "stg-1", True))
    assert restored.level(new) == (Proof.RESTORED, 600 * NS)


@given(st.text(max_size=200))
def test_a_remembered_line_that_cannot_be_read_proves_nothing_and_breaks_nothing(line: str) -> None:
    found = recall(lambda key: line, "x")
    assert with_proofs(look(snapshot(1)), found).snapshots[0].proof is Proof.CREATED


def test_what_is_remembered_comes_back_and_fits_a_fact() -> None:
    keys = [f"{n:064x}"[::-1] for n in range(200)]
    proofs = Proofs().seen(keys, 1_763_953_985).read(3, 255, 1_763_953_985).damaged(5, "part 3/255: bad")
    proofs = proofs.restored(LastRestore(NOW, 12.5, 99, keys[7], "stg-1", True))
    facts = proofs.facts("orders")
    assert all(len(value) < 2000 for value in facts.values())
    again = recall(lambda key: facts.get(key, ""), "orders")
    assert again.snapshots == proofs.snapshots
    assert (again.damage, again.of) == (proofs.damage, 255)
    assert again.last_restore is not None
    assert again.last_restore.seconds == 12.5


def test_bytes_read_as_people_say_them() -> None:
    assert [in_bytes(n) for n in (None, 0, 1023, 1 << 20, 5 << 40)] == [
        "?",
        "0 B",
        "1023 B",
        "1.0 MiB",
        "5.0 TiB",
    ]
