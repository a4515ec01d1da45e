"""Bounded mailboxes: how frozen records cross from the engine's thread to a face's."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


def _one(_item: object) -> int:
    return 1


class Mailbox(Generic[T]):
    """A box that any thread may put into and one reader drains.

    Args:
        limit_items: Most items it holds (the sum of `count`).
        limit_bytes: Most bytes it holds (the sum of `size`); 0 means that bytes are not counted.
        size: Bytes of an item.
        count: What an item counts for, e.g. the lines of a batch; the drop counter counts the same.
            An item that counts for nothing, such as a change of state, outlives the others: a flood
            of lines must not hide that a source was lost.
        wake: Called from the putting thread when the box turns from empty to filled: once until the
            next drain, so that a face can be told of the first batch after quiet at once.
    """

    def __init__(
        self,
        limit_items: int = 10_000,
        limit_bytes: int = 0,
        *,
        size: Callable[[T], int] | None = None,
        count: Callable[[T], int] | None = None,
        wake: Callable[[], None] | None = None,
    ) -> None:
        self._limit_items = limit_items
        self._limit_bytes = limit_bytes
        self._size = size or _one
        self._count = count or _one
        self._wake = wake
        self._lock = threading.Lock()
        self._queue: deque[T] = deque()
        self._items = self._bytes = self._dropped = 0
        self._dropped_ever = 0
        self._called = False
        self._drains = 0

    def put(self, item: T) -> None:
        """Take an item; never blocks and never fails, a full box drops its oldest and counts them."""
        with self._lock:
            self._append(item)
            call = not self._called
            self._called = True
        if call and self._wake is not None:
            self._wake()

    def drain(self) -> tuple[Sequence[T], int]:
        """Everything that is in it, oldest first, and how much was dropped since the last drain."""
        with self._lock:
            items: Sequence[T] = self._queue
            self._queue = deque()
            dropped, self._dropped = self._dropped, 0
            self._items = self._bytes = 0
            self._called = False
            self._drains += 1
        return items, dropped

    def poke(self) -> None:
        """Wake the reader although nothing was put, e.g. because a stream has ended."""
        with self._lock:
            call = not self._called
            self._called = True
        if call and self._wake is not None:
            self._wake()

    @property
    def full(self) -> bool:
        """True above the high-water mark (three quarters): who can wait before putting more should."""
        with self._lock:
            return self._items * 4 > self._limit_items * 3 or (
                self._limit_bytes > 0 and self._bytes * 4 > self._limit_bytes * 3
            )

    @property
    def drains(self) -> int:
        """How often it was drained; tells a waiting producer whether anybody reads."""
        return self._drains

    @property
    def dropped_ever(self) -> int:
        """What was dropped since the box was made."""
        return self._dropped_ever

    def __len__(self) -> int:
        return len(self._queue)

    def _fits(self, item: T) -> bool:
        fits = self._items + self._count(item) <= self._limit_items
        return fits and not (self._limit_bytes and self._bytes + self._size(item) > self._limit_bytes)

    def _append(self, item: T) -> None:
        aside: list[T] = []
        while self._queue and (not self._fits(item) or len(self._queue) >= 2 * self._limit_items):
            old = self._queue.popleft()
            if self._count(old) == 0 and len(self._queue) + len(aside) < 2 * self._limit_items - 1:
                aside.append(old)
                continue
            self._items -= self._count(old)
            self._bytes -= self._size(old)
            self._drop(old)
        self._queue.extendleft(reversed(aside))
        if not self._fits(item):
            self._drop(item)
            return
        self._queue.append(item)
        self._items += self._count(item)
        self._bytes += self._size(item)

    def _drop(self, item: T) -> None:
        count = self._count(item)
        self._dropped += count
        self._dropped_ever += count
