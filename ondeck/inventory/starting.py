"""`ondeck init`: writes a first inventory to commit, from what other tools already know."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory import ansible, loader, sshconfig, values
from ondeck.inventory.joining import join
from ondeck.inventory.problems import Bad
from ondeck.inventory.sources import Found, Source

KINDS = ("ansible", "ssh_config")
_STAGES = ("production", "prod", "staging", "stage", "testing", "test", "dev", "development", "qa")


class Report(msgspec.Struct, frozen=True):
    """What was written.

    Attributes:
        written: Files, in the order of writing.
        hosts: How many hosts are in them.
        joined: Names that turned out to be one host, as sentences.
        notes: What was left out or guessed, as sentences.
    """

    written: tuple[Path, ...]
    hosts: int
    joined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def write(target: Path, sources: Sequence[str], more: Sequence[Source] = ()) -> Report:
    """Write `ondeck.yml`, `hosts.yml` and `services.yml` into a folder; nothing is overwritten.

    Args:
        target: The folder; made when it is not there.
        sources: Such as `ansible:hosts.ini`, `ssh_config` or `ssh_config:FILE`; may be empty.
        more: What live sources answered.

    Raises:
        BadInput: A source cannot be read, is of an unknown kind, a file is already there, or what would be
            written does not load.
    """
    names = ("ondeck.yml", "hosts.yml", "services.yml")
    for name in names:
        if os.path.lexists(target / name):
            raise BadInput(
                f"{name} is already there, nothing was written",
                where=str(target),
                hint="name an empty folder",
            )
    read = [*(_read(source) for source in sources), *more]
    notes = [f"{source.name}: {note}" for source in read for note in source.notes]
    for source in read:
        if not source.hosts:
            notes.append(f"{source.name}: no hosts in it")
    hosts, joined = join([host for source in read for host in source.hosts], notes)
    contents = dict(zip(names, (_main(hosts), _hosts(hosts), _services(hosts)), strict=True))
    try:
        _must_load(target, contents)
        target.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            # "x": a file that appeared meanwhile is not overwritten either.
            with (target / name).open("x", encoding="utf-8") as file:
                file.write(content)
    except OSError as error:
        raise BadInput(f"cannot write the inventory: {error.strerror}", where=str(target)) from error
    return Report(
        tuple(target / name for name in names), len(hosts), tuple(joined), tuple(dict.fromkeys(notes))
    )


def _must_load(target: Path, contents: dict[str, str]) -> None:
    """Load the files as they would lie in the folder, beside those that lie there already."""
    with tempfile.TemporaryDirectory(prefix="ondeck-init-") as trial:
        for path in target.glob("*.yml"):
            Path(trial, path.name).write_bytes(path.read_bytes())
        for name, content in contents.items():
            Path(trial, name).write_text(content, encoding="utf-8")
        try:
            loader.load(Path(trial))
        except BadInput as error:
            said = "with these hosts the inventory would not load, so nothing was written"
            raise BadInput(said, where=str(target), hint=error.hint) from error


def _read(source: str) -> Source:
    kind, _, rest = source.partition(":")
    match kind:
        case "ansible" if rest:
            return ansible.read(Path(rest).expanduser())
        case "ansible":
            raise BadInput("ansible needs a file", hint="--from ansible:hosts.ini")
        case "ssh_config":
            return sshconfig.read(Path(rest or "~/.ssh/config").expanduser())
    known = f"ansible:FILE, {KINDS[1]}, {KINDS[1]}:FILE, aws:PROFILE"
    raise BadInput(f"unknown source {source!r}", hint=f"sources: {known}")


def environment_of(host: Found) -> str:
    """The environment that a host's groups or name say; `main` when they say none."""
    words = [*host.groups, *re.split(r"[-._]", host.name)]
    for word in words:
        if word.lower() in _STAGES:
            return {"production": "prod", "stage": "staging", "development": "dev", "testing": "test"}.get(
                word.lower(), word.lower()
            )
    return "main"


