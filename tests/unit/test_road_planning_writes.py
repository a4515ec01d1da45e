"""A plan that leaves something behind is held to the rules before it is made, and audited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.deck import Deck
from ondeck.errors import Refused
from ondeck.inventory.model import Freeze, Person
from ondeck.job.plan import Draft
from ondeck.registry import Registry
from ondeck.testing.operators import MANIFEST, SPEC, ScriptedOperator
from tests import road as on_road

ALWAYS = (Freeze(start="2020-01-01", end="2099-01-01", why="the year ends"),)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Phases of the audit as they stood when the provider was asked for its plan."""
    found: list[str] = []
    real = ScriptedOperator.plan

    async def plan(self: ScriptedOperator, request: Any, bench: Any) -> Draft:
        found.append("asked")
        return await real(self, request, bench)

    monkeypatch.setattr(ScriptedOperator, "plan", plan)
    return found


def deck(tmp: Path, *, people: tuple[Person, ...] = (), read_only: bool = False, **rules: Any) -> Deck:
    on = on_road.deck(tmp, read_only=read_only, **rules)
    writes = msgspec.structs.replace(SPEC, planning_writes="a change set")
    manifest = msgspec.structs.replace(MANIFEST, operations=(writes,))
    others = [each for each in on.registry.manifests() if each.name != MANIFEST.name]
    inventory = msgspec.structs.replace(on.inventory, people={person.name: person for person in people})
    return msgspec.structs.replace(on, registry=Registry([manifest, *others]), inventory=inventory)


def phases(on: Deck) -> list[tuple[str, str, str]]:
    return [(entry.phase, entry.operation, entry.actor) for entry in on.record.audit.entries()]


def test_it_is_audited_before_it_is_made(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on = deck(tmp_path)
    real = type(on.record.audit).append

    def noted(self: Any, phase: str, **fields: Any) -> Any:
        asked.append(phase)
        return real(self, phase, **fields)

    monkeypatch.setattr(type(on.record.audit), "append", noted)
    on_road.drafted(on, tmp_path)
    assert asked == ["planned", "asked"]
    assert phases(on) == [("planned", "test.touch", "anna")]
    assert "a change set" in next(iter(on.record.audit.entries())).text


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"read_only": True}, "this session is read-only"),
        ({"freeze": ALWAYS}, "the year ends"),
        (
            {"people": (Person(name="anna", login="anna", headless=True, may=("deploy@lab",)),)},
            "may only deploy@lab",
        ),
    ],
    ids=["read-only", "frozen", "may not"],
)
def test_who_may_not_change_may_not_plan_it_either(
    tmp_path: Path, asked: list[str], more: dict[str, Any], why: str
) -> None:
    on = deck(tmp_path, **more)
    with pytest.raises(Refused, match=why):
        on_road.drafted(on, tmp_path)
    assert asked == []
    assert phases(on) == [("refused", "test.touch", "anna")]


def test_a_plan_that_only_reads_is_made_by_everybody_and_leaves_no_trace(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path, read_only=True, freeze=ALWAYS)
    assert on_road.drafted(on, tmp_path).plan.targets
    assert phases(on) == []
