"""From what somebody named to exact targets in one environment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory import places
from ondeck.inventory.live import Live
from ondeck.inventory.model import Host, Inventory
from ondeck.inventory.problems import listed
from ondeck.job.spec import OperationSpec, TargetKind
from ondeck.operate.naming import is_selector, split_path, thing_of

if TYPE_CHECKING:
    from ondeck.inventory.selector import Selected, Selector


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What was named, resolved.

    Attributes:
        text: How it is named in plans and records: `checkout@prod`, a selector, `web-1`.
        targets: Exact names, never empty: hosts, places, or things as `PLACE/THING`.
        path: What followed the colon of `HOST:/PATH` or `SELECTOR:/PATH`; empty otherwise.
        unjudged: Hosts that a live figure might have chosen, but that did not say.
    """

    text: str
    env: str
    targets: tuple[str, ...]
    path: str = ""
    unjudged: int = 0


def wanted(
    inventory: Inventory, spec: OperationSpec, subject: str, selectors: Sequence[str] = ()
) -> Selector | None:
    """The selector whose hosts have to be looked at before `resolve`; None when the files say it all.

    Raises:
        BadInput: A selector is malformed.
    """
    from ondeck.inventory.selector import LIVE_KEYS, keys, parse

    name, at, env = subject.partition("@")
    texts = list(selectors)
    if spec.target is TargetKind.SERVICE:
        texts = [f"service={name}", *([f"env={env}"] if at else []), *texts] if texts else []
    elif spec.target is TargetKind.HOSTS and subject and subject.partition(":")[0] not in inventory.hosts:
        texts = texts if at or ":" in subject else [subject, *texts]
    found = parse(texts) if texts else None
    return found if found is not None and keys(found.tree) & set(LIVE_KEYS) else None


def resolve(
    inventory: Inventory,
    spec: OperationSpec,
    subject: str,
    selectors: Sequence[str] = (),
    live: Live | None = None,
) -> Subject:
    """Exact targets of an operation.

    Args:
        inventory: What exists.
        spec: Says what kind of thing is acted on.
        subject: `SERVICE@ENV`, a host, a selector, either with `:/PATH`, or `PLACE` or `PLACE/THING,THING`.
        selectors: `-l` texts; several are and.
        live: What a look at the hosts of `wanted` gave; needed where that is not None.

    Raises:
        NoMatch: It names nothing.
        BadInput: It names things in two environments, or not what the operation acts on.
    """
    match spec.target:
        case TargetKind.SERVICE:
            return _service(inventory, subject, selectors, live)
        case TargetKind.HOSTS:
            return _hosts(inventory, subject, selectors, live)
        case _:
            return _place(inventory, spec, subject)


def _service(inventory: Inventory, subject: str, selectors: Sequence[str], live: Live | None) -> Subject:
    from ondeck.inventory.members import cluster_of, hosts_of

    name, _, env = subject.partition("@")
    service = inventory.services.get(name)
    if service is None:
        raise NoMatch(f"no service {name!r}", hint=_near(name, inventory.services))
    if not env:
        if len(service.on) != 1:
            known = ", ".join(f"{name}@{e}" for e in service.on) or "nowhere"
            raise BadInput(f"{name!r} runs in several environments: say which", hint=known)
        env = next(iter(service.on))
    cluster = cluster_of(inventory, service, env)
    if cluster is not None:
        if selectors:
            raise BadInput(f"{name}@{env} runs on cluster {cluster.name}, so -l cannot choose hosts of it")
        return Subject(text=f"{name}@{env}", env=env, targets=(cluster.name,))
    hosts = hosts_of(inventory, service, env)
    unjudged = 0
    if selectors:
        chosen = _selected(inventory, [f"service={name}", f"env={env}", *selectors], live)
        hosts, unjudged = tuple(host for host in hosts if host in chosen.hosts), chosen.unjudged
    if not hosts:
        raise NoMatch(f"{name}@{env} has no host here", hint=f"ondeck get hosts -l service={name}")
    return _one_env(f"{name}@{env}", hosts, unjudged)


def _hosts(inventory: Inventory, subject: str, selectors: Sequence[str], live: Live | None) -> Subject:
    name, path = split_path(subject)
    if name in inventory.hosts:
        hosts: tuple[Host, ...] = (inventory.hosts[name],)
        if selectors:
            hosts = tuple(h for h in hosts if h in _selected(inventory, selectors, live).hosts)
        if not hosts:
            raise NoMatch(f"{name!r} is not among the selected hosts")
        found = _one_env(name, hosts)
        return msgspec.structs.replace(found, path=path)
    if path and name and not is_selector(inventory, name):
        raise NoMatch(f"no host {name!r}", hint=_near(name, inventory.hosts))
    texts = [name, *selectors] if name else list(selectors)
    if not texts:
        raise BadInput("no target", hint="name a host, or select some: -l env=staging,group=web")
    if name and "=" not in name and not selectors and "@" in name:
        return _service(inventory, name, (), live)
    chosen = _selected(inventory, texts, live)
    found = _one_env(", ".join(texts), chosen.hosts, chosen.unjudged)
    return msgspec.structs.replace(found, path=path)


def _selected(inventory: Inventory, texts: Sequence[str], live: Live | None) -> Selected:
    from ondeck.inventory.selector import parse

    wanted = parse(list(texts))
    wanted.select(inventory, live)  # says why when nothing matches
    return wanted.judge(inventory, live)


def _one_env(text: str, hosts: Sequence[Host], unjudged: int = 0) -> Subject:
    by_env: dict[str, list[str]] = {}
    for host in hosts:
        by_env.setdefault(host.env, []).append(host.name)
    if not by_env:
        raise NoMatch(f"{text!r} matches no host")
    if len(by_env) > 1:
        named = " and ".join(
            f"{env} ({len(names)}, e.g. {names[0]})" for env, names in sorted(by_env.items())
        )
        raise BadInput(
            f"one operation stays in one environment, {text!r} names {named}",
            hint="add env=NAME to the selector",
        )
    return Subject(text=text, env=hosts[0].env, targets=tuple(host.name for host in hosts), unjudged=unjudged)


def _place(inventory: Inventory, spec: OperationSpec, subject: str) -> Subject:
    name, thing = thing_of(subject)
    place = places.find(inventory, spec.target.section, name)
    if not spec.things:
        if thing:
            raise BadInput(f"{spec.name} is about {name} as a whole, not about {thing!r} in it")
        return Subject(text=name, env=place.env, targets=(name,))
    things = tuple(dict.fromkeys(filter(None, thing.split(","))))
    if not things:
        raise BadInput(
            f"{spec.name} acts on things of {name}: say which", hint=f"{name}/NAME, several with commas"
        )
    return Subject(text=subject, env=place.env, targets=tuple(f"{name}/{one}" for one in things))


def _near(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=3)
    return f"near: {', '.join(near)}" if near else f"{listed(known)}; see: ondeck get"
