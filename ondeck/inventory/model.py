"""The records of an inventory: immutable, typed, already checked and expanded.

The files are described in `docs/inventory.md` and by `ondeck schema inventory`; the loader turns them
into these records. Durations are seconds, sizes are bytes, shares are 0 to 1.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Protection(StrEnum):
    """What a change in an environment needs before it may start, from weak to strong."""

    NONE = "none"
    CONFIRM = "confirm"
    TYPE_NAME = "type-name"
    TWO_PERSON = "two-person"


class Nature(StrEnum):
    """Cattle are replaced from an image; pets are repaired and backed up."""

    CATTLE = "cattle"
    PET = "pet"


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of every record of the inventory. They hold no cycles, so the garbage collector skips them."""


class Freeze(Record, frozen=True, kw_only=True):
    """A window in which changes are refused, e.g. `Fri 16:00` to `Mon 07:00` in the inventory's zone."""

    start: str
    end: str
    why: str = ""
    excepted: tuple[str, ...] = ()


class MaxTargets(Record, frozen=True, kw_only=True):
    """The largest share of a service that one batch may touch, 0 to 1."""

    share: float = 1.0
    excepted: tuple[str, ...] = ()


class BreakGlass(Record, frozen=True, kw_only=True):
    """Who may pass a two-person rule alone, loudly and with a reason."""

    teams: tuple[str, ...] = ()


class Environment(Record, frozen=True, kw_only=True):
    """An environment and its rules.

    Attributes:
        protection: By the last word of an operation (`rollback`, `deploy`, `exec`, ...) or by `destroy`
            for every operation of that risk; `*` is the rest.
        read_commands: argv that run as reads, unasked; see `reads.is_read`.
        notify: Name of a channel under `notify:`.
    """

    name: str
    colour: str = ""
    protection: dict[str, Protection] = {}
    break_glass: BreakGlass | None = None
    freeze: tuple[Freeze, ...] = ()
    max_targets: MaxTargets = MaxTargets()
    read_commands: tuple[tuple[str, ...], ...] = ()
    notify: str = ""


class Threshold(Record, frozen=True, kw_only=True):
    """Where a figure turns to warn and to bad; for shares 0 to 100 percent."""

    warn: float
    bad: float


class Host(Record, frozen=True, kw_only=True):
    """One machine.

    Attributes:
        address: Name or address to connect to; the host's own name when the file gives none.
        port: 0 means what ssh_config or the default says.
        via: Name of a jump host in the inventory, or `user@host:port`.
        transport: Name of the provider that reaches it: `ssh` or `local`.
        user: Login; empty means what ssh_config or the user's login says.
        never_together: Hosts of the same group that are never touched in one batch.
        origin: `file:line` or the discovery that named it.
        origins: Fields that the file leaves open and a discovery filled -> which one.
    """

    name: str
    env: str
    groups: tuple[str, ...] = ()
    address: str = ""
    port: int = 0
    user: str = ""
    via: str = ""
    transport: str = "ssh"
    become: str = ""
    nature: Nature = Nature.CATTLE
    never_together: bool = False
    labels: dict[str, str] = {}
    thresholds: dict[str, Threshold] = {}
    origin: str = ""
    origins: dict[str, str] = {}


class Cluster(Record, frozen=True, kw_only=True):
    """A cluster: Kubernetes, Swarm, ...; options belong to its provider."""

    name: str
    kind: str
    env: str
    options: dict[str, Any] = {}
    labels: dict[str, str] = {}


class Account(Record, frozen=True, kw_only=True):
    """A cloud account; options belong to its provider."""

    name: str
    kind: str
    env: str
    options: dict[str, Any] = {}
    labels: dict[str, str] = {}


class HealthCheck(Record, frozen=True, kw_only=True):
    """When one host of a service counts as healthy.

    Attributes:
        http: URL that must answer 2xx, asked from the host itself; `${address}` and `${host}` are filled in.
        tcp: Port that must accept on the host; 0 when not used.
        run: argv that must end with 0 on the host.
        times: Consecutive successes needed.
        every: Seconds between tries.
        timeout: Seconds for one try.
        within: Seconds until it must be healthy after a change.
        settle: Seconds that it must then stay healthy.
    """

    http: str = ""
    tcp: int = 0
    run: tuple[str, ...] = ()
    times: int = 3
    every: float = 1.0
    timeout: float = 5.0
    within: float = 300.0
    settle: float = 0.0


class Signal(Record, frozen=True, kw_only=True):
    """A figure per host that gates a rollout and sorts the worst first.

    Attributes:
        prom: Name of a series, when it comes from Prometheus.
        log: Log source for a ratio; ratio is an expression such as `status >= 500`.
        unit: `ms`, `percent` or empty.
    """

    name: str
    prom: str = ""
    log: str = ""
    ratio: str = ""
    warn: float | None = None
    crit: float | None = None
    unit: str = ""


class LogSource(Record, frozen=True, kw_only=True):
    """Where a service writes; exactly one of file, unit and docker is set, and names its kind.

    Attributes:
        file: Absolute path; `*` allowed in the last part.
        unit: systemd unit read from the journal.
        format: `auto`, `json`, `logfmt`, `nginx`, `syslog` or `plain`.
        on: Selector inside the environment, also of hosts beside the service; empty means the service's hosts.
        become: Read through sudo.
    """

    name: str
    file: str = ""
    unit: str = ""
    docker: str = ""
    format: str = "auto"
    on: str = ""
    become: bool = False

    @property
    def kind(self) -> str:
        """Which of them it is; the provider that serves this `log.kind` reads it."""
        return next(kind for kind in ("file", "unit", "docker") if getattr(self, kind))


