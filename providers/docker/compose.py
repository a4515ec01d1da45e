"""One service of a compose file as a `RunSpec`. What is not supported is an error that names it.

Read by the inventory's own strict YAML: no alias, no tag, no key twice, every value as it is written. The only
placeholders are ondeck's: `${host}`, `${address}`, `${env}`, `${service}`, `${version}`; `$$` is a dollar.
Keys that only say how an image is built or in which order things start (`build`, `depends_on`, `profiles`,
`container_name`) belong to compose alone and are refused where they would be silently without effect.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ondeck.errors import BadInput, Missing
from ondeck.inventory import positions
from ondeck.inventory.problems import Bad, dotted, listed, nearest, shown
from ondeck.inventory.values import duration
from ondeck.observe.health import filled
from providers.docker.runspec import Healthcheck, Mount, Port, RunSpec, Ulimit

_LIMIT = 1 << 20
_RESTARTS = ("no", "always", "unless-stopped", "on-failure")
_PORT = re.compile(
    r"(?:(?:(?P<address>\[[0-9a-fA-F:]+\]|[0-9.]+):)?(?P<host>\d*):)?(?P<container>\d+)(?:/(?P<protocol>tcp|udp))?"
)
_FOREIGN = re.compile(r"\$(?!\{[a-z_]+\})\{?\w*\}?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IGNORED = ("image",)
"""The image's name stands in the inventory, its version in the request."""

Values = Mapping[str, str]


class _Section:
    """The content of one service, with words for what is wrong in it."""

    def __init__(self, file: str, read: positions.Read, path: tuple[str | int, ...], values: Values) -> None:
        self.file = file
        self._read = read
        self._path = path
        self._values = dict(values)

    def wrong(self, key: tuple[str | int, ...], message: str, hint: str = "") -> BadInput:
        """The error for a key of the service."""
        path = (*self._path, *key)
        line, column = self._read.place(path, at_key=True)
        return BadInput(f"{dotted(path)}: {message}", hint=hint, where=f"{self.file}:{line}:{column}")

    def text(self, key: tuple[str | int, ...], value: object) -> str:
        """A single value with its placeholders filled in."""
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(key, f"expected one value, found {shown(value)}")
        if strange := _FOREIGN.search(value.replace("$$", "")):
            raise self.wrong(
                key, f"{strange[0]} is not known here", "a dollar is $$; ondeck's own are in small letters"
            )
        try:
            return "$".join(filled(part, self._values) for part in value.split("$$"))
        except BadInput as error:
            raise self.wrong(key, error.message, error.hint) from error

    def texts(self, key: tuple[str | int, ...], value: object) -> tuple[str, ...]:
        """A list of values; one value is a list of it."""
        if isinstance(value, list):
            return tuple(self.text((*key, n), entry) for n, entry in enumerate(value))
        return (self.text(key, value),) if value is not None else ()

    def pairs(self, key: tuple[str | int, ...], value: object) -> dict[str, str]:
        """A mapping, or a list of `NAME=VALUE`."""
        if isinstance(value, dict):
            return {name: self.text((*key, name), entry) for name, entry in value.items()}
        found = {}
        for entry in self.texts(key, value):
            name, equals, text = entry.partition("=")
            if not equals:
                raise self.wrong(key, f"{name!r} has no value", "a value of our own environment is not taken")
            found[name] = text
        return found

    def flag(self, key: tuple[str | int, ...], value: object) -> bool:
        """`true` or `false`."""
        text = self.text(key, value)
        if text not in ("true", "false"):
            raise self.wrong(key, f"expected true or false, found {shown(text)}")
        return text == "true"

    def seconds(self, key: tuple[str | int, ...], value: object) -> float:
        """A duration."""
        try:
            return duration(self.text(key, value))
        except Bad as error:
            raise self.wrong(key, error.message, error.hint) from error

    def number(self, key: tuple[str | int, ...], value: object) -> int:
        """A whole number."""
        text = self.text(key, value)
        if not text.lstrip("-").isdecimal():
            raise self.wrong(key, f"expected a whole number, found {shown(text)}")
        return int(text)

    def argv(self, key: tuple[str | int, ...], value: object) -> tuple[str, ...]:
        """A list of words, or a line that is split as a shell would; no shell runs it."""
        if isinstance(value, list):
            return self.texts(key, value)
        try:
            return tuple(shlex.split(self.text(key, value)))
        except ValueError as error:
            raise self.wrong(key, f"cannot be split into words: {error}") from error


