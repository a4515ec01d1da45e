"""Change sets of CloudFormation: made, looked at, and taken away again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ondeck.errors import BadInput, Missing, OndeckError, RemoteFailed
from ondeck.job.plan import PLAN_SECONDS, Action, Change
from providers.aws.calling import Calls
from providers.aws.deed import Thing
from providers.aws.params import StackParams
from providers.aws.rows import ns, text
from providers.aws.template import Template

PREFIX = "ondeck-"
_EMPTY = ("didn't contain changes", "No updates are to be performed", "no changes")
_MADE_WITHIN = 300.0  # seconds
_ACTIONS = {
    "Add": Action.CREATE,
    "Import": Action.CREATE,
    "Modify": Action.UPDATE,
    "Dynamic": Action.UPDATE,
    "Remove": Action.DELETE,
}


def name_of(template: Template, now: datetime) -> str:
    """A name that no other plan has."""
    return f"{PREFIX}{now:%Y%m%d%H%M%S%f}-{template.digest[:8]}"


async def parameters(
    calls: Calls, at: Thing, template: Template, params: StackParams, there: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Values for every parameter of the template: the given one, else what the stack has, else its default.

    Raises:
        BadInput: One is not known, has no value, is one that the template hides, or roles are made unasked.
    """
    said = await calls.read(at.region, "cloudformation", "get_template_summary", TemplateBody=template.body)
    if said.get("Capabilities") and not params.iam:
        raise BadInput("the template makes or changes roles or policies", hint="if that is meant: --iam")
    declared = {str(one["ParameterKey"]): one for one in said.get("Parameters", ())}
    given = _given(params, declared)
    held = {str(one["ParameterKey"]) for one in (there or {}).get("Parameters", ())}
    found: list[dict[str, Any]] = []
    for key, one in declared.items():
        if key in given:
            found.append({"ParameterKey": key, "ParameterValue": given[key]})
        elif key in held:
            found.append({"ParameterKey": key, "UsePreviousValue": True})
        elif "DefaultValue" not in one:
            raise BadInput(f"parameter {text(key)} has no value", hint=f"--parameter {text(key)}=VALUE")
    return found


def _given(params: StackParams, declared: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    given = {}
    for pair in params.parameter:
        key, equals, value = pair.partition("=")
        if not equals or key not in declared:
            raise BadInput(
                f"the template has no parameter {key!r}", hint=f"it has: {', '.join(declared) or 'none'}"
            )
        if declared[key].get("NoEcho"):
            raise BadInput(
                f"parameter {key!r} is a secret, and a plan holds none",
                hint="let the template take it from Secrets Manager: {{resolve:secretsmanager:NAME}}",
            )
        given[key] = value
    return given


async def made(calls: Calls, at: Thing, **request: Any) -> dict[str, Any] | None:  # noqa: ANN401 - boto3's own
    """Make a change set and wait until it is worked out; None when it would change nothing.

    Raises:
        RemoteFailed: CloudFormation cannot make it; it is taken away again.
    """
    try:
        answer = await calls.change(at.region, "cloudformation", "create_change_set", **request)
    except RemoteFailed as error:
        if _empty(error.message):
            return None
        raise
    arn = str(answer["Id"])
    found = await _worked_out(calls, at, arn)
    if found["Status"] != "FAILED":
        return found
    await gone(calls, at, arn)
    why = text(found.get("StatusReason"))
    if _empty(why):
        return None
    raise RemoteFailed(f"CloudFormation cannot plan this: {why}", where=f"{calls.account.name} {at.region}")


def _empty(why: str) -> bool:
    return any(word.lower() in why.lower() for word in _EMPTY)


async def _worked_out(calls: Calls, at: Thing, arn: str) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    until = loop.time() + calls.seconds(_MADE_WITHIN)
    pause = 0.5
    while True:
        found = await described(calls, at, arn)
        if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            return found
        if loop.time() > until:
            raise RemoteFailed(
                "the change set is not worked out in time", where=f"{calls.account.name} {at.region}"
            )
        await asyncio.sleep(calls.seconds(pause))
        pause = min(5.0, pause * 1.5)


async def described(calls: Calls, at: Thing, arn: str) -> dict[str, Any]:
    """A change set with every page of its changes.

    Raises:
        Missing: There is none (any more).
    """

    def all_pages(client: Any) -> dict[str, Any]:  # noqa: ANN401 - boto3's own
        whole: dict[str, Any] = client.describe_change_set(ChangeSetName=arn)
        page = whole
        while page.get("NextToken"):
            page = client.describe_change_set(ChangeSetName=arn, NextToken=page["NextToken"])
            whole["Changes"].extend(page.get("Changes", ()))
        return whole

    return await calls.run(at.region, "cloudformation", all_pages)


async def gone(calls: Calls, at: Thing, arn: str) -> None:
    """Take a change set away; nothing of the stack changes."""
    try:
        await calls.change(at.region, "cloudformation", "delete_change_set", ChangeSetName=arn)
    except Missing:
        return


async def tidy(calls: Calls, at: Thing, now: datetime) -> None:
    """Take away change sets of this tool whose plans are too old to be started; what cannot go stays."""
    try:
        old = await calls.pages(
            at.region, "cloudformation", "list_change_sets", "Summaries", StackName=at.name
        )
    except OndeckError:
        return
    limit = int((now - timedelta(seconds=PLAN_SECONDS)).timestamp() * 1e9)
    for one in old:
        idle = one.get("ExecutionStatus") in ("AVAILABLE", "UNAVAILABLE", "OBSOLETE")
        ours = str(one.get("ChangeSetName", "")).startswith(PREFIX)
        if ours and idle and 0 < ns(one.get("CreationTime")) < limit:
            await gone(calls, at, str(one["ChangeSetId"]))


def changes(target: str, found: Mapping[str, Any]) -> tuple[Change, ...]:
    """Each resource as a change; a replacement that CloudFormation only holds possible counts as one."""
    rows = []
    for entry in found.get("Changes", ()):
        one = entry.get("ResourceChange", {})
        action = _ACTIONS.get(str(one.get("Action")), Action.UPDATE)
        replaced = str(one.get("Replacement", ""))
        if action is Action.UPDATE and replaced in ("True", "Conditional"):
            action = Action.REPLACE
        what = {
            text(d.get("Target", {}).get("Name") or d.get("Target", {}).get("Attribute"))
            for d in one.get("Details", ())
        }
        after = ", ".join(sorted(w for w in what if w)) or text(one.get("ResourceType"))
        rows.append(
            Change(
                action=action,
                target=target,
                address=f"{text(one.get('LogicalResourceId'))} ({text(one.get('ResourceType'))})",
                before=text(one.get("PhysicalResourceId")),
                after=f"{after}{', replaced perhaps' if replaced == 'Conditional' else ''}",
            )
        )  # fmt: skip
    return tuple(rows)


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)
