"""After a lost worker or a lost link: what became of each target, found out with evidence, never done again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ondeck.errors import StateBroken
from ondeck.job.events import GateAnswered, GateSettled, Reconciled, Settled, TargetEnded, What
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.operate.attempt import broken, honest, short
from ondeck.operate.desk import Desk
from ondeck.operate.ports import Applying
from ondeck.record.audit import Audit
from ondeck.record.view import JobView, not_open

Finish = Callable[[Applying, tuple[str, ...]], Awaitable[None]]


class Aftermath:
    """Answers the requests to settle and to reconcile, and names an outcome for every target."""

    def __init__(
        self,
        desk: Desk,
        audit: Audit,
        connect: Callable[[], Awaitable[Applying]],
        finish: Finish | None = None,
        *,
        short: str = "",
    ) -> None:
        """Connections are opened only when somebody asks to look, and never when the log lacks records.

        `finish` does what comes after the last batch, where the job turns out to have come through it; None
        where somebody else is at work on the same thing.
        """
        self._short = short
        self._finish = finish
        self._desk = desk
        self._audit = audit
        self._connect = connect

    async def find_out(self) -> str:
        """Take the requests, look where it was asked, close what is open; the summary of it all."""
        while self._desk.asks():
            view = self._desk.view
            if await self._take_asks() and (view.doubts or came_through(view)) and not self._short:
                await self._look()
        await self._name_the_rest()
        view = self._desk.view
        counts = ", ".join(f"{n} {word}" for word, n in view.counts().items())
        gate = {False: "; the last gate did not pass", None: f"; not known: {', '.join(view.doubts)}"}
        return f"reconciled: {counts}" + (gate.get(view.last_gate.verdict, "") if view.last_gate else "")

    async def _take_asks(self) -> bool:
        """True when one of them wants us to look."""
        look = False
        for name, who, ask in self._desk.asks():
            refused = "" if ask.what in (What.SETTLE, What.RECONCILE) else "the job is over"
            if ask.what is What.SETTLE:
                refused = await self._settle(ask.target, ask.outcome, ask.reason, who)
            look = look or ask.what is What.RECONCILE
            await self._desk.taken(name, who, ask, refused)
        return look

    async def _settle(self, target: str, outcome: Outcome | None, reason: str, who: str) -> str:
        if not reason.strip() or outcome is None or outcome is Outcome.MIXED:
            return "settling needs an outcome and a reason"
        if not target:
            return await self._settle_gate(outcome, reason, who)
        if said := not_open(self._desk.view, target, short=bool(self._short)):
            return said
        refused = await self._audited(target, f"{target} settled as {outcome.value}: {reason}", reason, who)
        if not refused:
            await self._desk.record(Settled(target=target, outcome=outcome, reason=short(reason), by=who))
        return refused

    async def _settle_gate(self, outcome: Outcome, reason: str, who: str) -> str:
        blind = self._desk.view.blind_gate
        if blind is None:
            return "no gate of it is open"
        passed = outcome is Outcome.SUCCEEDED
        name = f"the gate after batch {blind.index + 1}"
        text = f"{name} settled as {'passed' if passed else 'failed'}: {reason}"
        refused = await self._audited(name, text, reason, who)
        if not refused:
            await self._desk.record(
                GateSettled(index=blind.index, passed=passed, reason=short(reason), by=who)
            )
        return refused

    async def _audited(self, subject: str, text: str, reason: str, who: str) -> str:
        """Why it must not count; empty when it stands in the audit."""
        try:
            await asyncio.to_thread(
                self._audit.append,
                "settle",
                actor=who,
                job=self._desk.at.id,
                subject=subject,
                reason=reason,
                text=text,
            )
        except StateBroken as error:
            return f"the audit cannot be written: {error.message}"
        return ""

    async def _look(self) -> None:
        try:
            applying = await self._connect()
        except Exception as error:  # noqa: BLE001 - the boundary to a provider: recorded, all stays in doubt
            self._desk.note(f"nothing could be asked: {broken(error)}")
            return
        for target in self._desk.view.in_doubt:
            row = self._desk.view.targets[target]
            attempt = Attempt(id=row.attempt, job=self._desk.at.id, target=target)
            try:
                finding = honest(await applying.reconcile(attempt))
            except Exception as error:  # noqa: BLE001 - the boundary to a provider: recorded as unknown
                said = f"could not be asked: {broken(error)}"
                finding = Finding(outcome=Outcome.UNKNOWN, evidence=short(said))
            await self._desk.record(
                Reconciled(
                    attempt=attempt.id,
                    target=target,
                    outcome=Outcome.UNKNOWN if finding.still_running else finding.outcome,
                    evidence=finding.evidence,
                    status=finding.status,
                    still_running=finding.still_running,
                )
            )

        await self._ask_gate(applying)
        if self._finish is not None and came_through(self._desk.view):
            await self._finish(applying, tuple(self._desk.view.targets))

    async def _ask_gate(self, applying: Applying) -> None:
        """The last gate once more, if nobody knows what it says."""
        blind = self._desk.view.blind_gate
        if blind is None:
            return
        rows = self._desk.view.targets
        good = tuple(t for t in blind.targets if rows[t].outcome is Outcome.SUCCEEDED)
        try:
            gate = await applying.gate(good)
        except Exception as error:  # noqa: BLE001 - the boundary to a provider: recorded as no data
            gate = Gate(passed=None, evidence=f"could not be asked: {broken(error)}")
        await self._desk.record(
            GateAnswered(index=blind.index, passed=gate.passed, evidence=short(gate.evidence))
        )

    async def _name_the_rest(self) -> None:
        for row in list(self._desk.view.targets.values()):
            if row.outcome is not None:
                continue
            ended = TargetEnded(
                target=row.target,
                outcome=Outcome.NOT_STARTED,
                evidence="never begun: the worker was lost before it",
            )
            if self._short:
                ended = TargetEnded(target=row.target, outcome=Outcome.UNKNOWN, evidence=self._short)
            if row.in_doubt:
                ended = TargetEnded(
                    target=row.target,
                    outcome=Outcome.UNKNOWN,
                    evidence="the worker died before an answer was seen",
                    attempt=row.attempt,
                )
            await self._desk.record(ended)


def came_through(view: JobView) -> bool:
    """All of it succeeded, past every gate, and what comes after the last batch was not done yet."""
    gates = not view.plan.draft.rollout.gate or all(batch.verdict for batch in view.batches)
    return view.verdict() is Outcome.SUCCEEDED and gates and not view.remembered
