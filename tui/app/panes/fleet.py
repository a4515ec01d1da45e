"""Fleet: every host of the inventory; only the rows on screen are asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from ondeck.errors import OndeckError
from ondeck.observe.fleet import fullest
from tui.app.board import Board
from tui.app.context import Desk
from tui.app.panes.base import View
from tui.app.panes.pieces import FIGURE_ROLES, figure, host_state, standing_of
from tui.app.phrases import count_of, span
from tui.app.rows import row as line
from tui.app.table import Column, LiveTable, Row, row
from tui.app.views import NOTHING, HostLook, Kind, Matched, Selected

MOST_ASKED = 60
NO_HOST = Matched(frozenset())
"""What a selector found that cannot be asked, or that does not stand."""


def _number(text: str) -> float:
    digits = text.rstrip("%")
    return float(digits) if digits.replace(".", "", 1).isdigit() else -1.0


COLUMNS = (
    Column("host", "HOST", min=8, max=28),
    Column("env", "ENV", min=7, max=10),
    Column("group", "GROUP", min=6, max=20, priority=1),
    Column("state", "STATE", min=8, max=14),
    Column("cpu", "CPU", min=4, align="right", sort_key=_number, high_first=True),
    Column("mem", "MEM", min=4, align="right", sort_key=_number, high_first=True),
    Column("disk", "DISK", min=4, align="right", sort_key=_number, high_first=True),
    Column("mount", "FULLEST", min=8, max=16, priority=3),
    Column("load", "LOAD", min=5, align="right", sort_key=_number, high_first=True),
    Column("up", "UP", min=4, align="right", priority=4),
    Column("services", "SERVICES", min=14, max=40, flex=1, priority=2),
    Column("data", "DATA", min=4, align="right"),
)


class FleetPane(View):
    """One line a host; worst state is a word, not only a colour."""

    DEFAULT_CSS = "FleetPane { layout: vertical; } FleetPane #head { height: 1; }"
    pane = "fleet"
    plain_hints: ClassVar[tuple[str, ...]] = (
        "go.open", "list.filter", "list.mark", "list.all", "do.run", "do.shell", "see.logs", "see.metrics", "list.sort",
        "do.actions", "copy.name",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self.head = Board(desk.roles, id="head")
        self.head.can_focus = False
        self.table = LiveTable(COLUMNS, empty="no host matches")
        self._filter = ""
        self._selector = ""
        self._trouble = ""
        self._matched = NO_HOST
        self._filled = False
        self._drawn: dict[str, Row] = {}
        self._services: dict[str, str] = {}

    @property
    def hints(self) -> tuple[str, ...]:  # type: ignore[override]
        """What marks are for stands first while there are any."""
        if not self.table.marks:
            return self.plain_hints
        return ("do.run", *(name for name in self.plain_hints if name != "do.run"))

    def compose(self) -> ComposeResult:
        """A line of counts, the table."""
        yield self.head
        yield self.table

    def on_mount(self) -> None:
        """All rows once; from then on only rows that differ."""
        self.call_after_refresh(self.show)

    def _fill(self) -> None:
        known = self.session.known()
        rows = []
        for name, host in self.session.inventory.hosts.items():
            look = known.get(name) or HostLook(name=name, env=host.env)
            rows.append(self._row(look))
        self._drawn = {r.key: r for r in rows}
        self.table.set_rows(rows)
        self._filled = True
        self.desk.redraw()

    def _row(self, look: HostLook) -> Row:
        host = self.session.inventory.hosts[look.name]
        standing = standing_of(self.desk, look)
        facts, full = look.facts, fullest(look.facts)
        services = self._services.get(look.name, "")
        load = "?" if facts is None or facts.load1 is None else f"{facts.load1:.2f}"
        up = "?" if facts is None or facts.uptime is None else span(facts.uptime)
        return row(
            look.name, look.name, (host.env, self.desk.env_role(host.env)), " ".join(host.groups),
            host_state(self.desk, look, standing), figure(facts.cpu if facts else None, standing.of("cpu")),
            figure(facts.memory if facts else None, standing.of("memory")),
            figure(full[1] if full else None, standing.of("disk")), self._mount(look, full),
            (load, FIGURE_ROLES.get(standing.of("load"), "dim")), up, services,
            self.desk.age(facts.time if facts else 0),
        )  # fmt: skip

    def _mount(self, look: HostLook, full: tuple[str, float] | None) -> str:
        """The fullest mount, and when it is full if it goes on like this."""
        if full is None:
            return "?"
        left = look.full_in.get(full[0])
        return full[0] if left is None else f"{full[0]} in {span(left)}"

    def on_screen(self) -> tuple[str, ...]:
        """Hosts whose rows are on screen."""
        top = int(self.table.scroll_offset.y)
        return self.table.keys[top : top + max(1, min(MOST_ASKED, self.table.size.height))]

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """Only what can be seen."""
        return (self.on_screen(), ()) if self._filled else ((), ())

    def show(self) -> None:
        """Rows that differ, and the counts."""
        if not self._filled:
            if self.table.is_attached and self.table.size.width:
                self._fill()
            return
        self._update(self.session.known().values())
        self._judge()
        shown, total = self.table.counts
        lost = sum(1 for look in self.session.known().values() if look.health == "lost")
        known = sum(1 for look in self.session.known().values() if look.health is not None)
        words = [count_of(total, "host"), f"{shown} shown" if shown != total else "", f"{known} looked at"]
        words.append(f"{lost} LOST" if lost else "")
        words.append(f"{self._matched.unjudged} could not be judged" if self._matched.unjudged else "")
        words.append(self._trouble)
        dropped = self.session.dropped()
        words.append(f"{dropped} samples dropped" if dropped else "")
        order = self.table.order
        right = f"by {order[0]}{' reversed' if order[1] else ''}" if order else "in the inventory's order"
        self.head.show([line(("  ".join(filter(None, words)), "heading"), right=[(right, "dim")])])

    def _update(self, looks: Iterable[HostLook]) -> None:
        for name in self.on_screen():
            if name not in self._services:
                self._services[name] = " ".join(self.session.services_on(name))
        for look in looks:
            if look.name not in self._drawn:
                continue
            fresh = self._row(look)
            if fresh != self._drawn[look.name]:
                self._drawn[look.name] = fresh
                cells = [(t, fresh.role(i)) for i, t in enumerate(fresh.cells)]
                self.table.update_row(look.name, cells)

    @property
    def laid_out(self) -> bool:
        """The table has its rows."""
        return self._filled

    def take_focus(self) -> None:
        """The table moves."""
        self.screen.set_focus(self.table)

    def find(self, text: str) -> None:
        """Words, or a selector with facts: `disk>90`, `env=prod,group=web`."""
        self._filter = text
        self._selector, self._trouble, self._matched = "", "", NO_HOST
        if any(sign in text for sign in "<>=") and not text.endswith(("<", ">", "=")):
            self._selector = text
            self.table.set_empty(f"no host is known to match {text}")
            self._judge(first=True)
        else:
            self.table.set_empty(f"no host matches {text}")
            self.table.filter(text)
        self.show()

    def _judge(self, *, first: bool = False) -> None:
        """Ask a selector again: figures come and go while it stands."""
        if not self._selector:
            return
        try:
            matched, self._trouble = self.session.select(self._selector), ""
        except OndeckError as error:
            matched, self._trouble = NO_HOST, error.message
            self.table.set_empty(error.message)
        if first or matched.hosts != self._matched.hosts:
            names = matched.hosts
            self.table.filter(lambda found: found.key in names)
        self._matched = matched

    @property
    def extra(self) -> str:
        """Marks, filter, place."""
        words = [f"{len(self.table.marks)} marked" if self.table.marks else ""]
        words += [f"/{self._filter}" if self._filter else "", self.table.position_text()]
        return "  ".join(filter(None, words))

    def _of(self, name: str) -> Selected:
        host = self.session.inventory.hosts.get(name)
        return Selected(Kind.HOST, name, host.env, (name,)) if host else NOTHING

    def selected(self) -> Selected:
        """The host under the cursor."""
        return self._of(self.table.cursor_key)

    def marked(self) -> tuple[Selected, ...]:
        """Marked hosts."""
        return tuple(self._of(name) for name in self.table.marks)

    @on(LiveTable.Selected)
    def _open(self, event: LiveTable.Selected) -> None:
        self.desk.open(event.key)

    @on(LiveTable.MarksChanged)
    @on(LiveTable.Sorted)
    def _changed(self) -> None:
        self.show()

    def act(self, name: str) -> bool:
        """Esc takes the filter away first; marks and order are the table's."""
        if name == "go.back" and self._filter:
            self.find("")
        elif name == "list.reverse":
            order = self.table.order
            if order:
                self.table.sort(order[0], not order[1])
        else:
            return False
        return True

    def applies(self, name: str) -> bool:
        """A command runs on what is marked, wherever the cursor is."""
        return (name == "do.run" and bool(self.table.marks)) or super().applies(name)

    def command(self) -> str:
        """The same as text."""
        if self._filter and any(sign in self._filter for sign in "<>="):
            return f"ondeck get hosts -l '{self._filter}'"
        return "ondeck get hosts"
