"""Where the person has been: the stack that esc goes down, and the history of `-`, `[` and `]`."""

from __future__ import annotations


class Trail:
    """Addresses only; knows no widget."""

    LONGEST = 200

    def __init__(self, root: str) -> None:
        self.stack = [root]
        self._seen = [root]
        self._at = 0

    @property
    def here(self) -> str:
        """The address on screen."""
        return self.stack[-1]

    def go(self, address: str, *, root: bool) -> None:
        """Open an address: a root starts a new stack, a page lies on top of what is there."""
        if root:
            self.stack = [address]
        elif address in self.stack:
            del self.stack[self.stack.index(address) + 1 :]
        else:
            self.stack.append(address)
        self._visit(address)

    def _visit(self, address: str) -> None:
        if self._seen[self._at] == address:
            return
        del self._seen[self._at + 1 :]
        self._seen.append(address)
        del self._seen[: -self.LONGEST]
        self._at = len(self._seen) - 1

    def back(self) -> bool:
        """Down the stack; False on its last screen."""
        if len(self.stack) == 1:
            return False
        self.stack.pop()
        self._visit(self.here)
        return True

    def recent(self) -> tuple[str, ...]:
        """Addresses seen up to here, newest first."""
        return tuple(reversed(self._seen[: self._at + 1]))

    def step(self, by: int) -> str:
        """The address before or after in the history; empty at its end."""
        at = self._at + by
        if not 0 <= at < len(self._seen):
            return ""
        self._at = at
        return self._seen[at]

    def last(self) -> str:
        """The view before this one; taking it again returns."""
        before = self._seen[self._at - 1] if self._at > 0 else ""
        if before:
            self._visit(before)
        return before
