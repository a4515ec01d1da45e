"""What is known of the fleet now: figures and states by host, their age, and the worst first.

Unknown is its own answer: a host without facts, or with facts that are too old, is never ok.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum

import msgspec

from ondeck.inventory.model import Host, Threshold
from ondeck.observe.records import FactsBatch, Health, HostFacts, SourceState
from ondeck.observe.series import NS, Ring

# Percent, and load for each core; a host's own thresholds stand before them.
DEFAULTS = {
    "disk": Threshold(warn=80, bad=90),
    "inodes": Threshold(warn=80, bad=90),
    "memory": Threshold(warn=90, bad=97),
    "cpu": Threshold(warn=85, bad=97),
    "load": Threshold(warn=2, bad=4),
}
# Seconds after which facts say nothing of now.
STALE = 120.0
# Seconds over which the time until a disk is full is estimated, and beyond which nobody cares.
TREND = 1800.0
FURTHEST = 7 * 86_400.0


class Severity(IntEnum):
    """How a host is; the higher the earlier it is shown."""

    OK = 0
    UNKNOWN = 1
    WARN = 2
    BAD = 3
    LOST = 4


class Finding(msgspec.Struct, frozen=True):
    """One figure beyond its threshold, e.g. `disk` 93 `/var`."""

    severity: Severity
    figure: str
    value: float
    where: str = ""

    def text(self) -> str:
        """Such as `disk /var 93%`."""
        value = f"{self.value:.1f}/core" if self.figure == "load" else f"{self.value:.0f}%"
        return " ".join(part for part in (self.figure, self.where, value) if part)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one host.

    Attributes:
        age: Seconds since its facts; None when there are none.
        why: One line for the severity; empty when ok.
        cached: The facts are from an earlier run.
    """

    host: str
    severity: Severity
    why: str = ""
    findings: tuple[Finding, ...] = ()
    facts: HostFacts | None = None
    state: SourceState | None = None
    age: float | None = None
    cached: bool = False


class Counts(msgspec.Struct, frozen=True):
    """How many hosts are how; they add up to all hosts."""

    ok: int = 0
    warn: int = 0
    bad: int = 0
    lost: int = 0
    unknown: int = 0


