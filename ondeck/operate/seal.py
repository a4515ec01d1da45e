"""The inventory a plan was made from: kept under its digest, applied as it was, and held against today's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import BadInput, PlanStale, StateBroken
from ondeck.inventory import places
from ondeck.inventory.members import hosts_of
from ondeck.inventory.model import Backup, Inventory, Place
from ondeck.job.plan import Plan
from ondeck.operate.naming import thing_of
from ondeck.record import folder

_BESIDE = {"host": ("origin", "origins"), "environment": ("colour", "notify")}
"""Fields that change nothing of what a plan does: where a host is written, how an environment looks."""
_SHOWN = 5


def keep(root: Path, inventory: Inventory) -> str:
    """Store an inventory once for all plans and jobs that were made from it; its digest.

    Raises:
        StateBroken: It cannot be written.
    """
    stored = msgspec.json.encode(inventory)
    found = digest(stored)
    path = _path(root, found)
    if _read(path) != stored:
        folder.write_new(path, stored, durable=False)
        return found
    try:
        os.utime(path)  # it is swept by its age
    except OSError as error:
        raise folder.broken(path, error) from error
    return found


def kept(root: Path, plan: Plan) -> bytes:
    """The bytes of the inventory a plan was made from.

    Raises:
        PlanStale: They are gone, or are not those that the plan names.
    """
    stored = _read(_path(root, plan.inventory))
    check_bytes(plan, stored)
    return stored


def check_bytes(plan: Plan, stored: bytes) -> None:
    """Hold bytes to the digest that stands in the plan, and with it under the plan's own.

    Raises:
        PlanStale: They are not the inventory that the plan was made from.
    """
    if digest(stored) != plan.inventory:
        raise PlanStale("the stored inventory is not the one that the plan was made from", hint="plan again")


def check(plan: Plan, stored: bytes, now: Inventory) -> None:
    """Hold today's inventory to the one of the plan, in everything that the plan stands on.

    Raises:
        PlanStale: The bytes are not the plan's, or a host, a jump host, the service, the SSH defaults or
            the environment of the plan changed since.
    """
    check_bytes(plan, stored)
    if found := differences(plan, msgspec.json.decode(stored, type=Inventory), now):
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise PlanStale(
            f"the inventory changed since the plan was made: {'; '.join(found[:_SHOWN])}{more}",
            hint="plan again",
        )


def differences(plan: Plan, planned: Inventory, now: Inventory) -> list[str]:
    """What the plan stands on that is not as it was, one line each; empty when all of it is."""
    request = plan.request
    found: list[str] = []
    for name in _machines(plan, planned):
        found += _changed(f"host {name}", planned.hosts.get(name), now.hosts.get(name))
    named = request.subject.partition("@")[0]
    found += _changed(f"service {named}", planned.services.get(named), now.services.get(named))
    found += _members(planned, now, request.subject)
    for section, name in _places(plan):
        before, after = (places.places(one, section).get(name) for one in (planned, now))
        found += _changed(f"{section.removesuffix('s')} {name}", before, after)
    rules = (planned.environments.get(request.env), now.environments.get(request.env))
    found += _changed(f"environment {request.env}", *rules)
    found += _changed("ssh", planned.ssh, now.ssh)
    return found


def _places(plan: Plan) -> Iterator[tuple[str, str]]:
    """Where else it acts, whatever section a name stands in: a name of two sections is held to in both."""
    names = dict.fromkeys(thing_of(target)[0] for target in (plan.request.subject, *plan.request.targets))
    return ((section, name) for section in places.FIELDS if section != "hosts" for name in names)


def _machines(plan: Plan, inventory: Inventory) -> list[str]:
    """Hosts that are acted on, those that are asked to drain them, and every jump host before them."""
    service = inventory.services.get(plan.request.subject.partition("@")[0])
    names = list(dict.fromkeys((*plan.targets, *plan.request.targets)))
    for section, name in _places(plan):
        names.append(_host_of(places.places(inventory, section).get(name)))
    if service is not None and service.deploy is not None and service.deploy.drain_on:
        names.append(service.deploy.drain_on)
    found: dict[str, None] = {}
    while names:
        name = names.pop(0)
        host = inventory.hosts.get(name)
        if host is not None and name not in found:
            found[name] = None
            names.append(host.via)
    return list(found)


def _host_of(place: Place | None) -> str:
    """The host that a place is reached through or taken on; empty where there is none."""
    if place is None:
        return ""
    host = place.host if isinstance(place, Backup) else getattr(place, "options", {}).get("host", "")
    return host if isinstance(host, str) else ""


def _members(planned: Inventory, now: Inventory, subject: str) -> list[str]:
    name, at, env = subject.partition("@")
    if not at or name not in planned.services or name not in now.services:
        return []
    try:
        before = {host.name for host in hosts_of(planned, planned.services[name], env)}
        after = {host.name for host in hosts_of(now, now.services[name], env)}
    except BadInput:
        return []  # another environment than before: the service's own record tells
    words = [
        f"{word} {', '.join(sorted(hosts)[:_SHOWN])}"
        for word, hosts in (("more", after - before), ("fewer", before - after))
        if hosts
    ]
    return [f"hosts of {subject}: {', '.join(words)}"] if words else []


def _changed(what: str, before: msgspec.Struct | None, after: msgspec.Struct | None) -> list[str]:
    if before is None or after is None:
        gone = "is gone" if after is None else "is new"
        return [] if before is after else [f"{what}: {gone}"]
    beside = _BESIDE.get(what.partition(" ")[0], ())
    words = [_field(*one) for one in _fields(before, after) if one[0] not in beside]
    return [f"{what}: {', '.join(words)}"] if words else []


def _fields(before: msgspec.Struct, after: msgspec.Struct) -> Iterator[tuple[str, Any, Any]]:
    for name in before.__struct_fields__:
        one, other = getattr(before, name), getattr(after, name)
        if msgspec.to_builtins(one) != msgspec.to_builtins(other):
            yield name, one, other


def _field(name: str, before: Any, after: Any) -> str:  # noqa: ANN401 - a field of any record
    short = isinstance(before, (str, int)) and isinstance(after, (str, int))
    return f"{name} was {before!r}, is {after!r}" if short else name


def digest(stored: bytes) -> str:
    """sha256 over stored bytes, hexadecimal."""
    return hashlib.sha256(stored).hexdigest()


def _path(root: Path, found: str) -> Path:
    return root / f"{found}.json"


def _read(path: Path) -> bytes:
    try:
        return folder.read_private(path)
    except StateBroken:
        return b""
