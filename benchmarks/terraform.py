"""A plan of 2,000 resources: from the end of `terraform show -json` to the plan on screen, and a key in it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from lab.terraform.stacks import many
from ondeck.inventory.model import Environment, Inventory, Revision
from ondeck.job import plan as plans
from ondeck.job.plan import Batch, Draft, Plan, Request, RolloutPlan
from ondeck.job.spec import Risk
from providers.terraform.planfile import changes_of, decoded
from tui.app.dialogs.plan_rows import plan_rows
from tui.app.dialogs.plan_tree import ChangeTree
from tui.app.session import Card, Rules

RESOURCES = 2_000


def shown() -> bytes:
    """What a real terraform shows of a real plan.

    Raises:
        RuntimeError: There is no terraform here.
    """
    if shutil.which("terraform") is None:
        raise RuntimeError("terraform is not installed")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.tf").write_text(many(RESOURCES))
        for words in (("init",), ("plan", "-out=p"), ("show", "-json", "p")):
            done = subprocess.run(["terraform", *words], cwd=folder, capture_output=True, check=True)
    json.loads(done.stdout)
    return done.stdout


def _plan(data: bytes) -> Plan:
    changes = changes_of(decoded(data), "many")
    rollout = RolloutPlan(batches=(Batch(targets=("many",)),))
    draft = Draft(summary="", risk=Risk.CHANGE, changes=changes, rollout=rollout, lock_key="stack many@lab")
    request = Request(operation="stack.apply", subject="many", targets=("many",), env="lab")
    plan = Plan(
        id="", request=request, title="", provider="terraform", draft=draft, inventory="", policy="", made=1
    )
    # As the road does: sealed as it reads back, stored, digested.
    plan = plans.sealed(plans.decode(plans.encode(plan)))
    plans.digest(plans.encode(plan))
    return plan


async def _opened(plan: Plan) -> tuple[float, float]:
    """Seconds until the dialog is drawn, and until a typed key is."""
    from tests.tui.playing import playing
    from tests.tui.stage import FakeSession
    from tui.app.dialogs.plan import PlanDialog

    session = FakeSession()
    session.inventory = Inventory(revision=Revision(root="/x"), environments={"lab": Environment(name="lab")})
    card = Card(
        plan=plan, digest="d" * 64, rules=Rules(level="type-name", type_this="many"), command="ondeck"
    )
    async with playing(session) as play:
        start = time.perf_counter()
        dialog = PlanDialog(play.app.screen.desk, card)  # type: ignore[attr-defined]
        await play.app.push_screen(dialog)
        while f"changes, {RESOURCES}" not in play.text:  # noqa: ASYNC110 - the screen tells no event
            await asyncio.sleep(0.001)
        opened = time.perf_counter() - start
        await play.until("to start:")
        start = time.perf_counter()
        await play.pilot.press("m")
        while "m_" not in play.text:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        return opened, time.perf_counter() - start


def measure() -> list[tuple[str, float, str]]:
    data = shown()
    start = time.perf_counter()
    plan = _plan(data)
    read = time.perf_counter() - start
    opened, key = asyncio.run(_opened(plan))
    tree = ChangeTree(plan.draft.changes)
    tree.turn_all()
    card = Card(plan=plan, digest="d" * 64, rules=Rules(), command="")
    start = time.perf_counter()
    rows = plan_rows(card, "", 78, everything=False, tree=tree)
    unfolded = time.perf_counter() - start
    return [
        (
            "plan_2000",
            read + opened,
            f"{len(data) / 1e6:.1f} MB: read, stored {read:.3f} s, drawn {opened:.3f} s",
        ),
        ("unfold_2000", unfolded, f"{len(rows)} lines"),
        ("key_2000", key, "a letter typed over it, with the harness's own pauses"),
    ]
