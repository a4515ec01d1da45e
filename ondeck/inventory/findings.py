"""One thing that `ondeck check` says of an inventory that loads."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How much a finding weighs; errors are raised by the loader and never come here."""

    WARNING = "warning"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at; `where` is a dotted key or a file."""

    severity: Severity
    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


def warning(where: str, message: str, hint: str = "") -> Finding:
    """What one would not want at night."""
    return Finding(severity=Severity.WARNING, where=where, message=message, hint=hint)


def note(where: str, message: str, hint: str = "") -> Finding:
    """What one should know."""
    return Finding(severity=Severity.NOTE, where=where, message=message, hint=hint)
