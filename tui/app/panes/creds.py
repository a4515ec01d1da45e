"""`:creds`: who we are where until when, and every secret that the inventory refers to. Never a value."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from ondeck.observe.credentials import Credential, CredentialState
from ondeck.operate.creds import ReferenceLook, Resolves
from tui.app.panes.base import BoardView
from tui.app.phrases import SECOND, span
from tui.app.rows import BLANK, Column, Line, Part, Row, grid, heading, row
from tui.app.views import NOTHING, CredsLook, Kind, Selected

CREDENTIALS = (
    Column("CREDENTIAL", 12, 34), Column("STATE", 7, 8), Column("ENDS IN", 7, 9, True), Column("FOR", 6, 36),
    Column("NOTE", 6, 70), Column("AGAIN", 6, 40),
)  # fmt: skip
REFERENCES = (
    Column("USED BY", 12, 46), Column("THERE", 9, 9), Column("REFERENCE", 12, 60), Column("NOTE", 6, 70),
)  # fmt: skip
_STATES = {
    CredentialState.GOOD: "ok",
    CredentialState.ENDING: "warn",
    CredentialState.ENDED: "bad",
    CredentialState.LOCKED: "warn",
    CredentialState.ABSENT: "warn",
    CredentialState.UNKNOWN: "lost",
}
_THERE = {Resolves.YES: "ok", Resolves.NO: "bad", Resolves.NOT_ASKED: "dim"}
_WIDE = 140


def _told(text: str, hint: str) -> str:
    return ": ".join(filter(None, (text, hint)))


def _table(columns: Sequence[Column], lines: Sequence[Line], notes: Sequence[str], width: int) -> list[Row]:
    """The grid; where there is no room for notes beside a row they stand whole below it."""
    if not lines:
        return []
    shown = [
        at for at, column in enumerate(columns) if width >= _WIDE or column.head not in ("NOTE", "AGAIN")
    ]
    cut = [Line(tuple(line.cells[at] for at in shown), line.key) for line in lines]
    head, *drawn = grid([columns[at] for at in shown], cut, width)
    rows = [head]
    for line, note in zip(drawn, notes, strict=True):
        rows.append(line)
        if width < _WIDE:
            rows += [row((f"    {part}", "warn")) for part in textwrap.wrap(note, max(20, width - 4))]
    return rows


class CredsPage(BoardView):
    """Credentials first, then references; `:creds check` asks for every one of them."""

    hints: ClassVar[tuple[str, ...]] = ("list.filter", "copy.name", "copy.command", "go.back")

    @property
    def _ask(self) -> bool:
        return self.name_of.partition(" ")[2] == "check"

    def rows(self, width: int) -> list[Row]:
        """What ends or is not there is said in words beside its colour."""
        look = self.session.creds(ask=self._ask)
        rows = [heading(f"CREDENTIALS {len(look.credentials)}", right=[(self._age(look), "dim")])]
        if look.error:
            rows.append(row((f"could not ask: {look.error}", "warn")))
        notes = [
            _told(one.text, one.renew) if one.state is not CredentialState.GOOD else ""
            for one in look.credentials
        ]
        lines = [self._credential(one) for one in look.credentials]
        rows += _table(CREDENTIALS, lines, notes, width) or [self._nothing(look, "none is in use here")]
        said = "every one was asked for" if self._ask else "to ask for every one: `:creds check`"
        rows += [BLANK, heading(f"SECRETS THAT THE INVENTORY REFERS TO {len(look.references)}")]
        rows.append(row((said, "dim")))
        notes = [_told(one.text, one.hint) for one in look.references]
        lines = [self._reference(one) for one in look.references]
        empty = self._nothing(look, "the inventory refers to none")
        rows += _table(REFERENCES, lines, notes, width) or [empty]
        return rows

    def _age(self, look: CredsLook) -> str:
        if look.asking:
            return "asking"
        return f"asked {self.desk.age(look.asked)} ago" if look.asked else "not asked yet"

    def _nothing(self, look: CredsLook, words: str) -> Row:
        """An empty list before anybody was asked is no answer."""
        return row((words, "dim")) if look.asked and not look.error else row(("?", "lost"))

    def _credential(self, one: Credential) -> Line:
        left = one.expires - self.session.now()
        ends: Part = "-"
        if one.expires:
            ends = ("ended", "bad") if left <= 0 else span(left / SECOND)
        role = _STATES[one.state]
        word = "?" if one.state is CredentialState.UNKNOWN else one.state.value
        cells: tuple[Part, ...] = (
            one.what,
            (word, role),
            ends,
            one.of or "-",
            one.text or "-",
            one.renew or "-",
        )
        return Line(cells, key=f"credential {one.what} {one.of}")

    def _reference(self, one: ReferenceLook) -> Line:
        note = one.text or (f"ends in {span((one.ends - self.session.now()) / SECOND)}" if one.ends else "-")
        there = (one.resolves.value, _THERE[one.resolves])
        return Line((one.where, there, one.reference, note), key=f"reference {one.where}")

    def of_key(self, key: str) -> Selected:
        """Only a name to copy: there is nothing to open."""
        name = key.partition(" ")[2].strip()
        return Selected(Kind.CREDENTIAL, name) if name else NOTHING

    def command(self) -> str:
        """The same as text."""
        return "ondeck creds --check" if self._ask else "ondeck creds"
