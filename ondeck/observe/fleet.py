"""How hosts are: the one judgement that every face shows, by the thresholds of the inventory.

Unknown is its own answer: a host without figures, or with figures that are too old, is never ok, and its
figures are no findings. A figure that is beyond a threshold is a finding, and the worst finding is the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum

import msgspec

from ondeck import times
from ondeck.inventory.live import HostFacts
from ondeck.inventory.model import Host, Threshold
from ondeck.inventory.thresholds import DEFAULTS
from ondeck.observe.records import Health, SourceState

NS = 1_000_000_000
STALE = 120.0
"""Seconds after which figures say nothing of now."""


class Severity(IntEnum):
    """How something is; the higher the earlier it is shown."""

    OK = 0
    UNKNOWN = 1
    WARN = 2
    BAD = 3
    LOST = 4

    @property
    def word(self) -> str:
        """`ok warn bad lost unknown`: what faces show and `state=` in a selector takes."""
        return self.name.lower()


class Finding(msgspec.Struct, frozen=True):
    """One figure beyond its threshold, e.g. `disk` 93 `/var`.

    Attributes:
        full_in: Seconds until it is full if it goes on like this; None when it does not, or nobody knows.
    """

    severity: Severity
    figure: str
    value: float
    where: str = ""
    full_in: float | None = None

    def text(self) -> str:
        """Such as `disk /var 93% full in 2h10m`."""
        soon = f"full in {times.length(self.full_in)}" if self.full_in is not None else ""
        return " ".join(part for part in (self.figure, self.where, self._value(), soon) if part)

    def _value(self) -> str:
        match self.figure:
            case "load":
                return f"{self.value:.1f}/core"
            case "clock":
                return f"{self.value:.0f}s off"
        return f"{self.value:.0f}%"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one host is now.

    Attributes:
        why: One line for the severity; empty when ok.
        findings: Figures beyond their thresholds, the worst first; none where the figures are not of now.
        current: The figures are of now; others are shown as old and never judged.
    """

    host: str
    env: str
    severity: Severity
    why: str = ""
    findings: tuple[Finding, ...] = ()
    current: bool = False

    def of(self, figure: str, where: str = "") -> Severity:
        """How one figure is: of all mounts when `where` is empty; UNKNOWN when it is not of now."""
        if not self.current:
            return Severity.UNKNOWN
        about = (f.severity for f in self.findings if f.figure == figure and where in ("", f.where))
        return max(about, default=Severity.OK)


def limit(host: Host, figure: str) -> Threshold:
    """Where a figure of a host turns to warn and to bad."""
    return host.thresholds.get(figure) or DEFAULTS[figure]


def judge(
    host: Host,
    facts: HostFacts | None,
    state: SourceState | None,
    now: int,
    *,
    cached: bool = False,
    full_in: Mapping[str, float] | None = None,
) -> Standing:
    """How a host is.

    Args:
        host: Its record; its own thresholds stand before the defaults.
        facts: Its latest figures; None when nobody has any.
        state: How the source of its figures is; None when it was never asked.
        now: ns since 1970.
        cached: The figures are from before the source was asked.
        full_in: Seconds until a disk is full, by mount.
    """
    current = facts is not None and not cached and now - facts.time <= STALE * NS
    lost = state is not None and state.health in (Health.LOST, Health.ENDED)
    findings = () if facts is None or lost or not current else _findings(host, facts, full_in or {})
    severity, why = _worst(state, facts, findings, current=current, age=now - facts.time if facts else 0)
    return Standing(
        host=host.name, env=host.env, severity=severity, why=why, findings=findings, current=current and not lost
    )  # fmt: skip


def _worst(
    state: SourceState | None,
    facts: HostFacts | None,
    findings: tuple[Finding, ...],
    *,
    current: bool,
    age: int,
) -> tuple[Severity, str]:
    health = state.health if state is not None else None
    error = state.error if state is not None else ""
    if health in (Health.LOST, Health.ENDED):
        return Severity.LOST, error or "lost"
    slow = [error or "slow"] if health is Health.SLOW else []
    if not current:
        if slow:
            return Severity.WARN, slow[0]
        if health is Health.CONNECTING:
            return Severity.UNKNOWN, "asking"
        return Severity.UNKNOWN, "never asked" if facts is None else f"figures {times.length(age / NS)} old"
    words = [*(finding.text() for finding in findings), *slow]
    worst = max([*(f.severity for f in findings), *([Severity.WARN] if slow else [])], default=Severity.OK)
    return worst, ", ".join(words)


def _figures(facts: HostFacts) -> Iterator[tuple[str, float | None, str]]:
    for mount, (space, inodes, _) in facts.disks.items():
        yield "disk", space * 100, mount
        yield "inodes", inodes * 100, mount
    yield "memory", None if facts.memory is None else facts.memory * 100, ""
    yield "cpu", None if facts.cpu is None else facts.cpu * 100, ""
    yield "load", facts.load1 / facts.cores if facts.load1 is not None and facts.cores else None, ""
    yield "clock", None if facts.clock_offset is None else abs(facts.clock_offset), ""


def _findings(host: Host, facts: HostFacts, full_in: Mapping[str, float]) -> tuple[Finding, ...]:
    found = []
    for figure, value, where in _figures(facts):
        bound = limit(host, figure)
        if value is not None and value >= bound.warn:
            severity = Severity.BAD if value >= bound.bad else Severity.WARN
            soon = full_in.get(where) if figure == "disk" else None
            found.append(Finding(severity, figure, value, where, soon))
    order = tuple(DEFAULTS)
    found.sort(key=lambda finding: (-finding.severity, order.index(finding.figure), finding.where))
    return tuple(found)


def fullest(facts: HostFacts | None) -> tuple[str, float] | None:
    """The mount with the largest used share of space, 0 to 1; None when nothing is known."""
    if facts is None or not facts.disks:
        return None
    mount, use = max(facts.disks.items(), key=lambda item: item[1][0])
    return mount, use[0]


def worst_first(standings: Iterable[Standing]) -> list[Standing]:
    """The worst first, then by name."""
    return sorted(standings, key=lambda s: (-s.severity, -len(s.findings), s.host))
