"""The page of one service in one environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.panes.service_rows import service_rows
from tui.app.rows import Row
from tui.app.views import Kind, Selected


class ServicePage(BoardView):
    """`enter` on a service, or on its failing check. Keys act on the service; on a host where that makes sense."""

    hints: ClassVar[tuple[str, ...]] = (
        "do.rollback", "do.deploy", "see.logs", "see.metrics", "do.run", "do.shell", "go.open", "do.actions",
        "see.describe", "copy.command", "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self._asked = False

    @property
    def env(self) -> str:
        """Of the service."""
        return self.name_of.partition("@")[2]

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """Its hosts, itself and what it needs."""
        if not self._asked:
            self._asked = True
            self.session.ask_changes(self.session.hosts_of(self.name_of))
        service = self.session.inventory.services.get(self.name_of.partition("@")[0])
        needs = [f"{name}@{self.env}" for name in service.needs] if service else []
        subjects = [self.name_of, *(n for n in needs if n in self.session.subjects())]
        return self.session.hosts_of(self.name_of)[:40], subjects

    def rows(self, width: int) -> list[Row]:
        """The page."""
        return service_rows(self.desk, self.name_of, width)

    def of_key(self, key: str) -> Selected:
        """Hosts, jobs and other services have rows of their own; everything else is the service."""
        kind, _, name = key.partition(" ")
        if kind == "host":
            return Selected(Kind.HOST, name, self.env, (name,))
        if kind == "job":
            return Selected(Kind.JOB, name.partition(" ")[0], self.env)
        if kind == "service":
            return Selected(Kind.SERVICE, name, self.env, self.session.hosts_of(name))
        return self._itself()

    def about(self) -> Selected:
        """The service, whichever row the cursor is on."""
        return self._itself()

    def _itself(self) -> Selected:
        return Selected(Kind.SERVICE, self.name_of, self.env, self.session.hosts_of(self.name_of))

    def meant(self, name: str) -> Selected:
        """Deploy, roll back, logs and describe mean the service."""
        itself = name in ("do.deploy", "do.rollback", "see.logs", "see.describe")
        return self._itself() if itself else self.selected()

    def act(self, name: str) -> bool:
        """Deploy, roll back, logs and describe mean the service, whichever row the cursor is on."""
        if name in ("do.deploy", "do.rollback"):
            verb = name.partition(".")[2]
            self.desk.operate(verb, self._itself())
            return True
        if name in ("see.logs", "see.describe"):
            self.desk.open(f"{name.partition('.')[2]} {self.name_of}")
            return True
        return super().act(name)

    def command(self) -> str:
        """The same as text."""
        return f"ondeck get services {self.name_of}"
