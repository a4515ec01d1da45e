"""Capability `discovery`: running instances as hosts of the inventory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from boto3.session import Session

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.inventory.discovering import Discovered, Entry
from ondeck.inventory.model import Account
from ondeck.inventory.sources import Found
from providers.aws import instances
from providers.aws.calling import Calls, each
from providers.aws.options import Aws, account_of, aws_of
from providers.aws.rows import one_line, tags, text

_TAIL = 6  # characters of an instance's id that tell apart what has the same name


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a `discover` entry of kind `aws`.

    Attributes:
        account: An account of the inventory; or `profile`, `regions` and `endpoint` of one that is not in it.
        name: Where a host's name comes from: `tag:Name`, or `id`.
        group: Tags that name its groups: `tag:Role`; several as a list.
        address: `private` or `public`.
        where: Only instances with these tags, such as `{Env: prod}`.
        via: Jump host to all of them.
        user: Login on all of them.
    """

    account: str = ""
    profile: str = ""
    regions: tuple[str, ...] = ()
    endpoint: str = ""
    name: str = "tag:Name"
    group: str | tuple[str, ...] = ()
    address: str = "private"
    where: dict[str, str] = {}
    via: str = ""
    user: str = ""

    @property
    def group_tags(self) -> tuple[str, ...]:
        """Keys of the tags that name groups."""
        given = (self.group,) if isinstance(self.group, str) else self.group
        return tuple(one.removeprefix("tag:") for one in given if one)


class AwsDiscovery:
    """EC2 as a source of hosts."""

    async def discover(self, entry: Entry, bench: Bench) -> Discovered:
        """Running instances of the account's regions, asked side by side; see the port."""
        wanted = _wanted(entry)
        account = await _account(entry, wanted, bench)
        calls = await Calls.of(account, bench)
        regions = account.options.regions
        good, bad = await each(regions, partial(_running, calls, wanted))
        if bad and not good:
            raise next(iter(bad.values()))
        seen = [(region, one) for region in regions for one in good.get(region, ())]
        source, now = f"aws {account.name}", time.time_ns()
        return Discovered(
            source=source,
            hosts=tuple(_hosts(source, wanted, seen)),
            asked=now,
            error=one_line(bad, regions),
            partly=bool(bad),
            parts={region: now if region in good else 0 for region in regions},
        )


def _wanted(entry: Entry) -> Wanted:
    try:
        wanted = msgspec.convert(entry.options, Wanted, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"not a source of kind aws: {error}", where=entry.where) from error
    if wanted.address not in ("private", "public"):
        raise BadInput(f"address is private or public, not {wanted.address!r}", where=entry.where)
    if wanted.name != "id" and not wanted.name.startswith("tag:"):
        raise BadInput(f"name is id or tag:KEY, not {wanted.name!r}", where=entry.where)
    return wanted


async def _account(entry: Entry, wanted: Wanted, bench: Bench) -> Aws:
    if wanted.account:
        return account_of(bench.inventory, wanted.account)
    if not wanted.profile:
        raise BadInput("a source of kind aws needs an account or a profile", where=entry.where)
    options: dict[str, Any] = {"profile": wanted.profile, "endpoint": wanted.endpoint}
    regions = wanted.regions or (_region_of(wanted.profile),)
    account = Account(
        name=wanted.profile, kind="aws", env=entry.env, options={**options, "regions": list(regions)}
    )
    return aws_of(account)


def _region_of(profile: str) -> str:
    """The region that the profile itself names.

    Raises:
        BadInput: It names none.
    """
    known = Session().available_profiles
    if profile not in known:
        raise BadInput(
            f"no profile {profile!r} in ~/.aws/config", hint=f"there are: {', '.join(known) or 'none'}"
        )
    region = Session(profile_name=profile).region_name
    if not region:
        raise BadInput(f"profile {profile!r} names no region", hint=f"aws:{profile}:eu-west-1,eu-central-1")
    return str(region)


async def _running(calls: Calls, wanted: Wanted, region: str) -> list[dict[str, Any]]:
    filters = {f"tag:{key}": [value] for key, value in wanted.where.items()}
    return await instances.found(calls, region, **{"instance-state-name": ["pending", "running"], **filters})


def _hosts(source: str, wanted: Wanted, seen: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Found]:
    """One for each instance; where several have the same name each gets the tail of its id behind it."""
    names = [_name(wanted, one) for _, one in seen]
    often = Counter(name.lower() for name in names)
    hosts = []
    for (region, one), name in zip(seen, names, strict=True):
        own = text(one["InstanceId"])
        marks = tags(one)
        unique = name if often[name.lower()] == 1 else f"{name}-{own[-_TAIL:]}"
        hosts.append(
            Found(
                name=unique,
                source=f"{source} {region}/{own}",
                address=_address(wanted, one),
                user=wanted.user,
                via=wanted.via,
                groups=tuple(dict.fromkeys(marks[key] for key in wanted.group_tags if marks.get(key))),
                also=tuple(a for a in (text(one.get(k)) for k in _NAMES) if a),
                labels={"instance": own, "region": region, "type": text(one.get("InstanceType"))},
                part=region,
            )
        )
    return hosts


_NAMES = ("PrivateIpAddress", "PublicIpAddress", "PrivateDnsName", "PublicDnsName")


def _name(wanted: Wanted, one: Mapping[str, Any]) -> str:
    own = text(one["InstanceId"])
    return own if wanted.name == "id" else tags(one).get(wanted.name.removeprefix("tag:")) or own


def _address(wanted: Wanted, one: Mapping[str, Any]) -> str:
    keys = _NAMES[:1] if wanted.address == "private" else ("PublicIpAddress", "PublicDnsName")
    return next((found for key in keys if (found := text(one.get(key)))), "")
