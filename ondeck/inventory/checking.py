"""What `ondeck check` says beyond errors: an inventory that loads and still is not what one wants at night."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from ondeck.inventory import channels, expression, members, selector
from ondeck.inventory.findings import Finding, Severity, note, warning
from ondeck.inventory.model import Environment, Inventory, Protection, Service
from ondeck.inventory.problems import nearest
from ondeck.inventory.reads import too_wide
from ondeck.inventory.secretrefs import in_the_open, is_reference
from ondeck.inventory.serving import Serves, unserved
from ondeck.inventory.tables import DEPLOY

PRODUCTION = ("prod", "production", "live", "prd")


def check(inventory: Inventory, serves: Serves) -> tuple[Finding, ...]:
    """Every finding, warnings first. The inventory must have been loaded from a folder."""
    found = [
        *_environments(inventory),
        *_hosts(inventory),
        *_services(inventory),
        *_checks(inventory, serves.kinds.get("check.kind", ())),
        *_backups(inventory),
        *_channels(inventory),
        *_secrets(inventory),
        *unserved(inventory, serves),
        *_files(Path(inventory.revision.root)),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.WARNING))


def looks_like_production(name: str) -> bool:
    """True for prod, production, live and names that begin or end with one of them, as in prod-eu."""
    parts = name.lower().replace("_", "-").replace(".", "-").split("-")
    return any(part in PRODUCTION for part in parts)


def _environments(inventory: Inventory) -> Iterator[Finding]:
    used = {host.env for host in inventory.hosts.values()}
    for name, env in inventory.environments.items():
        where = f"environments.{name}"
        yield from _protection(where, env)
        yield from _reads(where, env)
        if name not in used:
            yield note(where, "no host is in this environment")
        if Protection.TWO_PERSON in env.protection.values() and env.break_glass is None:
            yield warning(
                where,
                "two-person rules and nobody who may pass them alone",
                "at 3 a.m. nothing can be changed; say who: break_glass: {teams: [oncall], reason: required}",
            )


def _protection(where: str, env: Environment) -> Iterator[Finding]:
    if looks_like_production(env.name):
        if not env.protection:
            yield warning(
                where, "looks like production and has no protection", "write: protection: type-name"
            )
        elif all(word is Protection.NONE for word in env.protection.values()):
            yield warning(where, "looks like production and every protection is none")


def _reads(where: str, env: Environment) -> Iterator[Finding]:
    for entry in env.read_commands:
        if said := too_wide(entry):
            hint = "it runs unasked, also in --read-only: name the exact command"
            yield warning(f"{where}.read_commands", f"{' '.join(entry)!r} is no read: {said}", hint)


def _hosts(inventory: Inventory) -> Iterator[Finding]:
    at = defaultdict(list)
    for host in inventory.hosts.values():
        at[host.address.lower(), host.port or 22, host.via].append(host.name)
    for (address, port, _), names in at.items():
        if len(names) > 1:
            yield warning(
                f"hosts.{names[0]}",
                f"same address as {', '.join(names[1:4])}: {address}:{port}",
                "one machine under two names is counted and changed twice",
            )
    serving = _served(inventory)
    needed = {host.via for host in inventory.hosts.values()} | {
        backup.host for backup in inventory.backups.values()
    }
    idle = [name for name in inventory.hosts if name not in serving and name not in needed]
    if idle and inventory.services:
        shown = ", ".join(idle[:5]) + (f" and {len(idle) - 5} more" if len(idle) > 5 else "")
        yield note("hosts", f"no service, backup or jump uses {shown}")


def _served(inventory: Inventory) -> set[str]:
    found: set[str] = set()
    for service in inventory.services.values():
        for env in service.on:
            found.update(host.name for host in members.hosts_of(inventory, service, env))
            for places in members.logs_on(inventory, service, env).values():
                found.update(place.name for place in places)
        if service.deploy and service.deploy.drain_on:
            found.add(service.deploy.drain_on)
    return found


def _services(inventory: Inventory) -> Iterator[Finding]:
    labels = {key for host in inventory.hosts.values() for key in host.labels}
    known = labels.union(selector.PLAIN_KEYS, selector.LIVE_KEYS)
    for name, service in inventory.services.items():
        where = f"services.{name}"
        for env, text in service.on.items():
            if members.cluster_of(inventory, service, env) is not None:
                continue
            for key in sorted(selector.keys(expression.parse(text)) - known):
                yield warning(f"{where}.on.{env}", f"no host has a label {key!r}", nearest(key, known))
            if not members.hosts_of(inventory, service, env):
                yield warning(f"{where}.on.{env}", f"no host of {env} matches {text!r}")
        if service.health is None:
            hint = "without it a rollout can only see that a command ended; write: health: {http: ...}"
            yield warning(where, "no health check", hint)
        if not service.logs:
            yield note(where, "no logs, so the Logs pane has nothing to show for it")
        yield from _deploy(inventory, where, service)


def _checks(inventory: Inventory, kinds: Collection[str]) -> Iterator[Finding]:
    for name, service in inventory.services.items():
        for index, one in enumerate(service.checks):
            where = f"services.{name}.checks.{index}"
            if one.kind not in kinds:
                hint = f"it stays `?`; evaluated are: {', '.join(sorted(kinds)) or 'none'}"
                yield warning(where, f"nobody evaluates checks of kind {one.kind}", hint)
            judge = selector.compiled(expression.parse(one.each), inventory) if one.each else None
            if judge and not any(judge(host) for host in inventory.hosts.values() if host.env in service.on):
                yield warning(where, f"no host matches {one.each!r}, so nobody is asked")


def _deploy(inventory: Inventory, where: str, service: Service) -> Iterator[Finding]:
    deploy = service.deploy
    if deploy is None:
        return
    for key in deploy.options:
        if hint := nearest(key, DEPLOY.by_key, cutoff=0.8):
            yield warning(
                f"{where}.deploy.{key}", "close to a field of deploy, taken as an option of its kind", hint
            )
    if bool(deploy.drain) is not bool(deploy.undrain):
        yield warning(f"{where}.deploy", "drain and undrain belong together, one of them is missing")
    for env in service.on:
        hosts = members.hosts_of(inventory, service, env)
        if len(hosts) > 1 and deploy.batches[0] == "100%":
            yield warning(
                f"{where}.deploy.batches",
                f"the first batch is all {len(hosts)} hosts of {env}",
                "begin with 1",
            )


def _backups(inventory: Inventory) -> Iterator[Finding]:
    kept = {service.backup for service in inventory.services.values()}
    for name in inventory.backups:
        if name not in kept:
            yield note(f"backups.{name}", "no service says that its data is in it")


def _secrets(inventory: Inventory) -> Iterator[Finding]:
    for where in in_the_open(inventory):
        hint = "write where it is: env:NAME, file:PATH, keyring:NAME or vault:kv/x#key"
        yield warning(where, "who reads this file can read this secret", hint)


def _channels(inventory: Inventory) -> Iterator[Finding]:
    used = {env.notify for env in inventory.environments.values()}
    for name, channel in inventory.notify.items():
        where = f"notify.{name}"
        if wrong := channels.problem(channel):
            yield warning(where, f"nobody can be told: {wrong}")
        elif isinstance(address := channel.options.get("webhook"), str) and not is_reference(address):
            yield warning(where, "who reads this file can post there", "write a reference: env:OPS_WEBHOOK")
        if name not in used:
            yield note(where, "no environment tells this channel")
    for name, env in inventory.environments.items():
        if looks_like_production(name) and not env.notify:
            hint = "a paused rollout waits until somebody looks; write: notify: ops"
            yield note(f"environments.{name}", "nobody is told when a job needs a person", hint)


def _files(root: Path) -> Iterator[Finding]:
    for path in [root, *sorted(root.iterdir())]:
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        if path != root and path.suffix == ".yaml":
            yield warning(path.name, "only *.yml is read", f"rename it to {path.stem}.yml")
        mine = path == root or path.suffix == ".yml" or path.name == "known_hosts"
        if mine and mode & stat.S_IWOTH and not stat.S_ISLNK(mode):
            yield warning(path.name, "anybody on this machine may change it", f"chmod o-w {os.fspath(path)}")
