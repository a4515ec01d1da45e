"""Nobody is led to believe that a lock keeps out more than it does."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from ondeck.record.lock import REACH
from tests import road as on_road
from tui.app.dialogs.plan_rows import plan_rows
from tui.app.session import Card, Rules
from tui.cli import plan_view
from tui.cli.doctor import doctor
from tui.cli.face import Face, Globals


def test_the_plan_says_how_far_its_lock_reaches(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    locked = on_road.drafted(on, tmp_path, lock="checkout@lab")
    assert f"  lock: checkout@lab, {REACH}" in list(plan_view.lines(locked.plan, locked.digest))
    free = on_road.drafted(on, tmp_path)
    assert not [line for line in plan_view.lines(free.plan, free.digest) if "lock" in line]


def test_the_dialog_of_the_plan_says_it_too(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    locked = on_road.drafted(on, tmp_path, lock="checkout@lab")
    card = Card(plan=locked.plan, digest=locked.digest, rules=Rules(), command="ondeck touch")
    rows = plan_rows(card, "", 80, everything=False)
    said = " ".join(" ".join(one.text for one in rows).split())
    assert f"lock checkout@lab, {REACH}" in said


def test_doctor_says_how_far_locks_reach(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    said = CliRunner().invoke(doctor, [], obj=face, standalone_mode=False).output
    (line,) = [line for line in said.splitlines() if REACH in line]
    assert line.startswith("warn")
