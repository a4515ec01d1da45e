"""One operation from the command line: request, plan, rules, consent, job, its events, an exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ondeck import times
from ondeck.errors import BadInput, ExitCode, NeedsPerson
from ondeck.job.plan import Action, Request
from ondeck.job.spec import OperationSpec, Risk
from tui.cli import consent, flags, meant, out, plan_view
from tui.cli.face import Face

if TYPE_CHECKING:
    from ondeck.operate.road import Drafted


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The common flags of a verb, as given.

    Attributes:
        lock_wait: Seconds to wait for the lock; 0 means not at all.
        timeout: Seconds to wait for the job's end; 0 means for ever.
    """

    reason: str = ""
    yes: bool = False
    confirm: str = ""
    break_glass: bool = False
    plan: bool = False
    exit_code: bool = False
    detach: bool = False
    lock_wait: float = 0.0
    timeout: float = 0.0
    no_input: bool = False
    form: str = "text"


def asked_of(given: dict[str, Any]) -> Asked:
    """Take the common flags out of a verb's arguments; what stays is target and parameters."""
    taken = {name: given.pop(name) for name in Asked.__struct_fields__ if name in given}
    for name in ("lock_wait", "timeout"):
        if raw := taken.pop(name, ""):
            taken[name] = times.span(raw, what="--" + name.replace("_", "-"))
    return Asked(**taken)


def command_of(spec: OperationSpec) -> click.Command:
    """The verb of an operation; its flags come from the operation's parameters."""

    def run(**given: Any) -> int:  # noqa: ANN401 - click hands over what the flags above declare
        face = click.get_current_context().find_object(Face)
        assert face is not None
        asked = asked_of(given)
        selectors = tuple(given.pop("selector", ()))
        subject = given.pop("target", "") or ""
        assert spec.shortcut is not None
        if spec.shortcut.target == "path":
            subject, selectors, given = _placed(face, subject, selectors, given)
        elif spec.shortcut.target == "selector" and not selectors:
            meant.refuse_without_hosts(face.deck.inventory, spec, given.get(spec.shortcut.rest) or ())
        if spec.interactive:
            from tui.cli.shell import open_here

            return open_here(face, spec, subject, selectors, flags.check(spec, given), asked)
        return perform(face, spec, subject, selectors, given, asked)

    writes = f"Making the plan makes {spec.planning_writes}." if spec.planning_writes else ""
    title = "\n\n".join(filter(None, (f"{spec.title}.", spec.help, writes)))
    assert spec.shortcut is not None
    return click.Command(
        spec.shortcut.verb[-1],
        params=flags.parameters(spec),
        callback=run,
        help=title,
        short_help=spec.title,
        epilog=f"Takes it back: {spec.undo or 'nothing, it is irreversible'}.",
    )


def _placed(
    face: Face, target: str, selectors: tuple[str, ...], given: dict[str, Any]
) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """Host, selectors and parameters of `put FILE TARGET:/PATH`."""
    from ondeck.operate.naming import is_selector, split_path

    name, path = split_path(target)
    if not path or not (name or selectors):
        raise BadInput(
            f"{target!r} is not of the form TARGET:/PATH", hint="ondeck put FILE HOST:/PATH or SELECTOR:/PATH"
        )
    given = {**given, "path": path}
    if is_selector(face.deck.inventory, name):
        return "", (name, *selectors), given
    return name, selectors, given


def perform(
    face: Face,
    spec: OperationSpec,
    subject: str,
    selectors: tuple[str, ...],
    params: dict[str, Any],
    asked: Asked,
) -> int:
    """The whole road for one operation; returns the exit code."""
    meant.refuse_lacking(face, spec, subject, params)
    checked = flags.check(spec, params)
    request = request_of(face, spec, subject, selectors, checked, asked.reason)
    drafted = asyncio.run(_draft(face, request))
    if asked.plan:
        face.data(_as_data(drafted, asked.form))
        pending = any(change.action is not Action.NO_OP for change in drafted.plan.draft.changes)
        return int(ExitCode.CHANGES_PENDING if asked.exit_code and pending else ExitCode.OK)
    if drafted.plan.draft.risk is not Risk.READ:
        show(face, drafted, asked.form)
    elif asked.form == "text":
        for warning in drafted.plan.draft.warnings:
            face.say(f"  WARNING  {warning}")
    return start(face, drafted, asked)


def request_of(
    face: Face,
    spec: OperationSpec,
    subject: str,
    selectors: tuple[str, ...],
    params: dict[str, Any],
    reason: str,
) -> Request:
    """A request with its exact targets.

    Raises:
        BadInput: The subject names nothing, or things in two environments.
    """
    from ondeck.operate.subject import resolve, wanted
    from tui.cli.reading import looked, tell_unjudged

    live = looked(face, wanted(face.deck.inventory, spec, subject, selectors))
    found = resolve(face.deck.inventory, spec, subject, selectors, live)
    tell_unjudged(face, found.unjudged)
    return Request(
        operation=spec.name,
        subject=", ".join(selectors) if selectors and not subject else found.text,
        targets=found.targets,
        env=found.env,
        params=params,
        reason=reason,
        actor=face.settings.actor,
    )


async def _draft(face: Face, request: Request) -> Drafted:
    from ondeck.operate import road

    spec, _ = road.provider_of(face.deck, request)
    if spec.planning_writes:
        face.say(f"making the plan makes {spec.planning_writes}")
    return await road.draft(face.deck, request)


def _as_data(drafted: Drafted, form: str) -> str:
    """A plan that was asked for: the whole of it, or its id alone."""
    match form:
        case "json":
            return out.dumps(drafted.plan) + "\n"
        case "jsonl":
            return out.compact(drafted.plan) + "\n"
        case "name":
            return f"{drafted.plan.id}\n"
    start = f"  start exactly this, within an hour: {consent.by_hand(drafted)}"
    return "\n".join((*plan_view.lines(drafted.plan, drafted.digest), start, ""))


def show(face: Face, drafted: Drafted, form: str) -> None:
    """The plan for a person on standard error; as data it comes with the result."""
    if form == "text":
        for line in plan_view.lines(drafted.plan, drafted.digest):
            face.say(line)


def start(face: Face, drafted: Drafted, asked: Asked) -> int:
    """Judge, get consent, start the job and follow it to its end."""
    from ondeck.operate import road
    from tui.cli import following

    ruling = road.judge(face.deck, drafted.plan)
    given = consent.obtain(face, drafted.plan, ruling, asked)
    if given is None:
        raise NeedsPerson("nothing was started", hint=consent.by_hand(drafted))
    job = road.start(face.deck, drafted, given, lock_wait=asked.lock_wait)
    if asked.detach or asked.form == "name":
        face.data(f"{job}\n")
    if asked.detach:
        face.say(f"started; follow it with: ondeck attach {job}")
        return int(ExitCode.OK)
    return following.follow(face, job, form=asked.form, timeout=asked.timeout, no_input=asked.no_input)
