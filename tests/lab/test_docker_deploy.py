"""Containers on plain hosts, from both faces, over SSH to real engines."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ondeck.deck import open_deck, read_inventory
from ondeck.settings import load
from tests.docker_bastion import Bastion, docker_bastion
from tests.tui.playing import Play, play_on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bastion]:
    with docker_bastion(tmp_path_factory.mktemp("bastion")) as started:
        yield started


def test_the_inventory_is_in_order(bastion: Bastion) -> None:
    bastion.run("check")


def test_a_plan_says_digest_batches_and_every_call_and_changes_nothing(bastion: Bastion) -> None:
    done = bastion.run("deploy", "checkout@prod", "2.14.0", "--plan", "--exit-code", code=10)
    assert bastion.digests["2.14.0"][:12] in done.out
    assert "docker pull" in done.out
    assert "docker create" in done.out
    assert "in the registry" in done.out
    assert bastion.containers("web-1") == []


def test_a_deploy_serves_on_every_host_and_is_recorded_with_its_digest(bastion: Bastion) -> None:
    done = bastion.deploy("2.14.0")
    assert "gate after batch 1: passed" in done.err
    assert [bastion.serves(host) for host in bastion.engines] == ["2.14.0", "2.14.0"]
    targets = bastion.job()["targets"]
    assert {row["outcome"] for row in targets.values()} == {"succeeded"}
    again = bastion.run("deploy", "checkout@prod", "2.14.0", "--plan", "--exit-code")
    assert again.code == 0, "nothing is left to change"


def test_the_next_one_keeps_the_old_container_and_a_rollback_starts_it_again(bastion: Bastion) -> None:
    old = {host: bastion.containers(host)[0]["Id"] for host in bastion.engines}
    bastion.deploy("2.15.0")
    assert [bastion.serves(host) for host in bastion.engines] == ["2.15.0", "2.15.0"]
    for host, one in old.items():
        kept = next(c for c in bastion.containers(host) if c["Id"] == one)
        assert (kept["State"]["Running"], kept["HostConfig"]["RestartPolicy"]["Name"]) == (False, "no")
    plan = bastion.run("rollback", "checkout@prod", "--plan")
    assert "last good" in plan.out
    assert "docker rename" in plan.out
    bastion.run("rollback", "checkout@prod", "--yes", "--reason", "back")
    assert [bastion.serves(host) for host in bastion.engines] == ["2.14.0", "2.14.0"]
    for host, one in old.items():
        again = next(c for c in bastion.containers(host) if c["Id"] == one)
        assert again["State"]["Running"]
        assert again["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def started(bastion: Bastion) -> dict[str, str]:
    """When what runs on each host was started."""
    return {
        host: one["State"]["StartedAt"]
        for host in bastion.engines
        for one in bastion.containers(host)
        if one["State"]["Running"]
    }


def test_a_restart_keeps_the_release(bastion: Bastion) -> None:
    before = started(bastion)
    bastion.run("restart", "checkout@prod", "--yes", "--reason", "again")
    after = started(bastion)
    assert set(before) == set(after)
    assert all(before[host] != after[host] for host in before)
    assert [bastion.serves(host) for host in bastion.engines] == ["2.14.0", "2.14.0"]


def test_containers_logs_and_changes_are_read_over_the_same_connection(bastion: Bastion) -> None:
    found = bastion.run("get", "containers", "-o", "json").data
    assert {one["place"] for one in found["things"]} == {"eng-1", "eng-2"}
    assert any(one["running"] and "checkout:2.14.0" in one["image"] for one in found["things"])
    said = bastion.run("logs", "checkout@prod", "--since", "1h").out
    assert re.search(r"web-1/app.*checkout 2\.14\.0 listening", said)
    assert re.search(r"web-2/app", said)
    changes = bastion.run("changes", "--since", "1h", "-o", "json", code=None)
    texts = [c["text"] for c in changes.data if c["subject"] == "checkout@prod" and c.get("host") == "web-1"]
    assert any("container started (2.15.0)" in text for text in texts)


def test_an_image_list_names_who_keeps_what(bastion: Bastion) -> None:
    found = bastion.run("get", "images", "eng-1", "-o", "json").data["things"]
    keepers = {one["service"] for one in found}
    assert "checkout@prod" in keepers


def test_a_service_that_nobody_can_read_is_said_and_the_rest_is_listed(bastion: Bastion) -> None:
    bastion.engines["web-2"].tell("stop")
    try:
        done = bastion.run("get", "containers", code=3)
        assert "eng-2" in done.err
        assert "eng-1" in done.out
    finally:
        bastion.engines["web-2"].start()


async def _typed(play: Play, words: str) -> None:
    await play.press(":")
    await play.type(words)
    await play.press("enter")


async def test_the_pane_deploys_lists_and_restarts_a_container(
    bastion: Bastion, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.app.live.session import LiveSession

    for name, value in bastion.environment.items():
        monkeypatch.setenv(name, value)
    settings = load()
    inventory = read_inventory(settings)
    session = LiveSession(inventory, settings, lambda: open_deck(settings, inventory))
    try:
        async with play_on(session) as play:
            await play.press("3")
            await play.until("2.14.0")
            await _typed(play, "containers eng-1")
            await play.until("CONTAINERS of eng-1")
            shown = await play.until("checkout@prod")
            assert "checkout:2.14.0" in shown
            assert "running" in shown
            await _typed(play, "deploy checkout@prod 2.15.0")
            await play.until("y starts it")
            await play.press("y")
            await play.until("DEPLOY", turns=3000)
            await play.until("succeeded", turns=6000)
            for _ in range(6000):
                if not session.jobs()[0].running:
                    break
                await play.pilot.pause(0.01)
    finally:
        session.close()
    assert [bastion.serves(host) for host in bastion.engines] == ["2.15.0", "2.15.0"]
