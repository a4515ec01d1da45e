"""CloudFormation: the plan is a change set, exactly that is executed, from the command line and on the screen."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.aws import proxy, site
from lab.aws.site import REGIONS, TEMPLATE, AwsSite
from tests.lab.aws_home import AwsHome, aws_home
from tests.lab.real_site import ONDECK
from tests.terminal import Terminal

ORDERS = f"acme/{REGIONS[0]}/orders"


@pytest.fixture
def acme(aws: AwsSite, tmp_path: Path) -> AwsHome:
    site.seed(aws)
    return aws_home(tmp_path, aws)


def write(home: AwsHome, *names: str, **more: Any) -> str:
    """A template with the queues of these names beside what is there."""
    queues = {name: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name.lower()}} for name in names}
    file = home.folder / "orders.json"
    file.write_text(json.dumps({**TEMPLATE, "Resources": {**site.resources(), **queues}, **more}))
    return str(file)


def parts(aws: AwsSite, stack: str = "orders") -> set[str]:
    found = aws.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return {one["LogicalResourceId"] for one in found}


def sets(aws: AwsSite, stack: str = "orders") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.client("cloudformation").list_change_sets(StackName=stack)["Summaries"]
    return found


def test_the_plan_is_a_change_set_and_exactly_that_is_executed(acme: AwsHome, aws: AwsSite) -> None:
    file = write(acme, "Late")
    plan = acme.run("cfnstack", "deploy", ORDERS, "--template", file, "--plan", "-o", "json").data
    assert [(c["action"], c["address"]) for c in plan["draft"]["changes"]] == [
        ("create", "Late (AWS::SQS::Queue)")
    ]
    assert parts(aws) == {"Queue", "Topic"}
    (before,) = [one for one in sets(aws) if one["ExecutionStatus"] == "AVAILABLE"]
    assert plan["draft"]["data"]["set"] == before["ChangeSetId"]
    write(acme, "Late", "Later")  # the file changes after the plan: what was shown is what is done
    acme.run("apply", plan["id"], "-y")
    assert parts(aws) == {"Queue", "Topic", "Late"}
    assert set(acme.outcomes().values()) == {"succeeded"}


def test_a_template_is_taken_from_a_commit(acme: AwsHome, aws: AwsSite) -> None:
    file = write(acme, "Late")
    git = ["git", "-C", str(acme.folder), "-c", "user.name=anna", "-c", "user.email=anna@example.com"]
    for words in (["init", "-q"], ["add", "orders.json"], ["commit", "-q", "-m", "late"]):
        subprocess.run([*git, *words], check=True)
    write(acme, "Other")
    said = acme.run("cfnstack", "deploy", ORDERS, "--template", file, "--ref", "HEAD", "-y")
    assert re.search(r"orders.json at HEAD \([0-9a-f]{8}\)", said.err)
    assert "Late" in parts(aws)
    assert "Other" not in parts(aws)
    bad = acme.run("cfnstack", "deploy", ORDERS, "--template", file, "--ref", "--output=/tmp/x", code=2)
    assert "names no commit" in bad.err


def test_no_changes_are_no_change(acme: AwsHome, aws: AwsSite) -> None:
    said = acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme), "--plan", "--exit-code")
    assert "no changes" in said.out
    acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme), "-y")
    assert aws.proxy.count("ExecuteChangeSet") == 0


def test_an_empty_change_set_is_no_failure_and_is_taken_away(acme: AwsHome, aws: AwsSite) -> None:
    aws.proxy.rules.append(no_changes)
    said = acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme, "Late"), "--plan", "--exit-code")
    assert "no changes" in said.out
    assert aws.proxy.count("DeleteChangeSet") == 1


def no_changes(call: proxy.Call) -> proxy.Answer | None:
    """moto refuses to make an empty change set; CloudFormation makes it and ends it as FAILED, in these words."""
    if call.action != "DescribeChangeSet":
        return None
    why = "The submitted information didn't contain changes. Submit different information to create a change set."
    inner = f"<Status>FAILED</Status><StatusReason>{why}</StatusReason><ExecutionStatus>UNAVAILABLE</ExecutionStatus>"
    body = f"<DescribeChangeSetResponse><DescribeChangeSetResult>{inner}</DescribeChangeSetResult>"
    return proxy.Answer(200, f"{body}</DescribeChangeSetResponse>".encode(), (("Content-Type", "text/xml"),))


def test_what_removes_a_resource_is_refused_unasked_and_typed_when_asked(acme: AwsHome, aws: AwsSite) -> None:
    acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme, "Late"), "-y")
    refused = acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme), code=2)
    assert "removes or replaces 1 resource: Late (AWS::SQS::Queue)" in refused.err
    assert [one for one in sets(aws) if one["ExecutionStatus"] == "AVAILABLE"] == []
    asked = acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme), "--destroys", "-y", code=4)
    assert "orders 1" in asked.err
    acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme), "--destroys", "--confirm", "orders 1")
    assert parts(aws) == {"Queue", "Topic"}


def test_a_change_made_by_somebody_else_makes_the_plan_stale(acme: AwsHome, aws: AwsSite) -> None:
    plan = acme.run(
        "cfnstack", "deploy", ORDERS, "--template", write(acme, "Late"), "--plan", "-o", "name"
    ).out.strip()
    aws.client("cloudformation").update_stack(
        StackName="orders",
        TemplateBody=json.dumps(TEMPLATE),
        Parameters=[{"ParameterKey": "Size", "ParameterValue": "7"}],
    )
    acme.run("apply", plan, "-y", code=7)
    assert "Late" not in parts(aws)


def test_a_stack_that_was_rolled_back_is_failed_with_its_first_reason(acme: AwsHome, aws: AwsSite) -> None:
    def rolled_back(call: proxy.Call, body: bytes) -> bytes:
        if not aws.proxy.count("ExecuteChangeSet"):
            return body
        if call.action == "DescribeStacks":
            return body.replace(b"UPDATE_COMPLETE", b"UPDATE_ROLLBACK_COMPLETE")
        if call.action == "DescribeStackEvents":
            return body.replace(
                b"<ResourceStatus>UPDATE_IN_PROGRESS</ResourceStatus>",
                b"<ResourceStatus>UPDATE_FAILED</ResourceStatus>"
                b"<ResourceStatusReason>Queue name is taken</ResourceStatusReason>",
            )
        return body

    aws.proxy.edits.append(rolled_back)
    acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme, "Late"), "-y", code=1)
    (row,) = acme.job()["targets"].values()
    assert row["outcome"] == "failed"
    assert row["evidence"].startswith("orders is UPDATE_ROLLBACK_COMPLETE: ")
    assert "Queue name is taken" in row["evidence"]


def test_an_answer_that_was_lost_while_executing_is_found_by_the_change_set(
    acme: AwsHome, aws: AwsSite
) -> None:
    aws.proxy.rules.append(proxy.cuts("ExecuteChangeSet", late=True))
    acme.run("cfnstack", "deploy", ORDERS, "--template", write(acme, "Late"), "-y", code=5)
    acme.run("reconcile", acme.newest())
    (row,) = acme.job()["targets"].values()
    assert row["outcome"] == "succeeded"
    assert "change set EXECUTE_COMPLETE" in row["evidence"]
    assert sum(c.action == "ExecuteChangeSet" for c in aws.proxy.served) == 1


def test_a_secret_parameter_is_not_taken_from_the_command_line(acme: AwsHome) -> None:
    hidden = {
        "Parameters": {"Size": {"Type": "Number", "Default": 1}, "Word": {"Type": "String", "NoEcho": True}}
    }
    file = write(acme, **hidden)
    refused = acme.run(
        "cfnstack", "deploy", ORDERS, "--template", file, "--parameter", "Word=hunter2", code=2
    )
    assert "is a secret, and a plan holds none" in refused.err
    missing = acme.run("cfnstack", "deploy", ORDERS, "--template", file, code=2)
    assert "parameter Word has no value" in missing.err


def test_a_new_stack_is_made_and_deleted_with_its_count_typed(acme: AwsHome, aws: AwsSite) -> None:
    fresh = f"acme/{REGIONS[0]}/fresh"
    file = acme.folder / "fresh.json"
    file.write_text(json.dumps({"Resources": {"Only": {"Type": "AWS::SQS::Queue"}}}))
    acme.run("cfnstack", "deploy", fresh, "--template", str(file), "-y")
    assert parts(aws, "fresh") == {"Only"}
    refused = acme.run("cfnstack", "delete", fresh, "-y", code=4)
    assert "fresh 1" in refused.err
    acme.run("cfnstack", "delete", fresh, "--confirm", "fresh 1")
    names = {s["StackName"] for s in aws.client("cloudformation").describe_stacks()["Stacks"]}
    assert names == {"orders"}


def test_stacks_are_on_the_screen_with_what_can_be_done(acme: AwsHome) -> None:
    environment = {**acme.environment, "TERM": "xterm-256color"}
    with Terminal([ONDECK], columns=80, rows=24, env=environment) as terminal:
        terminal.wait_for("prod", 30)
        terminal.type(":", "cfn-stacks", "enter")
        terminal.wait_for(re.compile(r"orders\s+CREATE_COMPLETE"), 30)
        terminal.type("a")
        screen = terminal.wait_for("Delete a CloudFormation stack", 20)
        assert "Deploy a CloudFormation stack" in screen
        terminal.type("q", "q", "q", delay=0.3)