def read(path: Path, service: str, values: Values) -> RunSpec:
    """The run specification of one service of a compose file.

    Args:
        path: The file, on the bastion.
        service: Name under `services:`.
        values: For `${...}`.

    Raises:
        Missing: There is no such file.
        BadInput: Something in it is wrong or not supported; the message has file, line and key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Missing(f"cannot read the compose file {path}: {error.strerror}") from error
    if len(data) > _LIMIT:
        raise BadInput(f"{path} is larger than {_LIMIT >> 20} MiB: that is no compose file")
    found = positions.read(path.name, data)
    if found.problems:
        first = found.problems[0]
        raise BadInput(
            f"{first.key}: {first.message}".removeprefix(": "), hint=first.hint, where=_where(first)
        )
    services = found.data.get("services") if isinstance(found.data, dict) else None
    if not isinstance(services, dict) or service not in services:
        known = listed(services) if isinstance(services, dict) else "it has no services"
        raise BadInput(f"{path.name} has no service {service!r}", hint=known)
    section = services[service]
    at = _Section(path.name, found, ("services", service), values)
    if not isinstance(section, dict):
        raise at.wrong((), f"expected a mapping, found {shown(section)}")
    top = found.data if isinstance(found.data, dict) else {}
    return _spec(at, section, top, path.parent, service)


def _where(problem: Any) -> str:  # noqa: ANN401 - a Problem of the inventory
    return f"{problem.file}:{problem.line}:{problem.column}"


def _spec(at: _Section, section: dict[str, Any], top: dict[str, Any], folder: Path, service: str) -> RunSpec:
    fields: dict[str, Any] = {}
    for key, value in section.items():
        if key in _IGNORED:
            continue
        take = _KEYS.get(key)
        if take is None:
            known = ", ".join((*_IGNORED, *_KEYS))
            hint = nearest(key, _KEYS) or f"supported are: {known}"
            raise at.wrong((key,), "is not supported by ondeck", hint)
        fields |= take(at, key, value)
    if fields.get("networks"):
        fields["aliases"] = (service,)
        fields["networks"] = tuple(_named(top, "networks", name) for name in fields["networks"])
    if "env_paths" in fields:
        fields["env_files"] = tuple(_digest(at, folder / name) for name in fields.pop("env_paths"))
    if "mounts" in fields:
        fields["mounts"] = tuple(_mount(at, top, folder, entry) for entry in fields["mounts"])
    return RunSpec(**fields)


def _named(top: dict[str, Any], kind: str, name: str) -> str:
    """A network or volume by its `name:`, else by its key: no project's name is put before it."""
    entry = (top.get(kind) or {}).get(name)
    said = entry.get("name") if isinstance(entry, dict) else None
    return said if isinstance(said, str) and said else name


def _digest(at: _Section, path: Path) -> tuple[str, str]:
    try:
        return str(path), hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise at.wrong(("env_file",), f"cannot read {path}: {error.strerror}") from error


