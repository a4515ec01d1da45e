"""What every pane and page is: a view of one thing, that can say what is selected in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.widget import Widget

from tui.app.applying import applies
from tui.app.board import Board
from tui.app.rows import BLANK, Row
from tui.app.views import NOTHING, Selected

if TYPE_CHECKING:
    from tui.app.context import Desk


class View(Widget):
    """A pane or a page. It draws only while it is shown.

    Attributes:
        name_of: Its address on the `:` line: `now`, `checkout@prod`, `job 20261124-1`.
        hints: Ids of the actions worth a place in the hint line while they apply.
        pane: Which pane of the bar it belongs to.
        find_words: What stands above the line while `/` is typed.
    """

    DEFAULT_CSS = "View { height: 1fr; width: 1fr; } View.-hidden { display: none; }"
    hints: ClassVar[tuple[str, ...]] = ()
    pane: ClassVar[str] = ""
    find_words: ClassVar[str] = "type to filter   enter keeps it   esc takes it away"

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__()
        self.desk = desk
        self.session = desk.session
        self.name_of = name_of

    @property
    def env(self) -> str:
        """The environment it is about; empty when it spans several."""
        return ""

    @property
    def extra(self) -> str:
        """A few words at the right of the hint line: marked rows, filter."""
        return ""

    @property
    def at_words(self) -> str:
        """What a view without history says while the time cursor stands in the past."""
        return f"figures are now, not {self.desk.minute(self.desk.at)}"

    def selected(self) -> Selected:
        """What keys act on."""
        return NOTHING

    def about(self) -> Selected:
        """What other panes show when they are opened from here."""
        return self.selected()

    def marked(self) -> tuple[Selected, ...]:
        """Marked rows; empty when there are none."""
        return ()

    def meant(self, name: str) -> Selected:
        """What an action means: what is selected, or what the page is about, whichever row the cursor is on."""
        del name
        return self.selected()

    def applies(self, name: str) -> bool:
        """An action would do something now; opening what is open already does not."""
        if name == "go.open" and self.selected().name == self.name_of:
            return False
        return applies(self.session, self.meant(name), name)

    def command(self) -> str:
        """The command line that shows the same."""
        return "ondeck now"

    def show(self) -> None:
        """Build again from what the session knows now."""

    def left(self) -> None:
        """It is no longer on screen: let go of streams."""

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """Hosts and services on screen, for the session to ask."""
        return (), ()

    def act(self, name: str) -> bool:
        """Do an action of its own; False when it has none of that name."""
        del name
        return False

    @property
    def laid_out(self) -> bool:
        """It has its place on the screen and its rows: keys may come."""
        return self.is_attached and self.size.width > 0

    def take_focus(self) -> None:
        """Put the keyboard on what moves."""

    def find(self, text: str) -> None:
        """Filter, or search, while it is typed."""

    def found(self, text: str) -> None:
        """Filter, or search, once it was entered."""
        self.find(text)


class BoardView(View):
    """A view that is one board."""

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self.board = Board(desk.roles)

    def compose(self) -> ComposeResult:
        """The board alone."""
        yield self.board

    def rows(self, width: int) -> list[Row]:
        """Its lines for a width; each pane has its own."""
        del width
        return []

    def show(self) -> None:
        """Build the lines again."""
        width = self.board.size.width - 2
        if width > 10:
            rows = self.rows(width)
            while rows and rows[-1] == BLANK:
                rows.pop()
            self.board.show(rows)

    def on_resize(self) -> None:
        """Lines depend on the width."""
        self.show()

    @property
    def laid_out(self) -> bool:
        """The board has drawn rows."""
        return self.is_attached and bool(self.board.rows)

    def take_focus(self) -> None:
        """The board moves."""
        self.screen.set_focus(self.board)

    def find(self, text: str) -> None:
        """Show only rows that contain the text."""
        self.board.set_filter(text)

    @property
    def extra(self) -> str:
        """Filter and marks."""
        words = []
        if self.board.marked:
            words.append(f"{len(self.board.marked)} marked")
        if self.board.filter_text:
            words.append(f"/{self.board.filter_text}")
        return "  ".join(words)

    def of_key(self, key: str) -> Selected:
        """What a row stands for."""
        del key
        return NOTHING

    def selected(self) -> Selected:
        """What the row under the cursor stands for."""
        return self.of_key(self.board.key)

    def marked(self) -> tuple[Selected, ...]:
        """What the marked rows stand for."""
        return tuple(self.of_key(key) for key in sorted(self.board.marked))

    def act(self, name: str) -> bool:
        """Marks are the board's."""
        if name == "list.mark":
            self.board.mark()
        elif name == "list.all":
            self.board.mark_all()
        else:
            return False
        return True
