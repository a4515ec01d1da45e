"""A job that needs a person tells the channel of its environment, and telling never harms the job."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.inventory.model import BreakGlass, Channel, Person, Protection
from ondeck.job.consent import Consent
from ondeck.job.events import Ask, What
from ondeck.job.outcome import JobState, Outcome, WaitingFor
from ondeck.operate import notify, road
from ondeck.operate.notify import Message, Route
from tests import road as on_road

MESSAGE = Message(text="t", job="j", subject="s@lab", env="lab", state="paused", actor="anna")
HOOK = {"webhook": "env:OPS_WEBHOOK"}


class Ops:
    """A webhook on the loopback: what was posted, and how it answers."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.status = 200
        self.silent = threading.Event()
        self.free = threading.Event()
        ops = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                ops.paths.append(self.path)
                ops.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                if ops.silent.is_set():
                    ops.free.wait(20)
                self.send_response(ops.status)
                self.send_header("Location", f"{ops.address}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def states(self) -> list[str]:
        return [message["state"] for message in self.got]


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ops]:
    found = Ops()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("OPS_WEBHOOK", f"{found.address}/services/s3cr3t-canary")
    yield found
    found.free.set()
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def deck(tmp: Path, options: dict[str, Any], *, timescale: float = 0.4, **rules: Any) -> Deck:
    plain = on_road.deck(tmp, notify="ops", **rules)
    inventory = msgspec.structs.replace(
        plain.inventory,
        notify={"ops": Channel(name="ops", options=options)},
        people={"anna": Person(name="anna", login="anna", teams=("oncall",))},
    )
    settings = msgspec.structs.replace(plain.settings, timescale=timescale)
    return msgspec.structs.replace(plain, inventory=inventory, settings=settings)


def test_a_pause_is_told_once_with_all_that_a_person_needs(tmp_path: Path, ops: Ops) -> None:
    on = deck(tmp_path, HOOK)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-1=fail",))
    view = on_road.wait_for(on, job, lambda v: any("was told" in note for note in v.notes))
    assert view.state is JobState.PAUSED
    told = ops.got[0]
    assert (told["job"], told["env"], told["state"], told["actor"]) == (job, "lab", "paused", "anna")
    assert told["subject"] == "env=lab"
    assert "1 failed" in told["text"]
    assert f"ondeck attach {job}" in told["text"]
    on_road.go_on(on, job)
    on_road.over(on, job)
    assert ops.states == ["paused", "mixed"]


def test_ended_credentials_and_a_gate_without_data_are_told(tmp_path: Path, ops: Ops) -> None:
    on = deck(tmp_path, HOOK)
    job = on_road.start(on, tmp_path, batches="1,2", gate=True, script=("gate0=none", "web-2=auth"))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    on_road.go_on(on, job)
    on_road.wait_for(on, job, lambda v: v.waiting_for is WaitingFor.CREDENTIALS)
    on.record.ask(job, Ask(what=What.CANCEL, by="anna"))
    on_road.over(on, job)
    assert ops.states == ["paused", "waiting for credentials"]
    assert "no data" in ops.got[0]["text"]


def test_an_unknown_end_is_told_and_a_good_end_is_not(tmp_path: Path, ops: Ops) -> None:
    on = deck(tmp_path, HOOK)
    on_road.over(on, on_road.start(on, tmp_path))
    assert ops.got == []
    view = on_road.over(on, on_road.start(on, tmp_path, script=("web-2=lost",), max_failures=3))
    assert view.outcome is Outcome.UNKNOWN
    assert ops.states == ["unknown"]


def test_a_pause_that_a_person_asked_for_and_a_failed_read_are_not_told(tmp_path: Path, ops: Ops) -> None:
    on = deck(tmp_path, HOOK)
    job = on_road.start(on, tmp_path, batches="1,1,1", delay=2.0)
    on.record.ask(job, Ask(what=What.PAUSE, by="anna"))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    on.record.ask(job, Ask(what=What.CANCEL, by="anna"))
    on_road.over(on, job)
    on_road.over(on, on_road.start(on, tmp_path, read=True, script=("web-1=fail",)))
    assert ops.got == []


def test_broken_glass_is_told_and_starts_alone_only_with_a_reason(tmp_path: Path, ops: Ops) -> None:
    on = deck(
        tmp_path,
        HOOK,
        protection={"*": Protection.TWO_PERSON},
        break_glass=BreakGlass(teams=("oncall",)),
    )
    drafted = on_road.drafted(on, tmp_path)
    alone = Consent(confirmed=True, typed="lab", reason="checkout is down", break_glass=True)
    for less in (
        msgspec.structs.replace(alone, break_glass=False),
        msgspec.structs.replace(alone, reason=" "),
        msgspec.structs.replace(alone, typed=""),
    ):
        with pytest.raises(Exception, match=r"two persons|reason|typed"):
            road.start(on, drafted, less)
    assert on.record.jobs() == []
    view = on_road.over(on, road.start(on, drafted, alone))
    assert (view.outcome, view.break_glass) == (Outcome.SUCCEEDED, True)
    assert ops.states == ["started with break-glass"]
    assert "checkout is down" in ops.got[0]["text"]
    decisions = [entry.decision for entry in on.record.audit.entries()]
    assert decisions[-2:] == ["break-glass", "break-glass"]


