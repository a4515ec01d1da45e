"""Pane 7 and the page of a stack: lock, last states, what is half done and the ways out, on one screen at 80x24."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ondeck.inventory.model import Build, Stack
from ondeck.job.plan import Action, Batch, Change, Draft, Plan, Request, RolloutPlan
from ondeck.job.spec import OperationSpec, Params, Risk, Shortcut, TargetKind
from ondeck.observe.asking import Question
from ondeck.observe.stacks import Drift, StackLock, StackLook, StateSeen, StateWaiting
from tests.tui.playing import playing
from tests.tui.stage import NOW, SPECS, FakeSession, M
from tui.app.session import Card, Rules, Wish
from tui.app.views import Known


class NoParams(Params, frozen=True, kw_only=True):
    pass


STACK_SPECS = tuple(
    OperationSpec(
        name=f"stack.{verb}", title=title, target=TargetKind.STACK, params=NoParams, risk=risk,
        key="D" if verb == "apply" else "", shortcut=Shortcut(("stack", verb)),
    )
    for verb, title, risk in (
        ("plan", "Plan a stack", Risk.READ), ("apply", "Apply a stack", Risk.CHANGE),
        ("unlock", "Break the lock of a state", Risk.DESTROY), ("push", "Push a state", Risk.DESTROY),
    )
)  # fmt: skip

RUN = OperationSpec(
    name="build.run", title="Run a build", target=TargetKind.BUILD, params=NoParams, risk=Risk.CHANGE,
    shortcut=Shortcut(("build", "run")),
)  # fmt: skip


def half_failed(**more: Any) -> StackLook:
    """Night d: the apply died on saving its state, and somebody elsewhere seems to hold the lock."""
    return msgspec.structs.replace(
        StackLook(
            stack="net-prod", env="prod", asked=NOW, serial=41, lineage="a" * 36, resources=14, outputs=2,
            half_done=("module.web.terraform_data.node[3]",), workspace="prod", backend="s3, acme-state",
            program="terraform 1.11.4", ref="origin/main", commit="1a2b3c4" + "0" * 33, subject="Widen the subnet",
            applied="0f3c111" + "0" * 33, behind=2, fetched=NOW - 60 * M,
            lock=StackLock(
                id="7948284f-b709-6ae3-f06c-1ec92061d900", who="dave@bastion-2", operation="apply", since=NOW - 11 * M,
                alive=None, why="it was taken on bastion-2",
            ),
            waiting=(StateWaiting(path="/w/errored.tfstate", at=NOW - 10 * M, serial=42, differs="2 added: a, b"),),
            states=(
                StateSeen(serial=41, at=NOW - 20 * M, resources=14, outputs=2, changed="1 changed: terraform_data.vpc"),
                StateSeen(serial=40, at=NOW - 90 * M, resources=14, outputs=2),
            ),
            drift=Drift(at=NOW - 5 * M, count=1, addresses=("terraform_data.vpc",)),
        ),
        **more,
    )  # fmt: skip


class Stacks(FakeSession):
    """A session with stacks."""

    def __init__(self, looks: dict[str, Known]) -> None:
        super().__init__()
        stacks = {name: Stack(name=name, kind="terraform", env="prod") for name in looks}
        self.inventory = msgspec.structs.replace(self.inventory, stacks=stacks)
        self.known_answers = {Question("stacks", "stacks", name): known for name, known in looks.items()}
        self.changes_planned: tuple[Change, ...] = ()

    def specs(self) -> tuple[OperationSpec, ...]:
        return (*SPECS, *STACK_SPECS, RUN)

    async def plan(self, wish: Wish) -> Card:
        self.planned.append(wish)
        request = Request(operation=wish.operation, subject=wish.subject, targets=(wish.subject,), env="prod")
        draft = Draft(
            summary="made up",
            risk=Risk.CHANGE,
            changes=self.changes_planned,
            rollout=RolloutPlan(batches=(Batch(targets=(wish.subject,)),)),
            lock_key="stack net-prod@prod",
        )
        plan = Plan(
            id="p",
            request=request,
            title="",
            provider="terraform",
            draft=draft,
            inventory="",
            policy="",
            made=NOW,
        )
        rules = Rules(level="type-name", type_this=wish.subject)
        return Card(
            plan=plan, digest="d" * 64, rules=rules, command=f"ondeck {wish.operation.replace('.', ' ')}"
        )


def known(look: StackLook) -> Known:
    return Known(answer=look, asked=NOW)


async def test_one_screen_tells_lock_states_what_is_half_done_and_the_ways_out() -> None:
    async with playing(Stacks({"net-prod": known(half_failed())}), size=(80, 24)) as play:
        await play.press("7", "enter")
        shown = await play.until("STACK net-prod")
        for words in (
            "dave@bastion-2", "11m", "not known whether it lives", "7948284f-b709-6ae3-f06c-1ec92061d900",
            "serial 42 could not be saved", "left half made: module.web.terraform_data.node[3]", "1 changed outside",
            "2 commits behind", "41", "stack push net-prod", "stack unlock net-prod",
        ):  # fmt: skip
            assert words in shown, words


async def test_what_needs_a_person_stands_first_and_what_cannot_be_asked_is_never_green() -> None:
    calm = half_failed(
        stack="calm", half_done=(), waiting=(), drift=None, lock=None, lock_known=True, behind=0
    )
    lost = StackLook(stack="lost", env="prod", asked=NOW, error="terraform is not there")
    looks = {"calm": known(calm), "lost": known(lost), "net-prod": known(half_failed())}
    async with playing(Stacks(looks), size=(100, 30)) as play:
        await play.press("7")
        shown = await play.until("net-prod")
        rows = [line for line in shown.splitlines() if line[1:].startswith(("calm", "lost", "net-prod"))]
        assert [line[1:].split()[0] for line in rows] == ["lost", "net-prod", "calm"]
        assert "could not ask: terraform is not there" in rows[0]
        assert rows[0].split()[2] == "?"
        assert "free" in rows[2]
        assert "nothing" in rows[2]


async def test_enter_on_a_way_out_begins_it_and_nothing_runs_before_its_plan_is_confirmed() -> None:
    session = Stacks({"net-prod": known(half_failed())})
    async with playing(session, size=(80, 24)) as play:
        await play.press("7", "enter")
        await play.until("STACK net-prod")
        await play.press("g", "enter")
        await play.until("to start:")
        assert [wish.operation for wish in session.planned] == ["stack.unlock"], (
            "nothing is pushed past a lock"
        )
        assert session.planned[0].subject == "net-prod"
        assert session.begun == []


async def test_capital_d_plans_an_apply_of_the_stack_from_the_pane_and_from_its_page() -> None:
    for keys in (("7",), ("7", "enter")):
        session = Stacks({"net-prod": known(half_failed())})
        async with playing(session, size=(80, 24)) as play:
            await play.press(*keys)
            await play.until("net-prod")
            assert "D apply" in play.text
            await play.press("D")
            await play.until("to start:")
            assert [(w.operation, w.subject) for w in session.planned] == [("stack.apply", "net-prod")]
            assert session.begun == []


async def test_the_menu_of_a_stack_offers_what_can_be_done_with_it_and_nothing_of_hosts() -> None:
    async with playing(Stacks({"net-prod": known(half_failed())}), size=(80, 24)) as play:
        await play.press("7", "a")
        shown = await play.until("actions for")
        assert "Break the lock of a state" in shown
        assert "Deploy a release" not in shown


async def test_a_lock_that_only_who_wants_it_is_told_of_is_not_called_free() -> None:
    look = half_failed(lock=None, lock_known=False, waiting=(), half_done=())
    async with playing(Stacks({"net-prod": known(look)}), size=(80, 24)) as play:
        await play.press("7", "enter")
        shown = await play.until("STACK net-prod")
        assert "tells of a lock only to who wants it" in " ".join(shown.split())
        assert "free" not in shown


async def test_a_plan_is_a_tree_that_is_walked_and_unfolded_by_arrows_while_a_name_is_typed() -> None:
    session = Stacks({"net-prod": known(half_failed())})
    session.changes_planned = tuple(
        Change(action=Action.CREATE, target="net-prod", address=f"module.web.t.n[{n}]", diff=f"+index = {n}")
        for n in range(2000)
    )
    async with playing(session, size=(80, 24)) as play:
        await play.press("7", "D")
        shown = await play.until("module.web  2000 create")
        assert "+index = 7" not in shown
        await play.until("to start:")
        await play.press("right")
        await play.until("t.n[3]")
        await play.press("down", "down", "right")
        await play.until("+index = 1")
        await play.press("p")
        await play.until("p_")
        assert session.begun == []


async def test_a_build_in_the_view_of_builds_can_be_run() -> None:
    session = Stacks({})
    session.inventory = msgspec.structs.replace(
        session.inventory, builds={"golden": Build(name="golden", kind="packer", env="prod")}
    )
    async with playing(session, size=(80, 24)) as play:
        await play.press(":")
        await play.type("builds")
        await play.press("enter")
        await play.until("golden")
        await play.press("a")
        shown = await play.until("actions for golden")
        assert "Run a build" in shown
        await play.press("enter")
        await play.until("to start:")
        assert [(w.operation, w.subject) for w in session.planned] == [("build.run", "golden")]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_the_pane_and_the_page_look_as_recorded(size: tuple[int, int]) -> None:
    for name, keys in (("provision", ("7",)), ("stack", ("7", "enter"))):
        async with playing(Stacks({"net-prod": known(half_failed())}), size=size) as play:
            await play.press(*keys)
            await play.settle()
            await play.golden(f"{name}-{size[0]}")
