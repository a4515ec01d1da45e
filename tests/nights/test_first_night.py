"""03:10: the shop is slow. What fails, what changed, back to the release before, proven, and then forward."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.embedded.demo import start_demo
from tests.playing import Player

WEB = ("web-1", "web-2", "web-3")


@pytest.fixture(scope="module")
def night() -> Iterator[Player]:
    with start_demo() as demo:
        yield Player(demo)


def live(night: Player) -> dict[str, str]:
    """What the hosts themselves say they serve."""
    return {host: night.ssh(host, "cat /srv/checkout/current/VERSION") for host in WEB}


def healthy(night: Player, host: str) -> str:
    ask = (
        'python3 -c "import urllib.request as u, urllib.error as e\n'
        f"try: print(u.urlopen('http://{night.demo.hosts[host]}:8080/healthz').status)\n"
        'except e.HTTPError as x: print(x.code)"'
    )
    return night.ssh(host, ask)


def test_the_night_begins_with_a_failing_release_and_the_change_before_it(night: Player) -> None:
    assert live(night) == dict.fromkeys(WEB, "2.15.0")
    assert {healthy(night, host) for host in WEB} == {"503"}
    done = night.run("now", code=0)
    failing = done.out.partition("WAITING")[0]
    assert "CRIT  checkout@prod  health fails on web-1 web-2 web-3 (3 of 3)" in failing
    assert "deploy 2.14.0 -> 2.15.0" in failing
    assert "ci#4411" in failing
    assert "ondeck rollback checkout@prod" in failing
    assert "prod  5 hosts: " in done.out
    assert "0 lost, 0 ?" in done.out


def test_now_is_data_as_well(night: Player) -> None:
    found = night.run("now", "-o", "json", code=0).data
    check = next(c for c in found["failing"] if c["standing"]["subject"] == "checkout@prod")
    assert check["change"]["who"] == "ci#4411"
    assert [fact["version"] for fact in check["standing"]["facts"]] == ["2.15.0"] * 3
    assert not found["not_known"]
    names = night.run("now", "-o", "name", code=0).out.split()
    assert "checkout@prod" in names


def test_changes_name_the_deploy_by_ci(night: Player) -> None:
    own = night.run("changes", "--own", "--since", "1h", "-o", "json", code=0).data
    assert [(c["subject"], c["who"]) for c in own if c["env"] == "prod"] == [("checkout@prod", "ci#4411")]


def test_logs_show_what_fails(night: Player) -> None:
    done = night.run("logs", "checkout@prod", "--since", "5m", "--grep", "timeout", code=0)
    lines = done.out.splitlines()
    assert {f"{host}/app" for host in WEB} <= {word for line in lines for word in line.split()}
    assert all("timeout" in line for line in lines)


def test_going_back_needs_the_name_of_the_environment(night: Player) -> None:
    done = night.run("rollback", "checkout@prod", "--reason", "p95", code=4)
    assert "--confirm prod" in done.err
    night.run("rollback", "checkout@prod", "--confirm", "staging", "--reason", "p95", code=4)
    assert night.run("jobs", "-o", "name", code=0).out == ""
    assert live(night) == dict.fromkeys(WEB, "2.15.0")


def test_going_back_is_proven_by_hosts_job_report_and_handover(night: Player) -> None:
    before = {
        host: (night.ssh(host, "cat /srv/checkout/current/VERSION"), healthy(night, host)) for host in WEB
    }
    done = night.run("rollback", "checkout@prod", "--confirm", "prod", "--reason", "p95 after 2.15.0", code=0)
    assert "3 succeeded" in done.err
    after = {
        host: (night.ssh(host, "cat /srv/checkout/current/VERSION"), healthy(night, host)) for host in WEB
    }
    assert set(before.values()) == {("2.15.0", "503")}
    assert set(after.values()) == {("2.14.0", "200")}
    assert night.ssh("lb-1", "ls /srv/lb/drained") == "", "every host takes traffic again"

    newest = night.jobs()[0]
    assert (newest["operation"], newest["outcome"]) == ("service.rollback", "succeeded")
    targets = night.job(newest["job"])["targets"]
    assert {name: row["status"] for name, row in targets.items()} == dict.fromkeys(WEB, 0)
    assert all("2.14.0" in row["evidence"] for row in targets.values())
    report = night.run("report", "checkout@prod", "--since", "1h", code=0).out
    assert report.index("ci#4411") < report.index("Roll back")
    assert "p95 after 2.15.0" in report
    assert "| web-3 | succeeded |" in report
    handover = night.run("handover", code=0).out
    assert "Nothing waits for a person." in handover
    assert newest["job"] in handover
    assert "the chain holds" in night.run("audit", "verify", code=0).err
    assert "checkout@prod  health fails" not in night.run("now", code=0).out
    assert night.run("lock", "ls", "-o", "name", code=0).out == ""


def test_the_fixed_release_goes_one_host_first(night: Player) -> None:
    plan = night.run("deploy", "checkout@prod", "2.16.0", "--plan", "--exit-code", code=10)
    assert "1. web-" in plan.err
    done = night.run("deploy", "checkout@prod", "2.16.0", "--confirm", "prod", "--reason", "the fix", code=0)
    assert done.err.index("gate after batch 1: passed") < done.err.index("batch 2:")
    assert live(night) == dict.fromkeys(WEB, "2.16.0")
    again = night.run("deploy", "checkout@prod", "2.16.0", "--plan", "--exit-code")
    assert again.code == 0, "nothing is left to change"


def test_rollback_goes_to_the_last_good_release_not_to_the_one_before(night: Player) -> None:
    done = night.run("rollback", "checkout@prod", "--plan", code=0)
    assert "2.16.0" in done.err
    assert "2.14.0" in done.err
    assert "last good" in done.err
    assert "2.15.0" not in done.err.split("undo:")[0].split("why:")[0].splitlines()[1]


def test_a_mark_from_elsewhere_is_a_change(night: Player) -> None:
    night.run("mark", "checkout@prod", "flag vouchers off", "--by", "bob", code=0)
    assert "flag vouchers off" in night.run("changes", "--own", code=0).out


def test_the_same_version_of_staging_is_one_confirm_away(night: Player) -> None:
    night.run("deploy", "checkout@staging", "2.16.0", code=4)
    night.run("deploy", "checkout@staging", "2.16.0", "--yes", code=0)
    assert night.ssh("stg-1", "cat /srv/checkout/current/VERSION") == "2.16.0"
    assert night.run("now", "-o", "json", code=0).data["failing"] == []