def variables(spec: RunSpec) -> dict[str, str]:
    """Every variable of the specification: those of its files first, its own over them.

    Raises:
        BadInput: A file is another one than when the plan was made, or has a line that is no variable.
        Missing: It is not there any more.
    """
    found: dict[str, str] = {}
    for path, digest in spec.env_files:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise Missing(f"cannot read {path}: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise BadInput(f"{path} was changed since the plan was made", hint="plan again")
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            entry = line.strip()
            if not entry or entry.startswith("#"):
                continue
            name, equals, value = entry.partition("=")
            if not equals or not _VARIABLE.fullmatch(name.strip()):
                raise BadInput("expected NAME=VALUE", where=f"{Path(path).name}:{number}")
            found[name.strip()] = value.strip().strip("'\"")
    return found | spec.environment


def _one(field: str) -> Callable[[_Section, str, Any], dict[str, Any]]:
    return lambda at, key, value: {field: at.text((key,), value)}


def _many(field: str) -> Callable[[_Section, str, Any], dict[str, Any]]:
    return lambda at, key, value: {field: at.texts((key,), value)}


def _pairs(field: str) -> Callable[[_Section, str, Any], dict[str, Any]]:
    return lambda at, key, value: {field: at.pairs((key,), value)}


def _argv(field: str) -> Callable[[_Section, str, Any], dict[str, Any]]:
    return lambda at, key, value: {field: at.argv((key,), value) if value is not None else None}


def _ports(at: _Section, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, list):
        raise at.wrong((key,), f"expected a list, found {shown(value)}")
    return {"ports": tuple(_port(at, (key, n), entry) for n, entry in enumerate(value))}


def _port(at: _Section, key: tuple[str | int, ...], entry: object) -> Port:
    if isinstance(entry, dict):
        unknown = set(entry) - {"target", "published", "host_ip", "protocol", "mode"}
        if unknown:
            raise at.wrong((*key, min(unknown)), "is not supported by ondeck")
        return Port(
            container=at.number((*key, "target"), entry.get("target")),
            host=at.number((*key, "published"), entry["published"]) if "published" in entry else 0,
            address=at.text((*key, "host_ip"), entry.get("host_ip")),
            protocol=at.text((*key, "protocol"), entry.get("protocol")) or "tcp",
        )
    text = at.text(key, entry)
    found = _PORT.fullmatch(text)
    if found is None:
        raise at.wrong(
            key, f"expected [ADDRESS:][PORT:]PORT[/udp], found {shown(text)}", "ranges are not taken"
        )
    return Port(
        container=int(found["container"]),
        host=int(found["host"] or 0),
        address=(found["address"] or "").strip("[]"),
        protocol=found["protocol"] or "tcp",
    )


def _volumes(at: _Section, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, list):
        raise at.wrong((key,), f"expected a list, found {shown(value)}")
    return {"mounts": [(key, n, at, entry) for n, entry in enumerate(value)]}


def _mount(at: _Section, top: dict[str, Any], folder: Path, entry: Any) -> Mount:  # noqa: ANN401
    key, number, _, value = entry
    place = (key, number)
    if isinstance(value, dict):
        unknown = set(value) - {"type", "source", "target", "read_only"}
        if unknown:
            raise at.wrong((*place, min(unknown)), "is not supported by ondeck")
        kind = at.text((*place, "type"), value.get("type"))
        source, target = (at.text((*place, part), value.get(part)) for part in ("source", "target"))
        read_only = at.flag((*place, "read_only"), value["read_only"]) if "read_only" in value else False
    else:
        source, target, read_only = _short(at, place, at.text(place, value))
        kind = "bind" if source.startswith(("/", ".", "~")) else "volume"
    if kind not in ("bind", "volume", "tmpfs") or not target.startswith("/"):
        raise at.wrong(place, "expected SOURCE:/TARGET[:ro]")
    if kind == "bind" and not source.startswith("/"):
        raise at.wrong(place, f"{source!r} is relative: on a host there is no folder of the compose file")
    if kind == "volume":
        source = _named(top, "volumes", source)
    return Mount(kind=kind, source=source, target=target, read_only=read_only)


def _short(at: _Section, place: tuple[str | int, ...], text: str) -> tuple[str, str, bool]:
    parts = text.split(":")
    if len(parts) == 3 and parts[2] in ("ro", "rw"):
        return parts[0], parts[1], parts[2] == "ro"
    if len(parts) == 2:
        return parts[0], parts[1], False
    raise at.wrong(place, f"expected SOURCE:/TARGET[:ro], found {shown(text)}")


def _networks(at: _Section, key: str, value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        for name, entry in value.items():
            if entry is not None:
                raise at.wrong((key, name), "options of a network are not supported by ondeck")
        return {"networks": tuple(value)}
    return {"networks": at.texts((key,), value)}


def _restart(at: _Section, key: str, value: object) -> dict[str, Any]:
    word, _, times = at.text((key,), value).partition(":")
    if word not in _RESTARTS or (times and not (word == "on-failure" and times.isdecimal())):
        raise at.wrong((key,), f"expected {', '.join(_RESTARTS)}, found {shown(value)}")
    return {"restart": word, "restart_times": int(times or 0)}


def _healthcheck(at: _Section, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise at.wrong((key,), f"expected a mapping, found {shown(value)}")
    fields: dict[str, Any] = {"test": ()}
    for name, entry in value.items():
        place = (key, name)
        match name:
            case "test":
                words = at.texts(place, entry)
                fields["test"] = words if isinstance(entry, list) else ("CMD-SHELL", *words)
            case "interval" | "timeout" | "start_period":
                fields[name] = at.seconds(place, entry)
            case "retries":
                fields[name] = at.number(place, entry)
            case "disable":
                if at.flag(place, entry):
                    fields["test"] = ("NONE",)
            case _:
                raise at.wrong(place, "is not supported by ondeck")
    if fields["test"] and fields["test"][0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise at.wrong((key, "test"), "a list begins with CMD, CMD-SHELL or NONE")
    return {"healthcheck": Healthcheck(**fields)}


def _ulimits(at: _Section, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise at.wrong((key,), f"expected a mapping, found {shown(value)}")
    found = []
    for name, entry in value.items():
        if isinstance(entry, dict):
            soft, hard = (at.number((key, name, side), entry.get(side)) for side in ("soft", "hard"))
        else:
            soft = hard = at.number((key, name), entry)
        found.append(Ulimit(name=name, soft=soft, hard=hard))
    return {"ulimits": tuple(found)}


def _logging(at: _Section, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) - {"driver", "options"}:
        raise at.wrong((key,), "expected driver and options")
    return {
        "log_driver": at.text((key, "driver"), value.get("driver")) or "json-file",
        "log_options": at.pairs((key, "options"), value.get("options")),
    }


_KEYS: dict[str, Callable[[_Section, str, Any], dict[str, Any]]] = {
    "command": _argv("command"),
    "entrypoint": _argv("entrypoint"),
    "environment": _pairs("environment"),
    "env_file": _many("env_paths"),
    "ports": _ports,
    "volumes": _volumes,
    "networks": _networks,
    "network_mode": _one("network_mode"),
    "labels": _pairs("labels"),
    "restart": _restart,
    "user": _one("user"),
    "working_dir": _one("working_dir"),
    "hostname": _one("hostname"),
    "healthcheck": _healthcheck,
    "stop_grace_period": lambda at, key, value: {"stop_grace": at.seconds((key,), value)},
    "stop_signal": _one("stop_signal"),
    "ulimits": _ulimits,
    "cap_add": _many("cap_add"),
    "cap_drop": _many("cap_drop"),
    "read_only": lambda at, key, value: {"read_only": at.flag((key,), value)},
    "tmpfs": _many("tmpfs"),
    "extra_hosts": _many("extra_hosts"),
    "logging": _logging,
}
