"""What a running program tells, handed on as it comes: output as text, a step a resource, how far it is."""

from __future__ import annotations

from ondeck.operate.ports import Emit
from providers.terraform.stream import Kind, Moment, Reader


class Progress:
    """Follows one run; without `emit` it only reads."""

    def __init__(self, emit: Emit | None = None, *, total: int = 0, json: bool = True) -> None:
        """Begin.

        Args:
            emit: Where it is told.
            total: Steps that the plan has.
            json: It writes JSON lines; else what it writes is handed on as it is.
        """
        self.reader = Reader()
        self.out = 0
        self.err = 0
        self.said = bytearray()
        self._emit = emit
        self._total = total
        self._json = json

    def take(self, data: bytes, err: bool) -> None:
        """Bytes of one of its streams."""
        if err:
            self.err += len(data)
        else:
            self.out += len(data)
        if err or not self._json:
            self.said += data[: max(0, 65536 - len(self.said))]
            if self._emit is not None:
                self._emit.output(data, err=err)
            return
        for moment in self.reader.feed(data):
            self._tell(moment)

    def end(self) -> None:
        """Its streams have ended."""
        for moment in self.reader.end():
            self._tell(moment)

    def _tell(self, moment: Moment) -> None:
        if self._emit is None:
            return
        self._emit.output(f"{moment.text}\n".encode())
        if moment.kind in (Kind.STARTED, Kind.DONE, Kind.FAILED):
            self._emit.step(moment.text)
        if moment.kind is Kind.DONE and self._total:
            self._emit.moved(min(len(self.reader.done), self._total), self._total, "resources")
