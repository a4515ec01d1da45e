"""`d`: what the inventory says of a host or a service, and where it says so."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.plain import plain_rows
from tui.app.rows import Row, fit, heading, row
from tui.app.views import NOTHING, Kind, Selected


class DescribePage(BoardView):
    """The record as indented lines."""

    hints: ClassVar[tuple[str, ...]] = ("see.logs", "see.metrics", "copy.name", "copy.command", "go.back")

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self.thing = name_of.partition(" ")[2]

    @property
    def env(self) -> str:
        """Of the thing."""
        host = self.session.inventory.hosts.get(self.thing)
        return host.env if host else self.thing.partition("@")[2]

    def rows(self, width: int) -> list[Row]:
        """Key and value; nested values are indented."""
        inventory = self.session.inventory
        found = inventory.hosts.get(self.thing) or inventory.services.get(self.thing.partition("@")[0])
        if found is None:
            return [row((f"the inventory knows no {self.thing}", "warn"))]
        rows = [heading(self.thing, right=[(f"inventory {inventory.revision.label()}", "dim")])]
        rows += plain_rows(msgspec.to_builtins(found))
        hosts = self.session.hosts_of(self.thing) if "@" in self.thing else ()
        services = self.session.services_on(self.thing) if not hosts else ()
        if hosts:
            rows.append(
                row((fit("hosts now", 22), "dim"), fit(" ".join(hosts), max(10, width - 23)).rstrip())
            )
        if services:
            rows.append(row((fit("services here", 22), "dim"), " ".join(services)))
        return rows

    def selected(self) -> Selected:
        """The thing itself."""
        if self.thing in self.session.inventory.hosts:
            return Selected(Kind.HOST, self.thing, self.env, (self.thing,))
        if self.thing in self.session.subjects():
            return Selected(Kind.SERVICE, self.thing, self.env, self.session.hosts_of(self.thing))
        return NOTHING

    def command(self) -> str:
        """The same as text."""
        kind = "services" if "@" in self.thing else "hosts"
        return f"ondeck get {kind} {self.thing} -o json"
