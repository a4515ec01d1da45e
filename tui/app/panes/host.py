"""The page of one host: figures, services, units, changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ondeck.observe.records import Health
from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.panes.pieces import (
    FIGURE_ROLES,
    change_rows,
    figure,
    health_word,
    host_state,
    known_changes,
    sources,
    standing_of,
    versions_word,
)
from tui.app.panes.units import unit_lines
from tui.app.phrases import percent, size, span
from tui.app.rows import BLANK, Column, Line, Row, fit, grid, heading, row
from tui.app.views import Kind, Selected


class HostPage(BoardView):
    """`enter` on a host."""

    hints: ClassVar[tuple[str, ...]] = (
        "do.shell", "do.run", "see.logs", "see.metrics", "do.actions", "see.describe", "go.open", "copy.name",
        "copy.command", "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self.host = self.session.inventory.hosts[name_of]
        self._asked = False

    @property
    def env(self) -> str:
        """Of the host."""
        return self.host.env

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """Itself and what stands on it."""
        if not self._asked:
            self._asked = True
            self.session.ask_changes((self.name_of,))
        return (self.name_of,), self.session.services_on(self.name_of)[:8]

    def of_key(self, key: str) -> Selected:
        """Services have rows of their own; everything else is the host."""
        kind, _, name = key.partition(" ")
        if kind == "service":
            return Selected(Kind.SERVICE, name, self.env, self.session.hosts_of(name))
        return Selected(Kind.HOST, self.name_of, self.env, (self.name_of,))

    def meant(self, name: str) -> Selected:
        """A shell and a command mean the host, also on the row of a service that stands on others too."""
        return self.of_key("") if name in ("do.shell", "do.run") else self.selected()

    def rows(self, width: int) -> list[Row]:
        """Top to bottom."""
        return [
            *self._head(width), BLANK, *self._figures(width), BLANK, *self._services(width), BLANK,
            *self._units(width), BLANK, *self._changes(width),
        ]  # fmt: skip

    def _head(self, width: int) -> list[Row]:
        look = self.session.host(self.name_of)
        standing = standing_of(self.desk, look)
        state, role = host_state(self.desk, look, standing)
        seen = look.facts.time if look.facts else 0
        old = " (from an earlier session)" if look.cached else ""
        head = row(
            (self.name_of, "heading"),
            "  ",
            (state, role),
            right=[(f"data {self.desk.age(seen)}{old}", "dim")],
        )
        groups = f"group {' '.join(self.host.groups)}" if self.host.groups else ""
        words = [self.host.address or self.name_of, groups, str(self.host.nature)]
        words += [f"via {self.host.via}" if self.host.via else "", self.host.transport]
        labels = "  ".join(f"{k}={v}" for k, v in self.host.labels.items())
        rows = [head, row((fit("   ".join(filter(None, [*words, labels])), width).rstrip(), "dim"))]
        if standing.findings:
            rows.append(row((fit(standing.why, width).rstrip(), FIGURE_ROLES[standing.severity])))
        if look.error:
            since = f" since {self.desk.clock(look.since)}" if look.health is Health.LOST else ""
            rows.append(row((fit(f"{look.error}{since}", width).rstrip(), "lost")))
        return rows

    def _figures(self, width: int) -> list[Row]:
        look = self.session.host(self.name_of)
        facts, standing = look.facts, standing_of(self.desk, look)
        if facts is None:
            return [heading("FIGURES"), row(("not known: nothing has answered yet", "dim"))]
        cores = f" of {facts.cores} cores" if facts.cores else ""
        memory = f" of {size(facts.memory_total)}" if facts.memory_total else ""
        network = facts.network or (None, None)
        load = "?" if facts.load1 is None else f"{facts.load1:.2f}"
        uptime = "?" if facts.uptime is None else span(facts.uptime)
        offset = "?" if facts.clock_offset is None else f"{facts.clock_offset:+.1f}s"
        role = {
            name: FIGURE_ROLES.get(standing.of(name), "dim") for name in ("cpu", "memory", "load", "clock")
        }
        rows = [
            heading("FIGURES"),
            row(("cpu     ", "dim"), (fit(percent(facts.cpu) + cores, 22), role["cpu"]), ("memory  ", "dim"),
                (fit(percent(facts.memory) + memory, 20), role["memory"]), ("swap ", "dim"), percent(facts.swap)),
            row(("load    ", "dim"), (fit(load, 22), role["load"]), ("network ", "dim"),
                fit(f"in {size(network[0])}/s  out {size(network[1])}/s", 28)),
            row(("up      ", "dim"), fit(uptime, 22), ("clock   ", "dim"), (fit(offset, 20), role["clock"]),
                ("os ", "dim"),
                fit(" ".join(filter(None, (facts.os, facts.kernel))) or "?", max(4, width - 65)).rstrip()),
        ]  # fmt: skip
        columns = (Column("DISK", 12, 30), Column("USED", 5, 5, True), Column("INODES", 6, 6, True),
                   Column("FREE", 6, 8, True), Column("FULL IN", 7, 12))  # fmt: skip
        lines = []
        for mount, (used, inodes, free) in sorted(facts.disks.items(), key=lambda item: -max(item[1][:2])):
            left = look.full_in.get(mount)
            lines.append(Line((
                mount, figure(used, standing.of("disk", mount)), figure(inodes, standing.of("inodes", mount)),
                size(free), "-" if left is None else span(left),
            )))  # fmt: skip
        return [*rows, *(grid(columns, lines, width) if lines else [])]

    def _services(self, width: int) -> list[Row]:
        subjects = self.session.services_on(self.name_of)
        lines = []
        for subject in subjects:
            look = self.session.service(subject)
            facts = next((f for f in look.releases if f.host == self.name_of), None)
            version = facts.version or "none" if facts and not facts.error else "?"
            text = facts.error or facts.health_text if facts else ""
            lines.append(Line(
                (subject, version, health_word(facts), versions_word(look), text), key=f"service {subject}"
            ))  # fmt: skip
        if not lines:
            return [heading("SERVICES"), row(("the inventory puts no service here", "dim"))]
        columns = (Column("SERVICES", 12, 28), Column("VERSION", 8, 16), Column("HEALTH", 6, 8),
                   Column("EVERYWHERE", 8, 24), Column("", 0, 50))  # fmt: skip
        return grid(columns, lines, width)

    def _units(self, width: int) -> list[Row]:
        look = self.session.units(self.name_of)
        state = (
            "asking" if look.asking else f"data {self.desk.age(look.asked)}" if look.asked else "not asked"
        )
        head = heading("UNITS", right=[(f"{state}   :units {self.name_of} shows all", "dim")])
        if look.error:
            return [head, row((f"could not ask: {look.error}", "lost"))]
        failed = [u for u in look.units if u.active == "failed"]
        mine = {unit for s in self.session.services_on(self.name_of) for unit in self._named(s)}
        known = [u for u in look.units if u.name in mine or u.name.removesuffix(".service") in mine]
        chosen = [*failed, *(u for u in known if u not in failed)]
        if not chosen:
            return [head, row((f"{len(look.units)} units, none failed" if look.asked else "?", "dim"))]
        return [head, *unit_lines(self.desk, chosen[:10], width, head=False)]

    def _named(self, subject: str) -> tuple[str, ...]:
        service = self.session.inventory.services.get(subject.partition("@")[0])
        return service.units if service else ()

    def _changes(self, width: int) -> list[Row]:
        answers = self.session.changes((self.name_of,))
        services = self.session.services_on(self.name_of)
        mine = [
            c
            for c in known_changes(answers)
            if c.host == self.name_of
            or self.name_of in c.subject.split("@")
            or (c.subject in services and not c.host)
        ]
        rows = [heading("CHANGES", right=sources(answers))]
        if not mine:
            bad = any(answer.error for answer in answers)
            rows.append(
                row(("nothing in what could be asked" if bad else "nothing is known to have changed", "dim"))
            )
        return rows + change_rows(self.desk, list(enumerate(mine[:12])), width, wide=width >= 90)

    def command(self) -> str:
        """The same as text."""
        return f"ondeck get hosts {self.name_of}"
