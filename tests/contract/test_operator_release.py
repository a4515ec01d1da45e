from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ondeck.errors import BadInput, Refused, RemoteFailed
from ondeck.inventory.model import Host, Signal
from tests.contract.release_site import ContractSite, Log, Make, Site


async def test_a_good_release_is_unpacked_switched_and_waited_for(make: Make) -> None:
    site = make(hosts=2)
    site.build("1.0")
    found, _ = await site.do("deploy", version="1.0")
    assert [f.outcome for f in found.values()] == ["succeeded", "succeeded"]
    assert "http 200" in found["web-1"].evidence
    assert (site.current("web-1"), site.current("web-2")) == ("1.0", "1.0")
    assert site.bench.facts["running shop@prod"].startswith("1.0 sha256:")


async def test_a_release_that_answers_badly_goes_back_and_fails(make: Make) -> None:
    site = make(drains=True)
    site.build("1.0")
    site.build("1.1", "bad")
    await site.do("deploy", version="1.0")
    found, _ = await site.do("deploy", version="1.1")
    assert found["web-1"].outcome == "failed"
    assert "went back to 1.0, healthy" in found["web-1"].evidence
    assert "http 503" in found["web-1"].evidence
    assert site.current() == "1.0"
    facts = (await site.reader().running(site.service, site.hosts, site.bench))[0]
    assert (facts.version, facts.healthy, facts.drained, facts.kept) == ("1.0", True, False, ("1.1", "1.0"))


async def test_a_dead_process_fails_at_once_and_goes_back(make: Make) -> None:
    site = make()
    site.build("1.0")
    site.build("1.1", "dies")
    await site.do("deploy", version="1.0")
    found, _ = await site.do("deploy", version="1.1")
    assert found["web-1"].outcome == "failed"
    assert "the process is dead" in found["web-1"].evidence
    assert site.current() == "1.0"


async def test_rollback_goes_to_the_last_good_release_not_merely_to_the_previous(make: Make) -> None:
    site = make()
    for version in ("1.0", "1.1", "1.2"):
        site.build(version, "bad" if version == "1.2" else "good")
    await site.do("deploy", version="1.0")
    await site.do("deploy", version="1.1")
    assert site.bench.facts["last-good shop@prod"].startswith("1.0 ")
    draft = await site.draft("rollback")
    assert "-> 1.0" in draft.summary
    assert "last good" in draft.summary
    found, _ = await site.do("rollback")
    assert found["web-1"].outcome == "succeeded"
    assert site.current() == "1.0"


async def test_going_back_twice_never_leads_forward_to_the_release_that_was_left(make: Make) -> None:
    site = make()
    for version in ("1.0", "1.1", "1.2"):
        site.build(version)
        await site.do("deploy", version=version)
    await site.do("rollback")
    assert site.current() == "1.1"
    await site.do("rollback")
    assert site.current() == "1.0"


async def test_a_rollback_without_a_record_never_leads_forward(make: Make) -> None:
    site = make(hosts=2)
    for version in ("1.0", "1.1"):
        site.build(version)
        await site.do("deploy", version=version)
    site.bench.facts.clear()
    await site.do("rollback")
    assert site.current() == "1.0"
    with pytest.raises(BadInput, match=r"it runs 1\.0, and nothing older is kept") as refused:
        await site.draft("rollback")
    assert "kept, but newer: 1.1" in str(refused.value.hint)
    site.bench.facts.clear()
    with pytest.raises(BadInput, match="nothing older is kept"):
        await site.draft("rollback")
    assert "-> 1.1" in (await site.draft("rollback", to="1.1")).summary


async def test_a_rollback_of_healthy_hosts_goes_in_the_usual_batches(make: Make) -> None:
    site = make(hosts=2, batches=("1", "100%"))
    for version in ("1.0", "1.1"):
        site.build(version)
        await site.do("deploy", version=version)
    assert [len(b.targets) for b in (await site.draft("rollback")).rollout.batches] == [1, 1]


