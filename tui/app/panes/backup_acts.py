"""What keys do on backups: restore beside, hold, and every operation, each with the exact snapshot that is meant."""

from __future__ import annotations

from typing import Any

from ondeck.observe.backups import BackupLook, Snapshot
from tui.app.context import Desk
from tui.app.panes.backup_rows import EVERY, look_of, meant, question
from tui.app.panes.base import BoardView
from tui.app.views import NOTHING, Kind, Known, Selected

_KEYS = {"do.rollback": "backup.restore", "do.hold": "backup.hold"}
_WITH_ID = {"backup.restore": "snapshot", "backup.drill": "snapshot"}
_WITH_IDS = {"backup.hold": "snapshots", "backup.release": "snapshots"}


class BackupView(BoardView):
    """A view of one or more backups."""

    pane = "backups"

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self._seen: set[str] = set()

    def backup(self) -> str:
        """Name of the backup that keys mean; empty for none."""
        return ""

    def named_snapshot(self) -> str:
        """Short id of the snapshot under the cursor; empty where the newest before the time cursor is meant."""
        return ""

    @property
    def env(self) -> str:
        """Of the backup that it is about."""
        found = self.session.inventory.backups.get(self.backup())
        return found.env if found is not None else ""

    @property
    def at_words(self) -> str:
        """What the time cursor means here."""
        return f"newest before {self.desk.minute(self.desk.at)} is meant"

    def known(self, name: str) -> Known:
        """What is known of a backup; asks again once a job of ours on it has ended."""
        known = self.session.asked(question(name), EVERY)
        ended = {j.id for j in self.session.jobs() if j.subject == name and j.ended > known.asked > 0}
        if ended - self._seen:
            self._seen |= ended
            self.session.ask_again(question(name))
        return known

    def look(self) -> BackupLook | None:
        """What is known of the backup that is meant."""
        name = self.backup()
        return look_of(self.known(name)) if name else None

    def snapshot(self) -> Snapshot | None:
        """The snapshot that is meant; None while it is not known."""
        look = self.look()
        if look is None:
            return None
        word = self.named_snapshot()
        return next(iter(look.named(word)), None) if word else meant(self.desk, look)

    def selected(self) -> Selected:
        """The backup."""
        found = self.session.inventory.backups.get(self.backup())
        return Selected(Kind.PLACE, found.name, found.env, section="backups") if found else NOTHING

    def marked(self) -> tuple[Selected, ...]:
        """Marks of snapshots mean nothing to operations on hosts."""
        return ()

    def applies(self, name: str) -> bool:
        """Restore and hold need a snapshot; opening needs a row."""
        match name:
            case "go.open":
                return bool(self.opens())
            case "do.restore" | "do.hold":
                return not self.session.settings.read_only and self.snapshot() is not None
        return super().applies(name)

    def opens(self) -> str:
        """The address behind the row under the cursor; empty for none."""
        return ""

    def act(self, name: str) -> bool:
        """Its own keys."""
        if name in _KEYS:
            self._operate(_KEYS[name])
        elif name == "do.actions":
            self.desk.spawn(self._choose())
        elif name == "go.open" and self.opens():
            self.desk.open(self.opens())
        else:
            return super().act(name)
        return True

    async def _choose(self) -> None:
        """Every operation on it; those on a snapshot mean the one under the cursor."""
        from tui.app.dialogs.menu import Choice

        name, one = self.backup(), self.snapshot()
        if not name:
            self.desk.say("select a backup first", "warn")
            return
        specs = [s for s in self.session.specs() if s.target.section == "backups"]
        about = f"{name}, snapshot {one.short}" if one is not None else name
        choices = [Choice(s.name, s.title, s.key, str(s.risk)) for s in specs]
        chosen = await self.desk.choose(f"actions for {about}", choices)
        if chosen is not None:
            self._operate(chosen)

    def _operate(self, operation: str) -> None:
        name, one = self.backup(), self.snapshot()
        of_snapshot = operation in _WITH_ID or operation in _WITH_IDS
        if not name or (of_snapshot and one is None and operation != "backup.release"):
            self.desk.say("no snapshot is known that could be meant", "warn")
            return
        params: dict[str, Any] = {}
        if one is not None and operation in _WITH_ID:
            params = {_WITH_ID[operation]: one.short}
        elif (
            one is not None
            and operation in _WITH_IDS
            and (self.named_snapshot() or operation == "backup.hold")
        ):
            params = {_WITH_IDS[operation]: (one.short,)}
        self.desk.wish(operation, name, params)


def desk_time(desk: Desk) -> str:
    """`--before` of the command line for the time cursor; empty without one."""
    from ondeck import times

    return f" --before {times.iso(desk.at)}" if desk.at else ""
