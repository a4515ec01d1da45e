"""A view of log lines that flow: it formats only what is visible and repaints once a flush."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ondeck.observe.records import LogLine
from tui.app.bindings import binding
from tui.app.logview_lines import LineSource, LineStyle, Marker, Spans, draw, rows_of
from tui.app.theming import palette

__all__ = ["LineSource", "LogView", "Marker", "Spans"]

_WIDEST_SOURCE = 24
_Place = tuple[int, int]


class LogView(Widget, can_focus=True):
    """Lines of a store, following the newest or paused at one; the owner calls `flush` after the store grew.

    Messages must be safe text. While paused, new lines change nothing here, only `status_text`; the line that
    it stands at has `>` in its first cell.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        binding("log.follow", "toggle_follow"),
        binding("list.down", "move(1)"),
        binding("list.up", "move(-1)"),
        binding("list.first", "top"),
        binding("log.end", "follow"),
        binding("list.half_down", "page(0.5)"),
        binding("list.half_up", "page(-0.5)"),
        binding("list.page_down", "page(1.0)"),
        binding("list.page_up", "page(-1.0)"),
        binding("log.left", "side(-16)"),
        binding("log.right", "side(16)"),
        binding("log.wrap", "toggle_wrap"),
        binding("log.open", "select"),
    ]

    DEFAULT_CSS = """
    LogView { background: $background; color: $foreground; height: 1fr; }
    """

    class _About(Message):
        def __init__(self, view: LogView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LogView:
            """The view, for `@on(LogView.Selected, "#id")`."""
            return self.view

    class Selected(_About):
        """Enter on a line."""

        def __init__(self, view: LogView, line: LogLine | Marker) -> None:
            super().__init__(view)
            self.line = line

    class Followed(_About):
        """It was paused or follows again: read `view.following`."""

    def __init__(self, store: LineSource, *, empty: str = "no lines yet", id: str | None = None) -> None:
        """A view of a store; `empty` says why there is nothing."""
        super().__init__(id=id)
        self._store = store
        self._empty = empty
        self._following = True
        self._cursor_id = 0
        self._cursor_time = 0
        self._top: _Place = (0, 0)
        self._generation = store.generation
        self._style = LineStyle(width=80, source_width=0)
        self._source_width = 0
        self._drawn: list[tuple[object, ...]] = []
        self._drawn_look: tuple[object, ...] = ()
        self._places: list[_Place | None] = []
        self._look_version = 0

    # What it shows

    @property
    def following(self) -> bool:
        """True while it stays at the newest line."""
        return self._following

    @property
    def below(self) -> int:
        """Lines after the last visible one."""
        shown = [place for place in self._places if place is not None]
        return max(0, len(self._store) - 1 - shown[-1][0]) if shown else 0

    @property
    def current(self) -> int | None:
        """Index of the line under the cursor, the newest while following; None when there is none."""
        count = len(self._store)
        if not count:
            return None
        if self._following:
            return count - 1
        return max(0, min(count - 1, self._cursor_id - self._store.first_id))

    @property
    def current_line(self) -> LogLine | Marker | None:
        """The line under the cursor."""
        at = self.current
        return None if at is None else self._store.line(at)

    def status_text(self) -> str:
        """`following`, or `paused, +184 below`; the owner writes it where no line stands."""
        return "following" if self._following else f"paused, +{self.below} below"

    # Changing what it shows

    def show(self, store: LineSource, empty: str = "no lines yet") -> None:
        """Show another store, from its newest line."""
        self._store, self._empty = store, empty
        self._generation = store.generation
        self._following = True
        self._drawn = []
        self._source_width = 0
        self.flush()

    def flush(self) -> None:
        """Draw what came since the last flush."""
        if self._generation != self._store.generation:
            self._generation = self._store.generation
            if not self._following and len(self._store):
                self._put_cursor(self.index_at(self._cursor_time))
                self._set_top((self.current or 0, 0))
        self._repaint()

    def set_empty(self, text: str) -> None:
        """Why there is nothing: `nothing matches /x in 12,000 lines`, `could not ask web-31: timed out`."""
        self._empty = text
        self._restyle()

    def set_search(self, spans: Spans | None) -> None:
        """Highlight what a function finds in each visible line; None for no search."""
        self._style = _changed(self._style, spans=spans)
        self._restyle()

    def set_time_cursor(self, time: int) -> None:
        """Show where the time that all panes share is; 0 for none."""
        at = self.index_at(time) if time and len(self._store) else None
        exact = self._store.line(at).time if at is not None else 0
        self._style = _changed(self._style, time_cursor=exact)
        self._restyle()

    def set_clock(self, clock: Callable[[int], str]) -> None:
        """How times are written, always in the same number of cells."""
        self._style = _changed(self._style, clock=clock)
        self._restyle()

    def columns(self, zone: str) -> str:
        """The heads of the columns, the zone of the times first; without the cell of the sign."""
        clock = len(self._style.clock(0))
        source = (
            f"{'SOURCE':<{self._style.source_width}.{self._style.source_width}} "
            if self._style.source_width
            else ""
        )
        return f"{zone:<{clock}.{clock}} LEVEL {source}MESSAGE"

    def go_to(self, index: int) -> None:
        """Pause at a line and show it in the middle."""
        if not len(self._store):
            return
        index = max(0, min(index, len(self._store) - 1))
        self._pause()
        self._put_cursor(index)
        if not any(place is not None and place[0] == index for place in self._places):
            self._set_top(self._up((index, 0), self.size.height // 2))
        self._repaint()

    def go_to_time(self, time: int) -> None:
        """Pause at the last line that is not younger than a time."""
        if len(self._store):
            self.go_to(self.index_at(time))

    def index_at(self, time: int) -> int:
        """Index of the last line not younger than a time; the first line when all are."""
        low, high = 0, len(self._store)
        while low < high:
            middle = (low + high) // 2
            if self._store.line(middle).time <= time:
                low = middle + 1
            else:
                high = middle
        return max(0, low - 1)

    # Keys

    def action_toggle_follow(self) -> None:
        """Pause at the newest line, or follow again."""
        if self._following:
            self._pause()
            self._repaint()
        else:
            self.action_follow()

    def action_follow(self) -> None:
        """Stay at the newest line."""
        if not self._following:
            self._following = True
            self.post_message(self.Followed(self))
        self._repaint()

    def action_top(self) -> None:
        """Pause at the oldest line."""
        self.go_to(0)

    def action_move(self, by: int) -> None:
        """Move the cursor by lines; past the newest it follows."""
        at = self.current
        if at is None:
            return
        if at + by >= len(self._store):
            self.action_follow()
            return
        self._pause()
        self._put_cursor(max(0, at + by))
        self._into_view()
        self._repaint()

    def action_page(self, share: float) -> None:
        """Move by a share of the height."""
        self.action_move(int(max(1, self.size.height) * share) or (1 if share > 0 else -1))

    def action_side(self, by: int) -> None:
        """Scroll sideways; wrapped lines have no sides."""
        if not self._style.wrap:
            self._style = _changed(self._style, side=max(0, self._style.side + by))
            self._restyle()

    def action_toggle_wrap(self) -> None:
        """Long lines on several rows, or cut with `..`."""
        self._style = _changed(self._style, wrap=not self._style.wrap, side=0)
        if not self._following and len(self._store):
            self._places = self._placed(self.size.height)
            self._into_view()
        self._restyle()

    def action_select(self) -> None:
        """Open the line under the cursor."""
        line = self.current_line
        if line is not None:
            self.post_message(self.Selected(self, line))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves three lines."""
        event.stop()
        self.action_move(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves three lines."""
        event.stop()
        if not self._following:
            self.action_move(3)

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a line."""
        place = self._places[event.y] if event.y < len(self._places) else None
        if place is not None:
            self._pause()
            self._put_cursor(place[0])
            self._repaint()

    # Where it stands

    def _pause(self) -> None:
        if self._following:
            self._put_cursor(self.current or 0)
            self._following = False
            self._set_top(next((place for place in self._places if place is not None), (0, 0)))
            self.post_message(self.Followed(self))

    def _put_cursor(self, index: int) -> None:
        self._cursor_id = self._store.first_id + index
        self._cursor_time = self._store.line(index).time if index < len(self._store) else 0

    def _set_top(self, place: _Place) -> None:
        """Hold the first row by its line's id: indexes move when the store lets old lines go."""
        self._top = (place[0] + self._store.first_id, place[1])

    def _top_place(self) -> _Place:
        index = self._top[0] - self._store.first_id
        if index < 0:
            return (0, 0)
        last = len(self._store) - 1
        return (index, self._top[1]) if index <= last else (max(0, last), 0)

    def _into_view(self) -> None:
        at = self.current or 0
        seen = [place[0] for place in self._places if place is not None]
        if not seen or at < seen[0]:
            self._set_top((at, 0))
        elif at >= seen[-1]:
            last_row = rows_of(self._store.line(at), self._style) - 1
            self._set_top(self._up((at, last_row), self.size.height - 1))

    def _up(self, place: _Place, rows: int) -> _Place:
        index, row = place
        while rows > row and index > 0:
            rows -= row + 1
            index -= 1
            row = rows_of(self._store.line(index), self._style) - 1
        return (index, max(0, row - rows))

    # Drawing

    def _restyle(self) -> None:
        self._look_version += 1
        self._repaint()

    def _repaint(self) -> None:
        """Find the rows to show; draw those that differ from what is on the screen."""
        height, width = self.size.height, self.size.width
        if not height or not width:
            return
        self._settle(width)
        self._places = self._placed(height)
        look = (self._style, self._look_version, palette(self.app).theme.name, bool(len(self._store)))
        fresh = [self._row_key(place) for place in self._places]
        if look != self._drawn_look or len(fresh) != len(self._drawn):
            self.refresh()
        else:
            for y, (old, new) in enumerate(zip(self._drawn, fresh, strict=True)):
                if old != new:
                    self.refresh(Region(0, y, width, 1))
        self._drawn, self._drawn_look = fresh, look

    def _settle(self, width: int) -> None:
        """Widen the source column to the names that are visible; it never shrinks, so lines do not jump."""
        wanted = self._source_width
        count = len(self._store)
        start = max(0, count - self.size.height) if self._following else self._top_place()[0]
        for index in range(start, min(count, start + self.size.height)):
            line = self._store.line(index)
            if isinstance(line, LogLine):
                wanted = max(wanted, cell_len(line.source))
        self._source_width = min(wanted, _WIDEST_SOURCE, max(8, width // 4))
        if (self._source_width, width) != (self._style.source_width, self._style.width):
            self._style = _changed(self._style, source_width=self._source_width, width=width)

    def _placed(self, height: int) -> list[_Place | None]:
        count = len(self._store)
        if not count:
            return [None] * height
        if self._following:
            last = count - 1
            index, row = self._up((last, rows_of(self._store.line(last), self._style) - 1), height - 1)
        else:
            index, row = self._top_place()
        found: list[_Place | None] = []
        while len(found) < height and index < count:
            rows = rows_of(self._store.line(index), self._style)
            found += [(index, at) for at in range(min(row, rows - 1), rows)]
            index, row = index + 1, 0
        return found[:height] + [None] * (height - len(found))

    def _row_key(self, place: _Place | None) -> tuple[object, ...]:
        if place is None:
            return (None,)
        here = not self._following and place[0] == self.current
        return (self._store.first_id + place[0], self._generation, place[1], here)

    def on_resize(self) -> None:
        """Another size shows other rows."""
        if not self._following:
            self._into_view()
        self._restyle()

    def notify_style_update(self) -> None:
        """Another theme: draw everything again."""
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        colours, base, width = palette(self.app), self.rich_style, self.size.width
        place = self._places[y] if y < len(self._places) else None
        if place is None or place[0] >= len(self._store):
            text = f" {self._empty}" if y == 0 and not len(self._store) else ""
            style = base + colours.style("muted")
            return Strip([Segment(text, style)]).crop_extend(0, width, style)
        here = not self._following and place[0] == self.current
        line = self._store.line(place[0])
        segments = draw(line, place[1], self._style, colours, base, here=here)
        fill = base + colours.style("cursor") if here else base
        return Strip(segments).crop_extend(0, width, fill)


def _changed(style: LineStyle, **changes: object) -> LineStyle:
    return msgspec.structs.replace(style, **changes)