async def test_a_batch_that_drains_every_host_at_once_says_so(make: Make) -> None:
    site = make(hosts=2, drains=True, batches=("100%",))
    for version in ("1.0", "1.1"):
        site.build(version)
    draft = await site.draft("deploy", version="1.0")
    assert any("takes every host of shop@prod out of the traffic at once" in w for w in draft.warnings)
    one_by_one = make(hosts=2, drains=True, batches=("1",))
    one_by_one.build("1.0")
    draft = await one_by_one.draft("deploy", version="1.0")
    assert not [w for w in draft.warnings if "out of the traffic" in w]


async def test_without_a_record_the_newest_kept_release_is_named_and_the_plan_says_so(make: Make) -> None:
    site = make()
    for version in ("1.0", "1.1"):
        site.build(version)
        await site.do("deploy", version=version)
    site.bench.facts.clear()
    draft = await site.draft("rollback")
    assert "-> 1.0" in draft.summary
    assert any("no last good release is recorded" in w for w in draft.warnings)


async def test_a_rollback_that_is_not_healthy_is_not_rolled_back_again(make: Make) -> None:
    site = make()
    site.build("1.0", "bad")
    site.build("1.1")
    await site.do("deploy", version="1.1")
    await site.do("deploy", version="1.0")
    found, _ = await site.do("rollback", to="1.0")
    assert found["web-1"].outcome == "failed"
    assert "not taken back by itself" in found["web-1"].evidence
    assert site.current() == "1.0"


async def test_the_same_release_again_changes_nothing(make: Make) -> None:
    site = make()
    site.build("1.0")
    await site.do("deploy", version="1.0")
    before = site.log()
    draft = await site.draft("deploy", version="1.0")
    assert [c.action for c in draft.changes] == ["no-op"]
    found, _ = await site.do("deploy", version="1.0")
    assert found["web-1"].outcome == "succeeded"
    assert "nothing was changed" in found["web-1"].evidence
    assert site.log() == before


async def test_a_kept_release_is_not_uploaded_again(make: Make) -> None:
    site = make()
    for version in ("1.0", "1.1"):
        site.build(version)
        await site.do("deploy", version=version)
    _, log = await site.do("deploy", version="1.0")
    assert not [s for s in log.steps if "uploaded" in s]
    assert site.current() == "1.0"


async def test_another_build_under_the_same_version_is_refused(make: Make) -> None:
    site = make()
    site.build("1.0")
    await site.do("deploy", version="1.0")
    site.build("1.0", "good", more=b"x")
    with pytest.raises(BadInput, match="another build"):
        await site.draft("deploy", version="1.0")


async def test_a_wrong_checksum_is_refused_at_plan(make: Make) -> None:
    site = make()
    path = site.build("1.0")
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(BadInput, match="checksum"):
        await site.draft("deploy", version="1.0")


async def test_bytes_that_changed_after_the_plan_are_refused_on_the_host(make: Make) -> None:
    site = make()
    path = site.build("1.0")
    plan = await site.plan("deploy", version="1.0")
    path.write_bytes(site.build("1.0", "bad").read_bytes())
    async with site.operator.open(plan, site.bench) as applying:
        with pytest.raises(RemoteFailed, match="checksum on the host"):
            await applying.apply(site.attempt("web-1"), Log())
    assert site.current() == ""
    assert site.leftovers() == []


async def test_a_full_disk_fails_before_anything_was_switched(make: Make) -> None:
    site = make()
    site.build("1.0")
    await site.do("deploy", version="1.0")
    site.build("1.1", "good", big=os.urandom(3 << 20))
    if not site.small_disk("web-1", "2m"):
        pytest.skip("mounting a small file system needs root")
    await site.do("deploy", version="1.0")
    plan = await site.plan("deploy", version="1.1")
    assert any("too little room" in w for w in plan.draft.warnings)
    async with site.operator.open(plan, site.bench) as applying:
        with pytest.raises(RemoteFailed, match="No space left"):
            await applying.apply(site.attempt("web-1"), Log())
    assert site.current() == "1.0"
    assert site.leftovers() == []


async def test_drain_comes_before_the_stop_and_undrain_after_health(make: Make) -> None:
    site = make(drains=True)
    site.build("1.0")
    _, log = await site.do("deploy", version="1.0")
    assert site.log() == ["drain web-1", "restart web-1 releases/1.0", "undrain web-1"]
    assert log.steps[-4:-1] == ["drained", "switched to 1.0 and restarted", "taken back in"]


