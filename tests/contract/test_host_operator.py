"""`host.exec` and `host.put` over a real OpenSSH server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from ondeck.errors import BadInput, LinkLost, RemoteFailed
from ondeck.inventory.model import Environment
from ondeck.job.finding import Attempt
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Draft, Plan, Request
from ondeck.job.spec import Risk
from ondeck.operate.attempt import attempt_id
from ondeck.operate.ports import Applying
from providers.host.operator import HostOperator
from providers.ssh.reach import SshReach, SshTransport
from tests.contract.host_bench import TestBench, Told
from tests.contract.sshd import Sshd, serving, settings

OPERATOR = HostOperator()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> object:
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
async def bench(sshd: Sshd, tmp_path: Path) -> AsyncIterator[TestBench]:
    inventory = msgspec.structs.replace(
        sshd.inventory(sshd.host("web-1")),
        environments={
            "test": Environment(name="test", read_commands=(("uname", "*"), ("cat", "/etc/hostname")))
        },
    )
    reach: SshReach = SshTransport().open(inventory, settings(tmp_path, 0.2))
    yield TestBench(inventory, settings(tmp_path, 0.2), reach)
    await reach.aclose()


def attempt(job: str, target: str = "web-1") -> Attempt:
    return Attempt(id=attempt_id(job, target, 1), job=job, target=target)


def request(operation: str, **params: object) -> Request:
    return Request(operation=operation, subject="web-1", targets=("web-1",), env="test", params=params)


def plan_of(asked: Request, draft: Draft) -> Plan:
    return Plan(
        id="p1", request=asked, title="t", provider="host", draft=draft, inventory="", policy="", made=0
    )


@asynccontextmanager
async def applying(bench: TestBench, asked: Request) -> AsyncIterator[tuple[Draft, Applying]]:
    draft = await OPERATOR.plan(asked, bench)
    async with OPERATOR.open(plan_of(asked, draft), bench) as work:
        assert await work.ready() == {}
        yield draft, work


async def test_a_listed_command_is_a_read_and_any_other_a_change(bench: TestBench) -> None:
    read = await OPERATOR.plan(request("host.exec", argv=["uname", "-a"]), bench)
    change = await OPERATOR.plan(request("host.exec", argv=["cat", "/etc/hostname", "/etc/shadow"]), bench)
    become = await OPERATOR.plan(request("host.exec", argv=["uname", "-a"], become="root"), bench)
    assert become.risk is Risk.CHANGE
    assert (
        OPERATOR.risk_of(request("host.exec", argv=["uname"], become="sudo"), bench.inventory) is Risk.CHANGE
    )
    assert (read.risk, read.lock_key, read.changes) == (Risk.READ, "", ())
    assert change.risk is Risk.CHANGE
    assert change.changes[0].action is Action.RUN


async def test_a_read_leaves_nothing_on_the_host_and_says_its_status(bench: TestBench, sshd: Sshd) -> None:
    told = Told()
    async with applying(bench, request("host.exec", argv=["uname"])) as (_, work):
        finding = await work.apply(attempt("r1"), told)
    assert (finding.outcome, told.out) == (Outcome.SUCCEEDED, b"Linux\n")
    assert not list((sshd.folder / "home").rglob("r1-web-1-1"))


async def test_a_change_runs_once_keeps_both_streams_and_is_cleaned_up_after(
    bench: TestBench, sshd: Sshd
) -> None:
    told = Told()
    argv = ["sh", "-c", "echo out; echo err >&2; exit 4"]
    async with applying(bench, request("host.exec", argv=argv)) as (_, work):
        tried = attempt("c1")
        finding = await work.apply(tried, told)
        assert (finding.outcome, finding.status) == (Outcome.FAILED, 4)
        assert (told.out, told.err) == (b"out\n", b"err\n")
        assert list((sshd.folder / "home").rglob("c1-web-1-1"))
        await work.finish((), told.step)
    assert not list((sshd.folder / "home").rglob("c1-web-1-1"))


async def test_a_change_that_takes_too_long_is_stopped_on_the_host(bench: TestBench) -> None:
    asked = request("host.exec", argv=["sleep", "600.25"], time_limit=1.0)
    async with applying(bench, asked) as (_, work):
        finding = await work.apply(attempt("t1"), Told())
    assert finding.outcome is Outcome.TIMED_OUT
    assert not running("600.25")


async def test_a_cancelled_change_is_stopped_on_the_host(bench: TestBench) -> None:
    async with applying(bench, request("host.exec", argv=["sleep", "600.75"])) as (_, work):
        task = asyncio.ensure_future(work.apply(attempt("x1"), Told()))
        await until(lambda: running("600.75"))
        task.cancel()
        finding = await task
    assert finding.outcome is Outcome.CANCELLED
    assert "SIGTERM" in finding.evidence
    assert not running("600.75")


async def test_a_cancelled_change_that_left_a_process_is_no_clean_cancel(bench: TestBench) -> None:
    argv = ["sh", "-c", "setsid sleep 601.25 </dev/null >/dev/null 2>&1 & exec sleep 601.5"]
    async with applying(bench, request("host.exec", argv=argv)) as (_, work):
        task = asyncio.ensure_future(work.apply(Attempt(id="y1-web-1-1", target="web-1", job="y1"), Told()))
        await until(lambda: all(map(running, ("601.25", "601.5"))))
        task.cancel()
        finding = await task
    (pid,) = running("601.25")
    os.kill(pid, signal.SIGKILL)
    assert finding.outcome is Outcome.FAILED
    assert f"goes on: pid {pid}" in finding.evidence


async def test_a_change_outlives_its_connection_and_is_found_again(bench: TestBench, sshd: Sshd) -> None:
    async with applying(bench, request("host.exec", argv=["sh", "-c", "sleep 1.5; exit 9"])) as (_, work):
        tried = attempt("l1")
        task = asyncio.ensure_future(work.apply(tried, Told()))
        await until(lambda: bool(list((sshd.folder / "home").rglob("l1-web-1-1/pid"))))
        sshd.kill_sessions()
        with pytest.raises(LinkLost):
            await task
        finding = await work.reconcile(tried)
        while finding.still_running:
            await asyncio.sleep(0.1)
            finding = await work.reconcile(tried)
    assert (finding.outcome, finding.status) == (Outcome.FAILED, 9)


async def until(true: Callable[[], object]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came")


def running(word: str) -> list[int]:
    """Processes that are `sleep WORD`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", word.encode()]:
            found.append(int(path.parent.name))
    return found


