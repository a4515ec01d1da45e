"""The contract of every operator, for AWS: moto_server behind a proxy that loses any request on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.aws.site import AwsSite
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.testing.operator_suite import Make, OperatorSuite, Quiet, _until, planned
from tests.contract.aws_sites import AwsCase, ImageSite, LaunchSite, StackSite, StopSite, UploadSite


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
