"""Hosts and clusters that live sources know of: what is asked, what was answered, and how it joins the files.

The files win. What only a source knows is added with its origin; of a host that both know the files' fields
stay and the source fills those that the files leave open, each with its origin. Answers are kept, so nothing
waits for a source: what is shown is the last answer, with its age.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory import values
from ondeck.inventory.model import Account, Cluster, Host, Inventory, Source
from ondeck.inventory.patterns import is_pattern
from ondeck.inventory.problems import Bad
from ondeck.inventory.sources import Found

SAME_BY = ("name", "address")
_OWN = ("from", "env", "skip", "same_host_by")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One source to ask: an item of `discover:`, or the `discover` of an account.

    Attributes:
        kind: `aws`, `ansible`, ...: which provider is asked (`discover.from`).
        env: Environment of what it finds.
        skip: Names that are left out.
        same_host_by: A host of the source is the file's when they have the same `name` (default) or `address`.
        options: Everything else; belongs to the provider.
        where: Where it stands: `discover.1`, `accounts.acme-prod.discover`.
    """

    kind: str
    env: str
    where: str
    skip: tuple[str, ...] = ()
    same_host_by: str = "name"
    options: dict[str, Any] = {}

    @property
    def key(self) -> str:
        """Names it among the kept answers: another question is another file."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:24]


class FoundCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster as a source names it."""

    name: str
    kind: str
    options: dict[str, Any] = {}
    part: str = ""


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """What a source answered.

    Attributes:
        source: In words: `aws acme-prod`.
        asked: When its hosts were seen, of several parts the one seen longest ago, ns; 0 when it never answered.
        error: Why it could not be asked last time, or with `partly` which part of it: what is here is older then.
        notes: What it left out, in sentences.
        parts: Of a source whose parts are asked side by side: when each was seen, ns; 0 when it did not answer.
    """

    source: str
    hosts: tuple[Found, ...] = ()
    clusters: tuple[FoundCluster, ...] = ()
    asked: int = 0
    error: str = ""
    partly: bool = False
    notes: tuple[str, ...] = ()
    parts: dict[str, int] = {}


def entries(inventory: Inventory) -> tuple[Entry, ...]:
    """Every source that the inventory names.

    Raises:
        BadInput: One of them lacks something or says something that is not known.
    """
    return tuple(_entry(inventory, raw, where) for raw, where in _raw(inventory))


def _raw(inventory: Inventory) -> Iterator[tuple[Mapping[str, Any], str]]:
    for number, raw in enumerate(inventory.discover, 1):
        yield raw, f"discover.{number}"
    for name, account in inventory.accounts.items():
        if raw := _of_account(account):
            yield raw, f"accounts.{name}.discover"


def _of_account(account: Account) -> dict[str, Any]:
    own = account.options.get("discover")
    if not isinstance(own, dict) or not own:
        return {}
    return {"from": account.kind, "account": account.name, "env": account.env, **own}


def _entry(inventory: Inventory, raw: Mapping[str, Any], where: str) -> Entry:
    kind, env = raw.get("from", ""), raw.get("env", "")
    if not isinstance(kind, str) or not kind:
        raise BadInput("a source needs `from`: aws, ansible, ...", where=where)
    if env not in inventory.environments:
        raise BadInput(f"a source needs the `env` of what it finds, {env!r} is none", where=where)
    same = raw.get("same_host_by", "name")
    if same not in SAME_BY:
        raise BadInput(f"same_host_by is {' or '.join(SAME_BY)}, not {same!r}", where=where)
    skip = raw.get("skip", ())
    names = (skip,) if isinstance(skip, str) else tuple(map(str, skip))
    options = {key: value for key, value in raw.items() if key not in _OWN}
    return Entry(kind=kind, env=env, where=where, skip=names, same_host_by=same, options=options)


def merged(inventory: Inventory, answers: Sequence[tuple[Entry, Discovered]]) -> Inventory:
    """The inventory with what the sources know beside it; the files win."""
    joining, clusters = _Joining(inventory.hosts), dict(inventory.clusters)
    states = []
    for entry, answer in answers:
        taken = sum(joining.take(entry, answer.source, found) for found in answer.hosts)
        for cluster in answer.clusters:
            if cluster.name not in clusters and _is_name(cluster.name) and cluster.name not in entry.skip:
                clusters[cluster.name] = Cluster(
                    name=cluster.name, kind=cluster.kind, env=entry.env, options=cluster.options
                )
        states.append(
            Source(name=answer.source, where=entry.where, asked=answer.asked, hosts=taken, error=answer.error)
        )
    return msgspec.structs.replace(inventory, hosts=joining.hosts, clusters=clusters, sources=tuple(states))


