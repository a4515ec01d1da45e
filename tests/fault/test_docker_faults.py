"""Bad days of a deploy of containers: what was seen is told, and what serves goes on serving."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.docker_bastion import Bastion, docker_bastion
from tests.playing import eventually

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


@pytest.fixture
def bastion(tmp_path: Path) -> Iterator[Bastion]:
    with docker_bastion(tmp_path, lives="2s") as started:
        started.deploy("2.14.0")
        yield started


def newest(bastion: Bastion) -> str:
    return str(bastion.run("jobs", "-o", "json").data[0]["job"])


def outcomes(bastion: Bastion) -> dict[str, str | None]:
    return {name: row["outcome"] for name, row in bastion.job()["targets"].items()}


def evidence(bastion: Bastion, host: str) -> str:
    return str(bastion.job()["targets"][host]["evidence"])


def test_an_engine_that_is_stopped_in_mid_deploy_is_unknown_until_it_answers(bastion: Bastion) -> None:
    bastion.registry.put("2.16.0", dies="")
    # The new container runs and its health is waited for: there the engine goes.
    going = bastion.start("deploy", "checkout@prod", "2.16.0", "--yes", "--reason", "a test")
    eventually(lambda: "2.16.0" in bastion.running("web-1"), 60)
    bastion.engines["web-1"].tell("stop")
    said, _ = going.communicate(timeout=120)
    assert going.returncode == 4, f"a person has to look\n{said}"
    assert outcomes(bastion) == {"web-1": "unknown", "web-2": None}
    assert bastion.serves("web-2") == "2.14.0"
    bastion.engines["web-1"].start()
    # Its containers ended with it, and it starts what has to run by itself.
    eventually(lambda: bastion.serves("web-1") == "2.16.0", 30)
    bastion.run("cancel", newest(bastion), code=None)
    done = bastion.run("reconcile", newest(bastion), code=None)
    assert outcomes(bastion)["web-1"] == "succeeded", f"{done.err} {evidence(bastion, 'web-1')}"


def test_without_the_registry_a_deploy_is_refused_and_a_rollback_goes(bastion: Bastion) -> None:
    bastion.deploy("2.15.0")
    bastion.registry.stop()
    done = bastion.deploy("2.13.2", code=None)
    assert done.code in (1, 6)
    assert "registry cannot be asked" in done.err
    plan = bastion.run("rollback", "checkout@prod", "--plan").out
    assert "registry cannot be asked" in plan
    bastion.run("rollback", "checkout@prod", "--yes", "--reason", "back")
    assert [bastion.serves(host) for host in bastion.engines] == ["2.14.0", "2.14.0"]


def test_a_registry_that_goes_after_the_plan_fails_before_anything_is_stopped(bastion: Bastion) -> None:
    bastion.registry.put("2.17.0")
    made = bastion.run("plan", "service.deploy", "checkout@prod", "--set", "version=2.17.0").out
    plan = re.search(r"ondeck apply (p[0-9a-f]+)", made)
    assert plan is not None, made
    bastion.registry.stop()
    bastion.run("apply", plan[1], "--yes", "--reason", "a test", code=None)
    assert outcomes(bastion) == {"web-1": "failed", "web-2": None}
    assert "nothing was stopped" in evidence(bastion, "web-1")
    assert [bastion.serves(host) for host in bastion.engines] == ["2.14.0", "2.14.0"]


def test_an_image_that_is_missing_for_a_rollback_is_said_in_the_plan(bastion: Bastion) -> None:
    bastion.deploy("2.15.0")
    _lose(bastion, "web-1", bastion.digests["2.14.0"])
    bastion.registry.stop()
    plan = bastion.run("rollback", "checkout@prod", "--plan").out
    assert re.search(r"image 2\.14\.0 \S+ present", plan)
    assert "web-1" in plan
    assert "the image is not on it" in plan
    _lose(bastion, "web-2", bastion.digests["2.14.0"])
    refused = bastion.run("rollback", "checkout@prod", "--plan", code=2)
    assert "is on none of the hosts" in refused.err


def _lose(bastion: Bastion, host: str, digest: str) -> None:
    api = bastion.api(host)
    for one in api.containers(all=True, filters={"label": f"ondeck.digest=sha256:{digest}"}):
        api.remove_container(one["Id"], force=True)
    api.remove_image(f"{bastion.registry.name}/shop/checkout@sha256:{digest}")
    api.close()


def test_an_image_for_another_platform_is_refused_while_planning(bastion: Bastion) -> None:
    bastion.registry.put("2.18.0", architecture="arm64")
    refused = bastion.deploy("2.18.0", code=4)
    assert "built for linux/arm64, but web-1 is linux/amd64" in refused.err
    assert [bastion.serves(host) for host in bastion.engines] == ["2.14.0", "2.14.0"]


def test_a_container_that_dies_after_a_while_goes_back_and_stops_the_rollout(bastion: Bastion) -> None:
    # Healthy at first, dead before it has lived long enough.
    bastion.registry.put("2.19.0", dies="1")
    done = bastion.deploy("2.19.0", code=None)
    assert done.code == 4, "paused: a person has to say how it goes on"
    assert outcomes(bastion) == {"web-1": "failed", "web-2": None}
    said = evidence(bastion, "web-1")
    assert re.search(r"dies and is restarted|is exited|is restarting", said), said
    assert "went back to 2.14.0, healthy" in said
    assert [bastion.serves(host) for host in bastion.engines] == ["2.14.0", "2.14.0"]
    assert [bastion.running(host) for host in bastion.engines] == [["2.14.0"], ["2.14.0"]]


def test_what_was_stopped_for_a_deploy_stays_stopped_when_its_engine_starts_again(bastion: Bastion) -> None:
    bastion.deploy("2.15.0")
    bastion.engines["web-1"].tell("stop")
    bastion.engines["web-1"].start()
    eventually(lambda: bastion.running("web-1"), 30)
    time.sleep(0.5)
    assert bastion.running("web-1") == ["2.15.0"]


def test_a_hung_engine_is_not_waited_for_for_ever_and_the_other_is_listed(bastion: Bastion) -> None:
    bastion.engines["web-2"].tell("hang")
    try:
        done = bastion.run("get", "containers", code=3, timeout=60)
        assert "eng-2" in done.err
        assert "eng-1" in done.out
    finally:
        bastion.engines["web-2"].tell("wake")


def test_a_port_that_another_has_fails_the_new_one_and_the_old_serves_on(bastion: Bastion) -> None:
    bastion.registry.put("2.20.0")
    path = bastion.folder / "inventory" / "compose" / "checkout.yml"
    path.write_text(path.read_text().replace("8080:8080", "8081:8080"))
    api = bastion.api("web-1")
    address = bastion.sshds["web-1"].address
    other = api.create_container(
        f"{bastion.registry.name}/shop/checkout@sha256:{bastion.digests['2.14.0']}", name="other.one",
        ports=[8080], host_config=api.create_host_config(port_bindings={8080: (address, 8081)}),
    )  # fmt: skip
    api.start(other["Id"])
    try:
        bastion.deploy("2.20.0", code=None)
        assert outcomes(bastion)["web-1"] == "failed"
        assert "does not start" in evidence(bastion, "web-1")
        assert "went back to 2.14.0, healthy" in evidence(bastion, "web-1")
        assert bastion.serves("web-1") == "2.14.0"
    finally:
        api.remove_container(other["Id"], force=True)
        api.close()


def test_two_bastions_cannot_start_the_same_attempt(bastion: Bastion) -> None:
    (one,) = bastion.containers("web-1")
    api = bastion.api("web-1")
    with pytest.raises(docker.errors.APIError, match="already in use"):
        api.create_container(one["Config"]["Image"], name=one["Name"].lstrip("/"))
    api.close()
