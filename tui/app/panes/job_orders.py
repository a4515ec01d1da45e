"""What a person can ask of a job; the worker reads it, the job's record keeps who asked."""

from __future__ import annotations

from ondeck.inventory.model import Protection
from ondeck.job.outcome import Outcome
from tui.app.context import Desk
from tui.app.session import Assent
from tui.app.views import JobLook

_SETTLED = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.NOT_STARTED)
_GATE = {"passed": Outcome.SUCCEEDED, "failed": Outcome.FAILED}


def order_job(desk: Desk, name: str, action: str, target: str = "") -> bool:
    """Start the flow of an order; True, because the key meant something."""
    job = desk.session.job(name)
    if job is not None:
        desk.spawn(_order(desk, job, action.partition(".")[2], target))
    return True


async def _order(desk: Desk, job: JobLook, order: str, target: str) -> None:
    trouble = pointless(job, order)
    if trouble:
        desk.say(trouble, "dim")
    elif order == "cancel":
        await _cancel(desk, job)
    elif order == "continue" and (job.state == "paused" or not job.running):
        await _go_on(desk, job)
    elif order == "settle":
        await _settle(desk, job, target)
    else:
        desk.say(await desk.session.order(job.id, order), "")


def pointless(job: JobLook, order: str) -> str:
    """Why an order would do nothing for a job as it is now; empty when it may be given."""
    if order in ("reconcile", "settle"):
        open_ends = job.count("unknown") or job.outcome == "unknown"
        return "" if open_ends else "no target of this job is unknown"
    if not job.running:
        resumable = order == "continue" and (job.count("not_started") or job.count("cancelled"))
        return "" if resumable else "this job has ended"
    if order == "continue" and job.state not in ("paused", "waiting"):
        return "this job is not paused"
    return "this job is paused already" if order == "pause" and job.state == "paused" else ""


async def _cancel(desk: Desk, job: JobLook) -> None:
    from tui.app.dialogs.menu import Choice

    runs = sum(1 for t in job.targets if not t.outcome and t.started)
    never = sum(1 for t in job.targets if not t.outcome and not t.started)
    they = f"{runs} that run{'s' if runs == 1 else ''}"
    rest = f"{never} never start{'s' if never == 1 else ''}"
    ends = f"cancel it: {they} finish{'es' if runs == 1 else ''}, {rest}" if runs else f"cancel it: {rest}"
    choices = [Choice("no", "leave it as it is", "n"), Choice("soft", ends, "y")]
    if runs:
        choices.append(Choice("hard", f"cancel it and stop the {they} too", "s"))
    answer = await desk.choose(f"cancel job {job.id}?", choices)
    if answer in ("soft", "hard"):
        desk.say(f"asking job {job.id} to cancel ..", "warn")
        desk.say(await desk.session.order(job.id, "cancel", hard=answer == "hard"), "warn")
    else:
        desk.say("not cancelled", "dim")


async def _go_on(desk: Desk, job: JobLook) -> None:
    """It may need a fresh word: what a job stands for, another person, an old plan, other rules."""
    rules = await desk.session.going_on(job.id)
    assent = None
    if rules is not None:
        if rules.refused or rules.break_glass or rules.level == Protection.TWO_PERSON:
            trouble = rules.refused or "this takes two persons: see ondeck continue --help"
            desk.say(f"{rules.why[0]}: {trouble}", "warn")
            return
        wanted = rules.type_this or "y"
        if not await _typed(desk, wanted, rules.why[0]):
            desk.say("it does not go on", "dim")
            return
        assent = Assent(typed=rules.type_this, pause=rules.pause)
    desk.say(await desk.session.order(job.id, "continue", assent=assent), "")


async def _typed(desk: Desk, wanted: str, why: str) -> bool:
    """Ask until the word is typed; False when the line was left."""
    question = f"type {wanted} to go on: "
    while True:
        answer = await desk.ask(question, words=why)
        if answer is None or answer.strip() == wanted:
            return answer is not None
        question = f"that is not {wanted}: type {wanted} to go on: "


async def _settle(desk: Desk, job: JobLook, target: str) -> None:
    unknown = [t.name for t in job.targets if t.outcome == "unknown"]
    if not unknown:
        await _settle_gate(desk, job)
        return
    chosen = target if target in unknown else unknown[0] if len(unknown) == 1 else ""
    if not chosen:
        desk.say("put the cursor on the unknown target first", "warn")
        return
    words = "   ".join(_SETTLED)
    outcome = await desk.ask(f"{chosen} ended as: ", words=f"{words}   esc leaves")
    if outcome is None or outcome.strip().replace(" ", "_") not in _SETTLED:
        desk.say(f"not settled: it is one of {words}", "dim")
        return
    reason = await desk.ask(f"how do you know, {chosen}: ", words="the reason is kept   esc leaves")
    if reason and reason.strip():
        await desk.session.order(
            job.id, "settle", target=chosen, text=outcome.strip().replace(" ", "_"), reason=reason.strip()
        )
        desk.say(f"settled {chosen}", "")
    else:
        desk.say("not settled: it needs a reason", "dim")


async def _settle_gate(desk: Desk, job: JobLook) -> None:
    """Every target is known, so it is the last gate that nobody knows."""
    answer = await desk.ask("the last gate: ", words="the last gate: passed   failed   esc leaves")
    outcome = _GATE.get((answer or "").strip())
    if outcome is None:
        desk.say("not settled: it is one of passed   failed", "dim")
        return
    reason = await desk.ask("how do you know: ", words="the reason is kept   esc leaves")
    if reason and reason.strip():
        await desk.session.order(job.id, "settle", text=outcome, reason=reason.strip())
        desk.say("settled the last gate", "")
    else:
        desk.say("not settled: it needs a reason", "dim")