async def test_put_shows_the_difference_writes_and_can_be_taken_back(
    bench: TestBench, tmp_path: Path
) -> None:
    target, source = tmp_path / "motd", tmp_path / "new"
    target.write_text("old\nsame\n")
    target.chmod(0o640)
    source.write_text("new\nsame\n")
    asked = request("host.put", source=str(source), path=str(target))
    async with applying(bench, asked) as (draft, work):
        assert "-old" in draft.changes[0].diff
        assert "+new" in draft.changes[0].diff
        assert await work.check("web-1") == draft.preconditions
        finding = await work.apply(attempt("job7"), Told())
    assert finding.outcome is Outcome.SUCCEEDED
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new\nsame\n", 0o640)
    undo = request("host.put", undo="job7", path=str(target))
    async with applying(bench, undo) as (_, work):
        await work.apply(attempt("job8"), Told())
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("old\nsame\n", 0o640)


async def test_undoing_a_put_that_made_a_file_removes_it(bench: TestBench, tmp_path: Path) -> None:
    target, source = tmp_path / "fresh", tmp_path / "new"
    source.write_bytes(b"\0binary\xff")
    async with applying(bench, request("host.put", source=str(source), path=str(target))) as (draft, work):
        assert draft.changes[0].action is Action.CREATE
        assert "sha256" in draft.changes[0].diff
        await work.apply(attempt("job9"), Told())
    assert target.read_bytes() == b"\0binary\xff"
    async with applying(bench, request("host.put", undo="job9", path=str(target))) as (draft, work):
        assert draft.changes[0].action is Action.DELETE
        await work.apply(attempt("job10"), Told())
    assert not target.exists()


