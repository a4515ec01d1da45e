"""What stays out of service counts as a whole: a drain never takes more of a service than its environment allows."""

from __future__ import annotations

import msgspec
import pytest

from lab.embedded.demo import start_demo
from ondeck.errors import ExitCode
from ondeck.inventory.model import MaxTargets
from ondeck.job.plan import Plan
from tests.contract.release_site import Make, Site
from tests.playing import Player
from tests.unit.test_road_guard import plan, rules, ruling

LIMIT = rules(max_targets=MaxTargets(share=0.75, excepted=("rollback",)))


def lasting(*sizes: int, out: tuple[str, ...] = ()) -> Plan:
    found = plan("drain", plan().draft.risk, *sizes)
    return msgspec.structs.replace(found, draft=msgspec.structs.replace(found.draft, lasting=True, out=out))


@pytest.mark.parametrize(
    ("sizes", "out", "said"),
    [
        ((1, 1, 1, 1), (), "leaves 4 of 4 hosts out of service"),
        ((1, 2), (), ""),
        ((3,), ("web-9",), "web-9, out already or not known"),
        ((2,), ("web-9",), ""),
        ((3,), ("web-0", "web-1"), ""),
    ],
)
def test_the_whole_plan_and_what_is_out_already_count(
    sizes: tuple[int, ...], out: tuple[str, ...], said: str
) -> None:
    refused = ruling(LIMIT, lasting(*sizes, out=out), size=4).refused
    assert said in refused
    assert bool(refused) is bool(said)
    assert not refused or "undrain some first" in refused


def test_one_host_of_a_small_service_may_always_go_and_only_one() -> None:
    of = rules(max_targets=MaxTargets(share=0.25))
    assert not ruling(of, lasting(1), size=3).refused
    assert ruling(of, lasting(1, out=("web-9",)), size=3).refused


async def test_a_drain_says_that_it_lasts_and_who_is_out_already(make: Make) -> None:
    site: Site = make(hosts=3, drains=True)
    site.build("1.0")
    await site.do("deploy", version="1.0")
    draft = await site.draft("drain", targets=("web-1",))
    assert (draft.lasting, draft.out) == (True, ())
    await site.do("drain", targets=("web-1",))
    assert (await site.draft("drain", targets=("web-2",))).out == ("web-1",)
    for verb in ("undrain", "restart"):
        draft = await site.draft(verb)
        assert (draft.lasting, draft.out) == (False, ())


def test_a_drain_of_a_whole_service_is_refused_and_says_how_to_go_on() -> None:
    with start_demo() as demo:
        player = Player(demo)
        whole = player.run("drain", "checkout@prod", "--yes", code=ExitCode.REFUSED)
        assert "3 of 3 hosts out of service" in whole.err
        assert "-l name=HOST" in whole.err
        player.run("drain", "checkout@prod", "-l", "name=web-1", "--yes", code=0)
        player.run("drain", "checkout@prod", "-l", "name=web-2", "--yes", code=0)
        third = player.run("drain", "checkout@prod", "-l", "name=web-3", "--yes", code=ExitCode.REFUSED)
        assert "with web-1, web-2, out already" in third.err
        player.run("undrain", "checkout@prod", "-l", "name=web-1", "--yes", code=0)
        player.run("drain", "checkout@prod", "-l", "name=web-3", "--yes", code=0)
