"""Figures of CloudWatch as one line: the processor of an instance over some hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ondeck.errors import OndeckError
from providers.aws.calling import Calls

_HOURS = 3
_PERIOD = 300  # seconds; finer figures cost extra
_BARS = "▁▂▃▄▅▆▇█"


async def processor(calls: Calls, region: str, instance: str) -> str:
    """A sparkline with the figures that count; without data it says so, which is not 0 %."""
    now = datetime.now(UTC)
    metric = {
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "InstanceId", "Value": instance}],
    }
    query = {"Id": "cpu", "MetricStat": {"Metric": metric, "Period": _PERIOD, "Stat": "Average"}}
    try:
        results = await calls.pages(
            region, "cloudwatch", "get_metric_data", "MetricDataResults",
            MetricDataQueries=[query], StartTime=now - timedelta(hours=_HOURS), EndTime=now,
            ScanBy="TimestampAscending",
        )  # fmt: skip
    except OndeckError as error:
        return f"could not be asked: {error.message}"
    return sparkline([float(value) for result in results for value in result.get("Values", ())])


def sparkline(values: Sequence[float]) -> str:
    """Percentages as bars from 0 to 100, oldest first, with the last one and the range."""
    if not values:
        return f"no data in the last {_HOURS} h"
    bars = "".join(_BARS[min(7, max(0, int(value / 12.5)))] for value in values)
    return f"{bars} {values[-1]:.0f} % at last, {min(values):.0f} to {max(values):.0f} % in {_HOURS} h"
