"""On which machine the tool runs, and how it gets there: the host of the data, or who reads the repository."""

from __future__ import annotations

from typing import Any

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.inventory.backups import BASTION, Options, options_of
from ondeck.inventory.model import Backup
from ondeck.operate.backup.engine import Engine, Seat, Setting
from ondeck.reach.ports import Link
from ondeck.secret import Secret


def backup_of(bench: Bench, name: str) -> Backup:
    """The backup of the inventory.

    Raises:
        BadInput: There is none of that name, or it names no host.
    """
    backup = bench.inventory.backups.get(name)
    if backup is None:
        raise BadInput(f"no backup {name!r} in the inventory")
    return hosted(bench, backup)


def hosted(bench: Bench, backup: Backup) -> Backup:
    """The same backup, once it is known to be of a host.

    Raises:
        BadInput: It names no host of the inventory.
    """
    if backup.host not in bench.inventory.hosts:
        raise BadInput(f"backups.{backup.name}: it names no host of the inventory", hint="host: NAME")
    return backup


def checked(bench: Bench, engine: Engine, backup: Backup) -> Any:  # noqa: ANN401 - each engine has its own struct
    """Its options.

    Raises:
        BadInput: Something is wrong with them; it says where.
    """
    return options_of(bench.inventory, backup, engine.options)


def reader_of(backup: Backup, options: Options) -> str:
    """Name of the host that lists, verifies and forgets."""
    return options.repo.read_from or backup.host


async def link_to(bench: Bench, host: str) -> Link:
    """A link to a host of the inventory, or to this machine.

    Raises:
        Unreachable: The host is not reached.
        BadInput: There is no such host.
    """
    return await bench.here() if host == BASTION else await bench.link(host)


async def secrets_of(bench: Bench, setting: Setting) -> dict[str, Secret]:
    """The values of its variables.

    Raises:
        Missing: One is not to be had.
    """
    return {name: await bench.secret(reference) for name, reference in setting.secrets.items()}


async def seat_at(bench: Bench, setting: Setting, host: str) -> Seat:
    """The tool on a host.

    Raises:
        Unreachable: The host is not reached.
        Missing: A secret is not to be had.
    """
    return Seat(await link_to(bench, host), setting, await secrets_of(bench, setting))
