from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
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


def test_a_line_half_written_by_a_crash_is_cut_and_told_and_the_chain_goes_on(tmp_path: Path) -> None:
    audit = chain(tmp_path / "audit")
    with audit.path.open("ab") as file:
        file.write(b'{"seq":6,"pr')
    assert audit.verify().bad == 6
    audit.append("intent", job="j9")
    found = audit.verify()
    assert found.ok
    assert [e.phase for e in audit.entries()][-2:] == ["mended", "intent"]
