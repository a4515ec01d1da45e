"""Values that must not be shown: no str, no repr, no pickle, no comparison by content."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """A secret value. Only the adapter that needs it calls `reveal`.

    It prints as `***`, refuses pickling and copying into YAML, and is not a `str`, so that no
    formatting path can show it by accident.
    """

    __slots__ = ("_ends", "_value")

    def __init__(self, value: str, *, ends: int = 0) -> None:
        """Hold a value; `ends` is when it stops being one (ns since 1970), 0 when it does not or nobody knows."""
        self._value = value
        self._ends = ends

    @property
    def ends(self) -> int:
        """When it stops being good, ns since 1970: the end of its lease; 0 when it has none."""
        return self._ends

    def reveal(self) -> str:
        """The value itself. Never put it into argv, a log, an event or an exception."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")
