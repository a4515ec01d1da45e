"""What can be done: one registry from which forms, flags, keys, help and runbook steps are made."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Risk(StrEnum):
    """How dangerous an operation is at its worst."""

    READ = "read"
    CHANGE = "change"
    DESTROY = "destroy"


class TargetKind(StrEnum):
    """What an operation acts on."""

    HOSTS = "hosts"
    SERVICE = "service"
    STACK = "stack"
    BACKUP = "backup"
    CLUSTER = "cluster"
    ACCOUNT = "account"
    BUILD = "build"

    @property
    def section(self) -> str:
        """The section of the inventory that names them; a service's own targets are hosts or a cluster."""
        return self.value if self is TargetKind.HOSTS else f"{self.value}s"


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the parameters of an operation.

    Fields are `Annotated[type, msgspec.Meta(description=..., examples=[...])]`; a field without default
    is required. Types are str, int, float, bool, an Enum, or tuple[str, ...]. Forms and flags come from
    here (`--cpu-limit` for `cpu_limit`).
    """


class Shortcut(msgspec.Struct, frozen=True):
    """The verb of the command line that stands for an operation.

    Attributes:
        verb: E.g. `("deploy",)` or `("stack", "apply")`.
        positional: Parameters given without a flag, after the target, in this order.
        target: `argument` (deploy SERVICE@ENV), `selector` (exec -l SEL) or `path` (put FILE HOST:PATH).
        rest: Parameter that takes everything after `--`; empty when there is none.
    """

    verb: tuple[str, ...]
    positional: tuple[str, ...] = ()
    target: str = "argument"
    rest: str = ""


class OperationSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, at the level of the capability: `service.deploy`, `host.exec`.

    Attributes:
        name: `noun.verb`; the verb is what an environment's protection names.
        title: Imperative, sentence case, for palette and dialogs: `Deploy a release`.
        undo: Name of the operation that takes it back, or a few words; empty means irreversible.
        key: Upper-case key in panes; empty when it has none.
        help: One paragraph for `?` and `--help`.
        interactive: It takes the user's own terminal: plan, rules and audit as ever, but no job.
        things: It acts on things inside its place, e.g. `acme-prod/eu-west-1/i-0abc`, not on the place as a whole.
        planning_writes: What making a plan already leaves behind there, e.g. `a change set`: no session that may
            not change, no freeze and no missing right lets it be made then, and it is audited. Empty means that
            planning only reads, as it has to wherever the system allows it.
    """

    name: str
    title: str
    target: TargetKind
    params: type[Params]
    risk: Risk
    undo: str = ""
    shortcut: Shortcut | None = None
    key: str = ""
    help: str = ""
    interactive: bool = False
    things: bool = False
    planning_writes: str = ""

    @property
    def verb(self) -> str:
        """The word that protection rules use: `deploy` of `service.deploy`."""
        return self.name.rpartition(".")[2]