async def test_a_drain_that_fails_leaves_the_host_as_it_is(make: Make) -> None:
    site = make(drains=True)
    site.build("1.0")
    (site.root / "web-1" / "no-drain").touch()
    plan = await site.plan("deploy", version="1.0")
    async with site.operator.open(plan, site.bench) as applying:
        with pytest.raises(RemoteFailed, match="drain failed"):
            await applying.apply(site.attempt("web-1"), Log())
    assert site.current() == ""


async def test_a_host_that_cannot_be_taken_back_in_has_failed(make: Make) -> None:
    site = make(drains=True)
    site.build("1.0")
    (site.root / "web-1" / "no-undrain").touch()
    found, _ = await site.do("deploy", version="1.0")
    assert found["web-1"].outcome == "failed"
    assert "still out" in found["web-1"].evidence
    assert (await site.reader().running(site.service, site.hosts, site.bench))[0].drained is True


async def test_retention_keeps_the_newest_and_never_removes_the_last_good(make: Make) -> None:
    site = make(keep=2)
    for version in ("1.0", "1.1", "1.2", "1.3"):
        site.build(version, "bad" if version in ("1.1", "1.2") else "good")
        await site.do("deploy", version=version)
    assert site.kept() == {"1.0", "1.2", "1.3"}
    draft = await site.draft("rollback")
    assert not {"release 1.0", "release 1.3"} & {c.address for c in draft.changes if c.action == "delete"}
    assert "-> 1.0" in draft.summary


async def test_what_retention_removes_stands_in_the_plan(make: Make) -> None:
    site = make(keep=1)
    for version in ("1.0", "1.1", "1.2", "1.3"):
        site.build(version)
        await site.do("deploy", version=version)
    site.build("1.4")
    draft = await site.draft("deploy", version="1.4")
    assert [c.address for c in draft.changes if c.action == "delete"] == ["release 1.1"]
    assert any("remove 1.1" in c.note for c in draft.commands)


async def test_a_migration_runs_once_before_the_first_switch_and_is_named_irreversible(make: Make) -> None:
    site = make(hosts=2, migrates=True)
    site.build("1.0")
    draft = await site.draft("deploy", version="1.0")
    assert "cannot be taken back" in draft.undo
    found, _ = await site.do("deploy", version="1.0")
    assert [f.outcome for f in found.values()] == ["succeeded", "succeeded"]
    assert [line.split()[0] for line in site.log()] == ["migrate", "restart", "restart"]


async def test_a_host_does_not_switch_while_the_migration_has_not_run(make: Make) -> None:
    site = make(hosts=2, migrates=True)
    site.build("1.0")
    plan = await site.plan("deploy", version="1.0")
    async with site.operator.open(plan, site.bench) as applying:
        with pytest.raises(RemoteFailed, match="has not run"):
            await applying.apply(site.attempt("web-2"), Log())
    assert site.current("web-2") == ""


async def test_a_host_that_cannot_be_asked_is_left_out_loudly_or_refuses(make: Make) -> None:
    site = make(hosts=2)
    site.build("1.0")
    site.unreachable.add("web-2")
    draft = await site.draft("deploy", version="1.0")
    assert "could not be asked" in draft.left_out["web-2"]
    assert (draft.preflight[0].ok, draft.preflight[0].unknown) == (1, 1)
    with pytest.raises(Refused, match="web-2"):
        await site.draft("deploy", version="1.0", leave_out=False)
    found, _ = await site.do("deploy", version="1.0")
    assert found["web-1"].outcome == "succeeded"
    site.build("1.1")
    found, log = await site.do("deploy", version="1.1")
    assert site.bench.facts["running shop@prod"].startswith("1.1 ")
    assert any("LEFT OUT" in step and "web-2" in step for step in log.steps)
    assert "-> 1.0" in (await site.draft("rollback")).summary


