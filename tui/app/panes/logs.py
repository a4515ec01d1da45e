"""Logs of a service or a host: many sources as one, with what changed at its second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from ondeck.errors import BadInput
from ondeck.observe.logstore import Filtered, LogFilter
from ondeck.observe.patterns import Pattern
from ondeck.observe.records import Health, Level
from tui.app.board import Board
from tui.app.context import Desk
from tui.app.logview import LogView
from tui.app.logview_lines import Marker
from tui.app.panes.base import View
from tui.app.panes.log_head import head_rows
from tui.app.panes.log_lines import LogLines
from tui.app.panes.pieces import known_changes
from tui.app.session import LogFeed
from tui.app.views import NOTHING, Kind, Selected


class LogsPane(View):
    """`logs checkout@prod`, `logs web-1`; alone it shows the first service."""

    DEFAULT_CSS = "LogsPane { layout: vertical; } LogsPane #head { height: 4; }"
    pane = "logs"
    hints: ClassVar[tuple[str, ...]] = (
        "list.filter", "log.next", "log.filter", "log.errors", "log.errors_back", "see.time", "log.end", "copy.command",
        "go.back",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        named = name_of.partition(" ")[2]
        self.thing = named or next(iter(self.session.subjects()), "")
        self.is_service = "@" in self.thing
        self.head = Board(desk.roles, id="head")
        self.head.can_focus = False
        hosts = self.session.hosts_of(self.thing) if self.is_service else (self.thing,)
        # Here and not while it is composed: a feed that cannot be opened yet is said, and ends nothing.
        self.feed: LogFeed | None = self.session.open_logs(self.thing if self.is_service else "", hosts)
        self.lines: LogLines | None = LogLines(self.feed.store)
        self.view: LogView | None = LogView(self.lines, empty="no lines yet: sources are being opened")
        self.search: Pattern | None = None
        self.hits: Filtered | None = None
        self.trouble = ""
        self._at = 0

    @property
    def env(self) -> str:
        """Of the service or host."""
        return self.selected().env

    def compose(self) -> ComposeResult:
        """Two lines of state, a histogram, the lines."""
        assert self.view is not None
        yield self.head
        yield self.view

    def on_resize(self) -> None:
        """The lines above depend on the width."""
        self.call_after_refresh(self.desk.redraw)

    def on_unmount(self) -> None:
        """Nobody reads any more."""
        if self.feed is not None:
            self.feed.close()

    def selected(self) -> Selected:
        """The service, or the host of the line under the cursor when it is paused there."""
        if self.is_service and self.thing in self.session.subjects():
            return Selected(
                Kind.SERVICE, self.thing, self.thing.partition("@")[2], self.session.hosts_of(self.thing)
            )
        host = self.session.inventory.hosts.get(self.thing)
        return Selected(Kind.HOST, self.thing, host.env, (self.thing,)) if host else NOTHING

    def take_focus(self) -> None:
        """Lines scroll."""
        if self.view is not None:
            self.screen.set_focus(self.view)

    def show(self) -> None:
        """Take what came, then draw what is visible."""
        if self.feed is None or self.lines is None or self.view is None:
            return
        self.feed.drain()
        self.lines.take()
        self.lines.mark(self._markers())
        if self.hits is not None:
            self.hits.update()
            self.hits.work()
        if self.desk.at != self._at:
            self._at = self.desk.at
            self.view.set_time_cursor(self._at)
            if self._at:
                self.view.go_to_time(self._at)
            else:
                self.view.action_follow()
        self._say_empty()
        self.view.flush(self.feed.dropped)
        width = self.head.size.width - 2
        if width > 10:
            self.head.show(head_rows(self, width))

    def _say_empty(self) -> None:
        assert self.feed is not None
        assert self.lines is not None
        assert self.view is not None
        if len(self.lines):
            return
        states = self.feed.states().values()
        lost = [state for state in states if state.health is Health.LOST]
        if self.lines.filtered.filter != LogFilter() and len(self.feed.store):
            self.view.set_empty(f"nothing passes the filter in {len(self.feed.store)} lines")
        elif lost and len(lost) == len(states):
            self.view.set_empty(f"could not ask {lost[0].source}: {lost[0].error}")
        elif states and all(state.health is Health.OK for state in states):
            self.view.set_empty("no lines yet: every source is open and silent")

    def _markers(self) -> list[Marker]:
        """Deploys, restarts and losses as lines at their second."""
        assert self.feed is not None
        hosts = self.selected().hosts
        found = []
        for change in known_changes(self.session.changes(hosts)):
            about = change.subject in (self.thing, self.thing.partition("@")[0]) or change.host in hosts
            if about and change.kind in ("deploy", "rollback", "restart", "job", "mark", "reboot"):
                who = f" == {change.who}" if change.who else ""
                where = f" {change.host}" if change.host else ""
                found.append(Marker(change.time, f"{change.kind.upper()} {change.text}{where}{who}"))
        for state in self.feed.states().values():
            if state.health is Health.LOST:
                text = f"{state.source} LOST: nothing known after this  {state.error}"
                found.append(Marker(state.since, text, "alert"))
        store = self.feed.store
        oldest = store[store.first].time if len(store) else 0
        return [marker for marker in found if marker.time >= oldest][-200:]

    # -- search and filter --------------------------------------------------------------------

    def find(self, text: str) -> None:
        """`/`: highlight and count; `n` and `N` go from hit to hit."""
        assert self.view is not None
        assert self.lines is not None
        self.trouble = ""
        try:
            self.search = Pattern(text) if text else None
        except BadInput as error:
            self.search, self.trouble = None, error.message
        self.view.set_search(self.search.spans if self.search else None)
        self.hits = None
        if self.search is not None:
            self.hits = Filtered(self.lines.store, self.lines.filtered.filter.plus(self.search))
            self.hits.work()
        self.show()

    def _go(self, *, back: bool, errors: bool) -> None:
        assert self.view is not None
        assert self.lines is not None
        source = self.lines.filtered if errors else self.hits
        current = self.view.current
        if source is None or current is None:
            self.desk.say("nothing to search for: / first", "dim")
            return
        number = self.lines.number_at(current)
        if self.view.following and back:
            number += 1
        found = source.next_error(number, back=back) if errors else source.next(number, back=back)
        if found is None:
            self.desk.say("no further " + ("error" if errors else "match"), "dim")
        else:
            self.view.go_to(self.lines.index_of(found))
            self.show()

    async def _ask_filter(self) -> None:
        assert self.lines is not None
        text = await self.desk.ask(
            "& ", words="keep lines that match; !word drops them; level=warn; empty: all lines"
        )
        if text is None:
            return
        chosen = self.lines.filtered.filter
        word = text.strip()
        if not word:
            chosen = LogFilter()
        elif word.startswith("level="):
            chosen = LogFilter(chosen.keep, chosen.drop, _level(word.removeprefix("level=")), chosen.sources)
        elif word.startswith("!"):
            chosen = LogFilter(chosen.keep, (*chosen.drop, Pattern(word[1:])), chosen.level, chosen.sources)
        else:
            chosen = chosen.plus(Pattern(word))
        self.lines.choose(chosen)
        self.find(self.search.text if self.search else "")

    def act(self, name: str) -> bool:
        """Keys of logs."""
        moves = {
            "log.next": (False, False), "log.previous": (True, False), "log.errors": (False, True),
            "log.errors_back": (True, True),
        }  # fmt: skip
        if name in moves:
            back, errors = moves[name]
            self._go(back=back, errors=errors)
        elif name == "log.filter":
            self.desk.spawn(self._ask_filter())
        elif name == "go.back" and self.search is not None:
            self.find("")
        else:
            return False
        return True

    @on(LogView.Followed)
    def _followed(self) -> None:
        self.show()

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """Lines only: no figures are asked."""
        return (), ()

    @property
    def extra(self) -> str:
        """Following or paused."""
        return self.view.status_text() if self.view is not None else ""

    def command(self) -> str:
        """The same as text."""
        grep = f" --grep '{self.search.text}'" if self.search else ""
        return f"ondeck logs {self.thing} -f{grep}"


def _level(word: str) -> Level:
    names = {level.name.lower(): level for level in Level}
    if word.lower() not in names:
        raise BadInput(f"no level {word!r}", hint=" ".join(names))
    return names[word.lower()]
