r"""The program's lines (`-machine-readable`), understood: `time,target,type,data...`.

Seen with Packer 1.6.6. A comma inside a field is `%!(PACKER_COMMA)`, a line's end `\n`. What a script writes to
its standard error comes as `ui,error` though the build is fine: only `error-count`, `error` of a target and the
exit status tell that something failed.
"""

from __future__ import annotations

import re

import msgspec

from ondeck.text import safe_line

_LONGEST = 1 << 18  # bytes of one line that are kept
_FINISHED = re.compile(r"^Build '([^']+)' (finished|errored)\b")
CANCELLED = "Cleanly cancelled builds"


class Artifact(msgspec.Struct, kw_only=True):
    """Something that a builder made; texts are safe."""

    builder: str
    id: str = ""
    said: str = ""
    kind: str = ""
    files: list[str] = []
    complete: bool = False


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One line for people."""

    text: str
    ended: str = ""
    ok: bool = True


class Reader:
    """Takes the stream as it comes and keeps what counts of it."""

    def __init__(self) -> None:
        self._pending = b""
        self._artifacts: dict[tuple[str, str], Artifact] = {}
        self.errors: dict[str, str] = {}
        self.error_count = 0
        self.finished: list[str] = []
        self.cancelled = False
        self.last = ""

    @property
    def artifacts(self) -> list[Artifact]:
        """What was told in full, each once: a post-processor that keeps its input tells it again."""
        found: dict[tuple[str, str, str], Artifact] = {}
        for one in self._artifacts.values():
            if one.complete and one.kind not in _NOTHING:
                found.setdefault((one.builder, one.id, one.said), one)
        return list(found.values())

    def feed(self, data: bytes) -> list[Said]:
        """Lines that are complete with these bytes."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        self._pending = self._pending[:_LONGEST]
        return [said for line in lines for said in self._line(line[:_LONGEST])]

    def end(self) -> list[Said]:
        """What is left when the stream has ended."""
        rest, self._pending = self._pending, b""
        return self._line(rest)

    def _line(self, raw: bytes) -> list[Said]:
        text = raw.decode("utf-8", "backslashreplace").rstrip("\r")
        parts = text.split(",", 3)
        if len(parts) != 4 or not parts[0].isdigit():
            return self._plain(text)
        _, target, kind, data = parts
        match kind:
            case "ui":
                return self._ui(data.partition(",")[2])
            case "artifact":
                self._artifact(safe_line(target), data)
            case "error":
                self.errors[safe_line(target)] = safe_line(unescaped(data).strip())
            case "error-count":
                self.error_count = int(data) if data.isdigit() else 1
        return []

    def plain(self, data: bytes) -> None:
        """What it wrote beside its lines, for when nothing else tells a reason."""
        text = data.decode("utf-8", "backslashreplace").strip()
        self.last = safe_line(text.splitlines()[0])[:300] if text and not self.last else self.last

    def _plain(self, text: str) -> list[Said]:
        self.plain(text.encode())
        return [Said(text=safe_line(text))] if text.strip() else []

    def _ui(self, data: str) -> list[Said]:
        said = []
        for line in unescaped(data).split("\n"):
            if not line.strip():
                continue
            self.cancelled = self.cancelled or CANCELLED in line
            match = _FINISHED.match(line)
            if match is None:
                said.append(Said(text=safe_line(line)))
                continue
            if match[2] == "finished":
                self.finished.append(safe_line(match[1]))
            said.append(Said(text=safe_line(line), ended=safe_line(match[1]), ok=match[2] == "finished"))
        return said

    def _artifact(self, target: str, data: str) -> None:
        index, _, rest = data.partition(",")
        key, _, value = rest.partition(",")
        one = self._artifacts.setdefault((target, index), Artifact(builder=target, files=[]))
        text = safe_line(unescaped(value))
        match key:
            case "id":
                one.id = text
            case "string":
                one.said = text
            case "builder-id":
                one.kind = text
            case "file":
                one.files.append(safe_line(unescaped(value.partition(",")[2])))
            case "end":
                one.complete = True


_NOTHING = ("fnoeding.null",)
"""Builders that make nothing and say so in an artifact."""


def unescaped(field: str) -> str:
    """A field as it was meant."""
    return field.replace("%!(PACKER_COMMA)", ",").replace("\\r", "").replace("\\n", "\n")
