"""Deploy: services with what they run in each environment; below, hosts and releases of the selected one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.panes.pieces import healthy_word, on_hosts, versions_word
from tui.app.panes.service_rows import common_rows, hosts_grid, release_rows
from tui.app.phrases import count_of
from tui.app.rows import Column, Line, Part, Row, grid, row, rule
from tui.app.views import NOTHING, Kind, Selected, ServiceLook

COLUMNS = (
    Column("SERVICE", 10, 28), Column("ENV", 7, 10), Column("VERSION", 8, 30), Column("HOSTS", 5, 9),
    Column("FOR", 4, 7, True), Column("HEALTHY", 8, 12), Column("LAST GOOD", 9, 14), Column("LOCK", 7, 20),
    Column("LAST JOB", 12, 30),
)  # fmt: skip


class DeployPane(BoardView):
    """One line a service and environment."""

    pane = "deploy"
    hints: ClassVar[tuple[str, ...]] = (
        "do.deploy", "do.rollback", "go.open", "see.logs", "see.metrics", "do.actions", "see.describe", "list.filter",
        "copy.name", "copy.command",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self._subject = ""

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """The services on screen; figures of the selected one's hosts."""
        hosts = self.session.hosts_of(self._subject)[:20] if self._subject else ()
        top = self.board.scroll_offset.y
        seen = [r.key.partition(" ")[2] for r in self.board.rows[top : top + max(20, self.board.size.height)]
                if r.key.startswith("service ")]  # fmt: skip
        return hosts, (seen or list(self.session.subjects())[:20])

    def of_key(self, key: str) -> Selected:
        """A service, or a host of the one shown below."""
        kind, _, name = key.partition(" ")
        if kind == "service":
            return Selected(Kind.SERVICE, name, name.partition("@")[2], self.session.hosts_of(name))
        if kind == "host":
            host = self.session.inventory.hosts.get(name)
            return Selected(Kind.HOST, name, host.env if host else "", (name,))
        return NOTHING

    def rows(self, width: int) -> list[Row]:
        """The list, then what belongs to the selected one."""
        session = self.session
        subjects = session.subjects()
        if not subjects:
            return [row(("the inventory names no service", "warn"))]
        if self.board.key.startswith("service "):
            self._subject = self.board.key.partition(" ")[2]
        elif self._subject not in subjects:
            self._subject = subjects[0]
        looks = [session.service(subject) for subject in subjects]
        ordered = sorted(looks, key=lambda look: (not look.failing, look.name, look.env))
        rows = grid(COLUMNS, [self._line(look) for look in ordered], width)
        look = session.service(self._subject)
        state = (
            f"data {self.desk.age(look.asked)}" if look.asked else "asking" if look.asking else "not asked"
        )
        lost = f", {look.unknown} not known" if look.asked and look.unknown else ""
        rows.append(
            rule(f"{look.subject}  {count_of(len(look.hosts), 'host')}, worst first", width, state + lost)
        )
        rows += hosts_grid(self.desk, look, width)
        rows += common_rows(self.desk, look, width)
        rows.append(rule("releases", width))
        return rows + release_rows(self.desk, look, width)

    def _line(self, look: ServiceLook) -> Line:
        since = max((f.since for f in look.releases if not f.error), default=0)
        job = next((j for j in self.session.jobs() if j.subject == look.subject), None)
        lock: Part = "-"
        for held in self.session.locks():
            if held.key == look.subject:
                lock = (f"{held.owner} {self.desk.age(held.since)}", "warn")
        last: Part = (
            "-" if job is None else f"{job.title.split()[0].lower()} {job.outcome or job.state} {job.actor}"
        )
        return Line((
            look.name, (look.env, self.desk.env_role(look.env)), versions_word(look), on_hosts(look),
            self.desk.age(since), healthy_word(look), look.last_good or "-", lock, last,
        ), key=f"service {look.subject}")  # fmt: skip

    def command(self) -> str:
        """The same as text."""
        return f"ondeck get services {self._subject}"

    def on_board_moved(self) -> None:
        """The lower half follows the cursor."""
        if self.board.key.startswith("service ") and self.board.key.partition(" ")[2] != self._subject:
            self.show()
