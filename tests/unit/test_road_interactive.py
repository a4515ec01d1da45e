from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ondeck.deck import Deck, open_deck
from ondeck.errors import BadInput, NeedsPerson, OndeckError, Refused
from ondeck.job.consent import Consent
from ondeck.job.plan import Request
from ondeck.operate import interactive, road
from ondeck.operate.road import Drafted
from ondeck.settings import Settings

_FILES = """
ondeck: 1
environments:
  dev: {protection: {shell: confirm}}
hosts:
  a: {env: dev, transport: local}
  b: {env: dev, transport: local}
"""


def deck(folder: Path, *, floor: str = "", read_only: bool = False) -> Deck:
    (folder / "inv").mkdir()
    (folder / "inv" / "ondeck.yml").write_text(_FILES)
    policy = folder / "policy.yml"
    if floor:
        policy.write_text(floor)
    return open_deck(
        Settings(
            state=folder / "state",
            cache=folder / "cache",
            config=folder / "config",
            inventory=folder / "inv",
            policy_floor=policy,
            actor="anna",
            read_only=read_only,
        )
    )


def drafted(on: Deck, *hosts: str) -> Drafted:
    request = Request(operation="host.shell", subject=",".join(hosts), targets=hosts, env="dev", actor="anna")
    return asyncio.run(road.draft(on, request))


def entries(on: Deck) -> list[tuple[str, str]]:
    return [(entry.phase, entry.text) for entry in on.record.audit.entries()]


def test_a_shell_needs_the_consent_that_the_rules_ask_for(tmp_path: Path) -> None:
    on = deck(tmp_path)
    with pytest.raises(NeedsPerson), interactive.opened(on, drafted(on, "a"), Consent()):
        pytest.fail("it opened without a word")
    assert entries(on)[0][0] == "refused"


def test_opening_and_end_of_a_shell_are_on_record_even_when_it_breaks(tmp_path: Path) -> None:
    on = deck(tmp_path)
    opening = interactive.opened(on, drafted(on, "a"), Consent(confirmed=True))
    assert opening.__enter__().argv
    assert not opening.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert entries(on) == [("shell", "opened"), ("shell", "closed")]


@pytest.mark.parametrize(
    "floor", ["read_only: true\n", "environments: {dev: {protection: {shell: two-person}}}\n"]
)
def test_the_bastions_own_rules_hold_for_shells(tmp_path: Path, floor: str) -> None:
    on = deck(tmp_path, floor=floor)
    with pytest.raises(Refused), interactive.opened(on, drafted(on, "a"), Consent(confirmed=True)):
        pytest.fail("it opened against the floor")


def test_read_only_opens_no_shell(tmp_path: Path) -> None:
    on = deck(tmp_path, read_only=True)
    with pytest.raises(Refused), interactive.opened(on, drafted(on, "a"), Consent(confirmed=True)):
        pytest.fail("it opened read-only")


def test_a_shell_is_for_one_host_and_never_a_job(tmp_path: Path) -> None:
    on = deck(tmp_path)
    with pytest.raises(BadInput, match="one target"):
        drafted(on, "a", "b")
    with pytest.raises(OndeckError, match="cannot run as a job"):
        road.start(on, drafted(on, "a"), Consent(confirmed=True))
