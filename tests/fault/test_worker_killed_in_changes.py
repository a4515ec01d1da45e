"""kill -9 of the worker at every record of a put and of a deploy, over a real SSH server: never twice, always true."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.inventory.model import Deploy, HealthCheck, Inventory
from ondeck.job.events import AttemptIntended
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Request
from ondeck.operate import reconcile, road
from ondeck.record.store import Record
from ondeck.record.view import JobView
from ondeck.registry import Registry
from ondeck.settings import Settings
from tests import road as on_road
from tests.contract.release_site import Site
from tests.contract.sshd import Sshd, serving

OLD, NEW = "old\n", "new\n"
AT_ONCE = 4
_spawning = threading.Lock()  # the moment of death is told through the environment


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with serving(tmp_path_factory.mktemp("sshd"), "MaxStartups 100") as server:
        yield server


def deck(root: Path, inventory: Inventory) -> Deck:
    """Real providers; the manifest of tests only lets the worker die when it is told to."""
    own = Settings(
        state=root / "state", cache=root / "cache", config=root / "config", policy_floor=root / "no-floor.yml",
        timescale=0.4, actor="anna",
    )  # fmt: skip
    return Deck(
        inventory=inventory,
        registry=Registry(),
        record=Record(own),
        settings=own,
        manifests=("ondeck.testing.operators:MANIFEST",),
    )


def killed(on: Deck, request: Request, moment: str) -> JobView:
    """The job after the death of its worker at a moment; empty: it lives to its end."""
    drafted = asyncio.run(road.draft(on, request))
    with _spawning:
        os.environ["ONDECK_FAULT_AT"] = moment
        job = road.start(on, drafted, on_road.YES)
        del os.environ["ONDECK_FAULT_AT"]
    return on_road.over(on, job)


def found_out(on: Deck, view: JobView) -> JobView:
    """What can be known of it, after as many looks as work that still runs needs."""
    for _ in range(200):
        if not view.lost and not view.unsettled:
            return view
        if view.events == 0:
            return view
        view = on_road.reconciled(on, view.id)
        if not any(row.still_running for row in view.targets.values()):
            return view
    raise AssertionError(f"it never came to an end: {view}")


def way_out(on: Deck, view: JobView) -> JobView:
    """A job in doubt is settled, with evidence for who does it; one with something left goes on."""
    for name, row in view.targets.items():
        if row.outcome is Outcome.UNKNOWN:
            assert row.text
            assert [lock.job for lock in on.record.locks()] == [view.id]
            reconcile.settle(on, view.id, name, Outcome.FAILED, "looked at it")
            view = on_road.over(on, view.id)
    if view.events and reconcile.todo(view):
        on_road.go_on(on, view.id)
        view = on_road.over(on, view.id)
        assert not reconcile.todo(view), view.summary
    return view


def closed(on: Deck, view: JobView) -> None:
    assert not view.unsettled
    assert on.record.locks() == []
    assert on.record.audit.verify().ok


class PutCase:
    """A file that is replaced on a host."""

    def __init__(self, root: Path, sshd: Sshd) -> None:
        root.mkdir()
        self.file = root / "motd"
        self.file.write_text(OLD)
        (root / "new").write_text(NEW)
        self.deck = deck(root, sshd.inventory(sshd.host("web-1")))
        self.request = Request(
            operation="host.put", subject="web-1", targets=("web-1",), env="test", actor="anna",
            params={"source": str(root / "new"), "path": str(self.file)},
        )  # fmt: skip
        self.first = self.file.stat().st_ino

    def effects(self) -> int:
        return int(self.file.stat().st_ino != self.first)

    def in_place(self) -> bool:
        return self.file.read_text() == NEW

    def stamp(self) -> object:
        return self.file.stat().st_ino

    def close(self) -> None:
        """Nothing runs."""


class DeployCase:
    """A release over an older one that runs."""

    def __init__(self, root: Path, sshd: Sshd) -> None:
        self.site = Site(root)
        for version in ("1.0", "1.1"):
            self.site.build(version)
        asyncio.run(self.site.do("deploy", version="1.0"))
        self.deck = deck(root, self._over_ssh(sshd))
        self.request = self.site.request("deploy", version="1.1")

    def _over_ssh(self, sshd: Sshd) -> Inventory:
        inventory, port = self.site.bench.inventory, str(self.site.ports["web-1"])
        service = inventory.services["shop"]
        assert service.deploy is not None
        options = {key: _filled(value, port) for key, value in service.deploy.options.items()}
        health = HealthCheck(
            http=f"http://127.0.0.1:{port}/healthz", times=2, every=1, timeout=40, within=60, settle=1
        )
        deploy = Deploy(kind="release-dir", options=options, batches=service.deploy.batches)
        shop = msgspec.structs.replace(service, deploy=deploy, health=health)
        host = msgspec.structs.replace(sshd.host("web-1"), env="prod", groups=("web",))
        return msgspec.structs.replace(
            inventory, hosts={"web-1": host}, services={"shop": shop}, ssh=sshd.inventory().ssh
        )

    def effects(self) -> int:
        return self.site.log().count("restart web-1 releases/1.1")

    def in_place(self) -> bool:
        return self.site.current() == "1.1"

    def stamp(self) -> object:
        return (self.site.current(), self.effects())

    def close(self) -> None:
        self.site.close()


def _filled(value: Any, port: str) -> Any:
    return [word.replace("${address}", port) for word in value] if isinstance(value, list) else value


Case = PutCase | DeployCase


def check(case: Case, moment: str) -> None:
    """One life and death, and what is true after it."""
    try:
        view = killed(case.deck, case.request, moment)
        assert view.lost
        view = found_out(case.deck, view)
        true_to(case, view)
        before = case.stamp()
        again = found_out(case.deck, view)
        assert case.stamp() == before, "to look changes nothing"
        view = way_out(case.deck, again)
        true_to(case, view)
        if view.events:
            closed(case.deck, view)
    except AssertionError as error:
        raise AssertionError(f"killed at {moment}: {error}") from error
    finally:
        case.close()


def true_to(case: Case, view: JobView) -> None:
    row = view.targets["web-1"]
    assert row.outcome is not None, "never shown as running for ever"
    assert case.effects() <= 1, "it was done twice"
    if row.outcome is Outcome.SUCCEEDED:
        assert case.in_place()
        assert case.effects() == 1
    if row.outcome is Outcome.NOT_STARTED:
        assert case.effects() == 0, row.text


def moments(make: Callable[[str], Case]) -> list[str]:
    """Before every record of a whole job, and right after the intent."""
    case = make("whole")
    view = killed(case.deck, case.request, "")
    assert view.outcome is Outcome.SUCCEEDED, view
    true_to(case, view)
    events = case.deck.record.folder(view.id).events_after(0)
    intent = next(n for n, event in enumerate(events) if isinstance(event, AttemptIntended))
    case.close()
    return [*(f"{number}-" for number in range(1, len(events))), str(intent)]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", [PutCase, DeployCase])
def test_a_worker_killed_at_every_record_of_a_change_leaves_single_effects_and_a_way_out(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Case]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    found = moments(lambda name: kind(tmp_path / name, sshd))
    assert len(found) > 6
    cases = [(kind(tmp_path / f"at{moment}", sshd), moment) for moment in found]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda case: check(*case), cases))
