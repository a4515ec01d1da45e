"""One backup: its snapshots, newest first, with the time cursor; and what lies in one of them."""

from __future__ import annotations

from typing import ClassVar

from ondeck.errors import NoMatch
from ondeck.observe.asking import Question
from ondeck.observe.backups import Entry, Listed
from tui.app.context import Desk
from tui.app.panes.backup_acts import BackupView, desk_time
from tui.app.panes.backup_rows import (
    facts_rows,
    look_of,
    meant,
    snapshot_rows,
    state_part,
    verdict_of,
    why_rows,
)
from tui.app.phrases import size
from tui.app.rows import BLANK, Column, Line, Row, grid, row

ENTRIES = (
    Column("NAME", 16, 60), Column("SIZE", 5, 8, True), Column("MODIFIED", 8, 16), Column("MODE", 10, 10),
    Column("OWNER", 5, 12),
)  # fmt: skip


class BackupPage(BackupView):
    """Address `backup NAME`."""

    hints: ClassVar[tuple[str, ...]] = (
        "do.restore", "do.hold", "go.open", "see.time", "do.actions", "list.filter", "copy.command", "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self._backup = name_of.partition(" ")[2]
        self._placed = -1
        if self._backup not in self.session.inventory.backups:
            raise NoMatch(f"no backup {self._backup!r}")

    def backup(self) -> str:
        """The one that it is about."""
        return self._backup

    def named_snapshot(self) -> str:
        """The one under the cursor."""
        return self.board.key.rpartition(" ")[2] if self.board.key.startswith("snapshot ") else ""

    def opens(self) -> str:
        """What lies in the snapshot."""
        return f"snapshot {self._backup} {self.named_snapshot()} /" if self.named_snapshot() else ""

    def rows(self, width: int) -> list[Row]:
        """How it is, then its snapshots."""
        known, now = self.known(self._backup), self.session.now()
        verdict, look = verdict_of(known, now), look_of(known)
        asked = (
            "asking" if known.busy else f"data {self.desk.age(known.asked)}" if known.asked else "not asked"
        )
        state = state_part(verdict)
        head = row((f"BACKUP {self._backup}", "heading"), "  ", state, right=[(asked, "dim")])
        rows = [head, *why_rows(verdict, width)]
        if look is None:
            return rows
        rows += [*facts_rows(self.desk, look, width), BLANK]
        return rows + snapshot_rows(self.desk, look, width)

    def show(self) -> None:
        """The cursor goes to the newest snapshot before the time cursor, once each time that it is set."""
        super().show()
        look = self.look()
        if self._placed != self.desk.at and look is not None and self.board.rows:
            one = meant(self.desk, look)
            if one is not None:
                self._placed = self.desk.at
                self.board.go_to(f"snapshot {self._backup} {one.short}")

    def command(self) -> str:
        """The same as text."""
        return f"ondeck backup list {self._backup}{desk_time(self.desk)}"


class SnapshotPage(BackupView):
    """Address `snapshot NAME ID PATH`: a folder of a snapshot."""

    hints: ClassVar[tuple[str, ...]] = (
        "go.open", "do.restore", "do.hold", "do.actions", "list.filter", "copy.command", "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        _, self._backup, self._short, self._folder = [*name_of.split(" ", 3), "", "", ""][:4]
        self._folder = self._folder or "/"

    def backup(self) -> str:
        """The one that the snapshot is of."""
        return self._backup

    def named_snapshot(self) -> str:
        """The one that it is about."""
        return self._short

    def opens(self) -> str:
        """A folder deeper."""
        kind, _, path = self.board.key.partition(" ")
        return f"snapshot {self._backup} {self._short} {path}" if kind == "dir" else ""

    def rows(self, width: int) -> list[Row]:
        """Folders first."""
        asked = Question("entries", "backups", self._backup, self._short, self._folder)
        known = self.session.asked(asked, 3600.0)
        note = (
            "asking" if known.busy else f"data {self.desk.age(known.asked)}" if known.asked else "not asked"
        )
        head = row(
            (f"SNAPSHOT {self._short} of {self._backup}", "heading"),
            "  ",
            self._folder,
            right=[(note, "dim")],
        )
        if known.error:
            return [head, row((f"could not ask: {known.error}", "lost"))]
        if not isinstance(known.answer, Listed):
            return [head, row(("asking", "dim"))]
        entries = sorted(known.answer.entries, key=lambda e: (e.kind != "dir", e.path))
        rows = grid(ENTRIES, [self._line(entry) for entry in entries], width) if entries else []
        more = [row((f"{known.answer.more} more", "warn"))] if known.answer.more else []
        return [head, *(rows or [row(("nothing lies there", "dim"))]), *more]

    def _line(self, entry: Entry) -> Line:
        name = entry.path.rpartition("/")[2] or entry.path
        cells = (
            f"{name}/" if entry.kind == "dir" else name,
            size(entry.size) if entry.size is not None else "-",
            self.desk.minute(entry.mtime), entry.mode, entry.owner,
        )  # fmt: skip
        return Line(cells, key=f"{entry.kind} {entry.path}")

    def command(self) -> str:
        """The same as text."""
        return f"ondeck backup ls {self._backup} {self._folder} --snapshot {self._short}"
