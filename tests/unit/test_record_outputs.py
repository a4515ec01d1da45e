"""What targets print is kept once, bounded, on disk as it comes, and places in it stay what they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ondeck.record import outputs
from ondeck.record.outputs import Output

WRITER = """
import sys
from pathlib import Path
from ondeck.record.outputs import Output
out = Output(Path(sys.argv[1]), "web-1", head=1000, tail=600)
for number in range(400):
    out.write(b"%06d\\n" % number)
print("written", flush=True)
sys.stdin.read()
"""


def whole(root: Path, target: str = "web-1", limit: int = 100) -> bytes:
    found, place = b"", 0
    while (part := outputs.read(root, target, place, limit)).data:
        assert part.end > place
        found, place = found + part.data, part.end
    return found


def size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def note(count: int) -> bytes:
    return b"\n[ondeck: %d bytes left out here]\n" % count


@given(
    st.lists(st.binary(min_size=1, max_size=90), max_size=40),
    st.integers(0, 120),
    st.integers(1, 200),
    st.integers(0, 6),
)
@settings(max_examples=150, deadline=None)
def test_head_and_latest_bytes_are_kept_whatever_the_pieces(
    pieces: list[bytes], head: int, tail: int, again: int
) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        root, data = Path(tmp), b"".join(pieces)
        out = Output(root, "web-1", head=head, tail=tail)
        for number, piece in enumerate(pieces):
            if again and number % again == 0:
                out.close()
                out = Output(root, "web-1", head=head, tail=tail)
            out.write(piece)
        found = whole(root, limit=7)
        assert found.startswith(data[:head])
        assert found.endswith(data[-min(tail, max(0, len(data) - head)) :] if len(data) > head else data)
        left = len(data) - size(root)
        assert left >= 0
        assert len(found) == size(root) + (len(note(left)) if left else 0)
        assert size(root) <= head + 2 * tail + 2
        out.close()


def test_a_reader_that_follows_keeps_its_place_while_older_bytes_are_left_out(tmp_path: Path) -> None:
    out = Output(tmp_path, "web-1", head=100, tail=120)
    out.write(b"a" * 150)
    part = outputs.read(tmp_path, "web-1", 100, 1000)
    place = part.end
    out.write(b"b" * 1000)
    out.write(b"the end\n")
    seen = b""
    while (part := outputs.read(tmp_path, "web-1", place, 1000)).data:
        seen, place = seen + part.data, part.end
    assert b"bytes left out here" in seen
    assert seen.endswith(b"the end\n")
    assert place == 1158


def test_a_writer_that_is_killed_loses_nothing_that_it_took(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    found = whole(tmp_path)
    assert found.startswith(b"000000\n000001\n")
    assert found.endswith(b"000398\n000399\n")
    assert b"bytes left out here" in found


def test_every_byte_is_written_once_however_long_the_output_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    real = os.write

    def counting(fd: int, data: bytes) -> int:
        nonlocal written
        written += len(data)
        return real(fd, data)

    monkeypatch.setattr(os, "write", counting)
    out = Output(tmp_path, "web-1", head=1 << 16, tail=3 << 16)
    for _ in range(2000):
        out.write(b"x" * 1000)
    out.close()
    assert written == 2_000_000
    assert size(tmp_path) <= (4 << 16) + (1 << 16)


def test_what_a_full_disk_took_away_is_told_as_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Output(tmp_path, "web-1", head=1000, tail=1000)
    out.write(b"begin\n")
    real = os.write

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    out.write(b"x" * 50)
    monkeypatch.setattr(os, "write", real)
    out.write(b"end\n")
    out.close()
    assert whole(tmp_path) == b"begin\n" + note(50) + b"end\n"
