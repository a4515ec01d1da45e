"""Changes of one target as a tree: modules, resources in them, attributes folded below each.

Built once from a plan; folding draws what changed of it, and nothing of it is made again for a typed key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ondeck.job.plan import Action, Change
from tui.app.rows import Part, Row, row, rule

_ROLES = {Action.CREATE: "add", Action.DELETE: "del", Action.REPLACE: "warn", Action.UPDATE: "bold"}
_LINES = {"+": "add", "-": "del", "#": "warn", "@": "dim"}
_WORST = (Action.DELETE, Action.REPLACE, Action.UPDATE, Action.CREATE)
_OPEN_LINES = 60
"""A plan with no more lines than this is shown with everything unfolded."""
_OPEN_CHANGES = 120
"""One with no more changes than this is shown with its modules unfolded."""
OUTPUTS = "outputs"


def is_tree(changes: Sequence[Change]) -> bool:
    """Changes of one target at several addresses read as a tree; of several targets they read alike."""
    return (
        len(changes) > 1
        and len({change.target for change in changes}) == 1
        and any("." in change.address for change in changes)
    )


def split(address: str) -> tuple[str, str]:
    """Module and the rest: `module.net["a.b"].aws_vpc.main[0]` is `module.net["a.b"]` and `aws_vpc.main[0]`."""
    parts, depth, begin, quoted = [], 0, 0, False
    for at, char in enumerate(address):
        if char == '"' and address[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted and char in "[]":
            depth += 1 if char == "[" else -1
        elif not quoted and not depth and char == ".":
            parts.append(address[begin:at])
            begin = at + 1
    parts.append(address[begin:])
    if parts[0] == "output":
        return OUTPUTS, address.partition(".")[2]
    last = 0
    while last + 1 < len(parts) and parts[last] == "module":
        last += 2
    return ".".join(parts[:last]), ".".join(parts[last:])


class ChangeTree:
    """Which nodes are unfolded, and the rows of what is in sight."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self._changes = changes
        self._modules: dict[str, list[int]] = {}
        self._names: list[str] = []
        for number, change in enumerate(changes):
            module, name = split(change.address)
            self._modules.setdefault(module, []).append(number)
            self._names.append(name)
        lines = sum(change.diff.count("\n") + 2 for change in changes)
        self._open: set[str] = (
            {f"module {m}" for m in self._modules} if len(changes) <= _OPEN_CHANGES else set()
        )
        if lines <= _OPEN_LINES:
            self._open |= {f"change {n}" for n in range(len(changes))}
        self.version = 0

    def turn(self, key: str, *, unfold: bool) -> bool:
        """Unfold or fold a node; False when that changes nothing."""
        if not key or (key in self._open) is unfold:
            return False
        self._open ^= {key}
        self.version += 1
        return True

    def turn_all(self) -> None:
        """Unfold everything; fold everything when it is unfolded."""
        every = {f"module {m}" for m in self._modules} | {f"change {n}" for n in range(len(self._changes))}
        self._open = set() if every <= self._open else every
        self.version += 1

    def rows(self, width: int) -> list[Row]:
        """What is in sight."""
        return [
            rule(f"changes, {len(self._changes)}: {self._words(range(len(self._changes)))}", width),
            *self._rows(),
        ]

    def _rows(self) -> Iterator[Row]:
        if "" in self._modules:
            yield from self._resources("", "")
        for module in sorted(filter(None, self._modules), key=self._order):
            key = f"module {module}"
            unfolded = key in self._open
            numbers = self._modules[module]
            words: Part = (self._words(numbers), "del" if self._worst(numbers) < 2 else "dim")
            yield row(("- " if unfolded else "+ ", "dim"), (f"{module}  ", "heading"), words, key=key)
            if unfolded:
                yield from self._resources(module, "  ")

    def _resources(self, module: str, indent: str) -> Iterator[Row]:
        for number in self._modules[module]:
            change = self._changes[number]
            key = f"change {number}"
            unfolded = key in self._open
            parts: list[Part] = [
                (f"{indent}{'- ' if unfolded else '+ '}" if change.diff else f"{indent}  ", "dim"),
                (change.action.value.ljust(8), _ROLES.get(change.action, "dim")),
                self._names[number],
            ]
            if change.before or change.after:
                parts += [
                    ("  ", ""),
                    (change.before or "nothing", "dim"),
                    " -> ",
                    (change.after or "nothing", "bold"),
                ]
            yield row(*parts, key=key)
            if unfolded and change.diff:
                for line in change.diff.split("\n"):
                    yield row(f"{indent}     ", (line, _LINES.get(line[:1], "")))

    def _order(self, module: str) -> tuple[bool, bool, str]:
        """What destroys something first, outputs last."""
        return (module == OUTPUTS, self._worst(self._modules[module]) >= 2, module)

    def _worst(self, numbers: Sequence[int]) -> int:
        ranks = (
            _WORST.index(a) if (a := self._changes[n].action) in _WORST else len(_WORST) for n in numbers
        )
        return min(ranks, default=len(_WORST))

    def _words(self, numbers: Sequence[int]) -> str:
        counts: dict[str, int] = {}
        for number in numbers:
            action = self._changes[number].action.value
            counts[action] = counts.get(action, 0) + 1
        order = [action.value for action in _WORST]
        known = sorted(counts, key=lambda word: order.index(word) if word in order else len(order))
        return ", ".join(f"{counts[word]} {word}" for word in known)
