"""How far back the history of files reaches, and what to say when that is not as far as was asked."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ondeck.observe.records import HistoryCut, LogLine
from ondeck.text import safe_line


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted end of one file.

    Attributes:
        lines: What is wanted of what was read.
        first: Time of the first line that was read, ns; 0 when there is none.
        reached: It goes back as far as was asked.
        unread: Bytes before it that were not looked at.
    """

    path: str
    lines: list[LogLine]
    first: int
    reached: bool
    unread: int


def cut_of(parts: Sequence[Part], most: int) -> HistoryCut | None:
    """Where the history of a source of these files begins; None when all that was asked for is there.

    Args:
        parts: Every file of the source.
        most: How many lines were asked for; 0 when it was all since a time.
    """
    cuts = [cut for group in _generations(parts) if (cut := _cut_of_one(group, most)) is not None]
    if not cuts:
        return None
    last = max(cuts, key=lambda cut: cut.time)
    more = f"; {len(cuts) - 1} more files too" if len(cuts) > 1 else ""
    return HistoryCut(last.time, last.why + more)


def _cut_of_one(group: Sequence[Part], most: int) -> HistoryCut | None:
    """`app.log`, `app.log.1`, ... are one log: what the first lacks may be in the others."""
    short = [part for part in group if part.unread and not part.reached]
    if short and not (most and sum(len(part.lines) for part in group) >= most):
        part = max(short, key=lambda part: part.first)
        why = f"{part.unread} bytes of {safe_line(part.path)} before this were not read"
        return HistoryCut(part.first, why)
    if any(part.reached for part in group) or (most and sum(len(part.lines) for part in group) >= most):
        return None
    begins = [part.first for part in group if part.first]
    name = safe_line(group[0].path)
    if not begins:
        return HistoryCut(0, f"{name} is empty")
    # The last lines were asked for, and these are all there ever were.
    return None if most else HistoryCut(min(begins), f"{name} has nothing older")


def _generations(parts: Sequence[Part]) -> list[list[Part]]:
    groups: list[list[Part]] = []
    for part in sorted(parts, key=lambda part: len(part.path)):
        of = next((g for g in groups if part.path.startswith((f"{g[0].path}.", f"{g[0].path}-"))), None)
        if of is None:
            groups.append([part])
        else:
            of.append(part)
    return groups
