"""Backups: every one with what is lost if it is taken, how far it is proven, and whether promises hold."""

from __future__ import annotations

from typing import ClassVar

from ondeck.observe.backups import BackupLook
from ondeck.observe.fleet import Severity
from tui.app.context import Desk
from tui.app.panes.backup_acts import BackupView, desk_time
from tui.app.panes.backup_rows import (
    facts_rows,
    look_of,
    loss_part,
    meant,
    proof_part,
    restored_part,
    size_part,
    snapshot_rows,
    state_part,
    verdict_of,
    why_rows,
)
from tui.app.rows import Column, Line, Part, Row, grid, row, rule
from tui.app.views import Known

COLUMNS = (
    Column("BACKUP", 8, 24), Column("ENV", 4, 9), Column("STATE", 5, 5), Column("AGE", 4, 7, True),
    Column("LOSS", 4, 7, True), Column("PROOF", 9, 16), Column("SIZE", 5, 11, True), Column("LAST RESTORE", 12, 18),
    Column("DATA", 4, 6, True),
)  # fmt: skip
_RANK = {Severity.BAD: 0, Severity.UNKNOWN: 1, Severity.WARN: 2, Severity.OK: 3}


class BackupsPane(BackupView):
    """One line a backup."""

    hints: ClassVar[tuple[str, ...]] = (
        "do.restore", "do.hold", "go.open", "see.time", "do.actions", "list.filter", "copy.name", "copy.command",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self._backup = ""

    @property
    def env(self) -> str:
        """It spans them all."""
        return ""

    def backup(self) -> str:
        """The one under the cursor."""
        return self._backup

    def opens(self) -> str:
        """The page of the backup."""
        return f"backup {self._backup}" if self._backup else ""

    def rows(self, width: int) -> list[Row]:
        """The list, what is bad first, then what belongs to the selected one."""
        names = list(self.session.inventory.backups)
        if not names:
            return [row(("the inventory names no backups: docs/backups.md shows one", "warn"))]
        if self.board.key.startswith("backup "):
            self._backup = self.board.key.partition(" ")[2]
        elif self._backup not in names:
            self._backup = names[0]
        now = self.session.now()
        known = {name: self.known(name) for name in names}
        order = sorted(names, key=lambda name: (_RANK[verdict_of(known[name], now).severity], name))
        rows = grid(COLUMNS, [self._line(name, known[name], now) for name in order], width)
        one = known[self._backup]
        asked = "asking" if one.busy else f"data {self.desk.age(one.asked)}" if one.asked else "not asked"
        rows.append(rule(f"{self._backup}, enter opens it", width, asked))
        rows += why_rows(verdict_of(one, now), width)
        look = look_of(one)
        if look is not None:
            rows += facts_rows(self.desk, look, width)
            rows += [r._replace(key="") for r in snapshot_rows(self.desk, look, width, 8)]
        return rows

    def _line(self, name: str, known: Known, now: int) -> Line:
        backup, look = self.session.inventory.backups[name], look_of(known)
        cells: tuple[Part, ...] = (
            name, (backup.env, self.desk.env_role(backup.env)), state_part(verdict_of(known, now)),
            *self._figures(look, now), self.desk.age(known.asked) if known.asked else "?",
        )  # fmt: skip
        return Line(cells, key=f"backup {name}")

    def _figures(self, look: BackupLook | None, now: int) -> tuple[Part, ...]:
        if look is None or look.error:
            return ("?",) * 5
        newest, taken = look.newest(now), meant(self.desk, look)
        if newest is None:
            return (("none", "bad"), "-", "-", "-", restored_part(look, now))
        age = loss_part(look, newest, now)
        if taken is None:
            return (age, ("none", "bad"), "-", "-", restored_part(look, now))
        loss = loss_part(look, taken, now)
        return (age, loss, proof_part(taken, now), size_part(look, taken, now), restored_part(look, now))

    def command(self) -> str:
        """The same as text."""
        return f"ondeck backup list{desk_time(self.desk)}"

    def on_board_moved(self) -> None:
        """The lower half follows the cursor."""
        if self.board.key.startswith("backup ") and self.board.key.partition(" ")[2] != self._backup:
            self.show()
