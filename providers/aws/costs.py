"""What an account cost this month, by service.

Cost Explorer bills every request (0.01 USD, "AWS Cost Management Pricing") and is a day behind, so an answer is
kept for the day, for every face of this user.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from ondeck import times
from ondeck.observe.resources import Resource, ResourceState
from providers.aws.calling import Calls
from providers.aws.options import Aws
from providers.aws.rows import text

_REGION = "us-east-1"
"""Where Cost Explorer is, whatever the regions of the account."""
TOTAL = "total"


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """Month to date: amount by service, as Cost Explorer wrote it.

    Attributes:
        asked: When, ns.
        since: First day.
        until: Day that is not in it any more.
    """

    asked: int
    since: str
    until: str
    unit: str
    services: dict[str, str]


async def rows(calls: Calls, folder: Path, today: date) -> list[Resource]:
    """The dearest service first, the total before all of them.

    Raises:
        OndeckError: It could not be asked.
    """
    path = _path(folder, calls.account, today)
    month = _kept(path)
    if month is None:
        month = await _asked(calls, today)
        with contextlib.suppress(OSError):  # it only saves the next cent
            _keep(path, month)
    amounts = {name: _amount(value) for name, value in month.services.items()}
    whole = sum(amounts.values(), Decimal())
    ordered = sorted(amounts.items(), key=lambda item: -item[1])
    return [_row(name, amount, whole, month) for name, amount in ((TOTAL, whole), *ordered)]


def _row(name: str, amount: Decimal, whole: Decimal, month: Month) -> Resource:
    share = f"{amount / whole * 100:.0f} %" if whole else "-"
    span = f"{month.since} to {month.until}"
    cells = (text(name), f"{amount:.2f} {text(month.unit)}", share, span)
    detail = {
        "service": text(name),
        "amount": f"{amount:.2f}",
        "unit": text(month.unit),
        "since": month.since,
        "until": month.until,
        "asked": times.iso(month.asked),
    }
    return Resource(name=text(name), cells=cells, state=ResourceState.IDLE, detail=detail)


def _amount(value: str) -> Decimal:
    try:
        return Decimal(value)
    except InvalidOperation:
        return Decimal()


async def _asked(calls: Calls, today: date) -> Month:
    since = today.replace(day=1)
    # A span is never empty: on the first day of a month its first day itself.
    until = today if today > since else date.fromordinal(today.toordinal() + 1)
    services: dict[str, Decimal] = {}
    unit, token = "USD", ""
    while True:
        more: dict[str, Any] = {"NextPageToken": token} if token else {}
        answer = await calls.read(
            _REGION, "ce", "get_cost_and_usage",
            TimePeriod={"Start": since.isoformat(), "End": until.isoformat()}, Granularity="MONTHLY",
            Metrics=["UnblendedCost"], GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}], **more,
        )  # fmt: skip
        for span in answer.get("ResultsByTime", ()):
            for group in span.get("Groups", ()):
                cost = group["Metrics"]["UnblendedCost"]
                name, unit = str(group["Keys"][0]), str(cost.get("Unit") or unit)
                services[name] = services.get(name, Decimal()) + _amount(str(cost["Amount"]))
        token = str(answer.get("NextPageToken") or "")
        if not token:
            break
    return Month(
        asked=int(datetime.now(UTC).timestamp() * 1e9),
        since=since.isoformat(),
        until=until.isoformat(),
        unit=unit,
        services={name: str(amount) for name, amount in services.items()},
    )


def _path(folder: Path, account: Aws, today: date) -> Path:
    who = msgspec.json.encode((account.name, account.options), order="sorted")
    return folder / "aws-costs" / f"{today.isoformat()}-{hashlib.sha256(who).hexdigest()[:16]}.json"


def _kept(path: Path) -> Month | None:
    try:
        facts = path.stat()
        if facts.st_uid != os.getuid() or facts.st_mode & 0o022:
            return None
        return msgspec.json.decode(path.read_bytes(), type=Month)
    except (OSError, msgspec.DecodeError):
        return None


def _keep(path: Path, month: Month) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in path.parent.glob("*.json"):
        if old.name[:10] < path.name[:10]:
            old.unlink(missing_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(month))
    Path(name).replace(path)