async def test_a_file_that_changed_since_the_plan_is_seen_and_told_apart(
    bench: TestBench, tmp_path: Path
) -> None:
    target, source = tmp_path / "conf", tmp_path / "new"
    target.write_text("1\n")
    source.write_text("2\n")
    tried = attempt("j11")
    async with applying(bench, request("host.put", source=str(source), path=str(target))) as (draft, work):
        assert (await work.reconcile(tried)).outcome is Outcome.NOT_STARTED
        target.write_text("somebody else\n")
        assert await work.check("web-1") != draft.preconditions
        assert (await work.reconcile(tried)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "params",
    [
        {"source": "/nonexistent", "path": "/x"},
        {"source": "/etc/hostname", "path": "relative"},
        {"path": "/x"},
        {"source": "/etc/hostname", "path": "/x", "mode": "rwx"},
        {"source": "/etc/hostname", "path": "/x", "colour": "red"},
    ],
)
async def test_a_put_that_makes_no_sense_is_refused_before_a_host_is_asked(
    bench: TestBench, params: dict[str, object]
) -> None:
    with pytest.raises(BadInput):
        await OPERATOR.plan(request("host.put", **params), bench)


async def test_a_put_through_a_link_names_locks_and_changes_the_file_behind_it(
    bench: TestBench, tmp_path: Path
) -> None:
    real, link, source = tmp_path / "r2", tmp_path / "ln2", tmp_path / "new"
    real.write_text("old\n")
    link.symlink_to("r2")
    source.write_text("new\n")
    async with applying(bench, request("host.put", source=str(source), path=str(link))) as (draft, work):
        assert draft.changes[0].address == f"{link} -> {real}"
        assert draft.lock_key.endswith(f":{real}")
        assert draft.preconditions[0].fact == f"sha256 {real}"
        await work.apply(attempt("ln1"), Told())
    assert link.is_symlink()
    assert real.read_text() == "new\n"
    async with applying(bench, request("host.put", undo="ln1", path=str(link))) as (_, work):
        await work.apply(attempt("ln2"), Told())
    assert real.read_text() == "old\n"


async def test_a_link_that_leads_elsewhere_since_the_plan_is_seen(bench: TestBench, tmp_path: Path) -> None:
    link, source = tmp_path / "current", tmp_path / "new"
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "conf").write_text("old\n")
    link.symlink_to("v1")
    source.write_text("new\n")
    asked = request("host.put", source=str(source), path=str(link / "conf"))
    async with applying(bench, asked) as (draft, work):
        assert await work.check("web-1") == draft.preconditions
        link.unlink()
        link.symlink_to("v2")
        assert await work.check("web-1") != draft.preconditions


async def test_a_put_onto_a_link_to_nowhere_says_where_it_leads(bench: TestBench, tmp_path: Path) -> None:
    (tmp_path / "ln").symlink_to("nothere")
    with pytest.raises(RemoteFailed, match="ln is a link to nothere, which does not exist"):
        await OPERATOR.plan(request("host.put", source="/etc/hostname", path=str(tmp_path / "ln")), bench)


async def test_a_put_on_a_host_with_a_long_name_can_be_taken_back(sshd: Sshd, tmp_path: Path) -> None:
    name = "web-" + "long-" * 20 + "1"
    inventory = msgspec.structs.replace(
        sshd.inventory(sshd.host(name)), environments={"test": Environment(name="test")}
    )
    reach: SshReach = SshTransport().open(inventory, settings(tmp_path, 0.2))
    bench = TestBench(inventory, settings(tmp_path, 0.2), reach)
    target, source = tmp_path / "motd", tmp_path / "new"
    target.write_text("old\n")
    source.write_text("new\n")
    for job, params in (("ln-7", {"source": str(source)}), ("ln-8", {"undo": "ln-7"})):
        asked = msgspec.structs.replace(
            request("host.put", path=str(target), **params), subject=name, targets=(name,)
        )
        async with applying(bench, asked) as (_, work):
            told = Told()
            assert (await work.apply(attempt(job, name), told)).outcome is Outcome.SUCCEEDED
        assert told.steps[0] == f"kept the old file for --undo {job}"
    assert target.read_text() == "old\n"
    await reach.aclose()
