"""From a host of the inventory to where and how it is reached; the inventory wins over ssh_config."""

from __future__ import annotations

import getpass
from pathlib import Path

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory.model import Host, Inventory
from providers.ssh.config import Finding, Options, SshConfig

DEFAULT_CONFIG = "~/.ssh/config"
_SYSTEM_CONFIG = "/etc/ssh/ssh_config"
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")
DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


class KeySet(msgspec.Struct, frozen=True):
    """Who we are: what is offered at a login, by file, and whether an agent may add to it."""

    files: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    only: bool = False
    agent: str = ""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a host is and how it is reached.

    Attributes:
        known_as: The name its key is recorded under: the address, or its HostKeyAlias.
        jump: The host that it is reached through.
        fallback: Why only the system's ssh will do; empty when ours does.
    """

    name: str
    env: str
    address: str
    port: int
    user: str
    keys: KeySet
    known_as: str
    known_hosts: tuple[str, ...] = ()
    jump: Endpoint | None = None
    fallback: str = ""
    kex: str = ""
    ciphers: str = ""
    connect_timeout: float = 10.0
    alive_interval: float = 15.0
    alive_count: int = 3

    @property
    def login(self) -> str:
        """`user@address:port`, as people read it."""
        return f"{self.user}@{self.address}" + ("" if self.port == 22 else f":{self.port}")


class Endpoints:
    """Resolves hosts; ssh_config is read once, at the first question."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._config: SshConfig | None = None
        self._made: dict[str, tuple[Host, Endpoint]] = {}

    @property
    def config(self) -> SshConfig:
        """The table of ssh_config."""
        if self._config is None:
            self._config = SshConfig()
            named = self._inventory.ssh.config
            if named:
                self._config.load(Path(named).expanduser())
            if named == DEFAULT_CONFIG:
                self._config.load(Path(_SYSTEM_CONFIG))
        return self._config

    @property
    def findings(self) -> list[Finding]:
        """What in ssh_config is not followed."""
        return list(self.config.findings)

    def of(self, host: Host) -> Endpoint:
        """Where a host is reached.

        Raises:
            BadInput: Its jump hosts lead back to itself, or a name could be read as an option.
        """
        found = self._made.get(host.name)
        if found is None or found[0] is not host:
            found = (host, self._resolve(host, (host.name,)))
            self._made[host.name] = found
        return found[1]

    def _resolve(self, host: Host, chain: tuple[str, ...]) -> Endpoint:
        defaults = self._inventory.ssh
        address = host.address or host.name
        wanted = host.user or defaults.user
        said = self.config.lookup(host.name, wanted)
        if address != host.name:
            said = _filled(said, self.config.lookup(address, wanted))
        user = wanted or said.user or getpass.getuser()
        real = host.address or said.hostname or host.name
        for text in (real, user):
            if text.startswith("-") or any(c.isspace() or c == "\0" for c in text):
                raise BadInput(f"{text!r} cannot be an address or a login", where=host.origin or host.name)
        jump, by_system = self._jump(host, said, chain)
        fallback = ""
        if defaults.fallback or host.labels.get("ssh") == "system":
            fallback = "the inventory asks for the system's ssh"
        elif by_system:
            fallback = "ssh_config gives it a ProxyCommand"
        elif jump is not None and jump.fallback:
            fallback = f"its jump host {jump.name} needs the system's ssh"
        return Endpoint(
            name=host.name,
            env=host.env,
            address=real,
            port=host.port or said.port or 22,
            user=user,
            keys=KeySet(
                said.identity_files or DEFAULT_KEYS,
                said.certificate_files,
                said.identities_only,
                said.identity_agent,
            ),
            known_as=said.host_key_alias or real,
            known_hosts=said.known_hosts,
            jump=jump,
            fallback=fallback,
            kex=said.kex,
            ciphers=said.ciphers,
            connect_timeout=said.connect_timeout or 10.0,
            alive_interval=said.alive_interval or 15.0,
            alive_count=said.alive_count or 3,
        )

    def _jump(self, host: Host, said: Options, chain: tuple[str, ...]) -> tuple[Endpoint | None, bool]:
        """The jump host's endpoint, and whether a ProxyCommand stands in its place."""
        via = host.via
        if not via:
            if said.proxy_command:
                return None, True
            via = said.proxy_jump
        jump: Endpoint | None = None
        for hop in filter(None, (part.strip() for part in via.split(","))):
            known = self._inventory.hosts.get(hop)
            if hop in chain:
                raise BadInput(
                    f"the jump hosts of {chain[0]} lead back to {hop}", where=host.origin or host.name
                )
            made = self._resolve(known or _ad_hoc(hop, host.env), (*chain, hop))
            jump = msgspec.structs.replace(made, jump=jump) if jump is not None else made
        return jump, False

    def known_hosts(self) -> tuple[str, ...]:
        """The inventory's file first, then the user's and the machine's."""
        return (self._inventory.ssh.known_hosts, *_USER_KNOWN_HOSTS)


def _filled(first: Options, second: Options) -> Options:
    """The first, with the second's words where it says nothing."""
    empty = Options()
    changes = {
        field: getattr(second, field)
        for field in Options.__struct_fields__
        if getattr(first, field) == getattr(empty, field)
    }
    return msgspec.structs.replace(first, **changes)


def _ad_hoc(text: str, env: str) -> Host:
    """A host from `user@host:port`."""
    user, _, rest = text.rpartition("@")
    name, port = rest, 0
    if rest.startswith("["):
        name, _, tail = rest[1:].partition("]")
        port = int(tail[1:]) if tail[1:].isdigit() else 0
    elif rest.count(":") == 1:
        name, _, tail = rest.partition(":")
        port = int(tail) if tail.isdigit() else 0
    return Host(name=name, env=env, user=user, port=port)
