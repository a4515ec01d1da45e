"""What entries say of each other, across files: every name that is used must be there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory import expression, selector, values
from ondeck.inventory.assembly import Assembly
from ondeck.inventory.model import Backup, Environment, Host, Service
from ondeck.inventory.problems import Bad, listed, nearest, shown


def check(assembly: Assembly) -> None:
    """Complain of every name that leads nowhere and of every circle."""
    _version(assembly)
    _environments(assembly)
    _hosts(assembly)
    for section in ("clusters", "accounts", "stacks", "builds"):
        for name, record in assembly.named[section].items():
            _env(assembly, section, name, record.env)
    for name, backup in assembly.named["backups"].items():
        _backup(assembly, name, backup)
    for name, person in assembly.named["people"].items():
        for index, may in enumerate(person.may):
            _, at, env = may.partition("@")
            if at:
                environments = assembly.named["environments"]
                _known(assembly, "people", name, ("may", index), "environment", env, environments)
    _services(assembly)


def _version(assembly: Assembly) -> None:
    if "ondeck" not in assembly.single and "ondeck" not in assembly.unread:
        files = [file for (_, _), file in assembly.files.items()]
        first = "ondeck.yml" if "ondeck.yml" in files else (min(files, default="") or assembly.out.file)
        assembly.out.add(
            ("ondeck",), "expected the schema's version in one of the files", "write: ondeck: 1", file=first
        )


def _backup(assembly: Assembly, name: str, backup: Backup) -> None:
    if backup.host:
        _known(assembly, "backups", name, ("host",), "host", backup.host, assembly.hosts)
    if backup.env:
        _env(assembly, "backups", name, backup.env)
    elif host := assembly.hosts.get(backup.host):
        assembly.named["backups"][name] = msgspec.structs.replace(backup, env=host.env)
    elif not backup.host:
        _complain(
            assembly, "backups", name, (), "expected host or env", "without one its rules are not known"
        )


def _complain(
    assembly: Assembly, section: str, name: str, inner: tuple[str | int, ...], message: str, hint: str
) -> None:
    file, path = assembly.file_of(section, name)
    assembly.out.add((*path, *inner), message, hint, file=file)


def _known(
    assembly: Assembly,
    section: str,
    name: str,
    inner: tuple[str | int, ...],
    what: str,
    asked: str,
    known: Mapping[str, Any],
) -> None:
    if asked not in known and not _excused(assembly, what, asked):
        hint = nearest(asked, known) or listed(known)
        _complain(assembly, section, name, inner, f"expected a known {what}, found {shown(asked)}", hint)


_SECTIONS = {
    "host": "hosts",
    "environment": "environments",
    "service": "services",
    "backup": "backups",
    "channel": "notify",
    "team of a person": "people",
}


def _excused(assembly: Assembly, what: str, asked: str) -> bool:
    """What may stand in a file that could not be read; and an entry that was itself wrong, which is
    complained of once, not again by everyone who names it.
    """
    section = _SECTIONS.get(what, "")
    if section in assembly.unread:
        return True
    if what == "host":
        return any(asked == item.path[1] for item in assembly.out.found if item.path[:1] == ("hosts",))
    return (section, asked) in assembly.files


def _env(assembly: Assembly, section: str, name: str, env: str) -> None:
    _known(assembly, section, name, ("env",), "environment", env, assembly.named["environments"])


def _environments(assembly: Assembly) -> None:
    teams = {team for person in assembly.named["people"].values() for team in person.teams}
    for name, env in assembly.named["environments"].items():
        assert isinstance(env, Environment)
        if env.notify:
            _known(
                assembly, "environments", name, ("notify",), "channel", env.notify, assembly.named["notify"]
            )
        for index, team in enumerate(env.break_glass.teams if env.break_glass and teams else ()):
            inner = ("break_glass", "teams", index)
            _known(assembly, "environments", name, inner, "team of a person", team, dict.fromkeys(teams))


def _hosts(assembly: Assembly) -> None:
    environments = assembly.named["environments"]
    hosts = assembly.hosts
    told: set[tuple[str, str]] = set()
    for name, host in hosts.items():
        if (
            host.env not in environments
            and (host.env, key := assembly.pattern_of.get(name, name)) not in told
        ):
            told.add((host.env, key))
            _env(assembly, "hosts", name, host.env)
        if host.via:
            _via(assembly, host)
    for name in _circles({name: (host.via,) for name, host in hosts.items() if host.via in hosts}):
        _complain(
            assembly,
            "hosts",
            name,
            ("via",),
            "expected jump hosts without a circle",
            f"{name} leads back to itself",
        )


def _via(assembly: Assembly, host: Host) -> None:
    via = host.via
    if via in assembly.hosts:
        return
    if "@" in via or ":" in via or "." in via:
        try:
            values.jump(via)
        except Bad as bad:
            _complain(assembly, "hosts", host.name, ("via",), bad.message, bad.hint)
        return
    _known(assembly, "hosts", host.name, ("via",), "host", via, assembly.hosts)


def _services(assembly: Assembly) -> None:
    services: dict[str, Service] = assembly.named["services"]
    for name, service in services.items():
        for env, text in service.on.items():
            _known(
                assembly, "services", name, ("on", env), "environment", env, assembly.named["environments"]
            )
            _selector(assembly, name, ("on", env), text, within=True)
        for index, need in enumerate(service.needs):
            _known(assembly, "services", name, ("needs", index), "service", need, services)
        if service.backup:
            _known(
                assembly, "services", name, ("backup",), "backup", service.backup, assembly.named["backups"]
            )
        _parts(assembly, name, service)
    for name in _circles({name: service.needs for name, service in services.items()}):
        _complain(
            assembly,
            "services",
            name,
            ("needs",),
            "expected needs without a circle",
            f"{name} needs itself in the end",
        )


def _parts(assembly: Assembly, name: str, service: Service) -> None:
    logs = {source.name: source for source in service.logs}
    for source in service.logs:
        if source.on:
            _selector(assembly, name, ("logs", source.name, "on"), source.on)
    for signal in service.signals:
        if signal.log:
            _known(
                assembly, "services", name, ("signals", signal.name, "log"), "log source", signal.log, logs
            )
    for index, one in enumerate(service.checks):
        if one.each:
            _selector(assembly, name, ("checks", index, "each"), one.each)
    if service.deploy and service.deploy.drain_on:
        _known(
            assembly,
            "services",
            name,
            ("deploy", "drain_on"),
            "host",
            service.deploy.drain_on,
            assembly.hosts,
        )


def _selector(
    assembly: Assembly, service: str, inner: tuple[str | int, ...], text: str, *, within: bool = False
) -> None:
    try:
        tree = expression.parse(text)
        asked = selector.keys(tree)
        if live := sorted(asked.intersection(selector.LIVE_KEYS) - {"version"}):
            raise BadInput(
                f"{live[0]} is a live figure; what belongs to a service is said by the files alone"
            )
        if within and "service" in asked:
            raise BadInput("a service is not defined by other services")
        selector.compiled(tree) if "service" not in asked else None
    except BadInput as error:
        hint = error.hint.partition("\n")[0]
        said = error.message.removeprefix("selector").lstrip(",: ")
        _complain(assembly, "services", service, inner, f"expected a selector: {said}", hint)


def _circles(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """One name of every circle, in order; iterative, so that a long chain is no problem."""
    found: list[str] = []
    state: dict[str, int] = {}
    for start in arrows:
        if start in state:
            continue
        stack: list[tuple[str, Any]] = [(start, iter(arrows[start]))]
        state[start] = 1
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[name] = 2
                stack.pop()
            elif state.get(following) == 1:
                found.append(following)
            elif following in arrows and following not in state:
                state[following] = 1
                stack.append((following, iter(arrows[following])))
    return list(dict.fromkeys(found))
