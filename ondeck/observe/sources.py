"""How a source that goes on is told: its state when it changes, and growing pauses before it is asked again."""

from __future__ import annotations

import asyncio
import random
import time

import msgspec

from ondeck.errors import AuthFailed, HostKeyChanged, HostKeyUnknown, OndeckError
from ondeck.observe.records import Health, HistoryCut, SourceState
from ondeck.settings import Settings
from ondeck.text import safe_line

# Seconds between tries after a loss: doubling from the first to the last.
FIRST_PAUSE = 1.0
LAST_PAUSE = 30.0
# After a refusal that a new try cannot change; more tries only fill the host's security log.
REFUSED_PAUSE = 300.0


def words(error: BaseException) -> str:
    """One line for a state."""
    if isinstance(error, OndeckError):
        return safe_line(error.message)
    return "timed out" if isinstance(error, TimeoutError) else safe_line(f"{type(error).__name__}: {error}")


class Pauses:
    """Growing pauses with jitter, so that a hundred lost sources do not come back in one second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._next = FIRST_PAUSE

    def reset(self) -> None:
        """It worked: the next pause is short again."""
        self._next = FIRST_PAUSE

    async def wait(self, error: BaseException | None) -> None:
        """Wait before the next try; long after a refusal of who we are or of who they are."""
        refused = isinstance(error, AuthFailed | HostKeyUnknown | HostKeyChanged)
        pause = REFUSED_PAUSE if refused else self._next
        self._next = min(self._next * 2, LAST_PAUSE)
        await asyncio.sleep(self._settings.seconds(pause) * random.uniform(0.8, 1.2))


class States:
    """The state of one source: makes a record when it changes."""

    def __init__(self, source: str) -> None:
        self._now = SourceState(source, Health.CONNECTING, time.time_ns())
        self._seen = 0

    @property
    def health(self) -> Health:
        """How it is."""
        return self._now.health

    def saw(self) -> None:
        """A record arrived."""
        self._seen = time.time_ns()

    def begin(self) -> SourceState:
        """The first state, to be told before anything is known."""
        return self._now

    def to(self, health: Health, error: str = "") -> SourceState | None:
        """The new state; None when it is the one that was told already."""
        if health is self._now.health and error == self._now.error:
            return None
        since = self._now.since if health is self._now.health else time.time_ns()
        self._now = SourceState(self._now.source, health, since, self._seen, 0, error, self._now.cut)
        return self._now

    def begun(self, cut: HistoryCut | None) -> SourceState | None:
        """Its history is known and it is ok; the new state, None when it is the one that was told already."""
        changed = self.to(Health.OK)
        if cut is None:
            return changed
        self._now = msgspec.structs.replace(self._now, cut=cut)
        return self._now
