"""What targets printed: read by a thread of its own, bounded, and again only when a file has changed."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TypeAlias

from ondeck.errors import OndeckError
from ondeck.record.store import Record
from ondeck.text import safe_line
from tui.app.views import OutputLook

END = 64 << 10
"""Bytes of the end that are read."""
PIECE = 256 << 10
"""Bytes that are read at once of a whole output."""
LAST = 8
FIRST = 30
"""Lines that are kept of an end, and of a begin."""
LONGEST = 4096
"""Bytes of a line that are kept."""
ASKED_FOR = 3.0
"""Seconds for which an output is looked after once somebody wanted it."""
KEPT = 2_000
"""Outputs that are remembered."""

ALL = 2 << 20
"""Bytes of an output that is shown whole; of a longer one a quarter is its begin, the rest its end."""
ALL_LINES = 20_000

_Key: TypeAlias = tuple[str, str, str]
_Stamp: TypeAlias = tuple[int, int]


class LiveOutputs:
    """`look` belongs to the face's thread and never touches a file."""

    def __init__(self, record: Record, pause: float = 0.5) -> None:
        self._record = record
        self._pause = pause
        self._lock = threading.Lock()
        self._wanted: dict[_Key, float] = {}
        self._known: dict[_Key, tuple[_Stamp, OutputLook]] = {}
        self._news = threading.Event()
        self._hurry = threading.Event()
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="ondeck-output", daemon=True).start()

    def stop(self) -> None:
        """End within one reading."""
        self._stop.set()
        self._hurry.set()

    def changed(self) -> bool:
        """True once after something else was read."""
        news = self._news.is_set()
        self._news.clear()
        return news

    def look(self, job: str, target: str, *, whole: bool = False, everything: bool = False) -> OutputLook:
        """What is known of it; from now on it is read when it changes."""
        key = (job, target, "all" if everything else "whole" if whole else "end")
        with self._lock:
            fresh = key not in self._wanted
            self._wanted[key] = time.monotonic()
            found = self._known.get(key)
        if fresh:
            self._hurry.set()
        return found[1] if found is not None else OutputLook(reading=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._hurry.clear()
            for key in self._due():
                if self._stop.is_set():
                    return
                self._refresh(key)
            self._hurry.wait(self._pause)

    def _due(self) -> list[_Key]:
        """Outputs that somebody wants still."""
        with self._lock:
            oldest = time.monotonic() - ASKED_FOR
            for key in [key for key, at in self._wanted.items() if at < oldest]:
                del self._wanted[key]
            for key in list(self._known)[: max(0, len(self._known) - KEPT)]:
                del self._known[key]
            return list(self._wanted)

    def _refresh(self, key: _Key) -> None:
        job, target, how = key
        known = self._known.get(key)
        stamp: _Stamp = (-1, -1)
        try:
            stamp = self._record.output_stamp(job, target)
            if known is not None and known[0] == stamp:
                return
            read = {"all": self._all, "whole": self._whole, "end": self._end}[how]
            look = read(job, target, stamp[0])
        except Exception as error:  # noqa: BLE001 - the thread's boundary: shown as an error, and it goes on
            words = error.message if isinstance(error, OndeckError) else f"{type(error).__name__}: {error}"
            look = OutputLook(error=safe_line(words))
        with self._lock:
            self._known[key] = (stamp, look)
        if known is None or known[1] != look:
            self._news.set()

    def _end(self, job: str, target: str, size: int) -> OutputLook:
        data, offset = b"", max(0, size - END)
        while len(data) <= 2 * END and (part := self._record.output(job, target, offset, END)).data:
            data, offset = data + part.data, part.end
        lines = _lines(data)
        if size > END and len(lines) > 1:
            lines = lines[1:]
        return OutputLook(lines=_safe(lines[-LAST:]), size=size, cut=size > END or len(lines) > LAST)

    def _all(self, job: str, target: str, size: int) -> OutputLook:
        """Every line; of a very long output the begin and the end, with what is left out said between."""
        if size <= ALL:
            lines = _lines(self._bytes(job, target, 0, size))
            if len(lines) <= ALL_LINES:
                return OutputLook(lines=_safe(lines), size=size, count=len(lines))
        begin = _lines(self._bytes(job, target, 0, ALL // 4))[: ALL_LINES // 4]
        end = _lines(self._bytes(job, target, max(0, size - ALL * 3 // 4), size))[-ALL_LINES * 3 // 4 :]
        gap = b"[.. the middle is not shown: ondeck attach %s prints it all ..]" % job.encode()
        return OutputLook(lines=_safe([*begin, gap, *end]), size=size, cut=True)

    def _bytes(self, job: str, target: str, offset: int, end: int) -> bytes:
        found = bytearray()
        while offset < end and not self._stop.is_set():
            part = self._record.output(job, target, offset, min(PIECE, end - offset))
            if not part.data:
                break
            found += part.data
            offset = part.end
        return bytes(found)

    def _whole(self, job: str, target: str, size: int) -> OutputLook:
        """Begin, number of lines and digest, a piece at a time."""
        digest, begin, offset, ends = hashlib.sha256(), b"", 0, 0
        last = b""
        while offset < size and not self._stop.is_set():
            part = self._record.output(job, target, offset, PIECE)
            if not part.data:
                break
            begin += part.data[: FIRST * LONGEST - len(begin)]
            digest.update(part.data)
            ends += part.data.count(b"\n")
            offset, last = part.end, part.data[-1:]
        count = ends + (last not in (b"", b"\n"))
        lines = _safe(_lines(begin)[:FIRST])
        return OutputLook(
            lines=lines, size=size, count=count, cut=count > len(lines), digest=digest.hexdigest()
        )


def _lines(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n") if data.strip() else []


def _safe(lines: list[bytes]) -> tuple[str, ...]:
    return tuple(safe_line(line[:LONGEST].decode("utf-8", errors="backslashreplace")) for line in lines)