async def test_the_unhealthy_go_first_in_a_rollback(make: Make) -> None:
    site = make(hosts=3)
    for version in ("1.0", "1.1"):
        site.build(version)
        await site.do("deploy", version=version)
    site.stop("web-3")
    draft = await site.draft("rollback")
    assert [b.targets for b in draft.rollout.batches] == [("web-3",), ("web-1", "web-2")]
    assert draft.rollout.batches[0].why.startswith("worst first")


async def test_a_restart_keeps_the_release_and_drains_around_it(make: Make) -> None:
    site = make(drains=True)
    site.build("1.0")
    await site.do("deploy", version="1.0")
    found, _ = await site.do("restart")
    assert found["web-1"].outcome == "succeeded"
    assert site.log()[3:] == ["drain web-1", "restart web-1 releases/1.0", "undrain web-1"]


async def test_drain_and_undrain_are_seen_by_the_reader(make: Make) -> None:
    site = make(drains=True)
    site.build("1.0")
    await site.do("deploy", version="1.0")
    for verb, drained in (("drain", True), ("undrain", False)):
        found, _ = await site.do(verb)
        assert found["web-1"].outcome == "succeeded"
        assert (await site.reader().running(site.service, site.hosts, site.bench))[0].drained is drained


async def test_the_gate_without_data_is_neither_passed_nor_failed(make: Make) -> None:
    site = make(hosts=2)
    site.build("1.0")
    await site.do("deploy", version="1.0")
    plan = await site.plan("restart")
    async with site.operator.open(plan, site.bench) as applying:
        assert (await applying.gate(("web-1", "web-2"))).passed is True
        site.stop("web-2")
        assert (await applying.gate(("web-1", "web-2"))).passed is False
        site.unreachable.add("web-2")
        gate = await applying.gate(("web-2",))
    assert gate.passed is None
    assert "could not ask" in gate.evidence


@pytest.mark.parametrize(
    ("verb", "params"), [("deploy", {"version": "1.1"}), ("rollback", {}), ("restart", {})]
)
async def test_signals_that_nobody_reads_are_said_in_the_plan_and_by_the_gate(
    make: Make, verb: str, params: dict[str, str]
) -> None:
    site = make()
    for version in ("1.0", "1.1"):
        site.build(version)
        await site.do("deploy", version=version)
    site.declare(Signal(name="p95", prom="x", warn=1.0), Signal(name="err", log="access", ratio="a"))
    plan = await site.plan(verb, **params)
    unread = "signals p95, err are declared and cannot be read yet"
    assert f"{unread}: this rollout is gated on health alone" in plan.draft.warnings
    assert plan.draft.rollout.gate.endswith(unread)
    async with site.operator.open(plan, site.bench) as applying:
        gate = await applying.gate(("web-1",))
        assert (gate.passed, gate.evidence.endswith(unread)) == (True, True)
        site.stop("web-1")
        assert unread in (await applying.gate(("web-1",))).evidence


async def test_a_drain_has_no_gate_and_says_nothing_of_signals(make: Make) -> None:
    site = make(drains=True)
    site.declare(Signal(name="p95", prom="x", warn=1.0))
    assert not [w for w in (await site.draft("drain")).warnings if "p95" in w]
    assert "signal p95 is declared" in " ".join((await site.draft("restart")).warnings)


async def test_available_versions_come_newest_first(make: Make) -> None:
    site = make()
    for n, version in enumerate(("1.10", "1.2", "1.9")):
        os.utime(site.build(version), (n, n))
    assert await site.reader().available(site.service, "prod", site.bench) == ["1.9", "1.2", "1.10"]


async def test_a_version_that_is_not_a_plain_name_is_refused(make: Make) -> None:
    site = make()
    for version in ("../1.0", "1/0", "", "$(id)", "-rf", "1\n2"):
        with pytest.raises(BadInput):
            await site.draft("deploy", version=version)


async def test_deploy_by_the_teams_own_command(make: Make) -> None:
    site = make(kind="command", options=None)
    found, _ = await site.do("deploy", version="7.1")
    assert found["web-1"].outcome == "succeeded"
    assert "runs 7.1" in found["web-1"].evidence
    await site.do("deploy", version="7.2")
    draft = await site.draft("rollback")
    assert "-> 7.1" in draft.summary
    found, _ = await site.do("rollback")
    assert found["web-1"].outcome == "succeeded"
    assert (site.root / "web-1" / "version").read_text() == "7.1\n"


