from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ondeck.record.audit import Audit


def chain(root: Path, count: int = 5) -> Audit:
    audit = Audit(root)
    for number in range(count):
        audit.append("intent", job=f"j{number}", actor="anna", reason="line\nbreak ␛", at=1000 + number)
    return audit


def test_a_chain_as_it_was_written_verifies_and_names_open_jobs(tmp_path: Path) -> None:
    audit = chain(tmp_path / "audit")
    audit.append("outcome", job="j0")
    found = audit.verify()
    assert found.ok
    assert found.entries == 6
    assert found.open == ("j1", "j2", "j3", "j4")


@settings(deadline=None)
@given(st.data())
def test_any_flipped_bit_is_found_and_its_line_named(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        audit = chain(Path(tmp) / "audit")
        whole = bytearray(audit.path.read_bytes())
        position = data.draw(st.integers(0, len(whole) - 1))
        line = whole[:position].count(b"\n") + 1
        whole[position] ^= 1 << data.draw(st.integers(0, 7))
        audit.path.write_bytes(bytes(whole))
        found = audit.verify()
        assert not found.ok
        # A changed character may still be a well-formed line: then the next one, or the head, tells.
        assert line <= found.bad <= line + 1


def test_dropped_swapped_and_cut_lines_are_found(tmp_path: Path) -> None:
    audit = chain(tmp_path / "audit")
    lines = audit.path.read_bytes().splitlines(keepends=True)
    for changed in (
        lines[1:],
        lines[:2] + lines[3:],
        [lines[1], lines[0], *lines[2:]],
        lines[:-1],
        [],
        lines + lines[-1:],
    ):
        audit.path.write_bytes(b"".join(changed))
        assert not audit.verify().ok


@pytest.mark.parametrize("kept", [0, 1, 4, 5])
@pytest.mark.parametrize("head", ["removed", "emptied"])
def test_a_head_that_was_taken_away_is_noticed_whatever_was_cut_with_it(
    tmp_path: Path, kept: int, head: str
) -> None:
    audit = chain(tmp_path / "audit")
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join(lines[:kept]))
    if head == "removed":
        (audit.root / "head").unlink()
    else:
        (audit.root / "head").write_bytes(b"")
    if kept or head == "emptied":
        assert not audit.verify().ok
    audit.append("intent", job="j9")
    found = audit.verify()
    # Nothing at all is left to tell an emptied audit from a new one; the jobs beside it tell (below).
    assert found.ok is (kept == 0 and head == "removed")


@pytest.mark.parametrize("kept", [0, 3])
def test_a_cut_end_stays_noticed_after_the_next_line(tmp_path: Path, kept: int) -> None:
    audit = chain(tmp_path / "audit")
    lines = audit.path.read_bytes().splitlines(keepends=True)
    audit.path.write_bytes(b"".join(lines[:kept]))
    audit.append("intent", job="j9")
    audit.append("outcome", job="j9")
    found = audit.verify()
    assert found.bad == kept + 1
    assert "line 5" in found.why
    assert [entry.phase for entry in audit.entries()][-3:] == ["gap", "intent", "outcome"]


def test_a_crash_between_a_line_and_its_head_is_no_gap(tmp_path: Path) -> None:
    audit = chain(tmp_path / "audit", 1)
    head = (audit.root / "head").read_bytes()
    audit.append("outcome", job="j0")
    (audit.root / "head").write_bytes(head)
    audit.append("intent", job="j1")
    assert audit.verify().ok
    new = Audit(tmp_path / "new")
    new.append("intent", job="j0")
    (new.root / "log.jsonl").write_bytes(b"")
    (new.root / "head").write_bytes(b"0 " + b"0" * 64 + b"\n")
    new.append("intent", job="j0")
    assert new.verify().ok


def test_a_line_half_written_by_a_crash_is_cut_and_told_and_the_chain_goes_on(tmp_path: Path) -> None:
    audit = chain(tmp_path / "audit")
    with audit.path.open("ab") as file:
        file.write(b'{"seq":6,"pr')
    assert audit.verify().bad == 6
    audit.append("intent", job="j9")
    found = audit.verify()
    assert found.ok
    assert [e.phase for e in audit.entries()][-2:] == ["mended", "intent"]
