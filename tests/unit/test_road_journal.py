from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import StateBroken
from ondeck.job.events import Note
from ondeck.record.journal import Journal, Tail, scan


def written(path: Path, count: int = 4) -> bytes:
    journal = Journal(path)
    for number in range(count):
        journal.record(Note(text=f"note {number} ünïcode\nline"))
    journal.close(ended=True)
    return path.read_bytes()


def test_a_tail_torn_at_any_byte_is_cut_told_and_everything_before_it_stays(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.log")
    last = scan(whole).end - len(whole.splitlines(keepends=True)[-1])
    for cut in range(last, len(whole)):
        path = tmp_path / "torn.log"
        path.write_bytes(whole[:cut])
        journal = Journal(path)
        assert journal.count == (3 if cut == last else 4)
        journal.record(Note(text="after"))
        journal.close(ended=True)
        tail = Tail(path)
        texts = [e.text for e in tail.read() if isinstance(e, Note)]
        assert texts[:3] == [f"note {n} ünïcode\nline" for n in range(3)]
        assert texts[-1] == "after"
        assert ("half-written" in texts[3]) is (cut != last)
        assert (tail.torn, tail.damaged) == (0, -1)


def test_a_reader_sees_a_torn_tail_and_waits_for_the_rest(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.log")
    path = tmp_path / "growing.log"
    tail, seen = Tail(path), 0
    assert tail.read() == []
    for cut in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:cut])
        seen += len(tail.read())
    path.write_bytes(whole)
    assert seen + len(tail.read()) == 4
    assert tail.torn == 0


def test_a_flipped_byte_before_the_end_is_named_and_nothing_is_written_on(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.log")
    second = whole.index(b"\n") + 1
    end = whole.index(b"\n", second)
    for position in range(second, end, 3):
        path = tmp_path / "flipped.log"
        flipped = bytearray(whole)
        flipped[position] ^= 0x01
        path.write_bytes(bytes(flipped))
        tail = Tail(path)
        assert len(tail.read()) == 1
        assert tail.damaged == 1
        with pytest.raises(StateBroken, match="record 1 is damaged"):
            Journal(path)


@given(st.binary(max_size=400))
def test_no_bytes_at_all_break_the_reader(data: bytes) -> None:
    found = scan(data)
    assert 0 <= found.end <= len(data)
    assert found.end + found.torn == len(data)
