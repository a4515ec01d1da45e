"""`:certs`: the certificate that every member serves, the soonest to end first."""

from __future__ import annotations

from typing import ClassVar

from ondeck.observe.fleet import Severity
from tui.app.panes.base import BoardView
from tui.app.rows import Column, Line, Row, grid, heading, row
from tui.app.views import NOTHING, Kind, Selected

COLUMNS = (
    Column("STATE", 5, 5), Column("NAME", 12, 34), Column("MEMBER", 6, 20), Column("SAYS", 18, 60),
    Column("SERVICE", 8, 24), Column("ISSUER", 6, 24), Column("DATA", 4, 7, True),
)  # fmt: skip
ROLES = {Severity.OK: "ok", Severity.WARN: "warn", Severity.BAD: "bad", Severity.UNKNOWN: "lost"}


class CertsPage(BoardView):
    """One line a member."""

    hints: ClassVar[tuple[str, ...]] = ("go.open", "copy.name", "copy.command", "go.back")

    def rows(self, width: int) -> list[Row]:
        """What is bad first, then what is not known."""
        looks = [one for one in self.session.checks() if one.kind == "tls"]
        lines = [
            Line((
                (one.state, ROLES[one.severity]), one.target, one.member or "-", (one.text, ROLES[one.severity]),
                one.subject, one.issuer or "?", self.desk.age(one.asked),
            ), key=f"cert {one.subject} {one.member}")
            for one in looks
        ]  # fmt: skip
        head = heading(f"CERTIFICATES {len(looks)}", right=[("asked from this machine, each member", "dim")])
        empty = row(("the inventory declares none: checks: [{tls: NAME:443, each: group=lb}]", "warn"))
        return [head, *(grid(COLUMNS, lines, width) if lines else [empty])]

    def of_key(self, key: str) -> Selected:
        """The member, or the service when the name itself was asked."""
        _, subject, member = [*key.split(" "), "", ""][:3]
        host = self.session.inventory.hosts.get(member)
        if host is not None:
            return Selected(Kind.HOST, member, host.env, (member,))
        return Selected(Kind.SERVICE, subject, subject.partition("@")[2]) if subject else NOTHING

    def command(self) -> str:
        """The same as text."""
        return "ondeck certs"
