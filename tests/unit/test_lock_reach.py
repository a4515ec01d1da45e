"""Nobody is led to believe that a lock keeps out more than it does."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from ondeck.operate.lock import REACH
from tests import road as on_road
from tui.cli import plan_view
from tui.cli.doctor import doctor
from tui.cli.face import Face, Globals


def test_the_plan_says_how_far_its_lock_reaches(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    locked = on_road.drafted(on, tmp_path, lock="checkout@lab")
    assert f"  lock: checkout@lab, {REACH}" in list(plan_view.lines(locked.plan, locked.digest))
    free = on_road.drafted(on, tmp_path)
    assert not [line for line in plan_view.lines(free.plan, free.digest) if "lock" in line]


def test_doctor_says_how_far_locks_reach(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    said = CliRunner().invoke(doctor, [], obj=face, standalone_mode=False).output
    (line,) = [line for line in said.splitlines() if REACH in line]
    assert line.startswith("warn")
