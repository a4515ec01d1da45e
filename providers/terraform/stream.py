"""The program's stream of JSON lines (`-json`), understood: what happens, what it said, how it ended.

Seen with Terraform 1.11.4 (ui 1.2). Lines that are no JSON, and types that are not known, are kept as text:
warnings about its own configuration come around the JSON.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import msgspec

from ondeck.text import safe_line

_LONGEST = 1 << 20  # bytes of one line that are kept
_KEPT = 40  # diagnostics
_HELD_BY = re.compile(r"already locked:\s+ID=([0-9a-fA-F-]{36})")
_COLOUR = re.compile(r"(?:␛|\x1b)\[[0-9;]*m")
_FRAME = re.compile(r"^[│╷╵] ?", re.MULTILINE)
_INFO = re.compile(r"^\s+(ID|Operation|Who|Created|Version):[ \t]+(.*?)\s*$", re.MULTILINE)
STALE = "Saved plan is stale"
LOCKED = "Error acquiring the state lock"
NOT_SAVED = ("Failed to persist state to backend", "Failed to save state")


class Kind(StrEnum):
    """What a line is about."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    GOING = "going"
    TEXT = "text"


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One line: its text, safe to show, and for a resource its address."""

    kind: Kind
    text: str
    address: str = ""


class LockInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the lock of a state, as the program tells it; empty where it does not.

    Attributes:
        id: What `force-unlock` wants.
        created: As it was written, RFC 3339 or Go's own form.
    """

    id: str
    who: str = ""
    operation: str = ""
    created: str = ""
    version: str = ""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What it says it did, or would do."""

    add: int = 0
    change: int = 0
    remove: int = 0
    imports: int = msgspec.field(name="import", default=0)
    operation: str = ""

    def words(self) -> str:
        """`3 added, 1 changed, 0 destroyed`."""
        imported = f"{self.imports} imported, " if self.imports else ""
        return f"{imported}{self.add} added, {self.change} changed, {self.remove} destroyed"


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True):
    """Something it said that is wrong or worth a warning; texts are safe."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""

    def line(self) -> str:
        """One line: address, summary, the first sentence of the detail."""
        detail = self.detail.partition("\n")[0][:300]
        said = f"{self.summary}: {detail}" if detail and detail != self.summary else self.summary
        return safe_line(f"{self.address}: {said}" if self.address else said)


def unframed(said: str) -> str:
    """What it says to people, without colours and the line that it draws beside errors."""
    return _FRAME.sub("", _COLOUR.sub("", said))


def lock_info(said: str) -> LockInfo | None:
    """The holder of a lock out of what the program said about it; None when it says nothing of one.

    The `http` backend shows in `Lock Info` the lock that was asked for, not the one that is held: the id of the
    holder stands in the message before it, and nothing is known of who that is.
    """
    other = _HELD_BY.search(said)
    found = {name.lower(): safe_line(value) for name, value in _INFO.findall(said)}
    if other is not None and other[1] != found.get("id"):
        return LockInfo(id=other[1])
    if not found.get("id"):
        return None
    return LockInfo(**found)


class Reader:
    """Takes the stream as it comes and keeps what counts of it."""

    def __init__(self) -> None:
        self._pending = b""
        self.summary: Summary | None = None
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.running: dict[str, str] = {}
        self.done: list[str] = []
        self.failed: list[str] = []
        self.interrupted = False
        self.version = ""

    @property
    def lock(self) -> LockInfo | None:
        """Who holds the lock that kept it out; None when none did."""
        for found in self.errors:
            if found.summary == LOCKED:
                return lock_info(found.detail) or LockInfo(id="")
        return None

    @property
    def stale(self) -> bool:
        """It refused the plan file because the state is another by now."""
        return any(found.summary == STALE for found in self.errors)

    @property
    def not_saved(self) -> bool:
        """It could not write the state where it belongs."""
        return any(found.summary in NOT_SAVED for found in self.errors)

    def trouble(self) -> str:
        """Its errors in one line; empty when it told none."""
        real = [found.line() for found in self.errors if found.summary != "execution halted"]
        lines = list(dict.fromkeys(real)) or [found.line() for found in self.errors]
        more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
        return "; ".join(lines[:3]) + more

    def feed(self, data: bytes) -> list[Moment]:
        """Lines that are complete with these bytes."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        self._pending = self._pending[:_LONGEST]
        return [moment for line in lines if (moment := self._line(line[:_LONGEST])) is not None]

    def end(self) -> list[Moment]:
        """What is left when the stream has ended."""
        rest, self._pending = self._pending, b""
        moment = self._line(rest)
        return [moment] if moment else []

    def _line(self, raw: bytes) -> Moment | None:
        if not raw.strip():
            return None
        try:
            record = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            record = None
        if not isinstance(record, dict) or "@message" not in record:
            return Moment(kind=Kind.TEXT, text=safe_line(raw.decode("utf-8", "backslashreplace")))
        return self._record(record)

    def _record(self, record: dict[str, Any]) -> Moment:
        text = safe_line(str(record["@message"]).strip())
        match str(record.get("type", "")):
            case "version":
                self.version = safe_line(str(record.get("terraform") or record.get("tofu") or ""))
            case "change_summary":
                self.summary = _converted(record.get("changes"), Summary)
            case "diagnostic":
                return self._diagnostic(record, text)
            case "log" if text.startswith("Interrupt received") or "Stopping operation" in text:
                self.interrupted = True
            case "apply_start" | "apply_complete" | "apply_errored" | "apply_progress" as kind:
                return self._resource(kind, _mapping(record.get("hook")), text)
        return Moment(kind=Kind.TEXT, text=text)

    def _diagnostic(self, record: dict[str, Any], text: str) -> Moment:
        found = _mapping(record.get("diagnostic"))
        severity = str(found.get("severity", "error"))
        told = Diagnostic(
            severity=severity,
            summary=safe_line(str(found.get("summary", text))),
            detail="\n".join(safe_line(line) for line in str(found.get("detail") or "").split("\n")[:60]),
            address=safe_line(str(found.get("address") or "")),
        )
        into = self.warnings if severity == "warning" else self.errors
        if len(into) < _KEPT:
            into.append(told)
        return Moment(kind=Kind.TEXT, text=f"{severity.capitalize()}: {told.line()}")

    def _resource(self, kind: str, hook: dict[str, Any], text: str) -> Moment:
        address = safe_line(str(_mapping(hook.get("resource")).get("addr", "")))
        match kind:
            case "apply_start":
                self.running[address] = str(hook.get("action", ""))
                return Moment(kind=Kind.STARTED, text=text, address=address)
            case "apply_complete":
                self.running.pop(address, None)
                self.done.append(address)
                return Moment(kind=Kind.DONE, text=text, address=address)
            case "apply_errored":
                self.running.pop(address, None)
                self.failed.append(address)
                return Moment(kind=Kind.FAILED, text=text, address=address)
        return Moment(kind=Kind.GOING, text=text, address=address)


def read_all(data: bytes) -> Reader:
    """A stream that is there in full."""
    reader = Reader()
    reader.feed(data)
    reader.end()
    return reader


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _converted(value: object, kind: type[Summary]) -> Summary | None:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        return None
