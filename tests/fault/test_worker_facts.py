"""What a job would have remembered at its end is remembered too when its end was only found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from ondeck.job.events import AttemptIntended, TargetEnded
from ondeck.job.outcome import Outcome
from tests import road as on_road


def record_of(tmp: Path, kind: type) -> int:
    """The number of the last record of this kind in a whole job of one target."""
    deck = on_road.deck(tmp)
    job = on_road.start(deck, tmp, targets=("web-1",), lock="x@lab")
    on_road.over(deck, job)
    events = deck.record.folder(job).events_after(0)
    return max(number for number, event in enumerate(events) if isinstance(event, kind))


@pytest.mark.parametrize("moment", ["-", ""], ids=["end-not-recorded", "end-recorded"])
def test_a_job_that_is_found_to_have_succeeded_remembers_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    whole, tmp = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    tmp.mkdir()
    monkeypatch.setenv("ONDECK_FAULT_AT", "")
    number = record_of(whole, TargetEnded)
    monkeypatch.setenv("ONDECK_FAULT_AT", f"{number}{moment}")
    deck = on_road.deck(tmp)
    job = on_road.start(deck, tmp, targets=("web-1",), lock="x@lab")
    on_road.over(deck, job)
    monkeypatch.delenv("ONDECK_FAULT_AT")
    view = on_road.reconciled(deck, job)
    assert view.outcome is Outcome.SUCCEEDED
    assert view.remembered == {"touched env=lab": "web-1"}
    assert deck.record.remembered("touched env=lab") == "web-1"


def test_a_job_that_did_not_come_through_remembers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, tmp = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    tmp.mkdir()
    number = record_of(whole, AttemptIntended)
    monkeypatch.setenv("ONDECK_FAULT_AT", str(number))
    deck = on_road.deck(tmp)
    job = on_road.start(deck, tmp, targets=("web-1",), lock="x@lab")
    on_road.over(deck, job)
    monkeypatch.delenv("ONDECK_FAULT_AT")
    assert on_road.reconciled(deck, job).remembered == {}
