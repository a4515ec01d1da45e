"""Numbers with their noun: `1 host`, `2 hosts`, `0 batches`."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A count in words; `many` where the plural is not `one` with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"
