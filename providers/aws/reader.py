"""Capability `resources`: what lives in an account, its regions asked side by side."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, NoMatch, OndeckError
from ondeck.inventory.model import Account, Place
from ondeck.observe.resources import Listing, Resource
from providers.aws import cfn, costs, images, instances, objects, others
from providers.aws.calling import Calls, each
from providers.aws.options import Aws, aws_of
from providers.aws.rows import one_line, split, text

Rows = Callable[[Calls, str], Awaitable[list[Resource]]]
_IN_A_REGION: dict[str, Rows] = {
    "instances": instances.rows,
    "amis": images.rows,
    "cfn-stacks": cfn.rows,
    "alarms": others.alarms,
    "snapshots": others.snapshots,
    "templates": others.templates,
}


class AwsReader:
    """Lists and describes; a region that could not be asked is named, never silently missing."""

    async def list(self, kind: str, place: Place, bench: Bench) -> Listing:
        """Every thing of a kind in the regions of an account."""
        rows: list[Resource] = []
        error, partly = "", False
        asked = 0
        try:
            calls = await Calls.of(_aws(place), bench)
            rows, error, partly = await _listed(kind, calls, bench)
            asked = time.time_ns() if partly or not error else 0
        except OndeckError as broken:
            error = text(broken.message)
        return Listing(kind=kind, place=place.name, rows=tuple(rows), asked=asked, error=error, partly=partly)

    async def describe(self, kind: str, place: Place, name: str, bench: Bench) -> Mapping[str, Any]:
        """One thing in full.

        Raises:
            NoMatch: There is none.
            OndeckError: It could not be asked.
        """
        calls = await Calls.of(_aws(place), bench)
        try:
            if kind == "costs":
                return await _cost(calls, name, bench)
            region, rest = split(name)
            return await _described(kind, calls, region, rest, bench)
        except Missing as error:
            raise NoMatch(error.message, where=error.where) from error


def _aws(place: Place) -> Aws:
    assert isinstance(place, Account)
    return aws_of(place)


async def _described(kind: str, calls: Calls, region: str, rest: str, bench: Bench) -> Mapping[str, Any]:
    match kind:
        case "instances":
            return await instances.described(calls, region, rest)
        case "amis":
            return await images.described(calls, region, rest, bench.inventory)
        case "cfn-stacks":
            return await cfn.described(calls, region, rest)
        case "buckets" | "objects":
            return await objects.described(calls, region, rest)
        case "templates":
            return await others.template_versions(calls, region, rest)
        case "alarms" | "snapshots":
            return await _of_list(_IN_A_REGION[kind], calls, region, rest)
    raise BadInput(f"AWS has no {kind}")


async def _listed(kind: str, calls: Calls, bench: Bench) -> tuple[list[Resource], str, bool]:
    if kind == "buckets":
        return await objects.buckets(calls), "", False
    if kind == "costs":
        return await costs.rows(calls, bench.settings.cache, datetime.now(UTC).date()), "", False
    if kind == "objects":
        rows, short = await objects.objects(calls)
        return rows, short, bool(short)
    if kind not in _IN_A_REGION:
        raise BadInput(f"AWS has no {kind}")
    regions = calls.account.options.regions
    good, bad = await each(regions, partial(_IN_A_REGION[kind], calls))
    rows = [row for region in regions for row in good.get(region, ())]
    return rows, one_line(bad, regions) if bad else "", bool(bad and good)


async def _of_list(listing: Rows, calls: Calls, region: str, name: str) -> dict[str, Any]:
    for row in await listing(calls, region):
        if row.name == f"{region}/{name}":
            return dict(row.detail)
    raise NoMatch(f"no {name} in {calls.account.name} {region}")


async def _cost(calls: Calls, name: str, bench: Bench) -> dict[str, Any]:
    for row in await costs.rows(calls, bench.settings.cache, datetime.now(UTC).date()):
        if row.name == name:
            return dict(row.detail)
    raise NoMatch(f"{name} cost nothing in {calls.account.name} this month")
