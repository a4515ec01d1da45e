"""From a wish to a plan to a job: the one road, as the app walks it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.deck import Deck
from ondeck.engine import Engine
from ondeck.errors import BadInput, OndeckError
from ondeck.inventory.live import Live
from ondeck.job.consent import Consent
from ondeck.job.events import Ask, What
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Request
from ondeck.job.spec import OperationSpec
from ondeck.operate import again, reconcile, road, subject
from tui.app import commands
from tui.app.session import Assent, Card, Rules, Wish


class LiveRoad:
    """Drafts in the engine, starts in a thread; keeps the command log."""

    def __init__(self, deck: Deck, engine: Engine, note: Callable[[str, str, str], None]) -> None:
        self._deck = deck
        self._engine = engine
        self._note = note

    async def plan(self, wish: Wish) -> Card:
        """Look, and say what would happen.

        Raises:
            OndeckError: The wish makes no sense, or nothing could be asked.
        """
        known = self._deck.registry.operations()
        if wish.operation not in known:
            raise BadInput(f"no operation {wish.operation!r}")
        spec = known[wish.operation][0]
        found = subject.resolve(
            self._deck.inventory, spec, wish.subject, live=await self._look(spec, wish.subject)
        )
        request = self._request(spec, wish, found)
        command = commands.shell_line(spec, wish)
        begun = time.monotonic()

        async def draft(bench: Bench) -> road.Drafted:
            return await road.draft(self._deck, request, bench)

        try:
            drafted = await asyncio.wrap_future(self._engine.call(draft))
            ruling = road.judge(self._deck, drafted.plan)
        except OndeckError as error:
            self._note("plan", command, error.message)
            raise
        self._note("plan", command, f"plan {drafted.digest[:6]}")
        rules = Rules(
            level=str(ruling.level), refused=ruling.refused, type_this=ruling.type_this, why=ruling.why,
            break_glass=ruling.break_glass,
        )  # fmt: skip
        return Card(
            plan=drafted.plan, digest=drafted.digest, rules=rules, command=command,
            seconds=time.monotonic() - begun, handle=drafted, unjudged=found.unjudged,
        )  # fmt: skip

    async def _look(self, spec: OperationSpec, named: str) -> Live | None:
        """What a look at the hosts gives that only a look can judge: `disk>90` may be true by now."""
        wanted = subject.wanted(self._deck.inventory, spec, named)
        if wanted is None:
            return None

        async def look(bench: Bench) -> Live:
            from ondeck.observe import live

            return await live.look(wanted, Capabilities(self._deck.registry), bench)

        return await asyncio.wrap_future(self._engine.call(look))

    def _request(self, spec: OperationSpec, wish: Wish, found: subject.Subject) -> Request:
        given = dict(wish.params)
        if found.path and "path" not in given and "path" in commands.field_names(spec):
            given["path"] = found.path
        try:
            params = msgspec.to_builtins(msgspec.convert(given, spec.params, strict=False))
        except msgspec.ValidationError as error:
            raise BadInput(f"{spec.name}: {error}") from error
        return Request(
            operation=spec.name, subject=found.text, targets=found.targets, env=found.env, params=params,
            reason=wish.reason, actor=self._deck.settings.actor,
        )  # fmt: skip

    async def begin(self, card: Card, assent: Assent) -> str:
        """Start a worker on exactly what was shown.

        Raises:
            OndeckError: A rule says no, or it cannot be written.
        """
        try:
            job = await asyncio.to_thread(road.start, self._deck, card.handle, _consent(assent) or Consent())
        except OndeckError as error:
            self._note("start", card.command, error.message)
            raise
        self._note("start", card.command, f"job {job}")
        return job

    async def going_on(self, job: str) -> Rules | None:
        """What has to be said before a job goes on, with the why of it first; None when nothing.

        Raises:
            OndeckError: It may not go on at all.
        """
        return await asyncio.to_thread(self._going_on, job)

    def _going_on(self, job: str) -> Rules | None:
        view = self._deck.record.job(job)
        if view.over:
            reconcile.may_continue(self._deck, job)
        needed = again.needed(self._deck, job)
        if needed is None:
            return Rules(why=(again.standing(view),), pause=view.paused_at) if view.paused_at else None
        ruling = needed.ruling
        return Rules(
            level=str(ruling.level), refused=ruling.refused, type_this=ruling.type_this,
            why=(needed.why, *ruling.why), break_glass=ruling.break_glass, pause=view.paused_at,
        )  # fmt: skip

    async def order(
        self,
        job: str,
        order: str,
        *,
        target: str = "",
        text: str = "",
        reason: str = "",
        hard: bool = False,
        assent: Assent | None = None,
    ) -> str:
        """Ask something of a job, whether its worker lives or not; what was asked, in words.

        Raises:
            OndeckError: It makes no sense for this job, or its worker refused it.
        """
        what = What(order)
        ask = Ask(
            what=what,
            by=self._deck.settings.actor,
            reason=reason,
            target=target,
            outcome=Outcome(text) if what is What.SETTLE else None,
            hard=hard,
            pause=assent.pause if assent is not None else 0,
        )
        try:
            meant = await asyncio.to_thread(reconcile.as_meant, self._deck, job, ask)
            name = await asyncio.to_thread(reconcile.tend, self._deck, job, meant, _consent(assent))
            taken = meant.what not in _ANSWERED or await asyncio.to_thread(
                reconcile.answered, self._deck, job, name
            )
        except OndeckError as error:
            self._note("ask", commands.order_line(job, ask), error.message)
            raise
        self._note("ask", commands.order_line(job, meant), "asked")
        if meant.what is What.CREDENTIALS:
            return f"lent job {job} the agent of this terminal"
        if not taken:
            return f"asked job {job}; not taken yet"
        return commands.asked(job, order, hard=hard)


_ANSWERED = (What.SETTLE, What.CONTINUE)
"""Whose answer is worth waiting for: what they do may have been done by somebody else already."""


def _consent(assent: Assent | None) -> Consent | None:
    if assent is None:
        return None
    return Consent(confirmed=True, typed=assent.typed, reason=assent.reason, break_glass=assent.break_glass)