def _main(hosts: list[Found]) -> str:
    lines = [
        "# The inventory of ondeck. Every *.yml in this folder is read as one; a name given twice is an error.",
        "# `ondeck check` looks it over, `ondeck schema inventory` prints the schema for editors.",
        "ondeck: 1",
        "zone: UTC # of freeze windows",
        "",
        "ssh:",
        "  known_hosts: ./known_hosts # `ondeck trust` writes them; keep them in git",
        "",
        "# none < confirm < type-name < two-person, one word or a word by operation:",
        "#   protection: {deploy: type-name, rollback: confirm, exec: confirm}",
        "environments:",
    ]
    for env in _environments(hosts):
        rule = "type-name" if env in ("prod", "main") else "confirm"
        colour = "red" if env in ("prod", "main") else "yellow"
        lines.append(f"  {_key(env)}: {{colour: {colour}, protection: {rule}}}")
    lines += [
        "",
        "# Who is who where a login is shared, and who may pass a two-person rule alone:",
        "# people:",
        "#   anna: {login: anna, teams: [oncall]}",
    ]
    return "\n".join(lines) + "\n"


def _environments(hosts: list[Found]) -> list[str]:
    return sorted({environment_of(host) for host in hosts}) or ["staging", "prod"]


def _hosts(hosts: list[Found]) -> str:
    lines = [
        "# One line for each host; a pattern such as web-[01:40] names several at once.",
        "# The environment was guessed from groups and names: look it over before the first commit.",
    ]
    if not hosts:
        example = '#   web-[1:3]: {env: prod, group: [web], address: "10.0.0.[11:13]"}'
        return "\n".join([*lines, "# hosts:", example, "# None yet:", "hosts: {}"]) + "\n"
    lines.append("hosts:")
    for host in hosts:
        also = f" # also {', '.join(_comment(name) for name in host.also)}" if host.also else ""
        lines.append(f"  {_key(host.name)}: {{{', '.join(_parts(host))}}}{also}")
    return "\n".join(lines) + "\n"


def _parts(host: Found) -> list[str]:
    groups = [group for group in host.groups if _is_name(group)]
    parts = [f"env: {_key(environment_of(host))}"]
    if groups:
        parts.append(f"group: [{', '.join(_key(group) for group in groups)}]")
    if host.address and host.address != host.name:
        parts.append(f"address: {_key(host.address)}")
    for key in ("port", "user", "via"):
        if getattr(host, key):
            parts.append(f"{key}: {_key(getattr(host, key))}")
    if host.local:
        parts.append("transport: local")
    return parts


def _services(hosts: list[Found]) -> str:
    groups = sorted({group for host in hosts for group in host.groups if _is_name(group)})
    env = _environments(hosts)[-1]
    group = groups[0] if groups else "web"
    lines = [
        "# A service in one environment is what you act on: checkout@prod. One to begin with:",
        "# services:",
        "#   checkout:",
        f"#     on: {{{env}: group={group}}}",
        '#     health: {http: "http://${address}:8080/healthz"}',
        "#     logs:",
        "#       app: {file: /var/log/checkout/app.log, format: json}",
        "#     deploy:",
        "#       kind: command # your own scripts, with lock, batches and health gate around them",
        "#       version: [/usr/local/bin/checkout, version]",
        '#       deploy: [/usr/local/bin/checkout, deploy, "${version}"]',
        '#       rollback: [/usr/local/bin/checkout, deploy, "${version}"]',
        "# None yet:",
        "services: {}",
    ]
    return "\n".join(lines) + "\n"


def _is_name(text: str) -> bool:
    try:
        values.identifier(text)
    except Bad:
        return False
    return True


def _key(text: str) -> str:
    """Text as YAML: plain where it can only be read one way, else quoted."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._/-]*", text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._:-]", "?", text)
