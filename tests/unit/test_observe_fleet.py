from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from ondeck.errors import Unreachable
from ondeck.inventory.model import Host, Threshold
from ondeck.observe import facts_cache, history
from ondeck.observe.fleet import Counts, FleetState, Severity
from ondeck.observe.outliers import in_common
from ondeck.observe.records import Asked, Change, FactsBatch, Health, HostFacts, SourceState
from ondeck.observe.series import NS, Ring
from ondeck.settings import Settings

NOW = 1_795_489_471 * NS


def settings(folder: Path) -> Settings:
    return Settings(state=folder, cache=folder / "cache", config=folder, timescale=0.02)


def host(name: str, **more: Any) -> Host:
    return Host(name=name, env="prod", **more)


def fleet(*hosts: Host) -> FleetState:
    return FleetState({h.name: h for h in hosts}, clock=lambda: NOW)


def facts(name: str, time: int = NOW, **more: Any) -> FactsBatch:
    return FactsBatch(HostFacts(host=name, time=time, **more))


def test_a_host_that_was_never_asked_is_unknown_and_not_ok() -> None:
    state = fleet(host("a"))
    assert state.standing("a").severity is Severity.UNKNOWN
    assert state.counts() == Counts(unknown=1)


def test_old_and_cached_facts_are_shown_but_never_ok() -> None:
    state = fleet(host("a"), host("b"))
    state.take(facts("a", NOW - 600 * NS, cpu=0.1))
    state.remember([HostFacts(host="b", time=NOW, cpu=0.1)])
    assert [s.severity for s in state.worst_first()] == [Severity.UNKNOWN, Severity.UNKNOWN]
    assert state.standing("a").age == 600
    assert state.standing("b").cached
    assert state.live == {}


def test_the_worst_host_is_first_and_says_why() -> None:
    state = fleet(host("a"), host("b"), host("c"), host("d", thresholds={"cpu": Threshold(warn=99, bad=100)}))
    state.take(facts("a", cpu=0.5))
    state.take(facts("b", disks={"/var": (0.93, 0.2, 1)}))
    state.take(FactsBatch(state=SourceState("c", Health.LOST, NOW, error="connection lost")))
    state.take(facts("d", cpu=0.98))
    assert [(s.host, s.why) for s in state.worst_first()] == [
        ("c", "connection lost"),
        ("b", "disk /var 93%"),
        ("a", ""),
        ("d", ""),
    ]
    assert state.counts() == Counts(ok=2, bad=1, lost=1)
    assert state.states()["c"] == "lost"


def test_a_disk_that_fills_says_when_it_is_full() -> None:
    state = fleet(host("a"))
    for n in range(100):
        state.take(facts("a", NOW + n * 10 * NS, disks={"/": (0.5 + n * 0.001, 0.0, 1), "/x": (0.5, 0.0, 1)}))
    left = state.full_in("a", "/")
    assert left is not None
    assert 4000 < left < 4020
    assert state.full_in("a", "/x") is None


def test_gaps_in_a_series_stay_gaps() -> None:
    ring = Ring(100, gap=10)
    for second in (0, 2, 4, 40, 42):
        ring.add(second * NS, float(second))
    assert ring.buckets(5, 0, 50 * NS) == [4.0, None, None, None, 42.0]
    assert ring.at(30 * NS) is None


def test_a_series_is_bounded() -> None:
    ring = Ring(100)
    for n in range(10_000):
        ring.add(n * NS, 1.0)
    assert 100 <= len(ring) <= 125


async def test_a_host_that_does_not_answer_is_named_and_the_others_are_heard(tmp_path: Path) -> None:
    class Changes:
        async def changes(self, host: Host, bench: Any, *, since: int) -> Asked:
            if host.name == "a":
                raise Unreachable("connection refused")
            change = Change(time=2, env="prod", kind="restart", subject="nginx", text="restarted")
            return Asked(source=host.name, changes=(change,))

    class EmptyBench:
        settings = settings(tmp_path)

    mark = Change(time=3, env="prod", kind="mark", subject="x@prod", text="deploy")
    bench: Any = EmptyBench()
    answers = await history.gather_changes(
        bench, Changes(), [host("a"), host("b")], 1, own=lambda since: [mark]
    )
    assert [(a.source, a.error) for a in history.silent(answers)] == [("a", "connection refused")]
    assert [change.kind for change in history.newest_first(answers)] == ["mark", "restart"]


def test_facts_are_kept_for_the_next_start_and_only_for_us(tmp_path: Path) -> None:
    kept = [HostFacts(host="a", time=NOW, cpu=0.5, disks={"/": (0.1, 0.2, 3)})]
    assert facts_cache.load(settings(tmp_path)) == []
    facts_cache.save(settings(tmp_path), kept)
    assert facts_cache.load(settings(tmp_path)) == kept
    path = next((tmp_path / "cache").iterdir())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"\xff torn")
    assert facts_cache.load(settings(tmp_path)) == []


def test_what_bad_hosts_have_in_common_is_found() -> None:
    hosts = {f"web-{n}": host(f"web-{n}", labels={"az": "b" if n < 2 else "ac"[n % 2]}) for n in range(8)}
    assert [trait.text() for trait in in_common(hosts, ["web-0", "web-1"])] == ["az b"]
    assert in_common(hosts, ["web-0"]) == []
