from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import NeedsPerson, Refused
from ondeck.inventory.model import (
    BreakGlass,
    Environment,
    Freeze,
    Host,
    Inventory,
    MaxTargets,
    Person,
    Protection,
    Revision,
    Service,
)
from ondeck.job.consent import Consent
from ondeck.job.plan import Batch, Draft, Plan, Request, RolloutPlan
from ondeck.job.spec import Risk
from ondeck.operate import guard, policy

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LEVELS = st.sampled_from(Protection)


def plan(verb: str = "deploy", risk: Risk = Risk.CHANGE, *sizes: int, subject: str = "checkout@prod") -> Plan:
    names = iter(f"web-{n}" for n in range(100))
    batches = tuple(Batch(targets=tuple(next(names) for _ in range(size))) for size in sizes or (1,))
    targets = tuple(t for b in batches for t in b.targets)
    request = Request(operation=f"service.{verb}", subject=subject, targets=targets, env="prod")
    draft = Draft(summary="", risk=risk, rollout=RolloutPlan(batches=batches), lock_key="")
    return Plan(id="p", request=request, title="", provider="x", draft=draft, inventory="", policy="", made=0)


def rules(floor: policy.Floor | None = None, zone: str = "Europe/Berlin", **own: Any) -> policy.Rules:
    inventory = Inventory(
        revision=Revision(root="/"), zone=zone, environments={"prod": Environment(name="prod", **own)}
    )
    return policy.rules_of(inventory, floor or policy.Floor(), "prod")


def ruling(of: policy.Rules, what: Plan, now: datetime = NOON, **more: Any) -> guard.Ruling:
    return guard.judge(of, what, risk=what.draft.risk, person=more.pop("person", None), now=now, **more)


@pytest.mark.parametrize(
    ("protection", "verb", "risk", "level"),
    [
        ({}, "exec", Risk.READ, Protection.NONE),
        ({}, "deploy", Risk.CHANGE, Protection.CONFIRM),
        ({}, "destroy", Risk.DESTROY, Protection.TYPE_NAME),
        ({"*": Protection.TYPE_NAME}, "deploy", Risk.CHANGE, Protection.TYPE_NAME),
        (
            {"*": Protection.TYPE_NAME, "rollback": Protection.CONFIRM},
            "rollback",
            Risk.CHANGE,
            Protection.CONFIRM,
        ),
        (
            {"destroy": Protection.TWO_PERSON, "*": Protection.CONFIRM},
            "stop",
            Risk.DESTROY,
            Protection.TWO_PERSON,
        ),
        ({"destroy": Protection.TWO_PERSON}, "deploy", Risk.CHANGE, Protection.CONFIRM),
        ({"*": Protection.TWO_PERSON}, "exec", Risk.READ, Protection.NONE),
    ],
)
def test_going_back_may_be_easier_than_going_forward(
    protection: dict[str, Protection], verb: str, risk: Risk, level: Protection
) -> None:
    assert ruling(rules(protection=protection), plan(verb, risk)).level is level


@given(
    LEVELS,
    LEVELS,
    st.sampled_from(["*", "deploy"]),
    st.sampled_from(["*", "deploy"]),
    st.sampled_from(["*", "prod"]),
)
def test_the_floor_can_only_tighten(own: Protection, low: Protection, key: str, below: str, env: str) -> None:
    floor = policy.Floor(environments={env: policy.FloorRules(protection={below: low})})
    level = ruling(rules(floor, protection={key: own}), plan()).level
    order = list(Protection)
    assert order.index(level) >= max(order.index(own), order.index(low))


@pytest.mark.parametrize(
    ("moment", "frozen"),
    [
        ("2026-11-27T14:59:59+00:00", False),
        ("2026-11-27T15:00:00+00:00", True),
        ("2026-11-29T12:00:00+00:00", True),
        ("2026-11-30T05:59:59+00:00", True),
        ("2026-11-30T06:00:00+00:00", False),
        ("2026-07-31T14:00:00+00:00", True),
        ("2026-07-31T13:59:00+00:00", False),
    ],
)
def test_a_freeze_follows_the_clock_on_the_wall(moment: str, frozen: bool) -> None:
    window = Freeze(start="Fri 16:00", end="Mon 07:00", why="weekend", excepted=("rollback",))
    of = rules(freeze=(window,))
    now = datetime.fromisoformat(moment)
    assert ("frozen" in ruling(of, plan(), now).refused) is frozen
    assert not ruling(of, plan("rollback"), now).refused
    assert not ruling(of, plan("exec", Risk.READ), now).refused


def test_a_dated_freeze_holds_and_one_nobody_understands_refuses() -> None:
    dated = rules(freeze=(Freeze(start="2026-11-24 10:00", end="2026-11-25"),))
    assert ruling(dated, plan()).refused
    assert not ruling(dated, plan(), datetime(2026, 11, 26, tzinfo=UTC)).refused
    assert "understood" in ruling(rules(freeze=(Freeze(start="often", end="late"),)), plan()).refused
    assert (
        "understood"
        in ruling(rules(freeze=(Freeze(start="Fri 1:00", end="Sat 1:00"),), zone="No/Where"), plan()).refused
    )


