"""Stacks while something else goes on beside: another's state, another's run, another's lock, a program that hangs."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.errors import Refused
from ondeck.inventory.model import Stack
from ondeck.job.finding import Attempt
from ondeck.job.outcome import Outcome
from ondeck.testing.operator_suite import Quiet, planned
from providers.terraform.folders import Folders
from providers.terraform.reader import TerraformStacks
from providers.terraform.unlocking import seen_after
from providers.terraform.work import Ready, Work, set_up
from tests.contract.stack_site import StackSite


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StackSite]:
    made = StackSite(tmp_path / "site")
    monkeypatch.setenv("HOME", str(made.home))
    yield made
    made.hurry("")


async def ready_of(site: StackSite, name: str = "") -> Ready:
    return await set_up(site.bench, name or site.stack, await site.bench.here())


def other_options(site: StackSite, name: str, **options: Any) -> Stack:
    """A stack in the inventory of the site: as the first one but for these options."""
    inventory = site.bench.inventory
    given = {**inventory.stacks[site.stack].options, **options}
    stack = Stack(name=name, kind="terraform", env="prod", options=given)
    site.bench.inventory = msgspec.structs.replace(inventory, stacks={**inventory.stacks, name: stack})
    return stack


def program(folder: Path, first: str) -> str:
    """The real terraform with something in front of it."""
    script = folder / "terraform-with-more"
    script.write_text(f'#!/bin/sh\n{first}\nexec {shutil.which("terraform")} "$@"\n')
    script.chmod(0o755)
    return str(script)


# --- states that wait


async def test_a_state_that_waited_before_does_not_make_the_next_apply_unknown(site: StackSite) -> None:
    plan = await planned(site)
    ready = await ready_of(site)
    (ready.module / "errored.tfstate").write_text('{"serial": 3}')
    async with site.operator.open(plan, site.bench) as applying:
        done = await applying.apply(Attempt(id="a-1", job="a", target=site.stack), Quiet())
    assert done.outcome is Outcome.SUCCEEDED, done.evidence
    assert ready.folders.errored(), "it waits still"


def test_only_what_an_attempt_left_itself_counts_also_where_an_older_one_lay(tmp_path: Path) -> None:
    folders, module = Folders(tmp_path), tmp_path / "trees/one"
    module.mkdir(parents=True)
    state = module / "errored.tfstate"
    assert folders.left_by("never-begun", module) is None
    state.write_text("old")
    assert folders.left_by("never-begun", module) == state, "nobody knows that it lay there before"
    folders.begun("a-1").write_text(folders.unsaved(module))
    assert folders.left_by("a-1", module) is None
    state.write_text("a newer one")
    assert folders.left_by("a-1", module) == state


# --- locks


async def test_an_unlock_looks_afterwards_and_tells_of_another_lock(site: StackSite) -> None:
    ready = await ready_of(site)
    ready.folders.own_state.write_text("{}")
    info = ready.folders.own_state.parent / ".terraform.tfstate.lock.info"
    work = Work(operation="stack.unlock", stack=site.stack, lock="one")
    found = await seen_after(ready, work)
    assert (found.outcome, "looked afterwards" in found.evidence) == (Outcome.SUCCEEDED, True)
    said = {"ID": "one", "Who": f"anna@{socket.gethostname()}", "Operation": "OperationTypeApply"}
    info.write_text(json.dumps(said))
    found = await seen_after(ready, work)
    assert (found.outcome, "still there" in found.evidence) == (Outcome.FAILED, True)
    info.write_text(json.dumps(said | {"ID": "two"}))
    found = await seen_after(ready, work)
    assert found.outcome is Outcome.SUCCEEDED
    assert "lock one is gone; another is there by now: apply by anna" in found.evidence
    assert "id two" in found.evidence


async def test_a_state_is_not_pushed_while_an_apply_of_ours_runs(site: StackSite, tmp_path: Path) -> None:
    plan = await planned(site)
    file = tmp_path / "copy.tfstate"
    file.write_text('{"version": 4, "serial": 1, "lineage": "x", "outputs": {}, "resources": []}')
    push = site.wish("stack.push", file=str(file))
    draft = await site.operator.plan(push, site.bench)
    assert {fact.fact: fact.expected for fact in draft.preconditions}["runs of ours"] == "none"
    site.slow("")
    async with site.operator.open(plan, site.bench) as applying:
        runs = asyncio.ensure_future(applying.apply(Attempt(id="a-1", job="a", target=site.stack), Quiet()))
        while not site.busy(""):
            assert not runs.done()
            await asyncio.sleep(0.02)
        with pytest.raises(Refused, match="attempt a-1 runs"):
            await site.operator.plan(push, site.bench)
        site.hurry("")
        assert (await runs).outcome is Outcome.SUCCEEDED


# --- variables


async def test_another_plan_never_changes_the_variables_of_a_plan_that_was_shown(site: StackSite) -> None:
    wish = site.wish("stack.import", address="terraform_data.vpc", id="known")
    draft = await site.operator.plan(wish, site.bench)
    shown = {fact.fact: fact.expected for fact in draft.preconditions}
    assert len(shown["sha256 of the variables"]) == 64
    (file,) = (site.root / f"work/terraform/{site.stack}/vars").iterdir()
    assert f"-var-file={file}" in draft.commands[0].argv
    before = file.read_bytes()
    given = site.bench.inventory.stacks[site.stack].options["vars"]
    other_options(site, site.stack, vars={**given, "size": 2})
    await site.operator.plan(wish, site.bench)
    assert file.read_bytes() == before
    assert len(list(file.parent.iterdir())) == 2


# --- programs that take long


@pytest.mark.parametrize("step", ["init", "state"])
async def test_a_look_at_a_program_that_hangs_ends_and_says_what_hung(
    site: StackSite, tmp_path: Path, step: str
) -> None:
    binary = program(tmp_path, f'[ "$1" = {step} ] && exec sleep 300')
    stack = other_options(site, site.stack, binary=binary)
    look = await TerraformStacks().look(stack, site.bench)
    assert "no answer within 6 s, it hung in: " in look.error
    assert f"{binary} {step}" in look.error
    assert bool(look.commit) is (step == "state"), "what was known by then is shown"


async def test_stacks_that_share_the_plugin_cache_are_set_up_one_after_the_other(
    site: StackSite, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    inside = (
        f'echo begin >>{log}; {shutil.which("terraform")} "$@"; r=$?; sleep 0.2; echo end >>{log}; exit $r'
    )
    binary = program(tmp_path, f'if [ "$1" = init ]; then {inside}; fi')
    names = ["one", "two", "three"]
    for name in names:
        other_options(site, name, binary=binary)
    await asyncio.gather(*(ready_of(site, name) for name in names))
    assert log.read_text().split() == ["begin", "end"] * 3
