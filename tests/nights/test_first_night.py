"""03:10: the shop is slow. What fails, what changed, back to the release before, proven, and then forward:
in a pty at 80x24 by keyboard alone, then by commands only."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.embedded.demo import start_demo
from tests.playing import ONDECK, Player
from tests.terminal import Terminal

WEB = ("web-1", "web-2", "web-3")


@pytest.fixture(scope="module")
def night() -> Iterator[Player]:
    with start_demo() as demo:
        yield Player(demo)


@pytest.fixture(scope="module")
def evening() -> Iterator[Player]:
    """A demo of its own for the keyboard: the other one is played by commands."""
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


def opened(night: Player) -> Terminal:
    """The app at 80x24 over a line of about 50 kB/s."""
    return Terminal([ONDECK], env={**night.environment, "TERM": "xterm-256color"}, pace=0.08)


def test_by_keyboard_from_the_failing_check_to_a_proven_rollback(evening: Player) -> None:
    with opened(evening) as terminal:
        screen = terminal.wait_for(re.compile(r"CRIT prod .*3 of 3"), 30)
        assert "deploy 2.14.0 -> 2.15.0" in screen
        terminal.type("g")
        terminal.wait_for(re.compile(r">CRIT prod"))

        terminal.type("enter")
        page = terminal.wait_for("HOSTS, worst first")
        assert "checkout@prod" in page
        terminal.wait_for(re.compile(r"web-3 +2\.15\.0 .*FAILS"))
        terminal.type("l")
        terminal.wait_for(re.compile("timeout 5000ms calling orders-db|pool [34][0-9]/40"), 20)
        terminal.type("esc")
        terminal.wait_for("HOSTS, worst first")

        terminal.type("R")
        plan = terminal.wait_for("to start", 20)
        assert "ROLLBACK checkout@prod" in plan
        assert "2.15.0" in plan
        assert "2.14.0" in plan
        terminal.type("enter")
        assert evening.run("jobs", "-o", "name", code=0).out == "", "enter without the name starts nothing"
        terminal.type(*"prod", "enter")
        assert terminal.typed <= 15, "from login to a running rollback"
        job = terminal.wait_for(re.compile("SUCCEEDED|succeeded 3|3 succeeded"), 40)
        for host in WEB:
            row = next(line for line in job.splitlines() if host in line and "2.14.0" in line)
            assert "2.15.0" in row, "before and after stand side by side"

        terminal.type("1")
        terminal.wait_gone(re.compile(r"CRIT prod"), 30)
        terminal.wait_for(re.compile(r"checkout +prod +2\.14\.0 +3 +3 of 3"), 30)
        terminal.type("q")
        assert terminal.wait() == 0
    assert {evening.ssh(host, "cat /srv/checkout/current/VERSION") for host in WEB} == {"2.14.0"}
    done = evening.jobs()[0]
    assert (done["operation"], done["outcome"]) == ("service.rollback", "succeeded")


def test_esc_never_leaves_and_q_gives_the_terminal_back(evening: Player) -> None:
    with opened(evening) as terminal:
        before = terminal.modes()
        terminal.wait_for("FAILING", 30)
        terminal.type("4")  # perhaps before engine and record are opened: that is said, and ends nothing
        terminal.wait_for(re.compile(r"checkout +prod .*3\b|CRIT"), 30)
        terminal.type("4")
        terminal.wait_for("Logs*")
        terminal.type("esc", "esc", "esc", delay=0.3)
        terminal.wait_for("q leaves")
        assert terminal.poll() is None
        terminal.type("q", "q", delay=0.5)
        assert terminal.wait() == 0
        assert terminal.modes() == before
        assert terminal.raw.rstrip().endswith(b"\x1b[?25h") or b"\x1b[?1049l" in terminal.raw[-400:]


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
    assert "1. web-" in plan.out
    done = night.run("deploy", "checkout@prod", "2.16.0", "--confirm", "prod", "--reason", "the fix", code=0)
    assert done.err.index("gate after batch 1: passed") < done.err.index("batch 2:")
    assert live(night) == dict.fromkeys(WEB, "2.16.0")
    again = night.run("deploy", "checkout@prod", "2.16.0", "--plan", "--exit-code")
    assert again.code == 0, "nothing is left to change"


def test_rollback_goes_to_the_last_good_release_not_to_the_one_before(night: Player) -> None:
    done = night.run("rollback", "checkout@prod", "--plan", code=0)
    assert "2.16.0" in done.out
    assert "2.14.0" in done.out
    assert "last good" in done.out
    assert "2.15.0" not in done.out.split("undo:")[0].split("why:")[0].splitlines()[1]


def test_a_mark_from_elsewhere_is_a_change(night: Player) -> None:
    night.run("mark", "checkout@prod", "flag vouchers off", "--by", "bob", code=0)
    assert "flag vouchers off" in night.run("changes", "--own", code=0).out


def test_the_same_version_of_staging_is_one_confirm_away(night: Player) -> None:
    night.run("deploy", "checkout@staging", "2.16.0", code=4)
    night.run("deploy", "checkout@staging", "2.16.0", "--yes", code=0)
    assert night.ssh("stg-1", "cat /srv/checkout/current/VERSION") == "2.16.0"
    assert night.run("now", "-o", "json", code=0).data["failing"] == []
