"""What looks as if a shell should read it: a program and its arguments go to the host as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"})
_JOINS = frozenset({"|", "||", "&&"})
_REDIRECT = re.compile(r"(?:\d|&)?(?:>>?|<)(?:&\d|[^\s=0-9].*)?")


def warnings(argv: tuple[str, ...]) -> Iterator[str]:
    """A line for a command that was written for a shell and goes to none, with the one that would do."""
    if not argv or any(word.rpartition("/")[2] in _SHELLS for word in argv):
        return
    found = argv[0] if re.search(r"\s", argv[0]) else next(filter(_is_for_a_shell, argv), "")
    if found:
        line = argv[0] if len(argv) == 1 else " ".join(argv)
        yield f"{found!r}: no shell reads this; for a shell: sh -c {shlex.quote(line)}"


def _is_for_a_shell(word: str) -> bool:
    return word in _JOINS or "$(" in word or _REDIRECT.fullmatch(word) is not None