class FleetState:
    """Facts and states by host, as they come. Not for several threads.

    Args:
        hosts: Every host of the inventory, asked or not.
        clock: Now in ns.
    """

    def __init__(self, hosts: Mapping[str, Host], *, clock: Callable[[], int] = time.time_ns) -> None:
        self._hosts = dict(hosts)
        self._clock = clock
        self._facts: dict[str, HostFacts] = {}
        self._states: dict[str, SourceState] = {}
        self._cached: set[str] = set()
        self._series: dict[tuple[str, str], Ring] = {}

    def remember(self, cached: Iterable[HostFacts]) -> None:
        """Facts of an earlier run: shown with their age until newer ones come, never counted as ok."""
        for facts in cached:
            if facts.host in self._hosts and facts.host not in self._facts:
                self._facts[facts.host] = facts
                self._cached.add(facts.host)

    def take(self, batch: FactsBatch) -> str:
        """Take a batch; the name of the host that it is about, empty when it is none of ours."""
        host = ""
        if batch.state is not None and batch.state.source in self._hosts:
            host = batch.state.source
            self._states[host] = batch.state
        if batch.facts is not None and batch.facts.host in self._hosts:
            host = batch.facts.host
            self._facts[host] = batch.facts
            self._cached.discard(host)
            self._record(batch.facts)
        return host

    @property
    def facts(self) -> Mapping[str, HostFacts]:
        """The latest facts by host, also old ones."""
        return self._facts

    @property
    def live(self) -> dict[str, HostFacts]:
        """Facts of now: for selectors such as `disk>90`."""
        return {name: facts for name, facts in self._facts.items() if self._fresh(facts)}

    def states(self) -> dict[str, str]:
        """Words for `state=` in a selector: `ok`, `warn`, `bad`, `lost`, `unknown`."""
        return {name: self.standing(name).severity.name.lower() for name in self._hosts}

    def series(self, host: str, figure: str) -> Ring | None:
        """Samples of `cpu`, `memory`, `load`, `received`, `sent` or `disk PATH` of a host."""
        return self._series.get((host, figure))

    def standing(self, name: str) -> Standing:
        """What is known of a host now."""
        facts, state = self._facts.get(name), self._states.get(name)
        age = max(0.0, (self._clock() - facts.time) / NS) if facts is not None else None
        findings = tuple(self._findings(name, facts)) if facts is not None else ()
        severity, why = _judge(state, facts is not None and self._fresh(facts), age, findings)
        return Standing(
            host=name,
            severity=severity,
            why=why,
            findings=findings,
            facts=facts,
            state=state,
            age=age,
            cached=name in self._cached,
        )

    def worst_first(self, names: Iterable[str] | None = None) -> list[Standing]:
        """Standings, the worst first, then by name."""
        standings = [self.standing(name) for name in (self._hosts if names is None else names)]
        standings.sort(key=lambda s: (-s.severity, -len(s.findings), s.host))
        return standings

    def counts(self, names: Iterable[str] | None = None) -> Counts:
        """How many hosts are how."""
        found = Counter(self.standing(name).severity for name in (self._hosts if names is None else names))
        return Counts(
            found[Severity.OK],
            found[Severity.WARN],
            found[Severity.BAD],
            found[Severity.LOST],
            found[Severity.UNKNOWN],
        )

    def full_in(self, host: str, mount: str) -> float | None:
        """Seconds until a disk is full if it goes on like this; None when it does not or nobody knows."""
        ring = self._series.get((host, f"disk {mount}"))
        if ring is None or ring.last is None:
            return None
        slope = ring.slope(TREND)
        if slope is None or slope <= 0:
            return None
        left = (1.0 - ring.last[1]) / slope
        return left if left <= FURTHEST else None

    def _fresh(self, facts: HostFacts) -> bool:
        return facts.host not in self._cached and self._clock() - facts.time <= STALE * NS

    def _record(self, facts: HostFacts) -> None:
        figures: dict[str, float | None] = {
            "cpu": facts.cpu,
            "memory": facts.memory,
            "load": facts.load1,
            "received": facts.network[0] if facts.network else None,
            "sent": facts.network[1] if facts.network else None,
        }
        figures.update({f"disk {mount}": used for mount, (used, _, _) in facts.disks.items()})
        for figure, value in figures.items():
            if value is not None:
                self._series.setdefault((facts.host, figure), Ring()).add(facts.time, value)

    def _findings(self, name: str, facts: HostFacts) -> Iterable[Finding]:
        own = self._hosts[name].thresholds
        figures: list[tuple[str, float | None, str]] = []
        for mount, (space, inodes, _) in facts.disks.items():
            figures.append(("disk", space * 100, mount))
            figures.append(("inodes", inodes * 100, mount))
        figures.append(("memory", None if facts.memory is None else facts.memory * 100, ""))
        figures.append(("cpu", None if facts.cpu is None else facts.cpu * 100, ""))
        figures.append(("load", facts.load1 / facts.cores if facts.load1 and facts.cores else None, ""))
        found = []
        for figure, value, where in figures:
            limit = own.get(figure, DEFAULTS[figure])
            if value is not None and value >= limit.warn:
                severity = Severity.BAD if value >= limit.bad else Severity.WARN
                found.append(Finding(severity, figure, value, where))
        found.sort(key=lambda finding: (-finding.severity, finding.figure, finding.where))
        return found


def _judge(
    state: SourceState | None, fresh: bool, age: float | None, findings: tuple[Finding, ...]
) -> tuple[Severity, str]:
    if state is not None and state.health is Health.LOST:
        return Severity.LOST, state.error or "lost"
    if not fresh:
        if state is not None and state.health is Health.SLOW:
            return Severity.WARN, state.error or "slow"
        return Severity.UNKNOWN, "never asked" if age is None else "not asked since"
    if findings:
        return findings[0].severity, ", ".join(finding.text() for finding in findings)
    if state is not None and state.health is Health.SLOW:
        return Severity.WARN, state.error or "slow"
    return Severity.OK, ""
