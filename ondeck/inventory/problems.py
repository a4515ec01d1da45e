"""What is wrong with an inventory's files: every problem at once, each with file, line, column and key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ondeck.counting import counted
from ondeck.errors import BadInput
from ondeck.text import safe_line

Path = tuple[str | int, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        file: Name of the file inside the inventory's folder.
        line: Counted from 1; 0 when the problem has no place in the file.
        column: Counted from 1; 0 when the problem has no place in the file.
        key: Dotted path of the key, e.g. `hosts.web-1.address`; empty when it is about the whole file.
        message: What was expected and what was found.
        hint: What to write instead; empty when there is nothing useful to say.
    """

    file: str
    line: int = 0
    column: int = 0
    key: str = ""
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        head = ": ".join(part for part in (place, self.key, self.message) if part)
        return f"{head} ({self.hint})" if self.hint else head


class InventoryProblems(BadInput):
    """The inventory cannot be used; `problems` has every reason, in the order of the files."""

    def __init__(self, problems: Iterable[Problem], *, root: str = "") -> None:
        self.problems = tuple(problems)
        head = f"{counted(len(self.problems), 'problem')} in the inventory"
        super().__init__(head, where=root, hint="\n".join(str(problem) for problem in self.problems))


class Bad(Exception):
    """A value is not what its field takes; whoever knows the place turns it into a problem."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Complaint(msgspec.Struct, frozen=True):
    """A problem before its place is known: only a path of keys inside one file."""

    file: str
    path: Path
    message: str
    hint: str = ""
    at_key: bool = False


class Complaints:
    """Complaints as they are gathered; `file` is the one being read."""

    def __init__(self) -> None:
        self.file = ""
        self.found: list[Complaint] = []

    def add(
        self, path: Path, message: str, hint: str = "", *, at_key: bool = False, file: str | None = None
    ) -> None:
        """Note one problem; `at_key` points at the key rather than at its value."""
        self.found.append(Complaint(self.file if file is None else file, path, message, hint, at_key))


def shown(value: object) -> str:
    """A value as it may stand in a message: safe, one line, at most 60 characters."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            text = safe_line(str(value))
            return repr(text if len(text) <= 60 else text[:57] + "...")


def nearest(word: str, known: Iterable[str], *, say: str = "did you mean {}?", cutoff: float = 0.6) -> str:
    """A suggestion for a word that is not known; empty when nothing is near.

    Only the first 20,000 known words are looked at, so that a typo in a large inventory stays quick.
    """
    import difflib  # only needed once something is wrong

    pool = [name for _, name in zip(range(20_000), known, strict=False)]
    folded = {name.lower(): name for name in pool}
    if word.lower() in folded:
        return say.format(folded[word.lower()])
    near = difflib.get_close_matches(word, pool, n=3, cutoff=cutoff)
    return say.format(" or ".join(near)) if near else ""


def dotted(path: Path) -> str:
    """A path as people write it: `environments.prod.freeze[0].from`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{safe_line(part)}" if text else safe_line(part)
    return text


def listed(known: Mapping[str, object] | Iterable[str], limit: int = 8) -> str:
    """Some of the known names for a hint: `there are: a, b, c and 12 more`."""
    names = sorted(known)
    if not names:
        return "there are none"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"there are: {', '.join(names[:limit])}{more}"
