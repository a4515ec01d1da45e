"""Services of a real swarm, from both faces: rolled, refused, stopped by the swarm, taken back, scaled, drained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from lab.docker import engine as engines
from lab.docker import registry as registries
from lab.docker.engine import Engine
from lab.docker.registry import Registry
from ondeck.deck import open_deck, read_inventory
from ondeck.settings import load
from tests.docker_bastion import Bastion
from tests.playing import eventually
from tests.required import cannot
from tests.tui.playing import play_on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


class Swarm(Bastion):
    """An `ondeck` over a swarm of one node."""

    def service(self) -> dict[str, Any]:
        api = self.manager()
        try:
            found: dict[str, Any] = api.inspect_service("shop_web")
            return found
        finally:
            api.close()

    def manager(self) -> docker.APIClient:
        return self.api("swarm-1")

    def versions(self) -> list[str]:
        """Versions of the tasks that run and shall."""
        api = self.manager()
        try:
            return [
                str(task["Spec"]["ContainerSpec"]["Image"]).partition("@")[0].rpartition(":")[2]
                for task in api.tasks(filters={"service": "shop_web", "desired-state": "running"})
                if task["Status"]["State"] == "running"
            ]
        finally:
            api.close()


def _inventory(swarm: Swarm, engine: Engine, registry: Registry) -> None:
    folder = swarm.folder / "inventory"
    folder.mkdir()
    (swarm.folder / "home").mkdir(mode=0o700)
    files = {
        "ondeck": 1,
        "environments": {"prod": {"colour": "red", "protection": "confirm"}},
        "clusters": {"swarm-eu": {"kind": "swarm", "env": "prod", "url": f"unix://{engine.socket}"}},
        "services": {
            "checkout": {
                "on": {"prod": "cluster=swarm-eu"},
                "deploy": {
                    "kind": "swarm", "image": f"{registry.name}/shop/checkout", "service": "shop_web",
                    "lives": "5s", "within": "120s",
                },
                "logs": {"app": {"docker": "shop_web"}},
            }
        },
    }  # fmt: skip
    (folder / "ondeck.yml").write_text(json.dumps(files))


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    if why := engines.lacking() or registries.lacking():
        cannot(why)
    folder = tmp_path_factory.mktemp("swarm")
    with registries.registry() as registry, engines.swarm_engine() as engine:
        found = Swarm(folder, {"swarm-1": engine}, registry, {})
        _inventory(found, engine, registry)
        for version in ("2.13.2", "2.14.0", "2.15.0"):
            found.digests[version] = registry.put(version).removeprefix("sha256:")
        api = found.manager()
        image = f"{registry.name}/shop/checkout:2.13.2"
        api.create_service(
            docker.types.TaskTemplate(
                docker.types.ContainerSpec(image, stop_grace_period=2 * 10**9),
                restart_policy=docker.types.RestartPolicy(condition="any", delay=10**9),
            ),
            name="shop_web", mode=docker.types.ServiceMode("replicated", 2),
            update_config=docker.types.UpdateConfig(
                parallelism=1, delay=3 * 10**9, failure_action="pause", monitor=3 * 10**9
            ),
        )  # fmt: skip
        api.close()
        eventually(lambda: found.versions() == ["2.13.2"] * 2, 60)
        try:
            yield found
        finally:
            found.end_jobs()


def test_a_deploy_is_watched_until_every_task_runs_the_digest(swarm: Swarm) -> None:
    plan = swarm.run("deploy", "checkout@prod", "2.14.0", "--plan", "--exit-code", code=10).out
    assert "index" in plan
    assert swarm.digests["2.14.0"][:12] in plan
    swarm.deploy("2.14.0")
    assert swarm.versions() == ["2.14.0"] * 2
    spec = swarm.service()["Spec"]
    assert spec["TaskTemplate"]["ContainerSpec"]["Image"].endswith(f"2.14.0@sha256:{swarm.digests['2.14.0']}")
    assert spec["Labels"]["ondeck.version"] == "2.14.0"
    (target,) = swarm.job()["targets"].values()
    assert (target["outcome"], "2 of 2 tasks run 2.14.0" in target["evidence"]) == ("succeeded", True)
    assert swarm.run("deploy", "checkout@prod", "2.14.0", "--plan", "--exit-code").code == 0


def test_a_plan_from_another_index_is_stale(swarm: Swarm) -> None:
    made = swarm.run("plan", "service.deploy", "checkout@prod", "--set", "version=2.15.0").out
    name = made.rpartition("ondeck apply ")[2].split()[0]
    api = swarm.manager()
    said = api.inspect_service("shop_web")
    spec = said["Spec"]
    spec["Labels"]["somebody"] = "else"
    url = api._url("/services/{0}/update", said["ID"])
    api._raise_for_status(api._post_json(url, data=spec, params={"version": said["Version"]["Index"]}))
    api.close()
    swarm.run("apply", name, "--yes", "--reason", "a test", code=7)
    assert swarm.versions() == ["2.14.0"] * 2


def test_a_bad_image_is_stopped_by_the_swarm_and_failed_and_taken_back_to_the_last_good(swarm: Swarm) -> None:
    swarm.deploy("2.15.0")
    swarm.registry.put("2.16.0", dies="1")
    done = swarm.deploy("2.16.0", code=None)
    assert done.code != 0
    (target,) = swarm.job()["targets"].values()
    assert target["outcome"] == "failed"
    assert "update paused" in target["evidence"]
    assert "exit 3" in target["evidence"]
    assert "2.15.0" in swarm.versions(), "the swarm stopped before the last task"
    swarm.end_jobs()
    plan = swarm.run("rollback", "checkout@prod", "--plan").out
    assert "last good" in plan
    swarm.run("rollback", "checkout@prod", "--yes", "--reason", "back")
    assert swarm.versions() == ["2.15.0"] * 2


def test_scale_and_restart_wait_until_the_swarm_has_done_it(swarm: Swarm) -> None:
    swarm.run("scale", "checkout@prod", "3", "--yes", "--reason", "more")
    assert swarm.versions() == ["2.15.0"] * 3
    before = {t["ID"] for t in _tasks(swarm)}
    swarm.run("restart", "checkout@prod", "--yes", "--reason", "again")
    assert not before & {t["ID"] for t in _tasks(swarm)}
    assert swarm.versions() == ["2.15.0"] * 3


def _tasks(swarm: Swarm) -> list[dict[str, Any]]:
    api = swarm.manager()
    try:
        return list(api.tasks(filters={"service": "shop_web", "desired-state": "running"}))
    finally:
        api.close()


def test_lists_and_logs_of_a_swarm(swarm: Swarm) -> None:
    (service,) = swarm.run("get", "swarm-services", "-o", "json").data["things"]
    assert (service["running"], service["wanted"]) == (3, 3)
    tasks = swarm.run("get", "swarm-tasks", "-o", "json").data["things"]
    assert any("exit 3" in one["reason"] for one in tasks)
    (node,) = swarm.run("get", "swarm-nodes", "-o", "json").data["things"]
    assert node["availability"] == "active"
    assert "2.15.0 listening" in swarm.run("logs", "checkout@prod", "--since", "1h").out


def test_a_node_is_drained_and_taken_back_in(swarm: Swarm) -> None:
    (node,) = swarm.run("get", "swarm-nodes", "-o", "json").data["things"]
    target = f"swarm-eu/{node['name']}"
    plan = swarm.run("plan", "node.drain", target).out
    assert "no node stays active" in plan
    made = plan.rpartition("ondeck apply ")[2].split()[0]
    swarm.run("apply", made, "--yes", "--reason", "kernel")
    assert swarm.versions() == []
    plan = swarm.run("plan", "node.activate", target).out
    done = swarm.run("apply", plan.rpartition("ondeck apply ")[2].split()[0], "--yes", "--reason", "done")
    assert "is active" in done.err
    eventually(lambda: swarm.versions() == ["2.15.0"] * 3, 60)


def test_a_swarm_that_does_not_answer_is_an_error_and_not_nothing(swarm: Swarm) -> None:
    swarm.engines["swarm-1"].tell("hang")
    try:
        done = swarm.run("get", "swarm-services", code=6, timeout=60)
        assert "swarm-eu" in done.err
    finally:
        swarm.engines["swarm-1"].tell("wake")


async def test_the_pane_lists_the_services_of_the_swarm(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.app.live.session import LiveSession

    eventually(lambda: swarm.versions() == ["2.15.0"] * 3, 60)
    for name, value in swarm.environment.items():
        monkeypatch.setenv(name, value)
    settings = load()
    inventory = read_inventory(settings)
    session = LiveSession(inventory, settings, lambda: open_deck(settings, inventory))
    try:
        async with play_on(session) as play:
            await play.press(":")
            await play.type("swarm-services swarm-eu")
            await play.press("enter")
            shown = await play.until("shop_web")
            assert "3/3" in shown
            await play.press(":")
            await play.type("scale checkout@prod 2")
            await play.press("enter")
            await play.until("y starts it")
            await play.press("y")
            await play.until("succeeded", turns=6000)
    finally:
        session.close()
    assert swarm.versions() == ["2.15.0"] * 2
