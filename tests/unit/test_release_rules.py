from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import BadInput
from ondeck.inventory.model import Deploy, Host, Service
from ondeck.observe.records import ReleaseFacts
from ondeck.operate.deploys.retention import to_remove
from ondeck.operate.deploys.state import HostState, Kept
from ondeck.operate.deploys.work import to_remember
from ondeck.operate.wayback import Release, Runs, good_releases, last_good, way_back, way_of
from providers.release.liveness import dead
from providers.release.options import ReleaseDir, for_host, options_of, version_of
from tests.contract.release_site import SiteBench


def service(**options: object) -> Service:
    base = {"path": "/srv/shop", "archives": "a/shop-${version}.tgz", "unit": "shop.service"}
    deploy = Deploy(kind="release-dir", options=base | options)
    return Service(name="shop", on={"prod": "group=web"}, deploy=deploy)


class Memory(SiteBench):
    def __init__(self) -> None:
        self.facts = {}


def remember(memory: Memory, *versions: str) -> Memory:
    for version in versions:
        memory.facts |= to_remember(memory, "shop@prod", Release(version, version * 3))
    return memory


def test_the_last_good_release_is_the_one_before_what_runs() -> None:
    memory = remember(Memory(), "1", "2", "3")
    assert memory.facts["last-good shop@prod"] == "2 sha256:222"
    assert memory.facts["running shop@prod"] == "3 sha256:333"


def test_a_release_that_was_rolled_back_from_is_not_good_any_more() -> None:
    memory = remember(Memory(), "1", "2", "3", "2")
    assert [r.version for r in good_releases(memory.remembered, "shop@prod")] == ["2", "1"]


def test_after_a_half_finished_deploy_the_way_back_is_what_the_others_still_run() -> None:
    good = [Release("2"), Release("1")]
    assert last_good(good, [Release("3"), Release("2")]) == Release("2")
    assert last_good(good, [Release("2"), Release("2")]) == Release("1")
    assert last_good([], [Release("2")]) is None


@given(st.lists(st.integers(0, 20), unique=True, max_size=15), st.integers(0, 6), st.data())
def test_retention_never_removes_what_runs_comes_or_was_good(
    numbers: list[int], keep: int, data: st.DataObject
) -> None:
    versions = [str(n) for n in numbers]
    kept = tuple(Kept(v, v, 100 - i) for i, v in enumerate(versions))
    pick = st.sampled_from([*versions, ""])
    state = HostState(host="h", version=data.draw(pick), previous=data.draw(pick), kept=kept)
    coming = Release(data.draw(st.sampled_from([*versions, "new"])))
    good = [Release(v) for v in data.draw(st.lists(pick, max_size=4))]
    gone = to_remove(state, coming, keep, good)
    assert not {state.version, state.previous, coming.version, *(g.version for g in good[:2])} & set(gone)
    assert set(gone) <= set(versions)
    assert not set([v for v in versions if v != coming.version][: max(0, keep - 1)]) & set(gone)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"path": "srv"}, "absolute"),
        ({"path": "/"}, "absolute"),
        ({"path": "/srv/../etc"}, "absolute"),
        ({"archives": "a/shop.tgz"}, "archives"),
        ({"archives": "${version}/shop.tgz"}, "archives"),
        ({"unit": ""}, "restart"),
        ({"colour": "red"}, "colour"),
        ({"timeout": "soon"}, "timeout"),
    ],
)
def test_an_option_that_is_wrong_is_named(options: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        options_of(service(**options))


def test_options_come_as_text_from_the_files() -> None:
    _, options = options_of(service(become="true", timeout="10m", path="/srv/${host}/"))
    become = options.as_user()
    assert become is not None
    assert (become.user, options.seconds()) == ("root", 600.0)
    mine = for_host(options, Host(name="web-1", env="prod"))
    assert isinstance(mine, ReleaseDir)
    assert mine.path == "/srv/web-1"


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "-x", "a b", "1\n", "é", "a" * 129, "$(id)"])
def test_a_version_is_a_plain_name(text: str) -> None:
    with pytest.raises(BadInput):
        version_of(text)


def test_a_unit_that_failed_or_is_restarted_by_systemd_is_dead() -> None:
    assert "is failed" in dead("shop", {"ActiveState": "failed", "NRestarts": "0"}, "0")
    assert "dies" in dead("shop", {"ActiveState": "activating", "SubState": "auto-restart"}, "0")
    assert "0 -> 1" in dead("shop", {"ActiveState": "active", "NRestarts": "1"}, "0")
    assert dead("shop", {"ActiveState": "active", "NRestarts": "0"}, "0") == ""


def test_the_manifest_is_light() -> None:
    import subprocess
    import sys

    code = "import sys, providers.release.manifest, providers.local.manifest; print('asyncio' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.strip() == "False"


def test_what_a_face_promises_is_where_the_plan_leads() -> None:
    memory = Memory()
    hosts = [
        Runs(Release("3"), ((30, "3"), (10, "1"), (20, "2"))),
        Runs(Release("3"), ((30, "3"), (15, "1"))),
    ]
    facts = [
        ReleaseFacts(
            host=f"h{n}", service="shop", version=runs.release.version,
            kept=tuple(version for _, version in runs.kept), kept_at=tuple(when for when, _ in runs.kept),
        )
        for n, runs in enumerate(hosts)
    ]  # fmt: skip
    facts.append(ReleaseFacts(host="lost", service="shop", error="lost"))
    way = way_back([], hosts)
    assert way is not None
    assert (way.release.version, way.recorded) == ("2", False)
    assert way_of(memory.remembered, "shop@prod", facts) == "2"
    memory.facts |= to_remember(memory, "shop@prod", Release("1"))
    assert way_of(memory.remembered, "shop@prod", facts) == "1"
    assert way_of(memory.remembered, "shop@prod", facts[-1:]) == ""
