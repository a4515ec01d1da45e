"""Host patterns: `web-[01:40]` names forty hosts, `10.0.0.[11:12]` walks in step with the names."""

from __future__ import annotations

import re

from ondeck.inventory.problems import Bad

_RANGE = re.compile(r"\[([^\]]*)\]")
_BOUNDS = re.compile(r"(\d{1,6}):(\d{1,6})")
MOST = 100_000


def is_pattern(text: str) -> bool:
    """True when the text holds a bracket, right or wrong."""
    return "[" in text or "]" in text


def expand(text: str) -> list[str]:
    """Every text that a pattern stands for, in order; the leftmost range turns slowest.

    A lower bound written with leading zeros pads: `[01:40]` gives 01 to 40.

    Raises:
        Bad: The pattern is malformed, runs backwards, or stands for more than 100,000 texts.
    """
    found = [""]
    end = 0
    for match in _RANGE.finditer(text):
        literal = text[end : match.start()]
        numbers = _numbers(match[1], text)
        if len(found) * len(numbers) > MOST:
            raise Bad(f"expected at most {MOST} hosts from one pattern")
        found = [f"{head}{literal}{number}" for head in found for number in numbers]
        end = match.end()
    tail = text[end:]
    if is_pattern(tail) or "[" in "".join(_RANGE.split(text)[::2]):
        raise Bad(f"expected every bracket of {text!r} in a pair such as [1:3]")
    return [head + tail for head in found]


def _numbers(inner: str, text: str) -> list[str]:
    bounds = _BOUNDS.fullmatch(inner)
    if not bounds:
        raise Bad(f"expected a range such as [1:3] or [01:40] in {text!r}, found [{inner}]")
    low, high = bounds[1], bounds[2]
    if int(low) > int(high):
        raise Bad(
            f"expected a range that counts up in {text!r}, found [{inner}]", f"did you mean [{high}:{low}]?"
        )
    if int(high) - int(low) >= MOST:
        raise Bad(f"expected at most {MOST} hosts from one pattern")
    width = len(low) if low.startswith("0") and len(low) > 1 else 0
    return [str(number).zfill(width) for number in range(int(low), int(high) + 1)]
