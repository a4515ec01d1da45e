"""What a service says under `deploy:` for the kinds `release-dir` and `command`, checked.

Layout on a host for `release-dir`::

    PATH/releases/VERSION/                     the archive's content; never changed once it is there
    PATH/releases/VERSION/.ondeck/release.json version, sha256, when (ns), by, job
    PATH/current -> releases/VERSION           what runs; switched by one rename
    PATH/.ondeck/                              ondeck's own: uploads on their way, `previous`, `drained`

On the bastion: the archive that `archives` names, and beside it `ARCHIVE.sha256` as `sha256sum` writes it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory.model import Deploy, Host, Inventory, Service
from ondeck.inventory.problems import Bad
from ondeck.inventory.values import duration
from ondeck.observe.health import filled
from ondeck.reach.ports import Become

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", re.ASCII)
RELEASE_DIR = "release-dir"


class _Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    restart: tuple[str, ...] = ()
    alive: tuple[str, ...] = ()
    unit: str = ""
    become: bool | str = False
    timeout: float | str = 600.0

    def as_user(self) -> Become | None:
        """Who runs the steps on the host; values of the files come as text."""
        if self.become in (False, "", "false", "no"):
            return None
        return Become() if self.become in (True, "true", "yes") else Become(user=str(self.become))

    def seconds(self) -> float:
        """The timeout in seconds; `10m` is understood.

        Raises:
            BadInput: It is not a duration.
        """
        if isinstance(self.timeout, (int, float)):
            return float(self.timeout)
        try:
            return duration(self.timeout)
        except Bad as error:
            raise BadInput(f"deploy.timeout {self.timeout!r}: {error}") from error

    def restart_argv(self) -> tuple[str, ...]:
        """What restarts the service on a host; empty when nothing is declared."""
        return self.restart or (("systemctl", "restart", self.unit) if self.unit else ())


class ReleaseDir(_Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `kind: release-dir`.

    Attributes:
        path: Absolute folder on the host, see the layout above; `${host}` may stand in it.
        archives: File on the bastion with `${version}` in its name, absolute or from the inventory's folder.
        unit: systemd unit to restart and to watch.
        restart: argv in place of the unit's restart.
        alive: argv that ends with 0 while the process lives; for services without a unit.
        user: Owner of the unpacked files; needs `become`.
        become: Run the steps through sudo as root (true) or as the named user.
        timeout: Seconds for switching and restarting on one host.
    """

    path: str
    archives: str
    user: str = ""


class ByCommand(_Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `kind: command`: the team's own script under our guard, lock, batches and gate.

    Attributes:
        version: argv that prints the running version on its first line.
        deploy: argv with `${version}` somewhere; run once a host.
        rollback: argv to go back; `deploy` with the older version when empty.
        available: argv on the bastion that prints deployable versions, newest first.
        on: `host`, or `bastion` when the script reaches the hosts itself.
    """

    version: tuple[str, ...]
    deploy: tuple[str, ...]
    rollback: tuple[str, ...] = ()
    available: tuple[str, ...] = ()
    on: Literal["host", "bastion"] = "host"


Options = ReleaseDir | ByCommand


def options_of(service: Service) -> tuple[Deploy, Options]:
    """The deploy section of a service with its options checked.

    Raises:
        BadInput: It has none, or an option is wrong; the message names the key.
    """
    deploy = service.deploy
    if deploy is None:
        raise BadInput(
            f"service {service.name} declares no `deploy`", hint="add it to the service in the inventory"
        )
    kind: type[Options] = ReleaseDir if deploy.kind == RELEASE_DIR else ByCommand
    try:
        options = msgspec.convert(deploy.options, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"service {service.name}: deploy: {error}") from error
    options.seconds()
    if isinstance(options, ReleaseDir):
        _check_release_dir(service.name, options)
    return deploy, options


def _check_release_dir(name: str, options: ReleaseDir) -> None:
    path = options.path.rstrip("/")
    if not path.startswith("/") or path in ("", "/") or ".." in path.split("/"):
        raise BadInput(f"service {name}: deploy.path {options.path!r} must be an absolute folder, not /")
    if options.archives.count("${version}") != 1 or "${version}" not in Path(options.archives).name:
        raise BadInput(f"service {name}: deploy.archives must have ${{version}} once, in its file name")
    if not options.restart_argv():
        raise BadInput(f"service {name}: deploy needs `unit` or `restart`, so that a release takes effect")


def for_host(options: Options, host: Host) -> Options:
    """The options as they are on one host: `${host}` in `path` and `unit` is filled in."""
    values = {"host": host.name, "address": host.address or host.name, "env": host.env}
    if isinstance(options, ReleaseDir):
        options = msgspec.structs.replace(options, path=filled(options.path.rstrip("/"), values))
    return msgspec.structs.replace(options, unit=filled(options.unit, values))


def version_of(text: str) -> str:
    """A version that is safe as a folder's name.

    Raises:
        BadInput: It is not.
    """
    if not VERSION.fullmatch(text) or text.endswith((".incoming", ".tmp")):
        raise BadInput(
            f"version {text!r} is not usable",
            hint="letters, digits, dot, dash, plus and underscore; at most 128",
        )
    return text


def archive_pattern(inventory: Inventory, options: ReleaseDir) -> Path:
    """The archive's path with `${version}` still in it."""
    return Path(inventory.revision.root, Path(options.archives).expanduser())


def words(
    argv: tuple[str, ...], service: Service, host: Host, version: str = "", path: str = ""
) -> list[str]:
    """Argv of the inventory with its placeholders filled in, each staying one word.

    Raises:
        BadInput: A placeholder that is not known.
    """
    values = {
        "version": version,
        "host": host.name,
        "address": host.address or host.name,
        "service": service.name,
        "env": host.env,
    }
    if path:
        values |= {"path": path, "release": f"{path}/releases/{version}"}
    return [filled(word, values) for word in argv]
