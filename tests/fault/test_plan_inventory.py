"""A plan runs on the machines and with the commands it was made for, whatever the inventory says by then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.errors import ExitCode, PlanStale
from ondeck.inventory.model import Deploy, Host, Inventory, Service, SshDefaults
from ondeck.job.events import Ask, Ended, Mode, What
from ondeck.job.outcome import JobState, Outcome
from ondeck.operate import launch, reconcile, road
from ondeck.record.jobfolder import JobFolder
from tests import road as on_road
from tests.fault.test_worker_resumed import killed, paused_and_killed
from tests.playing import Player

CONTINUE = Ask(what=What.CONTINUE, by="anna")


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture
def files(player: Player) -> Iterator[Path]:
    """The inventory's folder; what a test edits is put back."""
    folder = player.demo.inventory
    before = {path: path.read_bytes() for path in folder.glob("*.yml")}
    yield folder
    for path, data in before.items():
        path.write_bytes(data)


def planned(player: Player, *words: str) -> str:
    return player.run("plan", *words, code=0).out.split()[-1]


def test_a_command_that_was_edited_after_the_plan_does_not_run(player: Player, files: Path) -> None:
    plan = planned(player, "service.restart", "checkout@staging", "--reason", "p")
    edited(files / "services.yml", "[/srv/checkout/current/bin/restart]", '["touch", "/tmp/edited"]')
    done = player.run("apply", plan, "--yes", code=ExitCode.STALE)
    assert "service checkout" in done.err
    assert "plan again" in done.err
    assert player.ssh("stg-1", "test -e /tmp/edited && echo ran") == ""


def test_a_host_that_moved_after_the_plan_is_not_run_on(player: Player, files: Path) -> None:
    plan = planned(player, "host.exec", "web-1", "--set", "argv=touch /tmp/moved", "--reason", "p")
    network = player.demo.hosts["web-1"].rpartition(".")[0]
    edited(files / "hosts.yml", f'"{network}.[11:13]"', f'"{network}.[12:14]"')
    done = player.run("apply", plan, "--yes", "--confirm", "prod", code=ExitCode.STALE)
    assert "host web-1" in done.err
    assert f"{network}.12" in done.err
    for host in ("web-1", "web-2"):
        assert player.ssh(host, "test -e /tmp/moved && echo ran") == ""


def test_an_edit_of_something_else_does_not_refuse_the_plan(player: Player, files: Path) -> None:
    plan = planned(player, "host.exec", "stg-1", "--set", "argv=touch /tmp/as-planned")
    edited(files / "hosts.yml", "rack: r1", "rack: r2")
    edited(files / "hosts.yml", "hosts:\n", "# a line that moves all others\nhosts:\n")
    player.run("apply", plan, "--yes", code=0)
    assert player.ssh("stg-1", "test -e /tmp/as-planned && echo ran") == "ran"


def other(on: Deck, **changes: object) -> Deck:
    inventory = msgspec.structs.replace(on.inventory, **changes)
    return msgspec.structs.replace(on, inventory=inventory)


def with_host(on: Deck, name: str, **changes: object) -> dict[str, Host]:
    return {**on.inventory.hosts, name: msgspec.structs.replace(on.inventory.hosts[name], **changes)}


RELEVANT: dict[str, Callable[[Deck], Deck]] = {
    "address": lambda on: other(on, hosts=with_host(on, "web-2", address="10.0.0.9")),
    "gone": lambda on: other(on, hosts={k: h for k, h in on.inventory.hosts.items() if k != "web-2"}),
    "jump": lambda on: other(on, hosts=with_host(on, "jump", address="10.0.0.8")),
    "jump behind the jump": lambda on: other(on, hosts=with_host(on, "outer", port=2022)),
    "ssh": lambda on: other(on, ssh=SshDefaults(user="root")),
    "reads": lambda on: other(
        on,
        environments={
            "lab": msgspec.structs.replace(on.inventory.environments["lab"], read_commands=(("id",),))
        },
    ),
}


def behind_jumps(tmp: Path) -> Deck:
    on = on_road.deck(tmp)
    hosts = {
        **with_host(on, "web-1", via="jump"),
        "jump": Host(name="jump", env="lab", via="outer"),
        "outer": Host(name="outer", env="lab"),
        "db-1": Host(name="db-1", env="lab"),
    }
    return other(on, hosts=hosts)


@pytest.mark.parametrize("name", RELEVANT)
def test_what_the_plan_stands_on_refuses_it_when_it_changed_and_starts_nothing(
    tmp_path: Path, name: str
) -> None:
    on = behind_jumps(tmp_path)
    drafted = on_road.drafted(on, tmp_path)
    with pytest.raises(PlanStale, match="the inventory changed"):
        road.start(RELEVANT[name](on), drafted, on_road.YES)
    with pytest.raises(PlanStale, match="the inventory changed"):
        road.stored_plan(RELEVANT[name](on), drafted.plan.id)
    assert on.record.jobs() == []
    assert [entry.phase for entry in on.record.audit.entries()] == ["refused"]


