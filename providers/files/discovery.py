"""Capability `discovery` for files: an Ansible inventory names hosts, a kubeconfig names clusters."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.inventory import ansible
from ondeck.inventory.discovering import Discovered, Entry, FoundCluster
from ondeck.text import safe_line

_LARGEST = 8 << 20  # bytes of a kubeconfig
_KNOWN = {"ansible": {"path"}, "kubeconfig": {"path"}}


class FileDiscovery:
    """Reads files beside the inventory; nothing is run and nobody is asked."""

    async def discover(self, entry: Entry, bench: Bench) -> Discovered:
        """What the file of an entry names; a relative path begins at the inventory's folder."""
        if unknown := sorted(set(entry.options) - _KNOWN[entry.kind]):
            raise BadInput(f"a source of kind {entry.kind} has no {unknown[0]!r}", where=entry.where)
        default = "~/.kube/config" if entry.kind == "kubeconfig" else ""
        path = _path(str(entry.options.get("path", default)), bench.inventory.revision.root, entry)
        read = _ansible if entry.kind == "ansible" else _kubeconfig
        return await asyncio.to_thread(read, path)


def _path(given: str, root: str, entry: Entry) -> Path:
    if not given:
        raise BadInput(f"a source of kind {entry.kind} needs a path", where=entry.where)
    return Path(root) / Path(given).expanduser()


def _ansible(path: Path) -> Discovered:
    found = ansible.read(path)
    return Discovered(
        source=f"ansible {path.name}",
        hosts=tuple(found.hosts),
        asked=time.time_ns(),
        notes=tuple(map(safe_line, found.notes)),
    )


def _kubeconfig(path: Path) -> Discovered:
    """Contexts of a kubeconfig as clusters; keys and tokens of it are not even looked at."""
    try:
        if path.stat().st_size > _LARGEST:
            raise BadInput("too large for a kubeconfig", where=str(path))
        data: Any = yaml.load(path.read_bytes(), Loader=CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"the kubeconfig cannot be read: {safe_line(str(error))}", where=str(path)) from error
    contexts = data.get("contexts") if isinstance(data, dict) else None
    names = [one.get("name") for one in contexts or () if isinstance(one, dict)]
    return Discovered(
        source=f"kubeconfig {path.name}",
        clusters=tuple(
            FoundCluster(name=safe_line(name), kind="kubernetes", options={"context": name})
            for name in names
            if isinstance(name, str) and name
        ),
        asked=time.time_ns(),
    )
