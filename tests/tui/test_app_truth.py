"""What the app shows when it could not look: never a calm word."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from ondeck.errors import OndeckError, StateBroken
from ondeck.inventory.live import HostFacts
from ondeck.inventory.model import Signal
from ondeck.observe.records import FactsBatch
from tests import road as on_road
from tests.tui.playing import playing
from tests.tui.stage import NOW, FakeSession, S, old_job
from tui.app.live.hosts import KEPT_HOSTS, LiveHosts
from tui.app.live.jobs import LiveJobs
from tui.app.views import RecordLook, TargetLook


@pytest.mark.parametrize("error", [StateBroken("jobs cannot be read"), RuntimeError("surprise")])
def test_a_record_that_cannot_be_read_is_an_error_and_keeps_its_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    on = on_road.deck(tmp_path)
    jobs = LiveJobs(on.record, lambda: ())
    jobs.known = jobs._tried()
    read_at = jobs.look().read_at
    assert read_at
    assert not jobs.look().error

    def broken(limit: int) -> None:
        raise error

    monkeypatch.setattr(on.record, "newest", broken)
    jobs.known = jobs._tried()
    wanted = error.message if isinstance(error, OndeckError) else "RuntimeError: surprise"
    assert jobs.look() == RecordLook(read_at=read_at, error=wanted)
    assert jobs.known.changes.error == wanted


def test_jobs_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.over(on, on_road.start(on, tmp_path)).id
    (on.record.folder(job).path / "plan.json").write_bytes(b"{")
    (on.record.root / "index.db").unlink(missing_ok=True)
    jobs = LiveJobs(on.record, lambda: ())
    jobs.known = jobs._tried()
    assert [name for name, _ in jobs.look().unread] == [job]


@pytest.mark.parametrize(
    ("look", "shown"),
    [
        (RecordLook(), "not read yet"),
        (RecordLook(error="disk gone"), "the record cannot be read, nothing is known: disk gone"),
        (
            RecordLook(read_at=NOW - 9 * S, error="disk gone"),
            "the record cannot be read, what is shown is 9s old",
        ),
        (RecordLook(read_at=NOW, unread=(("j-9", "cut short"),)), "NOT READ job j-9: cut short"),
    ],
)
async def test_empty_lists_of_an_unread_record_are_not_calm(look: RecordLook, shown: str) -> None:
    session = FakeSession()
    session.reading, session.job_list, session.lock_list = look, [], []
    async with playing(session) as play:
        await play.press("0")
        await play.until(shown)
        assert "nothing runs" not in play.text
        await play.press(":")
        await play.type("locks")
        await play.press("enter")
        await play.until(shown)
        assert "nothing is locked" not in play.text
        if look.error or look.unread:
            await play.press("1")
            await play.until("NOT READ")


async def test_the_fleet_is_filtered_by_live_figures_and_says_what_is_not_known() -> None:
    async with playing(size=(120, 30)) as play:
        await play.press("2", "/")
        await play.type("disk>90")
        await play.press("enter")
        shown = await play.until("1 could not be judged")
        assert "db-1" in shown
        assert "web-1" not in shown
        play.session.hosts["web-4"] = play.session._host("web-1", "prod")
        play.session.hosts["db-1"] = play.session._host("web-2", "prod")
        play.session.dirty = True
        await play.until("no host is known to match disk>90")
        assert "could not be judged" not in play.text


@pytest.mark.parametrize(
    ("words", "host"),
    [("state=lost", "web-4"), ("group=db,env=prod", "db-1"), ("cpu<40,env=staging", "stg-1")],
)
async def test_selector_words_choose_hosts_in_the_fleet(words: str, host: str) -> None:
    async with playing(size=(120, 30)) as play:
        await play.press("2", "/")
        await play.type(words)
        await play.press("enter")
        await play.until("1 shown")
        assert host in play.text


async def test_a_selector_that_means_nothing_says_why() -> None:
    async with playing(size=(120, 30)) as play:
        await play.press("2", "/")
        await play.type("dsk>90")
        await play.press("enter")
        await play.until("dsk")
        await play.until("selector:")


async def test_a_banner_stands_on_every_screen() -> None:
    session = FakeSession()
    session.settings = type(session.settings)(
        state=session.settings.state,
        cache=session.settings.cache,
        config=session.settings.config,
        banner="demo: mine",
    )
    async with playing(session) as play:
        for key in "123450":
            await play.press(key)
            await play.until("demo: mine")


def test_the_command_line_says_the_banner_once_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from tui.cli import root

    monkeypatch.setenv("ONDECK_BANNER", "demo: mine")
    result = CliRunner().invoke(root.root, ["cancel", "--help"], obj=lambda face: 0)
    assert result.stderr.count("demo: mine") == 1
    assert "demo" not in result.stdout


def test_curves_of_hosts_long_not_seen_are_let_go_and_drops_are_counted() -> None:
    from ondeck.inventory.model import Host, Inventory, Revision

    names = [f"h-{n}" for n in range(KEPT_HOSTS + 5)]
    inventory = Inventory(
        revision=Revision(root="/x", digest="d" * 64),
        hosts={name: Host(name=name, env="lab") for name in names},
    )
    hosts = LiveHosts(inventory, None, None, None)  # type: ignore[arg-type]
    for name in names:
        hosts._facts(HostFacts(host=name, time=1, cpu=0.5))
    assert hosts.history("h-0", "cpu") == ()
    assert hosts.history(names[-1], "cpu") == ((1, 0.5),)
    for _ in range(5_001):
        hosts._mailbox.put(FactsBatch(facts=HostFacts(host="h-9", time=2, cpu=0.5)))
    hosts.drain()
    assert hosts.dropped >= 1


async def test_output_that_was_lost_is_said_on_the_page_of_its_job() -> None:
    session = FakeSession()
    lost = TargetLook(name="web-1", outcome="succeeded", evidence="exit 0; output was cut: no space", lost=14)
    session.job_list = [msgspec.structs.replace(old_job(), outcome="mixed", targets=(lost,))]
    async with playing(session) as play:
        await play.press("0", "enter")
        shown = await play.until("output of web-1")
        assert "output was cut: 14 bytes could not be written down" in shown
        assert "output was cut: no space" in shown
        assert "MIXED" in shown


async def test_a_signal_that_nobody_reads_is_said_and_never_shown_as_fine() -> None:
    session = FakeSession()
    services = session.inventory.services
    signals = (Signal(name="p95", prom="x", crit=1.0), Signal(name="err", log="app", ratio="status >= 500"))
    services["checkout"] = msgspec.structs.replace(services["checkout"], signals=signals)
    async with playing(session) as play:
        await play.press("enter")
        shown = await play.until("HOSTS, worst first")
        named = [line for line in shown.splitlines() if "p95" in line or "err" in line.split()]
        assert [line.strip() for line in named] == ["signals not read yet: p95, err"]


async def test_services_that_were_not_asked_are_counted_as_such_and_never_as_known() -> None:
    session = FakeSession()
    session.hosts = {}
    for subject, look in session.looks.items():
        asked = NOW if subject == "checkout@staging" else 0
        session.looks[subject] = msgspec.structs.replace(
            look, asked=asked, releases=look.releases if asked else ()
        )
    async with playing(session) as play:
        shown = await play.until("no failing check is known; 2 of 3 services not asked")
        assert "1 of 3 services known  2 not asked" in shown
        line = next(line for line in shown.splitlines() if line.lstrip("> ").startswith("orders-db"))
        assert "ok" not in line
        assert "?" in line