def test_the_service_of_the_subject_and_its_hosts_belong_to_the_plan() -> None:
    from ondeck.job.plan import Draft, Plan, Request, RolloutPlan
    from ondeck.job.spec import Risk
    from ondeck.operate import seal

    hosts = {name: Host(name=name, env="lab", groups=("web",)) for name in ("web-1", "web-2")}
    hosts["lb-1"] = Host(name="lb-1", env="lab")
    service = Service(name="checkout", on={"lab": "group=web"}, deploy=Deploy(kind="x", drain_on="lb-1"))
    base = msgspec.structs.replace(on_road.inventory(), hosts=hosts, services={"checkout": service})
    request = Request(operation="x", subject="checkout@lab", targets=("web-1",), env="lab")
    draft = Draft(summary="", risk=Risk.CHANGE, rollout=RolloutPlan(batches=()), lock_key="")
    plan = Plan(id="p", request=request, title="", provider="x", draft=draft, inventory="", policy="", made=0)

    def changed(**changes: object) -> list[str]:
        return seal.differences(plan, base, msgspec.structs.replace(base, **changes))

    assert changed() == []
    more = {**hosts, "web-9": Host(name="web-9", env="lab", groups=("web",))}
    assert changed(hosts=more) == ["hosts of checkout@lab: more web-9"]
    drain = {**hosts, "lb-1": Host(name="lb-1", env="lab", address="10.9.9.9")}
    assert changed(hosts=drain) == ["host lb-1: address was '', is '10.9.9.9'"]
    deploy = msgspec.structs.replace(service, deploy=Deploy(kind="x", options={"restart": ["no"]}))
    assert changed(services={"checkout": deploy}) == ["service checkout: deploy"]
    assert changed(services={}) == ["service checkout: is gone"]
    label = {**hosts, "web-2": Host(name="web-2", env="lab", groups=("web",), labels={"rack": "r9"})}
    assert changed(hosts=label) == []


def test_the_job_works_with_the_inventory_of_its_plan_and_not_with_a_later_one(tmp_path: Path) -> None:
    on = behind_jumps(tmp_path)
    drafted = on_road.drafted(on, tmp_path)
    later = other(on, hosts=with_host(on, "db-1", address="10.0.0.7"))
    job = road.start(later, drafted, on_road.YES)
    stored = on.record.folder(job).inventory.read_bytes()
    assert hashlib.sha256(stored).hexdigest() == drafted.plan.inventory
    assert msgspec.json.decode(stored, type=Inventory) == on.inventory
    assert on_road.over(on, job).outcome is Outcome.SUCCEEDED


def test_a_plan_whose_inventory_is_gone_or_damaged_starts_nothing(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    drafted = on_road.drafted(on, tmp_path)
    kept = on.record.inventories_root / f"{drafted.plan.inventory}.json"
    move(kept)
    with pytest.raises(PlanStale, match="inventory"):
        road.start(on, drafted, on_road.YES)
    kept.unlink()
    with pytest.raises(PlanStale, match="inventory"):
        road.start(on, drafted, on_road.YES)
    assert on.record.jobs() == []


def move(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"web-1"', b'"web-9"'))


def test_an_edited_inventory_of_a_job_does_not_go_on(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path)
    move(on.record.folder(job).inventory)
    with pytest.raises(PlanStale, match="not the one"):
        reconcile.tend(on, job, CONTINUE)
    assert set(on_road.effects(tmp_path)) == {"web-1"}


def test_a_job_whose_hosts_moved_since_does_not_go_on(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path)
    with pytest.raises(PlanStale, match="host web-2: address"):
        reconcile.tend(RELEVANT["address"](on), job, CONTINUE)


@pytest.mark.parametrize("mode", [Mode.RUN, Mode.RESUME])
def test_the_worker_itself_refuses_an_inventory_that_is_not_the_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    on = on_road.deck(tmp_path)
    job = paused_and_killed(on, tmp_path) if mode is Mode.RESUME else ""
    spawn = launch.spawn

    def moved(at: JobFolder, *given: object) -> None:
        move(at.inventory)
        spawn(at, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(launch, "spawn", moved)
    if job:
        reconcile.tend(on, job, CONTINUE, on_road.YES)
    else:
        job = on_road.start(on, tmp_path)
    view = on_road.over(on, job)
    assert view.why is Ended.REFUSED, view.summary
    assert "inventory" in view.summary
    assert "web-2" not in on_road.effects(tmp_path)


def test_an_edited_inventory_is_not_asked_what_became_of_a_target(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.start(on, tmp_path, delay=30.0)
    on_road.wait_for(on, job, lambda v: len(on_road.effects(tmp_path)) == 3)
    assert killed(on, job).in_doubt
    move(on.record.folder(job).inventory)
    view = on_road.reconciled(on, job)
    assert len(view.in_doubt) == 3
    assert any("inventory" in note for note in view.notes)
    reconcile.tend(on, job, Ask(what=What.SETTLE, target="web-1", outcome=Outcome.FAILED, reason="looked"))
    view = on_road.over(on, job)
    assert (view.targets["web-1"].outcome, view.state) == (Outcome.FAILED, JobState.ENDED)
