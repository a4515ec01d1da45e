"""What needs a person now: judged here once for the first screen and for `ondeck now`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from ondeck.inventory.model import Inventory
from ondeck.observe.fleet import Severity, Standing, worst_first
from ondeck.observe.records import ReleaseFacts


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts of an environment by how they are, with why; together they are all of them."""

    env: str
    hosts: int
    ok: tuple[str, ...] = ()
    warn: dict[str, str] = {}
    bad: dict[str, str] = {}
    lost: dict[str, str] = {}
    unknown: tuple[str, ...] = ()


def fleets(inventory: Inventory, standings: Mapping[str, Standing]) -> tuple[Fleet, ...]:
    """Every environment, in the order of the inventory; a host without standing is unknown."""
    names: dict[str, list[str]] = {env: [] for env in inventory.environments}
    for host in inventory.hosts.values():
        names.setdefault(host.env, []).append(host.name)
    return tuple(_fleet(env, hosts, standings) for env, hosts in names.items())


def _fleet(env: str, hosts: Sequence[str], standings: Mapping[str, Standing]) -> Fleet:
    by: dict[Severity, dict[str, str]] = {severity: {} for severity in Severity}
    for name in hosts:
        standing = standings.get(name)
        severity = standing.severity if standing is not None else Severity.UNKNOWN
        by[severity][name] = standing.why if standing is not None else ""
    return Fleet(
        env=env, hosts=len(hosts), ok=tuple(by[Severity.OK]), warn=by[Severity.WARN], bad=by[Severity.BAD],
        lost=by[Severity.LOST], unknown=tuple(by[Severity.UNKNOWN]),
    )  # fmt: skip


def troubles(standings: Iterable[Standing]) -> list[Standing]:
    """Hosts that a person has to know of, the worst first."""
    return worst_first(s for s in standings if s.severity >= Severity.WARN)


def headline(severities: Iterable[Severity], failing: int = 0) -> str:
    """`FAILING 3  WARN 2`: what is only warned of does not fail, and what is not known is neither.

    Args:
        severities: Of hosts and checks that stand below it.
        failing: Health checks that fail.
    """
    found = list(severities)
    bad = failing + sum(severity in (Severity.BAD, Severity.LOST) for severity in found)
    warned = found.count(Severity.WARN)
    return f"FAILING {bad}" + (f"  WARN {warned}" if warned else "")


class Wait(StrEnum):
    """Why a job needs a person."""

    UNKNOWN = "unknown"
    LOST = "lost"
    PAUSED = "paused"
    WAITING = "waiting"


def wait_of(state: str, outcome: str, *, in_doubt: bool, half_done: bool = False) -> Wait | None:
    """Why a job needs a person; None when it does not.

    Args:
        state: Word of `JobState`.
        outcome: Word of `Outcome`; empty until it ended.
        in_doubt: It ended, and of a target nobody knows what happened.
        half_done: Its worker was lost, and targets were not begun.
    """
    if state == "ended" and (outcome == "unknown" or in_doubt):
        return Wait.UNKNOWN
    if state == "ended":
        return Wait.LOST if half_done else None
    return Wait(state) if state in (Wait.PAUSED, Wait.WAITING) else None


def failing(facts: Iterable[ReleaseFacts]) -> tuple[ReleaseFacts, ...]:
    """Hosts of a service whose health check was asked and said no."""
    return tuple(f for f in facts if not f.error and f.healthy is False)


def not_known(hosts: Iterable[str], facts: Iterable[ReleaseFacts]) -> tuple[str, ...]:
    """Hosts of a service whose health is not known: never to be counted as healthy."""
    known = {f.host for f in facts if not f.error and f.healthy is not None}
    return tuple(name for name in hosts if name not in known)
