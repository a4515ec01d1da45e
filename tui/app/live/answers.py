"""Answers about places: asked while somebody looks, kept with their age, a few questions at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.engine import Engine
from ondeck.errors import OndeckError
from ondeck.observe.asking import Question, ask
from tui.app.views import Known

AT_ONCE = 6
"""Questions of one capability at once: what hangs in one pane holds up no other."""
EVERY = 10.0
"""Seconds that an answer counts as new where its kind says nothing else."""
MOST = 200
"""Answers that are kept; the one looked at longest ago goes first."""


class LiveAnswers:
    """Belongs to the face's thread."""

    def __init__(self, engine: Engine, able: Capabilities) -> None:
        self._engine = engine
        self._able = able
        self._known: dict[Question, Known] = {}
        self._begun: dict[Question, float] = {}
        self._asking: dict[Question, Future[Any]] = {}
        self._wanted: dict[Question, None] = {}

    def look(self, question: Question, every: float = EVERY) -> Known:
        """What is known; asks when that is older than so many seconds."""
        known = self._known.pop(question, None) or Known()
        self._known[question] = known
        if time.monotonic() - self._begun.get(question, -1e9) > every:
            self.again(question)
        busy = question in self._asking or question in self._wanted
        return known if known.busy == busy else msgspec.structs.replace(known, busy=busy)

    def again(self, question: Question) -> None:
        """Ask now, or as soon as it is its turn."""
        if question not in self._asking:
            self._wanted[question] = None
            self._next()

    def _next(self) -> None:
        busy = Counter(question.capability for question in self._asking)
        for question in tuple(self._wanted):
            if busy[question.capability] >= AT_ONCE:
                continue
            busy[question.capability] += 1
            del self._wanted[question]
            self._begun[question] = time.monotonic()
            self._asking[question] = self._engine.call(self._coroutine(question))

    def _coroutine(self, question: Question) -> Callable[[Bench], Coroutine[Any, Any, Any]]:
        return lambda bench: ask(self._able, bench, question)

    def drain(self) -> bool:
        """Take in answers."""
        ended = [question for question, future in self._asking.items() if future.done()]
        for question in ended:
            self._take(question, self._asking.pop(question))
        while len(self._known) > MOST:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._begun.pop(oldest, None)
        self._next()
        return bool(ended)

    def _take(self, question: Question, future: Future[Any]) -> None:
        before = self._known.get(question, Known())
        try:
            answer = future.result()
        except OndeckError as error:
            said = f"{error.message}{f' ({error.hint.splitlines()[0]})' if error.hint else ''}"
            self._known[question] = msgspec.structs.replace(before, error=said)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the answer of that place
            # The kind alone: the text of an exception that nobody meant for people may hold a secret.
            said = f"this broke in ondeck itself: {type(error).__name__}"
            self._known[question] = msgspec.structs.replace(before, error=said)
        else:
            self._known[question] = _newer(before, answer)


def _newer(before: Known, answer: Any) -> Known:  # noqa: ANN401 - each port's own record
    """What is known now: an answer that only says why there is none leaves the one before, with its age."""
    error = getattr(answer, "error", "")
    unasked = bool(error) and not getattr(answer, "partly", False)
    if unasked and before.answer is not None and not getattr(before.answer, "error", ""):
        return msgspec.structs.replace(before, error=error)
    return Known(answer=answer, asked=time.time_ns())
