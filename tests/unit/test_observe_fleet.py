from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from ondeck.inventory.live import STATES, HostFacts
from ondeck.inventory.model import Environment, Host, Inventory, Revision, Threshold
from ondeck.observe import facts_cache, now
from ondeck.observe.fleet import DEFAULTS, NS, Severity, Standing, judge, worst_first
from ondeck.observe.outliers import in_common
from ondeck.observe.records import Health, SourceState
from ondeck.observe.trend import Trends
from ondeck.settings import Settings

NOW = 1_795_489_471 * NS


def settings(folder: Path) -> Settings:
    return Settings(state=folder, cache=folder / "cache", config=folder, timescale=0.02)


def host(name: str, **more: Any) -> Host:
    return Host(name=name, env="prod", **more)


def facts(name: str, time: int = NOW, **more: Any) -> HostFacts:
    return HostFacts(host=name, time=time, **more)


def judged(one: Host, figures: HostFacts | None, state: SourceState | None = None, **more: Any) -> Standing:
    return judge(one, figures, state, NOW, **more)


def test_a_host_that_was_never_asked_is_unknown_and_not_ok() -> None:
    standing = judged(host("a"), None)
    assert standing.severity is Severity.UNKNOWN


def test_old_and_cached_figures_are_never_ok_and_never_a_finding() -> None:
    old = judged(host("a"), facts("a", NOW - 600 * NS, cpu=0.99))
    cached = judged(host("b"), facts("b", cpu=0.99), cached=True)
    assert (old.severity, old.why) == (Severity.UNKNOWN, "figures 10m old")
    assert cached.severity is Severity.UNKNOWN
    assert (old.findings, cached.findings) == ((), ())
    assert old.of("cpu") is Severity.UNKNOWN


def test_the_worst_host_is_first_and_says_why() -> None:
    standings = [
        judged(host("a"), facts("a", cpu=0.5)),
        judged(host("b"), facts("b", disks={"/var": (0.93, 0.2, 1)})),
        judged(host("c"), None, SourceState("c", Health.LOST, NOW, error="connection lost")),
        judged(host("d", thresholds={"cpu": Threshold(warn=99, bad=100)}), facts("d", cpu=0.98)),
    ]
    assert [(s.host, s.why) for s in worst_first(standings)] == [
        ("c", "connection lost"),
        ("b", "disk /var 93%"),
        ("a", ""),
        ("d", ""),
    ]


@pytest.mark.parametrize("figure", sorted(DEFAULTS))
def test_every_threshold_of_the_inventory_decides_the_state(figure: str) -> None:
    figures = facts(
        "a", cpu=0.5, cores=2, load1=1.0, memory=0.5, clock_offset=-0.5, disks={"/": (0.5, 0.5, 1)}
    )
    assert judged(host("a"), figures).severity is Severity.OK
    value = {"load": 0.5, "clock": 0.5}.get(figure, 50)
    warned = host("a", thresholds={figure: Threshold(warn=value, bad=value + 10)})
    assert judged(warned, figures).of(figure) is Severity.WARN
    assert judged(warned, figures).severity is Severity.WARN
    bad = host("a", thresholds={figure: Threshold(warn=0, bad=value)})
    assert judged(bad, figures).severity is Severity.BAD
    assert figure in judged(bad, figures).why


def test_the_words_of_a_state_are_those_that_selectors_know() -> None:
    assert {severity.word for severity in Severity} == set(STATES)


def test_a_disk_that_fills_says_when_it_is_full() -> None:
    trends = Trends()
    for n in range(100):
        trends.take(
            facts("a", NOW + n * 10 * NS, disks={"/": (0.5 + n * 0.001, 0.0, 1), "/x": (0.5, 0.0, 1)})
        )
    left = trends.full_in("a")
    assert set(left) == {"/"}
    assert 4000 < left["/"] < 4020
    standing = judged(host("a"), facts("a", disks={"/": (0.91, 0.0, 1)}), full_in=left)
    assert standing.why == "disk / 91% full in 1h06m"


def test_a_burst_is_no_trend() -> None:
    trends = Trends()
    for n in range(10):
        trends.take(facts("a", NOW + n * 10 * NS, disks={"/": (0.5 + n * 0.01, 0.0, 1)}))
    assert trends.full_in("a") == {}


def test_what_is_kept_of_disks_is_bounded() -> None:
    trends = Trends(hosts=2)
    for name in "abc":
        for n in range(1000):
            trends.take(facts(name, NOW + n * 10 * NS, disks={"/": (0.5, 0.0, 1)}))
    assert set(trends._samples) == {"b", "c"}
    assert max(len(kept["/"]) for kept in trends._samples.values()) <= 180


def test_the_fleet_adds_up_and_a_host_nobody_asked_is_unknown() -> None:
    inventory = Inventory(
        revision=Revision(root="/"), environments={"prod": Environment(name="prod")},
        hosts={name: host(name) for name in "abcd"},
    )  # fmt: skip
    standings = {
        "a": judged(host("a"), facts("a", cpu=0.1)),
        "b": judged(host("b"), facts("b", memory=0.99, cpu=0.99)),
        "c": judged(host("c"), None, SourceState("c", Health.LOST, NOW, error="gone")),
    }
    (fleet,) = now.fleets(inventory, standings)
    assert (fleet.hosts, fleet.ok, fleet.unknown) == (4, ("a",), ("d",))
    assert (fleet.bad, fleet.lost) == ({"b": "memory 99%, cpu 99%"}, {"c": "gone"})
    assert [s.host for s in now.troubles(standings.values())] == ["c", "b"]


def test_a_job_of_which_a_target_is_in_doubt_needs_a_person_whatever_its_outcome() -> None:
    assert now.wait_of("ended", "mixed", in_doubt=True) is now.Wait.UNKNOWN
    assert now.wait_of("ended", "unknown", in_doubt=False) is now.Wait.UNKNOWN
    assert now.wait_of("ended", "failed", in_doubt=False) is None
    assert now.wait_of("paused", "", in_doubt=False) is now.Wait.PAUSED
    assert now.wait_of("running", "", in_doubt=False) is None


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
