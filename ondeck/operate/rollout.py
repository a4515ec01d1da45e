"""In which order targets are worked on and when it stops: a state machine without clock, process or network.

The worker tells it what happened and asks what to do next. It never starts a target twice, never goes
past a gate that did not pass, and starts nothing while more than `max_failures` targets have failed.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ondeck.job.events import Ended
from ondeck.job.outcome import Outcome
from ondeck.job.plan import RolloutPlan


class OpenBatch(msgspec.Struct, frozen=True):
    """A batch begins; comes before the first Start of it."""

    index: int
    targets: tuple[str, ...]


class Start(msgspec.Struct, frozen=True):
    """Begin with this target."""

    target: str


class AskGate(msgspec.Struct, frozen=True):
    """Ask the gate about what succeeded in this batch."""

    index: int
    targets: tuple[str, ...]


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do until something in flight ends."""


class Hold(msgspec.Struct, frozen=True):
    """Nothing is in flight, and somebody has to say how to go on."""

    why: str


class Finish(msgspec.Struct, frozen=True):
    """Nothing is in flight and nothing more will be started."""

    why: Ended


Decision = OpenBatch | Start | AskGate | Wait | Hold | Finish


class Rollout:
    """The rollout of one plan."""

    def __init__(self, plan: RolloutPlan, done: Mapping[str, Outcome] | None = None) -> None:
        """Begin, or go on where `done` says how some targets ended before."""
        self._plan = plan
        self._batches = [batch.targets for batch in plan.batches]
        self.outcomes: dict[str, Outcome | None] = {t: None for batch in self._batches for t in batch}
        self.outcomes.update({t: o for t, o in (done or {}).items() if t in self.outcomes})
        self.running: set[str] = set()
        self.gates: dict[int, bool | None] = {}
        self.gate_asked = False
        # Whoever goes on with a job has seen what failed before: it counts no more.
        self._allowed = plan.max_failures + self.failures
        self._accepted: set[int] = set()
        self._opened: set[int] = set()
        self._index = 0
        self._held = ""
        self._stop: Ended | None = None

    @property
    def failures(self) -> int:
        """How many targets count against `max_failures`."""
        return sum(
            1 for outcome in self.outcomes.values() if outcome is not None and outcome.counts_as_failure
        )

    @property
    def pending(self) -> tuple[str, ...]:
        """Targets that were not begun."""
        return tuple(t for t, o in self.outcomes.items() if o is None and t not in self.running)

    @property
    def breached(self) -> bool:
        """More failed than allowed."""
        return self.failures > self._allowed

    def passed(self) -> tuple[str, ...]:
        """Targets that succeeded in batches whose gate passed, or that have no gate."""
        fine = [i for i in range(len(self._batches)) if not self._plan.gate or self.gates.get(i) is True]
        return tuple(t for i in fine for t in self._batches[i] if self.outcomes[t] is Outcome.SUCCEEDED)

    def decide(self) -> list[Decision]:
        """What to do now. Starts that it returns count as running from here on."""
        if self._stop is not None:
            return [Wait()] if self._busy else [Finish(self._stop)]
        if why := self._standing():
            return [Wait()] if self._busy else [self._stand(why)]
        while self._index < len(self._batches):
            if decisions := self._batch(self._index):
                return decisions
            if why := self._standing():
                return [self._stand(why)]
            self._index += 1
        return [Finish(Ended.COMPLETE)]

    @property
    def _busy(self) -> bool:
        return bool(self.running) or self.gate_asked

    def _standing(self) -> str:
        if self._held:
            return self._held
        if not self.pending:
            return self._blind()
        if self.breached:
            return f"{self.failures} failed, more than {self._allowed} may"
        gate = self.gates.get(self._index, True)
        if self._index in self._accepted or gate is True:
            return ""
        if not any(self.outcomes[t] is Outcome.SUCCEEDED for t in self._batches[self._index]):
            return f"nothing of batch {self._index + 1} succeeded, so there is nothing its gate could look at"
        word = "did not pass" if gate is False else "has no data"
        return f"the gate after batch {self._index + 1} {word}"

    def _blind(self) -> str:
        """Why it stands although no target is left: nobody knows how those that were changed fare."""
        if self._index >= len(self._batches):
            return ""
        good = any(self.outcomes[t] is Outcome.SUCCEEDED for t in self._batches[self._index])
        if not good or self._index in self._accepted or self.gates.get(self._index, True) is not None:
            return ""
        return f"the gate after batch {self._index + 1} has no data"

    def _stand(self, why: str) -> Decision:
        if self.breached and not self._held and self.pending and len(self._batches) == 1:
            self._stop = Ended.STOPPED
            return Finish(Ended.STOPPED)
        return Hold(why)

    def _batch(self, index: int) -> list[Decision]:
        targets = self._batches[index]
        todo = [t for t in targets if self.outcomes[t] is None and t not in self.running]
        decisions: list[Decision] = []
        if todo:
            room = (self._plan.parallel or len(targets)) - len(self.running)
            chosen = todo[: max(0, room)]
            if chosen and index not in self._opened:
                self._opened.add(index)
                decisions.append(OpenBatch(index, targets))
            self.running.update(chosen)
            decisions.extend(Start(t) for t in chosen)
            return decisions or [Wait()]
        if self._busy:
            return [Wait()]
        good = tuple(t for t in targets if self.outcomes[t] is Outcome.SUCCEEDED)
        if self._plan.gate and index not in self.gates:
            if not good:
                # Nobody to look at is no data: a canary that never ran must not wave the rest through.
                self.gates[index] = None
                return []
            self.gate_asked = True
            return [AskGate(index, good)]
        return []

    def ended(self, target: str, outcome: Outcome) -> None:
        """A target ended, or was found not to be usable before it began."""
        self.running.discard(target)
        self.outcomes[target] = outcome

    def again(self, target: str) -> None:
        """A target provably did not begin: it is to do again."""
        self.running.discard(target)
        self.outcomes[target] = None

    def gate(self, index: int, passed: bool | None) -> None:
        """The gate answered; None is no data."""
        self.gate_asked = False
        self.gates[index] = passed

    def hold(self, why: str) -> None:
        """Start nothing more until `go_on`."""
        self._held = why

    def go_on(self) -> int | None:
        """Somebody looked and said continue: what it stood for is forgiven or accepted, and nothing else.

        Returns:
            The index of the batch whose gate is accepted with it; None when it stood for no gate.
        """
        held, self._held = self._held, ""
        if held:
            return None
        if self.breached:
            self._allowed = self.failures + self._plan.max_failures
        ended = [self.outcomes[t] for t in self._batches[self._index]]
        # A breach is told before the gate: that nothing is there to look at is accepted with it.
        none_good = self._plan.gate and None not in ended and Outcome.SUCCEEDED not in ended
        if self._index in self._accepted or (self.gates.get(self._index, True) is True and not none_good):
            return None
        self._accepted.add(self._index)
        return self._index

    def stop(self, why: Ended) -> None:
        """Start nothing more at all."""
        self._stop = why
