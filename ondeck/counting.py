"""Numbers with their noun and sizes as people read them: `1 host`, `0 batches`, `1.2 GiB`."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """A count in words; `many` where the plural is not `one` with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(number: float) -> str:
    """Bytes in the unit that reads best: `512 B`, `1.2 GiB`."""
    at = 0
    while number >= 1024 and at < len(_STEPS) - 1:
        number, at = number / 1024, at + 1
    return f"{number:.0f} {_STEPS[at]}" if at == 0 or number >= 100 else f"{number:.1f} {_STEPS[at]}"


def progress(done: float, total: float, unit: str = "") -> str:
    """How far something is: `1.2 GiB of 5.0 GiB, 24%`, `7 of 14 resources, 50%`; total 0 is not known."""
    if unit == "B":
        said = f"{size(done)} of {size(total)}" if total > 0 else size(done)
    else:
        said = " ".join(filter(None, (f"{done:g} of {total:g}" if total > 0 else f"{done:g}", unit)))
    return f"{said}, {min(done / total, 1.0):.0%}" if total > 0 else said
