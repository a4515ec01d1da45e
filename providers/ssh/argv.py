"""How the system's `ssh` is started so that it does what our table says, and nothing else.

`--` stands before the host and names are checked, because `-oProxyCommand=...` as a host name would run
a program. Quoting inside -o follows ssh_config(5): double quotes around a value with spaces.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from providers.ssh.endpoint import DEFAULT_KEYS, Endpoint, KeySet


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path


def options(endpoint: Endpoint, config: str, known_hosts: Sequence[str]) -> list[str]:
    """Options for ssh to reach an endpoint.

    Args:
        endpoint: Where to.
        config: The ssh_config of the inventory; empty means none.
        known_hosts: Files, the inventory's first.
    """
    path = Path(config).expanduser() if config else None
    found = ["-F", str(path) if path is not None and path.exists() else "none"]
    files = " ".join(
        _quoted(str(Path(name).expanduser())) for name in (*known_hosts, *endpoint.known_hosts) if name
    )
    found += [
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        f"UserKnownHostsFile={files}",
        "-o",
        "UpdateHostKeys=no",
        "-o",
        "ForwardAgent=no",
        "-o",
        f"ConnectTimeout={max(1, round(endpoint.connect_timeout))}",
        "-o",
        f"ServerAliveInterval={max(1, round(endpoint.alive_interval))}",
        "-o",
        f"ServerAliveCountMax={endpoint.alive_count}",
        "-o",
        f"HostName={endpoint.address}",
    ]
    found += _keys(endpoint.keys)
    if endpoint.known_as != endpoint.address:
        found += ["-o", f"HostKeyAlias={endpoint.known_as}"]
    if endpoint.jump is not None:
        found += ["-o", f"ProxyCommand={_through(endpoint.jump, config, known_hosts)}"]
    return [*found, "-p", str(endpoint.port), "-l", endpoint.user]


def _keys(keys: KeySet) -> list[str]:
    """What our table found for the address as well: ssh itself looks only at blocks for the name."""
    found: list[str] = []
    if keys.files != DEFAULT_KEYS:
        found += [f"IdentityFile={_token(path)}" for path in keys.files]
    found += [f"CertificateFile={_token(path)}" for path in keys.certificates]
    if keys.only:
        found.append("IdentitiesOnly=yes")
    if keys.agent:
        found.append(f"IdentityAgent={_token(keys.agent)}")
    return [word for option in found for word in ("-o", option)]


def _token(path: str) -> str:
    return _quoted(path.replace("%", "%%"))


def _through(jump: Endpoint, config: str, known_hosts: Sequence[str]) -> str:
    """ProxyJump with our own options for the jump host: -J would give it none of them."""
    inner = ["ssh", *options(jump, config, known_hosts), "-W", "[%h]:%p", "--", jump.name]
    return " ".join(word if word == "[%h]:%p" else shlex.quote(word.replace("%", "%%")) for word in inner)
