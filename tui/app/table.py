"""A table that lives: it draws its own lines, and a change repaints the cells that changed and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Literal

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.app.bindings import binding
from tui.app.table_lines import GUTTER, cell, row_line, section_line, titles
from tui.app.table_rows import Cell, Column, Row, Rows, fit, row, section
from tui.app.theming import palette

__all__ = ["Cell", "Column", "LiveTable", "Row", "row", "section"]

_Signature = tuple[Row | None, bool, bool]


class LiveTable(ScrollView, can_focus=True):
    """Rows by key, drawn line by line; made for a hundred thousand rows and for changes every second.

    Texts must be safe already (`ondeck.text`). The caller gives rows in the order they should have, worst
    first; sorting and filtering are views of that order. The cursor stays on its row when others move.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        binding("list.down", "move(1)"),
        binding("list.up", "move(-1)"),
        binding("list.first", "edge(-1)"),
        binding("list.end", "edge(1)"),
        binding("list.half_down", "page(0.5)"),
        binding("list.half_up", "page(-0.5)"),
        binding("list.page_down", "page(1.0)"),
        binding("list.page_up", "page(-1.0)"),
        binding("list.left", "side(-8)"),
        binding("list.right", "side(8)"),
        binding("go.open", "select"),
        binding("list.mark", "mark"),
        binding("list.all", "mark_all"),
        binding("list.sort", "sort_next"),
    ]

    DEFAULT_CSS = """
    LiveTable { scrollbar-size: 0 0; background: $background; color: $foreground; height: 1fr; }
    """

    class _About(Message):
        def __init__(self, table: LiveTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> LiveTable:
            """The table, for `@on(LiveTable.Selected, "#id")`."""
            return self.table

    class Selected(_About):
        """Enter or a second click on a row."""

        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__(table)
            self.key = key

    class Highlighted(_About):
        """The cursor is on another row; key is empty when there is none."""

        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__(table)
            self.key = key

    class MarksChanged(_About):
        """Other rows are marked than before: read `table.marks`."""

    class Sorted(_About):
        """The order changed: read `table.order`."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "nothing here",
        marks: bool = True,
        id: str | None = None,
    ) -> None:
        """A table of these columns; `empty` says why there is nothing when there is nothing."""
        super().__init__(id=id)
        self._rows = Rows(columns)
        self._empty = empty
        self._can_mark = marks
        self._marks: set[str] = set()
        self._cursor = ""
        self._cursor_at = 0
        self._widths: list[int] = []
        self._natural: list[int] = []
        self._drawn: list[_Signature] = []
        self._drawn_frame: tuple[object, ...] = ()

    # What it shows

    @property
    def cursor_key(self) -> str:
        """Key of the row under the cursor; empty when there is none."""
        return self._cursor

    @property
    def marks(self) -> tuple[str, ...]:
        """Keys of marked rows, in the caller's order, also of those a filter hides."""
        return tuple(key for key in self._rows.by_key if key in self._marks) if self._marks else ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the rows that are shown, in their order."""
        return tuple(item.key for item in self._rows.view if not item.section)

    @property
    def counts(self) -> tuple[int, int]:
        """Rows shown, and all rows."""
        return self._rows.shown_count(), self._rows.count()

    @property
    def order(self) -> tuple[str, bool] | None:
        """Key of the column it is sorted by and whether reversed; None for the caller's order."""
        by = self._rows.sorted_by
        return None if by is None else (self._rows.columns[by[0]].key, by[1])

    def row_of(self, key: str) -> Row | None:
        """A row by its key, shown or not."""
        return self._rows.by_key.get(key)

    def position_text(self) -> str:
        """Where the cursor is: `12/310`, or `12/40 of 310` while a filter hides some."""
        shown, total = self.counts
        at = (self._rows.position(self._cursor) or 0) + 1 if self._cursor else 0
        if at and shown != len(self._rows.view):
            at -= sum(item.section for item in self._rows.view[:at])
        return f"{at}/{shown}" if shown == total else f"{at}/{shown} of {total}"

    # Changing what it shows

    def set_rows(self, rows: Iterable[Row]) -> None:
        """Show these rows in this order; only lines that differ are drawn again."""
        self._rows.replace(rows)
        gone = self._marks - self._rows.by_key.keys()
        if gone:
            self._marks -= gone
            self.post_message(self.MarksChanged(self))
        self._natural = []
        self._sync()

    def update_row(self, key: str, cells: Sequence[Cell]) -> None:
        """Give a row new cells, or add it at the end; cells that stay the same are not drawn again."""
        moved = self._rows.put(row(key, *cells))
        if moved:
            self._sync()
            return
        at = self._rows.position(key)
        if at is not None:
            self._repaint_row(at)

    def filter(self, wanted: str | Callable[[Row], bool]) -> None:
        """Show only rows with all the words (`!word`: without it), or that a function accepts."""
        self._rows.filter_by(wanted)
        self._sync()

    def sort(self, column: str | None, reverse: bool = False) -> None:
        """Sort by a column's key, naturally and stable; None goes back to the caller's order."""
        index = next((at for at, item in enumerate(self._rows.columns) if item.key == column), None)
        self._rows.sort(index, reverse)
        self._sync()
        self.post_message(self.Sorted(self))

    def set_empty(self, text: str) -> None:
        """Why there is nothing to see: `nothing matches /x`, `could not ask web-31: timed out`."""
        if text != self._empty:
            self._empty = text
            if not self._rows.view:
                self.refresh()

    # Keys

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows, over sections."""
        self._go(self._cursor_at + by, 1 if by > 0 else -1)

    def action_edge(self, side: Literal[-1, 1]) -> None:
        """To the first or last row."""
        self._go(0 if side < 0 else len(self._rows.view) - 1, -side)

    def action_page(self, share: float) -> None:
        """Move by a share of the height."""
        by = int(max(1, self._body) * share)
        self._go(self._cursor_at + by, 1 if by > 0 else -1)

    def action_side(self, by: int) -> None:
        """Scroll sideways when the columns are wider than the screen."""
        self.scroll_to(x=max(0, self.scroll_offset.x + by), animate=False)

    def action_select(self) -> None:
        """Open the row under the cursor."""
        if self._cursor:
            self.post_message(self.Selected(self, self._cursor))

    def action_mark(self) -> None:
        """Mark or unmark the row under the cursor and go on to the next."""
        if self._can_mark and self._cursor:
            self._marks ^= {self._cursor}
            self._repaint_row(self._cursor_at)
            self.post_message(self.MarksChanged(self))
            self.action_move(1)

    def action_mark_all(self) -> None:
        """Mark every row that is shown; when all of them are, unmark them."""
        shown = set(self.keys)
        if not self._can_mark or not shown:
            return
        self._marks = self._marks - shown if shown <= self._marks else self._marks | shown
        self._sync()
        self.post_message(self.MarksChanged(self))

    def action_sort_next(self) -> None:
        """Sort by the next shown column; after the last one back to the caller's order."""
        shown = [at for at, width in enumerate(self._widths) if width]
        by = self._rows.sorted_by
        after = [at for at in shown if by is None or at > by[0]]
        column = self._rows.columns[after[0]] if after else None
        self.sort(column.key if column else None, bool(column and column.high_first))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, on the cursor's row it opens; on a title it sorts."""
        if event.y == 0:
            self._sort_at(event.x + self.scroll_offset.x)
            return
        at = event.y - 1 + self.scroll_offset.y
        if at >= len(self._rows.view) or self._rows.view[at].section:
            return
        if self._rows.view[at].key == self._cursor:
            self.action_select()
        else:
            self._go(at)

    def _sort_at(self, x: int) -> None:
        left = GUTTER
        for at, width in enumerate(self._widths):
            if width and left <= x < left + width + 1:
                column, by = self._rows.columns[at], self._rows.sorted_by
                reverse = not by[1] if by is not None and by[0] == at else column.high_first
                self.sort(column.key, reverse)
                return
            left += width + 1 if width else 0

    # Cursor and scrolling

    @property
    def _body(self) -> int:
        return max(0, self.size.height - 1)

    def _go(self, at: int, direction: int = 1) -> None:
        view = self._rows.view
        if not view:
            return
        at = max(0, min(at, len(view) - 1))
        found = self._selectable(at, direction)
        if found is None:
            return
        if found == 1 and view[0].section:
            self._scroll_into(0)
        self._set_cursor(found)
        self._scroll_into(found)
        self._repaint_changes()

    def _selectable(self, at: int, direction: int) -> int | None:
        view = self._rows.view
        for step in (direction, -direction):
            here = at
            while 0 <= here < len(view):
                if not view[here].section:
                    return here
                here += step
        return None

    def _set_cursor(self, at: int) -> None:
        key = self._rows.view[at].key
        self._cursor_at = at
        if key != self._cursor:
            self._cursor = key
            self.post_message(self.Highlighted(self, key))

    def _scroll_into(self, at: int) -> None:
        top, body = self.scroll_offset.y, self._body
        if body <= 0:
            return
        if at < top:
            self.scroll_to(y=at, animate=False, force=True)
        elif at >= top + body:
            self.scroll_to(y=at - body + 1, animate=False, force=True)

    def _keep_cursor(self) -> None:
        """After a change: on the same row if it is still shown, else on the one that took its place."""
        view = self._rows.view
        at = self._rows.position(self._cursor) if self._cursor else None
        if at is None:
            at = self._selectable(min(self._cursor_at, len(view) - 1), 1) if view else None
        if at is None:
            self._cursor_at = 0
            if self._cursor:
                self._cursor = ""
                self.post_message(self.Highlighted(self, ""))
            return
        on_screen = self._cursor_at - self.scroll_offset.y
        moved = at != self._cursor_at
        self._set_cursor(at)
        if moved and 0 <= on_screen < self._body:
            self.scroll_to(y=max(0, at - on_screen), animate=False, force=True)

    # Drawing

    def _sync(self) -> None:
        """Bring widths, cursor and scroll range up to date; draw the lines that differ."""
        if not self._natural:
            self._natural = self._rows.widths_wanted()
        self._layout()
        self._keep_cursor()
        self._repaint_changes()

    def _layout(self) -> None:
        room = self.size.width - GUTTER
        if room <= 0:
            return
        self._widths = fit(self._rows.columns, self._natural or self._rows.widths_wanted(), room)
        total = GUTTER + sum(width + 1 for width in self._widths if width)
        size = Size(max(total - 1, self.size.width), len(self._rows.view) + 1)
        if size != self.virtual_size:
            self.virtual_size = size

    def on_resize(self) -> None:
        """Another size: other columns may fit, and the cursor stays in sight."""
        self._natural = self._natural or self._rows.widths_wanted()
        self._layout()
        self._keep_cursor()
        self._scroll_into(self._cursor_at)
        self._repaint_changes()

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """Scrolled sideways: everything was drawn again."""
        super().watch_scroll_x(old_value, new_value)
        self._remember()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled: everything was drawn again."""
        super().watch_scroll_y(old_value, new_value)
        self._remember()

    def notify_style_update(self) -> None:
        """Another theme or style sheet: draw everything again."""
        super().notify_style_update()
        self.refresh()

    def _signature(self, at: int) -> _Signature:
        view = self._rows.view
        if not 0 <= at < len(view):
            return (None, False, False)
        item = view[at]
        return (item, item.key == self._cursor, item.key in self._marks)

    def _frame(self) -> tuple[object, ...]:
        view = self._rows.view
        return (tuple(self._widths), self._rows.sorted_by, self.scroll_offset, self.size, bool(view))

    def _signatures(self) -> list[_Signature]:
        top = self.scroll_offset.y
        return [self._signature(top + line) for line in range(self._body)]

    def _remember(self) -> None:
        """What is on the screen from now on, because all of it is being drawn."""
        self._drawn, self._drawn_frame = self._signatures(), self._frame()

    def _repaint_changes(self) -> None:
        frame = self._frame()
        fresh = self._signatures()
        if frame != self._drawn_frame or len(fresh) != len(self._drawn):
            self.refresh()
        else:
            for line, (old, new) in enumerate(zip(self._drawn, fresh, strict=True)):
                if old != new:
                    self._repaint_line(line, old, new)
        self._drawn, self._drawn_frame = fresh, frame

    def _repaint_row(self, at: int) -> None:
        line = at - self.scroll_offset.y
        if 0 <= line < len(self._drawn) and self._drawn_frame == self._frame():
            old, new = self._drawn[line], self._signature(at)
            self._drawn[line] = new
            self._repaint_line(line, old, new)
        elif 0 <= line < self._body:
            self._repaint_changes()

    def _repaint_line(self, line: int, old: _Signature, new: _Signature) -> None:
        before, after = old[0], new[0]
        whole = Region(0, line + 1, self.size.width, 1)
        if before is None or after is None or before.section or after.section or old[1:] != new[1:]:
            self.refresh(whole)
            return
        # One region for all changed cells: Textual writes a line up to each region's end once per region.
        left, first, last = GUTTER, -1, 0
        for at, width in enumerate(self._widths):
            if not width:
                continue
            if cell(before, at) != cell(after, at):
                first, last = (left if first < 0 else first), left + width
            left += width + 1
        region = Region(first - self.scroll_offset.x, line + 1, last - first, 1).intersection(whole)
        if first >= 0 and region:
            self.refresh(region)

    def render_line(self, y: int) -> Strip:
        """One line of the screen: titles, a row, or why there is none."""
        colours = palette(self.app)
        base = self.rich_style
        scroll_x, scroll_y = self.scroll_offset
        width = self.size.width
        if y == 0:
            style = base + colours.style("header")
            strip = titles(self._rows.columns, self._widths, self._rows.sorted_by, style)
            return strip.crop_extend(scroll_x, scroll_x + width, style)
        view = self._rows.view
        if not view:
            return self._empty_line(y - 1, base + colours.style("muted"))
        at = scroll_y + y - 1
        if at >= len(view):
            return Strip.blank(width, base)
        item = view[at]
        if item.section:
            return section_line(item, width, base + colours.style(item.role(0))).crop_extend(
                scroll_x, scroll_x + width, base
            )
        band = colours.style("cursor" if self.has_focus else "cursor-blurred")
        here, marked = item.key == self._cursor, item.key in self._marks
        fill = base + band if here else base
        strip = row_line(
            item, self._rows.columns, self._widths, colours.style, fill, here=here, marked=marked
        )
        return strip.crop_extend(scroll_x, scroll_x + width, fill)

    def _empty_line(self, line: int, style: Style) -> Strip:
        width = self.size.width
        text = self._empty
        room = max(1, width - GUTTER)
        piece = text[line * room : (line + 1) * room]
        return Strip([Segment(" " * GUTTER + piece, style)]).crop_extend(0, width, style)

    def on_focus(self) -> None:
        """The cursor's row looks different with and without focus."""
        self._repaint_whole_row()

    def on_blur(self) -> None:
        """The cursor's row looks different with and without focus."""
        self._repaint_whole_row()

    def _repaint_whole_row(self) -> None:
        line = self._cursor_at - self.scroll_offset.y
        if 0 <= line < self._body:
            self.refresh(Region(0, line + 1, self.size.width, 1))