def test_a_batch_may_not_touch_more_than_its_share_but_always_one() -> None:
    of = rules(max_targets=MaxTargets(share=0.25, excepted=("rollback",)))
    assert not ruling(of, plan("deploy", Risk.CHANGE, 1, 2), size=8).refused
    assert "batch 2 touches 3 of 8" in ruling(of, plan("deploy", Risk.CHANGE, 1, 3), size=8).refused
    assert not ruling(of, plan("rollback", Risk.CHANGE, 8), size=8).refused
    assert not ruling(of, plan("deploy", Risk.CHANGE, 1), size=2).refused


def test_read_only_and_headless_accounts_are_held_to_what_they_may() -> None:
    robot = Person(name="ci", login="ci", headless=True, may=("deploy@staging",))
    assert "read-only" in ruling(rules(), plan(), read_only=True).refused
    assert "may only" in ruling(rules(), plan(), person=robot).refused
    wide = Person(name="ci", login="ci", headless=True, may=("deploy@*",))
    assert not ruling(rules(), plan(), person=wide).refused


def test_two_persons_are_passed_alone_only_by_the_right_team_with_a_reason_and_the_name_typed() -> None:
    of = rules(protection={"*": Protection.TWO_PERSON}, break_glass=BreakGlass(teams=("sre",)))
    anna = Person(name="anna", login="anna", teams=("sre",))
    other = Person(name="bob", login="bob", teams=("web",))
    full = Consent(confirmed=True, typed="prod", reason="on fire", break_glass=True)
    assert guard.admit(ruling(of, plan(), person=anna), full) == "break-glass"
    with pytest.raises(NeedsPerson):
        guard.admit(ruling(of, plan(), person=other), full)
    for less in ({"reason": " "}, {"typed": "checkout"}, {"break_glass": False}):
        given_less = Consent(
            **{"confirmed": True, "typed": "prod", "reason": "r", "break_glass": True, **less}
        )
        with pytest.raises(NeedsPerson):
            guard.admit(ruling(of, plan(), person=anna), given_less)


def test_the_floor_can_take_the_hammer_away() -> None:
    floor = policy.Floor(environments={"*": policy.FloorRules(break_glass=())})
    of = rules(floor, protection={"*": Protection.TWO_PERSON}, break_glass=BreakGlass(teams=("sre",)))
    assert not ruling(of, plan(), person=Person(name="anna", login="anna", teams=("sre",))).break_glass


@pytest.mark.parametrize(
    "text",
    [
        b"environments: {prod: {protection: {x: nothing}}}",
        b"environment: {}",
        b"read_only: true\nread_only: false\n",
        b"a: &x [1]\nb: *x\n",
        b"!!python/object/apply:os.system ['true']",
        b"[1, 2]",
        b"read_only: [",
    ],
)
def test_a_floor_that_is_not_understood_refuses_everything(text: bytes) -> None:
    with pytest.raises(Refused, match=r"policy\.yml"):
        policy.parse_floor(text, "policy.yml")


def test_a_floor_that_others_could_write_is_no_floor(tmp_path: Path) -> None:
    path = tmp_path / "policy.yml"
    assert policy.load_floor(path) == policy.Floor()
    path.write_text("read_only: true\nenvironments: {prod: {freeze: [{from: Fri 16:00, to: Mon 07:00}]}}\n")
    path.chmod(0o664)
    with pytest.raises(Refused, match="others than root"):
        policy.load_floor(path, owner=os.getuid())
    path.chmod(0o644)
    assert policy.load_floor(path, owner=os.getuid()).read_only
    with pytest.raises(Refused, match="others than root"):
        policy.load_floor(path, owner=os.getuid() + 1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(Refused, match="regular"):
        policy.load_floor(fifo, owner=os.getuid())


def test_a_share_is_of_the_service_or_for_chosen_hosts_of_the_environment() -> None:
    hosts = {f"h{n}": Host(name=f"h{n}", env="prod" if n < 8 else "lab") for n in range(10)}
    inventory = Inventory(
        revision=Revision(root="/x", digest="d"),
        environments={"prod": Environment(name="prod")},
        hosts=hosts,
        services={"checkout": Service(name="checkout", on={"prod": "name in (h0,h1)"})},
    )
    assert guard.service_size(inventory, "checkout@prod", ("h0",)) == 2
    assert guard.service_size(inventory, "env=prod,name=h*", ("h0", "h1")) == 8
    assert guard.service_size(inventory, "network", ("network",)) == 0


def test_a_two_person_rule_says_exactly_what_a_person_can_do() -> None:
    two = {"*": Protection.TWO_PERSON}
    anna = Person(name="anna", login="anna", teams=("sre",))
    glass = rules(protection=two, break_glass=BreakGlass(teams=("sre",)))
    assert "you may: --break-glass --reason WHY" in ruling(glass, plan(), person=anna).why[-1]
    assert "ask somebody of sre to start it" in ruling(glass, plan(), person=None).why[-1]
    assert "environments.prod.protection.deploy" in ruling(rules(protection=two), plan(), person=anna).why[-1]