class Check(Record, frozen=True, kw_only=True):
    """A check beside the service's health, e.g. a TLS certificate on each member."""

    kind: str
    target: str
    each: str = ""
    warn: float | None = None
    crit: float | None = None


class Migration(Record, frozen=True, kw_only=True):
    """A command around a deploy, once or on each host.

    Attributes:
        undo: argv that takes it back, or `("irreversible",)`.
    """

    name: str
    run: tuple[str, ...]
    on: str = "one"
    undo: tuple[str, ...] = ()


class Deploy(Record, frozen=True, kw_only=True):
    """How releases of a service get onto its hosts.

    Attributes:
        kind: `release-dir`, `command`, later `docker`, `swarm`, `kubernetes`, `ami`.
        batches: Sizes of the batches: `1`, `25%`; the last repeats.
        keep: Releases to keep on a host; the last good one is kept beside them.
        drain: argv around every stop of one host; run on the host that `drain_on` names, else on the host.
        undrain: argv that takes the host back in.
        source: Repository that the releases are built from.
        options: What the kind itself needs; checked by its provider.
    """

    kind: str
    batches: tuple[str, ...] = ("1", "25%", "50%", "100%")
    keep: int = 5
    drain: tuple[str, ...] = ()
    undrain: tuple[str, ...] = ()
    drain_on: str = ""
    before: tuple[Migration, ...] = ()
    source: str = ""
    options: dict[str, Any] = {}


class Service(Record, frozen=True, kw_only=True):
    """A service; in one environment it is `name@env`, the thing an engineer acts on.

    Attributes:
        on: Selector of hosts by environment, `env=` is implied; or `cluster=NAME`: it runs there, not on hosts.
        needs: Other services by name.
    """

    name: str
    on: dict[str, str]
    owner: str = ""
    docs: str = ""
    deploy: Deploy | None = None
    health: HealthCheck | None = None
    signals: tuple[Signal, ...] = ()
    logs: tuple[LogSource, ...] = ()
    checks: tuple[Check, ...] = ()
    needs: tuple[str, ...] = ()
    backup: str = ""
    units: tuple[str, ...] = ()
    labels: dict[str, str] = {}


class Stack(Record, frozen=True, kw_only=True):
    """Infrastructure as code; options belong to its provider."""

    name: str
    kind: str
    env: str
    options: dict[str, Any] = {}


class Build(Record, frozen=True, kw_only=True):
    """What makes images or packages; options belong to its provider."""

    name: str
    kind: str
    env: str
    options: dict[str, Any] = {}


class Backup(Record, frozen=True, kw_only=True):
    """A backup and its promise; options belong to its engine.

    Attributes:
        env: That of its host where the file says none.
    """

    name: str
    engine: str
    env: str = ""
    host: str = ""
    options: dict[str, Any] = {}


Place = Host | Cluster | Account | Stack | Backup | Build
"""What operations and lists of live things are about."""


class Person(Record, frozen=True, kw_only=True):
    """Who is who where a login is shared; `may` limits a headless account, e.g. `deploy@staging`."""

    name: str
    login: str
    teams: tuple[str, ...] = ()
    headless: bool = False
    may: tuple[str, ...] = ()


class Channel(Record, frozen=True, kw_only=True):
    """Where people are told; options hold references to secrets, never the secrets."""

    name: str
    options: dict[str, Any] = {}


class SecretSource(Record, frozen=True, kw_only=True):
    """How secrets of one scheme are had; options hold references to what that needs, never a value."""

    name: str
    options: dict[str, Any] = {}


class SshDefaults(Record, frozen=True, kw_only=True):
    """Defaults of the SSH transport; paths are absolute after loading."""

    known_hosts: str = ""
    config: str = "~/.ssh/config"
    become: str = ""
    user: str = ""
    fallback: bool = False


class Revision(Record, frozen=True, kw_only=True):
    """Which inventory this is.

    Attributes:
        root: Folder it was read from.
        commit: Short git commit, empty outside a repository.
        dirty: Work tree differs from the commit.
        behind: Commits behind the upstream as of the last fetch; -1 when not known.
        digest: sha256 over names and contents of all files read.
    """

    root: str
    commit: str = ""
    dirty: bool = False
    behind: int = -1
    digest: str = ""

    def label(self) -> str:
        """Short text for a status line, e.g. `a1b2c3d` or `a1b2c3d+changes`."""
        base = self.commit or f"no git, {self.digest[:7]}"
        return f"{base}+changes" if self.dirty else base


class Source(Record, frozen=True, kw_only=True):
    """A live source of hosts, as it answered last.

    Attributes:
        where: Where the inventory names it.
        asked: When it answered, ns; 0 when it never did.
        hosts: How many of its hosts are in the inventory.
        error: Why it could not be asked last time.
    """

    name: str
    where: str
    asked: int = 0
    hosts: int = 0
    error: str = ""


class Inventory(Record, frozen=True, kw_only=True):
    """Everything that exists, as of one revision."""

    revision: Revision
    zone: str = "UTC"
    ssh: SshDefaults = SshDefaults()
    environments: dict[str, Environment] = {}
    hosts: dict[str, Host] = {}
    clusters: dict[str, Cluster] = {}
    accounts: dict[str, Account] = {}
    services: dict[str, Service] = {}
    stacks: dict[str, Stack] = {}
    backups: dict[str, Backup] = {}
    builds: dict[str, Build] = {}
    people: dict[str, Person] = {}
    notify: dict[str, Channel] = {}
    secrets: dict[str, SecretSource] = {}
    metrics: dict[str, dict[str, Any]] = {}
    discover: tuple[dict[str, Any], ...] = ()
    sources: tuple[Source, ...] = ()
