"""A page of rows with a cursor: draws only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.app.bindings import binding
from tui.app.roles import Roles
from tui.app.rows import Row


class Board(ScrollView, can_focus=True):
    """Rows of text; the cursor stands on rows that have a key."""

    DEFAULT_CSS = (
        "Board { background: $background; color: $foreground; scrollbar-size: 0 0; overflow-x: hidden; }"
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        binding("list.down", "move(1)"),
        binding("list.up", "move(-1)"),
        binding("list.half_down", "page(1)"),
        binding("list.half_up", "page(-1)"),
        binding("list.page_down", "page(1)"),
        binding("list.page_up", "page(-1)"),
        binding("list.first", "edge(-1)"),
        binding("list.end", "edge(1)"),
    ]

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, board: Board, key: str) -> None:
            super().__init__()
            self.board = board
            self.key = key

    def __init__(self, roles: Roles, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.roles = roles
        self.rows: list[Row] = []
        self.cursor = -1
        self.marked: set[str] = set()
        self._filter = ""
        self._all: Sequence[Row] = ()
        self._version = -1
        self._moved = False

    @property
    def key(self) -> str:
        """Key of the row under the cursor; empty when there is none."""
        return self.rows[self.cursor].key if 0 <= self.cursor < len(self.rows) else ""

    @property
    def filter_text(self) -> str:
        """What rows have to contain."""
        return self._filter

    def set_filter(self, text: str) -> None:
        """Show only rows with a key that contain the text; rows without a key stay."""
        self._filter = text.lower()
        self.show(self._all)

    def show(self, rows: Sequence[Row]) -> None:
        """Draw these rows; the cursor stays on its key, only changed lines are drawn again."""
        self._all = rows
        wanted = self._filter
        shown = [r for r in rows if not wanted or not r.key or wanted in r.text.lower()]
        before, key, at = self.rows, self.key, self.cursor
        self.rows = shown
        self.cursor = self._place(key, at) if self._moved else self._place("", 0)
        if len(before) != len(shown):
            self.virtual_size = Size(self.size.width, len(shown))
        if self._version != self.roles.version:
            self._version = self.roles.version
            self.refresh()
        else:
            for y in range(max(len(before), len(shown))):
                old = before[y] if y < len(before) else None
                new = shown[y] if y < len(shown) else None
                if old != new:
                    self._refresh_line(y)
            if at != self.cursor:
                self._refresh_line(at)
                self._refresh_line(self.cursor)
        if key != self.key:
            self.post_message(self.Moved(self, self.key))

    def _place(self, key: str, at: int) -> int:
        if key:
            for index, found in enumerate(self.rows):
                if found.key == key:
                    return index
        after = [i for i, r in enumerate(self.rows) if r.key and i >= at]
        before = [i for i, r in enumerate(self.rows) if r.key and i < at]
        return after[0] if after else before[-1] if before else -1

    def _refresh_line(self, y: int) -> None:
        line = y - self.scroll_offset.y
        if 0 <= line < self.size.height:
            self.refresh(Region(0, line, self.size.width, 1))

    def keys(self) -> list[str]:
        """Keys of the rows shown, in their order."""
        return [r.key for r in self.rows if r.key]

    def go_to(self, key: str) -> None:
        """Put the cursor on the row with this key, if it is shown."""
        for index, found in enumerate(self.rows):
            if found.key == key:
                self._set(index)
                return

    def mark(self, key: str = "") -> None:
        """Mark or unmark the row under the cursor (or the named one) and go down."""
        target = key or self.key
        if target:
            self._moved = True
            self.marked ^= {target}
            self.refresh()
            if not key:
                self.action_move(1)

    def mark_all(self) -> None:
        """Mark every row shown; when all are marked, none."""
        keys = set(self.keys())
        self.marked = set() if keys <= self.marked else self.marked | keys
        self.refresh()

    def action_move(self, step: int) -> None:
        """To the next or previous row with a key; scrolls by one where there is none."""
        index = self.cursor + step
        while 0 <= index < len(self.rows):
            if self.rows[index].key:
                self._set(index)
                return
            index += step
        self.scroll_relative(y=step, animate=False)

    def action_page(self, step: int) -> None:
        """Half a page down or up, cursor with it."""
        half = max(1, self.size.height // 2)
        if self.cursor < 0:
            self.scroll_relative(y=step * half, animate=False)
            return
        target = min(max(0, self.cursor + step * half), len(self.rows) - 1)
        self._set(self._place("", target))

    def action_edge(self, step: int) -> None:
        """To the first or last row."""
        self.scroll_to(y=0 if step < 0 else self.virtual_size.height, animate=False)
        indexes = [i for i, r in enumerate(self.rows) if r.key]
        if indexes:
            self._set(indexes[0 if step < 0 else -1], follow=False)

    def _set(self, index: int, *, follow: bool = True) -> None:
        self._moved = True
        old, self.cursor = self.cursor, index
        self._refresh_line(old)
        self._refresh_line(index)
        if follow:
            self._follow(index)
        if old != index:
            self.post_message(self.Moved(self, self.key))

    def _follow(self, index: int) -> None:
        first = index
        if not any(r.key for r in self.rows[:index]):
            first = 0
        last = index
        while last + 1 < len(self.rows) and not self.rows[last + 1].key and last - index < 2:
            last += 1
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if first < top:
            self.scroll_to(y=first, animate=False)
        elif last >= top + height:
            self.scroll_to(y=min(first, last - height + 1), animate=False)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        index = y + self.scroll_offset.y
        width = self.size.width
        base = self.roles.style("")
        if index >= len(self.rows):
            return Strip.blank(width, base)
        shown = self.rows[index]
        on = index == self.cursor
        back = self.roles.style("cursor") if on else Style.null()
        sign = self._sign(shown, on)
        segments = [Segment(sign, base + self.roles.style("key") + back)]
        segments += [Segment(text, base + self.roles.style(role) + back) for text, role in shown.parts]
        left = Strip(segments)
        if not shown.right:
            if left.cell_length > width:
                left = Strip([*left.crop(0, width - 1), Segment("~", base + back)])
            return left.adjust_cell_length(width, base + back)
        tail = [Segment(text, base + self.roles.style(role) + back) for text, role in shown.right]
        right = Strip([*tail, Segment(" ", base + back)])
        room = max(0, width - right.cell_length)
        if left.cell_length > room - 1:
            cut = Segment("~ ", base + back)
            left = Strip([*left.crop(0, max(0, room - 2)), cut])
        return Strip.join([left.adjust_cell_length(room, base + back), right]).adjust_cell_length(width, base)

    def _sign(self, shown: Row, on: bool) -> str:
        marked = bool(shown.key) and shown.key in self.marked
        if on and shown.key:
            return "+" if marked else ">"
        return "*" if marked else " "

    def plain(self) -> list[str]:
        """The lines on screen as text, for copying and for tests."""
        return [self.render_line(y).text.rstrip() for y in range(self.size.height)]