def test_a_worker_refuses_broken_glass_that_the_rules_do_not_allow(tmp_path: Path, ops: Ops) -> None:
    """The stored consent is checked by who acts: a forged folder changes nothing."""
    on = deck(tmp_path, HOOK)
    drafted = on_road.drafted(on, tmp_path)
    strict = deck(tmp_path, HOOK, protection={"*": Protection.TWO_PERSON})
    given = Consent(confirmed=True, typed="lab", reason="I say so", break_glass=True)
    view = on_road.over(strict, forged(strict, drafted, given))
    assert view.exit_code == 4
    assert on_road.effects(tmp_path) == {}
    assert ops.got == []


def forged(on: Deck, drafted: road.Drafted, consent: Consent) -> str:
    """A job folder as somebody could write it who goes around the face."""
    import time

    from ondeck.job.consent import Given
    from ondeck.job.events import Mode
    from ondeck.operate import launch, policy
    from ondeck.record import folder
    from ondeck.record.jobfolder import JobFolder

    at = JobFolder.claim(folder.ensure(on.record.jobs_root))
    given = Given(
        plan=drafted.digest,
        policy=policy.digest(on.inventory, policy.floor_of(on.settings), "lab"),
        actor="anna",
        consent=consent,
        decision="break-glass",
        made=time.time_ns(),
    )
    folder.write_new(at.plan, drafted.stored)
    folder.write_new(at.inventory, msgspec.json.encode(on.inventory))
    folder.write_new(at.given, msgspec.json.encode(given))
    launch.spawn(at, on.settings, Mode.RUN, {}, on.manifests)
    return at.id


def test_a_deaf_channel_harms_nothing_and_is_noted(tmp_path: Path, ops: Ops) -> None:
    ops.silent.set()
    on = deck(tmp_path, HOOK, timescale=0.05)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-1=fail",))
    on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)
    on_road.go_on(on, job)
    view = on_road.over(on, job)
    assert view.targets["web-3"].outcome is Outcome.SUCCEEDED
    assert sum("did not answer in time" in note for note in view.notes) == 2


def test_a_channel_without_its_secret_is_noted_and_the_job_runs(tmp_path: Path) -> None:
    on = deck(tmp_path, {"webhook": "env:ONDECK_TEST_NOT_SET"})
    view = on_road.over(on, on_road.start(on, tmp_path, script=("web-1=fail",), max_failures=3))
    assert view.outcome is Outcome.MIXED
    assert any("ONDECK_TEST_NOT_SET" in note for note in view.notes)


def test_no_secret_of_a_channel_stands_in_the_state_folder_or_in_argv(tmp_path: Path, ops: Ops) -> None:
    ops.status = 500
    on = deck(tmp_path, HOOK)
    job = on_road.start(on, tmp_path, batches="1,2", script=("web-1=fail",))
    on_road.wait_for(on, job, lambda v: any("answered 500" in note for note in v.notes))
    assert all("s3cr3t-canary" not in path for path in command_lines())
    on.record.ask(job, Ask(what=What.CANCEL, by="anna"))
    on_road.over(on, job)
    assert ops.paths[0] == "/services/s3cr3t-canary"
    for path in on.record.root.rglob("*"):
        assert not path.is_file() or b"s3cr3t-canary" not in path.read_bytes()


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return found


def test_a_command_is_told_on_its_standard_input(tmp_path: Path) -> None:
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    on = deck(
        tmp_path, {"command": [sys.executable, "-I", "-c", script, str(tmp_path / "told")]}, timescale=1.0
    )
    on_road.over(on, on_road.start(on, tmp_path, script=("web-1=fail",), max_failures=3))
    assert json.loads((tmp_path / "told").read_text())["state"] == "mixed"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/no/such/program",), "cannot be started"),
        (("false",), "ended with 1"),
        (("sleep", "60"), "did not end"),
        (("sh", "-c", "sleep 60 & sleep 60"), "did not end"),
    ],
)
def test_a_command_that_does_not_work_is_said_and_left_behind_by_nobody(
    command: tuple[str, ...], said: str
) -> None:
    assert said in notify.send(Route(channel="ops", command=command), MESSAGE, 0.3)


def test_a_redirect_is_not_followed(ops: Ops) -> None:
    ops.status = 307
    assert notify.send(Route(channel="ops", webhook=f"{ops.address}/a"), MESSAGE, 5.0) == "it answered 307"
    ops.status = 302
    assert notify.send(Route(channel="ops", webhook=f"{ops.address}/a"), MESSAGE, 5.0) == "it answered 302"
    assert ops.paths == ["/a", "/a"]


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "http://", "x", "http://a b/"]
)
def test_only_http_addresses_are_posted_to(tmp_path: Path, address: str) -> None:
    on = deck(tmp_path, HOOK)
    route = notify.route_of(on, "lab", {"OPS_WEBHOOK": address})
    assert route is not None
    assert route.webhook == ""
    assert notify.send(route, MESSAGE, 1.0) == "the webhook's address is no http or https address"


def test_an_address_that_nobody_serves_is_said_without_the_address() -> None:
    said = notify.send(Route(channel="ops", webhook="http://127.0.0.1:9/s3cr3t-canary"), MESSAGE, 2.0)
    assert said == "Connection refused"
    assert "s3cr3t-canary" not in repr(Route(channel="ops", webhook="http://127.0.0.1:9/s3cr3t-canary"))
