"""The contract of every operator, for AWS: moto_server behind a proxy that loses any request on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.aws import proxy
from lab.aws.site import AwsSite
from ondeck.errors import LinkLost, PlanStale
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Request
from ondeck.testing.operator_suite import Make, OperatorSuite, Quiet, _settled, _until, planned
from providers.aws.rows import CLAIM
from tests.contract.aws_sites import (
    AwsCase,
    CopyImageSite,
    DeleteObjectSite,
    DeleteStackSite,
    DeregisterSite,
    DownloadSite,
    ImageSite,
    LaunchSite,
    RebootSite,
    StackSite,
    StopSite,
    TagSite,
    TerminateSite,
    UploadSite,
)


class AwsSuite(OperatorSuite):
    """Things of AWS are looked at until they are as they shall be: no plan names a gate."""

    provider = "aws"
    case: type[Any] = AwsCase

    @pytest.fixture
    def make(self, aws: AwsSite, tmp_path: Path) -> Callable[[], Any]:  # type: ignore[override]
        async def fresh() -> Any:
            return self.case(aws, tmp_path)

        return fresh

    async def test_a_gate_without_data_does_not_pass(self, make: Make) -> None:
        """No plan names a gate, so none is asked."""
        assert (await planned(await make())).draft.rollout.gate == ""


class _Irrevocable(AwsSuite):
    """What EC2 has taken cannot be called back: it is said so, and found out later."""

    async def test_cancelling_really_stops_the_work(self, make: Make) -> None:
        """The wait ends, the call is named as sent, and what it came to is found."""
        site = await make()
        plan = await planned(site)
        target = plan.targets[0]
        site.slow(target)
        attempt = Attempt(id="suite-c", job="suite", target=target)
        async with site.operator.open(plan, site.bench) as applying:
            task = asyncio.create_task(applying.apply(attempt, Quiet()))
            await _until(lambda: site.effects(target) > 0)
            task.cancel()
            ended = (await asyncio.gather(task, return_exceptions=True))[0]
            assert isinstance(ended, Finding)
            assert ended.outcome is Outcome.FAILED
            assert "not to be called back" in ended.evidence
            site.hurry(target)
            assert (await applying.reconcile(attempt)).outcome is Outcome.SUCCEEDED
            assert site.effects(target) == 1


class TestStop(_Irrevocable):
    case = StopSite


class TestLaunch(_Irrevocable):
    case = LaunchSite


class TestImage(AwsSuite):
    case = ImageSite


class TestStackDeploy(AwsSuite):
    case = StackSite


class TestUpload(AwsSuite):
    case = UploadSite


class TestTerminate(_Irrevocable):
    case = TerminateSite


class TestDeleteStack(_Irrevocable):
    case = DeleteStackSite


class TestCopyImage(AwsSuite):
    case = CopyImageSite


class _AtOnce(AwsSuite):
    """What is done within one request or two: there is nothing to wait for, so nothing to call back."""

    async def test_cancelling_really_stops_the_work(self, make: Make) -> None:
        """Cancelled at whatever moment: what is said of it is what is there."""
        for turns in range(0, 24, 6):
            site = await make()
            plan = await planned(site)
            attempt = Attempt(id=f"suite-{turns}", job="suite", target=plan.targets[0])
            async with site.operator.open(plan, site.bench) as applying:
                task = asyncio.create_task(applying.apply(attempt, Quiet()))
                await asyncio.sleep(turns * 0.003)
                task.cancel()
                ended = (await asyncio.gather(task, return_exceptions=True))[0]
                assert isinstance(ended, Finding), ended
                found = await _settled(applying, attempt)
                for said in (ended, found):
                    if said.outcome is Outcome.SUCCEEDED:
                        assert site.in_place(attempt.target), (turns, said)
                    if said.outcome in (Outcome.CANCELLED, Outcome.NOT_STARTED):
                        assert not site.in_place(attempt.target), (turns, said)

    async def test_a_stop_that_was_not_observed_is_unknown(self, make: Make) -> None:
        """Cancelled and lost at once: found out afterwards."""
        site = await make()
        plan = await planned(site)
        attempt = Attempt(id="suite-d", job="suite", target=plan.targets[0])
        async with site.operator.open(plan, site.bench) as applying:
            task = asyncio.create_task(applying.apply(attempt, Quiet()))
            await asyncio.sleep(0)
            site.cuts.after(0)
            task.cancel()
            ended = (await asyncio.gather(task, return_exceptions=True))[0]
            site.cuts.heal()
            assert isinstance(ended, LinkLost) or ended.outcome is not Outcome.SUCCEEDED, ended
            found = await _settled(applying, attempt)
            assert found.outcome in (Outcome.NOT_STARTED, Outcome.FAILED, Outcome.SUCCEEDED)
            assert (found.outcome is Outcome.SUCCEEDED) is site.in_place(attempt.target)


class TestDeregister(_AtOnce):
    case = DeregisterSite


class TestDeleteObject(_AtOnce):
    case = DeleteObjectSite


class TestTag(_AtOnce):
    case = TagSite


class TestDownload(_AtOnce):
    case = DownloadSite


class TestReboot(_AtOnce):
    case = RebootSite
    tells_the_end = False

    async def test_a_stop_that_was_not_observed_is_unknown(self, make: Make) -> None:
        """Cancelled and lost at once: nothing was sent, or nobody will ever know."""
        site = await make()
        plan = await planned(site)
        attempt = Attempt(id="suite-d", job="suite", target=plan.targets[0])
        async with site.operator.open(plan, site.bench) as applying:
            task = asyncio.create_task(applying.apply(attempt, Quiet()))
            await asyncio.sleep(0)
            site.cuts.after(0)
            task.cancel()
            ended = (await asyncio.gather(task, return_exceptions=True))[0]
            site.cuts.heal()
            assert isinstance(ended, LinkLost) or ended.outcome is not Outcome.SUCCEEDED, ended
            found = await _settled(applying, attempt)
            assert found.outcome in (Outcome.NOT_STARTED, Outcome.UNKNOWN)
            assert found.outcome is Outcome.UNKNOWN or not site.in_place(attempt.target)


@pytest.mark.parametrize("rule", [proxy.throttles, proxy.refuses], ids=["throttled", "not allowed"])
async def test_a_look_that_is_refused_while_it_waits_makes_no_failure_of_what_was_sent(
    aws: AwsSite, tmp_path: Path, rule: Any
) -> None:
    """EC2 took the stop; that we may not look now says nothing of it."""
    site = StopSite(aws, tmp_path)
    plan = await planned(site)
    attempt = Attempt(id="suite-w", job="suite", target=plan.targets[0])
    site.slow(plan.targets[0])
    async with site.operator.open(plan, site.bench) as applying:
        task = asyncio.create_task(applying.apply(attempt, Quiet()))
        await _until(lambda: site.effects(plan.targets[0]) > 0)
        refusal = (
            rule(10_000, "DescribeInstances")
            if rule is proxy.throttles
            else rule("UnauthorizedOperation", "no", action="DescribeInstances", status=403)
        )
        aws.proxy.rules.append(refusal)
        with pytest.raises(LinkLost, match="sent, and then AWS could not be asked"):
            await task
        aws.proxy.rules.remove(refusal)
        site.hurry(plan.targets[0])
        assert (await applying.reconcile(attempt)).outcome is Outcome.SUCCEEDED


def _claim(aws: AwsSite, target: str) -> str:
    name = target.rpartition("/")[2]
    (found,) = aws.client("ec2").describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"]
    return next((tag["Value"] for tag in found.get("Tags", ()) if tag["Key"] == CLAIM), "")


async def test_two_changes_that_share_a_thing_share_their_lock(aws: AwsSite, tmp_path: Path) -> None:
    """Whatever else is in each of them."""
    both = StopSite(aws, tmp_path)
    first = await planned(both)
    one = Request(
        operation="instance.terminate",
        subject=both.request.targets[0],
        targets=both.request.targets[:1],
        env="lab",
        actor="anna",
    )
    second = await both.operator.plan(one, both.bench)
    assert len(first.targets) == 2
    assert first.draft.lock_key == second.lock_key


async def test_a_claim_of_another_job_is_neither_overwritten_nor_taken_away(
    aws: AwsSite, tmp_path: Path
) -> None:
    """It is that job's only evidence; and of the attempt that lost its own to it nothing is known."""
    site = StopSite(aws, tmp_path)
    plan = await planned(site)
    target = plan.targets[0]
    theirs = {"Key": CLAIM, "Value": "other-web-1"}
    async with site.operator.open(plan, site.bench) as applying:
        aws.client("ec2").create_tags(Resources=[target.rpartition("/")[2]], Tags=[theirs])
        attempt = Attempt(id="suite-t", job="suite", target=target)
        with pytest.raises(PlanStale, match="other-web-1"):
            await applying.apply(attempt, Quiet())
        assert site.effects(target) == 0
        found = await applying.reconcile(attempt)
        assert found.outcome is Outcome.UNKNOWN
        assert "other-web-1" in found.evidence
        told: list[str] = []
        await applying.finish((target,), told.append)
        assert _claim(aws, target) == "other-web-1"
        assert "keeps the tag" in told[0]


async def test_a_claim_that_the_plan_shows_is_taken_over_and_goes_at_the_end(
    aws: AwsSite, tmp_path: Path
) -> None:
    """What launched it, or a job that did not come to its end, holds nothing up for ever."""
    site = StopSite(aws, tmp_path)
    target = site.request.targets[0]
    theirs = {"Key": CLAIM, "Value": "before-web-1"}
    aws.client("ec2").create_tags(Resources=[target.rpartition("/")[2]], Tags=[theirs])
    plan = await planned(site)
    assert any("before-web-1" in row.note for row in plan.draft.preflight)
    async with site.operator.open(plan, site.bench) as applying:
        attempt = Attempt(id="suite-o", job="suite", target=target)
        assert (await applying.reconcile(attempt)).outcome is Outcome.NOT_STARTED
        assert (await applying.apply(attempt, Quiet())).outcome is Outcome.SUCCEEDED
        assert _claim(aws, target) == "suite-o"
        await applying.finish((target,), lambda _: None)
        assert _claim(aws, target) == ""
