"""Hosts that several sources name put together: one machine becomes one host, and what was lost is said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import msgspec

from ondeck.inventory import values
from ondeck.inventory.problems import Bad
from ondeck.inventory.sources import Found


def join(found: Iterable[Found], notes: list[str]) -> tuple[list[Found], list[str]]:
    """Hosts that are one machine become one: by name, else by address and port. First source wins.

    What one source leaves empty the next one fills; groups add up. Names that differ only in case are one
    name; under two addresses the second is left out.

    Args:
        found: Hosts of all sources, in their order.
        notes: Told of what cannot be taken, and of every value that lost against a first one.

    Returns:
        The hosts, and the sentences that say which of them were joined.
    """
    kept: dict[str, Found] = {}
    at: dict[tuple[str, str], str] = {}
    joined: dict[str, None] = {}
    for one in found:
        host = _usable(one, notes)
        if host is None:
            continue
        folded, place = host.name.lower(), _place(host)
        same = folded if folded in kept else at.get(place)
        if same is None:
            kept[folded] = host
            at[place] = folded
            continue
        first = kept[same]
        if _is_another(first, host):
            notes.append(
                f"{host.name}: differs from {first.name} only in case and is at {host.address}, not "
                f"{first.address}; it was left out, give it a name of its own"
            )
            continue
        if first.source != host.source or host.name != first.name:
            why = f"same address {place[0]}" if host.name.lower() != same else "same name"
            joined[f"{host.name} ({host.source}) is {first.name} ({first.source}): {why}"] = None
        _conflict(first, host, notes)
        kept[same] = _merged(first, host)
        at.setdefault(_place(kept[same]), same)
    _jumps(kept, at, notes)
    _circles(kept, notes)
    return list(kept.values()), list(joined)


def _place(host: Found) -> tuple[str, str]:
    return (host.address or host.name).lower(), host.port or "22"


def _is_another(first: Found, other: Found) -> bool:
    """Two machines whose names differ only in case."""
    if first.name == other.name or first.name.lower() != other.name.lower():
        return False
    return bool(first.address and other.address) and _place(first) != _place(other)


def _usable(host: Found, notes: list[str]) -> Found | None:
    named = _named(host)
    if named is None:
        notes.append(f"{host.name!r} is no name for a host and was left out")
        return None
    for field, check in (
        ("address", values.address),
        ("user", values.login),
        ("port", values.whole(1, 65535)),
    ):
        text = getattr(named, field)
        if text:
            try:
                check(text)
            except Bad:
                notes.append(f"{host.name}: {field} {text!r} cannot be used and was left out")
                named = msgspec.structs.replace(named, **{field: ""})
    return named


def _named(host: Found) -> Found | None:
    """The host with a name that can be one; None when nothing can be made of it."""
    with contextlib.suppress(Bad):
        values.identifier(host.name)
        return host
    if host.address:
        return None
    # An IPv6 address in place of a name still is a host; it only needs a name.
    with contextlib.suppress(Bad):
        values.address(host.name)
        named = "host-" + host.name.strip(":").replace(":", "-").replace("%", "-")
        values.identifier(named)
        return msgspec.structs.replace(host, name=named, address=host.name)
    return None


def _conflict(first: Found, other: Found, notes: list[str]) -> None:
    for field in ("address", "port", "user"):
        one, two = getattr(first, field), getattr(other, field)
        if one and two and one != two:
            notes.append(
                f"{first.name}: {field} is {one} in {first.source} and {two} in {other.source}; took the first"
            )


def _merged(first: Found, other: Found) -> Found:
    return msgspec.structs.replace(
        first,
        address=first.address or other.address,
        port=first.port or other.port,
        user=first.user or other.user,
        via=first.via or other.via,
        groups=tuple(dict.fromkeys((*first.groups, *other.groups))),
        also=tuple(dict.fromkeys((*first.also, *((other.name,) if other.name != first.name else ())))),
    )


def _jumps(kept: dict[str, Found], at: dict[tuple[str, str], str], notes: list[str]) -> None:
    """A jump host that is itself a host is named by its name; another is kept where it can be an address."""
    known = {name.lower(): key for key, host in kept.items() for name in (*host.also, host.name)}
    for key, host in kept.items():
        if not host.via:
            continue
        bare = host.via.rpartition("@")[2].lower()
        target = known.get(bare) or at.get((bare, "22"), "")
        via = kept[target].name if target else host.via
        if not target and not set(via) & set("@.:"):
            via = f"{via}:22"
            notes.append(
                f"{host.name}: jump host {host.via!r} is not among the hosts and was taken as a DNS name"
            )
        if target == key or (not target and not _is_jump(via)):
            notes.append(f"{host.name}: jump host {host.via!r} cannot be used and was left out")
            via = ""
        kept[key] = msgspec.structs.replace(host, via=via)


def _is_jump(via: str) -> bool:
    try:
        values.jump(via)
    except Bad:
        return False
    return True


def _circles(kept: dict[str, Found], notes: list[str]) -> None:
    """Jump hosts that lead back to their beginning are cut at the last one."""
    for key in kept:
        seen, at = {key}, kept[key].via.lower()
        while at in kept:
            if at in seen:
                notes.append(
                    f"{kept[key].name}: its jump hosts go in a circle, {kept[key].via!r} was left out"
                )
                kept[key] = msgspec.structs.replace(kept[key], via="")
                break
            seen.add(at)
            at = kept[at].via.lower()