class _Joining:
    """Hosts by name and by address, while found ones are joined to them."""

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self.hosts = dict(hosts)
        self._names = {name.lower(): name for name in hosts}
        self._addresses = {host.address.lower(): host.name for host in hosts.values()}

    def take(self, entry: Entry, source: str, found: Found) -> bool:
        """Join a found host; False when it is left out. Where the file puts it elsewhere, the file wins."""
        if found.name in entry.skip or not _is_name(found.name):
            return False
        held = self._names.get(found.name.lower())
        if held is None and entry.same_host_by == "address":
            own = (self._addresses.get(one.lower()) for one in (found.address, *found.also) if one)
            held = next((name for name in own if name is not None), None)
        if held is None:
            self.hosts[found.name] = new = _new(entry, source, found)
            self._names[found.name.lower()] = found.name
            self._addresses.setdefault(new.address.lower(), found.name)
            return True
        if self.hosts[held].env != entry.env:
            return False
        self.hosts[held] = _filled(self.hosts[held], source, found)
        return True


def _new(entry: Entry, source: str, found: Found) -> Host:
    return Host(
        name=found.name,
        env=entry.env,
        groups=tuple(group for group in found.groups if _is_name(group)),
        address=_address(found.address) or found.name,
        port=_port(found.port),
        user=found.user,
        via=found.via,
        transport="local" if found.local else "ssh",
        labels=found.labels,
        origin=source,
    )


def _filled(held: Host, source: str, found: Found) -> Host:
    """The file's host with what the file leaves open."""
    offered: dict[str, Any] = {
        "groups": tuple(group for group in found.groups if _is_name(group)),
        "port": _port(found.port),
        "user": found.user,
        "via": found.via,
    }
    if held.address == held.name:
        offered["address"] = _address(found.address)
    new = {
        key: value for key, value in offered.items() if value and (key == "address" or not getattr(held, key))
    }
    labels = {key: value for key, value in found.labels.items() if key not in held.labels}
    if labels:
        new["labels"] = {**held.labels, **labels}
    if not new:
        return held
    origins = {**held.origins, **dict.fromkeys(new, source)}
    return msgspec.structs.replace(held, origins=origins, **new)


def _is_name(text: str) -> bool:
    try:
        values.identifier(text)
    except Bad:
        return False
    return not is_pattern(text)


def _address(text: str) -> str:
    try:
        values.address(text)
    except Bad:
        return ""
    return text


def _port(text: str) -> int:
    return int(text) if text.isdigit() and 0 < int(text) < 65536 else 0


# --- kept answers


def kept(folder: Path, entry: Entry) -> Discovered | None:
    """The last answer of a source; None when there is none, or it is not ours or others may write it."""
    try:
        with _path(folder, entry).open("rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_uid != os.getuid() or facts.st_mode & 0o022:
                return None
            return msgspec.json.decode(file.read(), type=Discovered)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def keep(folder: Path, entry: Entry, answer: Discovered) -> Discovered:
    """Keep an answer; what could not be asked stays as it was known, with why. Gives what is known now."""
    known = answer
    before = kept(folder, entry) if answer.error else None
    if before is not None and not answer.partly:
        known = msgspec.structs.replace(before, error=answer.error)
    elif before is not None:
        known = _carried(before, answer)
    with contextlib.suppress(OSError):  # it only saves asking: a full disk is no reason to fail
        _write(_path(folder, entry), msgspec.json.encode(known))
    return known


def _carried(before: Discovered, answer: Discovered) -> Discovered:
    """An answer in part, with what was known of the rest before, as old as that is.

    What is missing in a part that did answer is gone. A source that names no parts may have left out anything.
    """
    lost = {part for part, when in answer.parts.items() if not when}
    unseen = {*lost, ""}
    hosts, clusters = ({each.name for each in found} for found in (answer.hosts, answer.clusters))
    ages = {part: before.parts.get(part, 0 if before.parts else before.asked) for part in lost}
    if not lost:
        ages[""] = before.asked
    return msgspec.structs.replace(
        answer,
        hosts=(*answer.hosts, *(h for h in before.hosts if h.part in unseen and h.name not in hosts)),
        clusters=(
            *answer.clusters,
            *(c for c in before.clusters if c.part in unseen and c.name not in clusters),
        ),
        asked=min(filter(None, (answer.asked, *ages.values())), default=0),
        parts={**answer.parts, **{part: ages[part] for part in lost}},
    )


def _path(folder: Path, entry: Entry) -> Path:
    return folder / "discovered" / f"{entry.key}.json"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def with_kept(inventory: Inventory, folder: Path) -> Inventory:
    """The inventory with the last answers of its sources; asks nothing.

    Raises:
        BadInput: A source lacks something.
    """
    found = entries(inventory)
    if not found:
        return inventory
    never = "never asked"
    answers = [(e, kept(folder, e) or Discovered(source=f"{e.kind} ({e.where})", error=never)) for e in found]
    return merged(inventory, answers)