async def test_a_step_that_was_killed_on_the_host_has_failed_with_its_signal(make: Make) -> None:
    site = make()
    for version in ("1.0", "1.1"):
        site.build(version)
    await site.do("deploy", version="1.0")
    contract = ContractSite(site)
    contract.slow("web-1")
    plan = await site.plan("deploy", version="1.1")
    attempt = site.attempt("web-1")
    async with site.operator.open(plan, site.bench) as applying:
        task = asyncio.create_task(applying.apply(attempt, Log()))
        while not contract.effects("web-1"):  # noqa: ASYNC110 - a process outside of this loop writes it
            await asyncio.sleep(0.02)
        site.bench.cuts.after(0)
        for pid in contract.pids("web-1"):
            os.kill(pid, signal.SIGKILL)
        await asyncio.gather(task, return_exceptions=True)
        site.bench.cuts.heal()
        while (found := await applying.reconcile(attempt)).still_running:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # it dies outside of this loop
    assert found.outcome in ("failed", "unknown")
    assert "runs 1.1" in found.evidence


async def test_job_folders_of_what_succeeded_go_and_those_of_failures_stay(
    make: Make, tmp_path: Path
) -> None:
    site = make()
    site.build("1.0")
    site.build("1.1", "dies")
    await site.do("deploy", version="1.0")
    jobs = tmp_path / "home/.local/state/ondeck/jobs"
    assert list(jobs.iterdir()) == []
    await site.do("deploy", version="1.1")
    assert len(list(jobs.iterdir())) == 2


async def test_a_host_that_is_not_of_the_service_is_refused(make: Make) -> None:
    site = make()
    site.build("1.0")
    site.bench.inventory.hosts["db-1"] = Host(name="db-1", env="prod", transport="local")
    with pytest.raises(BadInput, match="db-1"):
        await site.draft("deploy", ("web-1", "db-1"), version="1.0")


async def test_the_plan_shows_every_command_and_no_value_is_formatted_into_a_script(make: Make) -> None:
    site = make(drains=True, migrates=True)
    site.build("1.0")
    draft = await site.draft("deploy", version="1.0")
    notes = [c.note for c in draft.commands]
    assert [n.split(",")[0] for n in notes] == [
        "make the folders",
        "upload",
        "check the sum",
        "migrate",
        "drain",
        "switch and restart",
        "undrain",
    ]
    for command in draft.commands:
        if command.argv[:2] == ("sh", "-c"):
            assert str(site.root) not in command.argv[2]
            assert "1.0" not in command.argv[2]


async def cancelled_once(site: Site, step: str) -> Any:
    """Deploy 1.1 and cancel it when this step was told or this line was logged; what apply says."""
    log = Log()
    plan = await site.plan("deploy", version="1.1")
    async with site.operator.open(plan, site.bench) as applying:
        task = asyncio.create_task(applying.apply(site.attempt("web-1"), log))
        while step not in log.steps and step not in site.log()[3:]:  # noqa: ASYNC110 - the host writes it
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)
        for held in site.root.glob("*/hold-*"):
            held.unlink()
        return await task


async def test_cancelled_while_health_is_waited_for_tells_the_new_release_and_the_drain(make: Make) -> None:
    site = make(drains=True)
    site.build("1.0")
    site.build("1.1", "bad")
    await site.do("deploy", version="1.0")
    found = await cancelled_once(site, "switched to 1.1 and restarted")
    assert found.outcome == "failed"
    assert "runs 1.1" in found.evidence
    assert "still drained" in found.evidence
    assert site.current() == "1.1"


async def test_cancelled_after_the_drain_takes_the_host_back_in(make: Make) -> None:
    site = make(drains=True)
    site.build("1.0")
    site.build("1.1")
    await site.do("deploy", version="1.0")
    (site.root / "web-1" / "hold-drain").touch()
    found = await cancelled_once(site, "drain web-1")
    assert found.outcome == "cancelled", found
    assert "nothing was switched, runs 1.0" in found.evidence
    assert site.current() == "1.0"
    assert site.log()[-1] == "undrain web-1"
