"""`vault:PATH#KEY`: one key of what stands at a path, in KV of either version or of any engine that answers a read."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from ondeck.errors import BadInput, Missing
from ondeck.operate.ports import SecretQuestion
from ondeck.secret import Secret
from ondeck.text import safe_line
from providers.vault.login import SECOND, Ended, Login, denied, login_of
from providers.vault.server import Denied, Server

_leases_lock = threading.Lock()
_leases: dict[tuple[object, str], tuple[int, Mapping[str, Any], int]] = {}
"""What has a lease, by login and path: until when it is handed out again, its data, its end.

Every read of such a path makes a new account; user and password of one must be of one read."""


class VaultSecrets:
    """Capability `secrets` for Vault and OpenBao."""

    def read(self, question: SecretQuestion) -> Secret:
        """The value; see `ondeck.operate.ports.SecretReader`."""
        path = question.reference.rest.strip("/")
        if "/" not in path or any(part in ("", ".", "..") for part in path.split("/")):
            raise BadInput("a path has a mount and a name: vault:MOUNT/NAME#KEY")
        login = login_of(question)
        try:
            return self._read(question, login, login.server(question), path)
        except Denied:
            error = denied(question, login, path)
            if login.place.auth != "approle" or not isinstance(error, Ended):
                raise error from None
        # An AppRole's token that ended: there is a way to another one.
        try:
            return self._read(question, login, login.server(question, again=True), path)
        except Denied:
            raise denied(question, login, path) from None

    def _read(self, question: SecretQuestion, login: Login, server: Server, path: str) -> Secret:
        with _leases_lock:
            until, data, ends = _leases.get((login, path), (0, {}, 0))
        if until <= time.time_ns():
            data, ends = _data(server, path)
            if ends:
                now = time.time_ns()
                with _leases_lock:
                    _leases[login, path] = (now + (ends - now) // 2, data, ends)
        return Secret(_value(data, question.reference.key), ends=ends)


def _data(server: Server, path: str) -> tuple[Mapping[str, Any], int]:
    """What stands at a path, and when it ends (ns, 0 when it does not).

    Raises:
        Denied: 403.
        Missing: Nothing is there.
        OndeckError: As of `Server.read`.
    """
    mount = (server.read(f"sys/internal/ui/mounts/{path}") or {}).get("data") or {}
    at, version = str(mount.get("path", "")), str((mount.get("options") or {}).get("version", "1"))
    kv2 = mount.get("type") == "kv" and version == "2" and path.startswith(at)
    found = server.read(f"{at}data/{path.removeprefix(at)}" if kv2 else path)
    data = (found or {}).get("data")
    if kv2 and isinstance(data, dict):
        data = data.get("data")
    if not isinstance(data, dict):
        raise Missing("nothing is there" + (", or its newest version was deleted" if kv2 else ""))
    # KV 1 gives a duration without a lease: it only says when to look again.
    lease = int((found or {}).get("lease_duration") or 0) if (found or {}).get("lease_id") else 0
    return data, time.time_ns() + lease * SECOND if lease else 0


def _value(data: Mapping[str, Any], key: str) -> str:
    if not key:
        if len(data) != 1:
            raise BadInput(f"a key is missing; there are: {_keys(data)}", hint="write: vault:PATH#KEY")
        key = next(iter(data))
    if key not in data:
        raise Missing(f"there is no key {key!r}; there are: {_keys(data)}")
    match data[key]:
        case str(value):
            return value
        case bool():
            return "true" if data[key] else "false"
        case int() | float():
            return str(data[key])
    raise Missing(f"the key {key!r} holds no text")


def _keys(data: Mapping[str, Any]) -> str:
    names = sorted(map(str, data))
    return ", ".join(safe_line(name)[:60] for name in names[:12]) + (", ..." if len(names) > 12 else "")
