"""Who we are: private keys read and parsed once, and the agent as it is when we connect."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from providers.ssh.endpoint import KeySet
from providers.ssh.library import asyncssh


class Loaded(msgspec.Struct, frozen=True):
    """Parsed keys of a set.

    Attributes:
        pairs: What can sign.
        locked: Files that are encrypted: only an agent can use them.
        bad: Files that are there and are no keys, with why.
        public: What the public keys of the files are, as bytes: which of an agent's keys are named.
    """

    pairs: tuple[asyncssh.SSHKeyPair, ...]
    locked: tuple[str, ...]
    bad: tuple[str, ...]
    public: tuple[bytes, ...]


def load(keys: KeySet) -> Loaded:
    """Read a key set's files; blocks, so call it in a thread."""
    pairs: list[asyncssh.SSHKeyPair] = []
    locked: list[str] = []
    bad: list[str] = []
    public: list[bytes] = []
    for name in keys.files:
        path = Path(name).expanduser()
        public += _public(path)
        if not path.exists():
            continue
        try:
            pairs += _pairs(path, keys.certificates)
        except asyncssh.KeyEncryptionError:
            locked.append(name)
        except asyncssh.KeyImportError as error:
            # An encrypted key without a passphrase is an import error of its own kind.
            (locked if "passphrase" in str(error).lower() else bad).append(name)
        except OSError as error:
            bad.append(f"{name} ({error.strerror})")
    return Loaded(tuple(pairs), tuple(locked), tuple(bad), tuple(public))


def _public(path: Path) -> list[bytes]:
    """The public half beside a key's file, or in it: IdentityFile may name a `.pub` of an agent's key."""
    for name in (path.name + ".pub", path.name):
        try:
            return [asyncssh.read_public_key(path.with_name(name)).public_data]
        except (OSError, asyncssh.KeyImportError, ValueError):
            continue
    return []


def _pairs(path: Path, certificates: Sequence[str]) -> list[asyncssh.SSHKeyPair]:
    beside = path.with_name(path.name + "-cert.pub")
    named = [str(Path(name).expanduser()) for name in certificates]
    found = [name for name in dict.fromkeys([str(beside), *named]) if Path(name).exists()]
    key = asyncssh.read_private_key(path)
    for certificate in found:
        try:
            # With a certificate the pair and the bare key are both offered, certificate first.
            return list(asyncssh.load_keypairs([(key, certificate)])) + list(asyncssh.load_keypairs([key]))
        except (ValueError, OSError):
            continue  # it belongs to another key
    return list(asyncssh.load_keypairs([key]))


def agent_path(keys: KeySet) -> str | None:
    """The agent's socket at this moment; None when there is none."""
    if keys.agent and keys.agent.lower() == "none":
        return None
    named = keys.agent if keys.agent and keys.agent != "SSH_AUTH_SOCK" else ""
    path = named or os.environ.get("SSH_AUTH_SOCK", "")
    return path if path and Path(path).exists() else None


class Agents:
    """Agents by their socket, each asked over one connection of ours, again when some seconds passed."""

    def __init__(self, fresh: float) -> None:
        """Remember what an agent holds for `fresh` seconds."""
        self._fresh = fresh
        self._clients: dict[str, asyncssh.SSHAgentClient] = {}
        self._held: dict[str, tuple[float, tuple[asyncssh.SSHKeyPair, ...]]] = {}
        self._lock = asyncio.Lock()

    async def pairs(self, path: str) -> tuple[asyncssh.SSHKeyPair, ...]:
        """The agent's keys; none when it does not answer."""
        now = asyncio.get_running_loop().time()
        async with self._lock:
            held = self._held.get(path)
            if held is None or now - held[0] > self._fresh:
                held = (now, await self._ask(path))
                self._held[path] = held
        return held[1]

    async def _ask(self, path: str) -> tuple[asyncssh.SSHKeyPair, ...]:
        try:
            if path not in self._clients:
                self._clients[path] = await asyncssh.connect_agent(path)
            return tuple(await self._clients[path].get_keys())
        except (OSError, ValueError, asyncssh.Error):
            client = self._clients.pop(path, None)
            if client is not None:
                client.close()
            return ()

    def close(self) -> None:
        """Let the agents go."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        self._held.clear()


def offered(loaded: Loaded, agent: Sequence[asyncssh.SSHKeyPair], *, only: bool) -> list[asyncssh.SSHKeyPair]:
    """What is offered at one login, in order: named keys of the agent, files, the agent's other keys.

    Each is a copy, because a connection notes in it which signature its server understands.
    """
    named = [pair for pair in agent if pair.public_data in loaded.public]
    others = [] if only else [pair for pair in agent if pair.public_data not in loaded.public]
    return [copy.copy(pair) for pair in (*named, *loaded.pairs, *others)]
