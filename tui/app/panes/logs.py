"""Logs of a service or a host: many sources as one, with what changed at its second."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import tzinfo
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from ondeck import times
from ondeck.observe.logstore import LogFilter
from ondeck.observe.logwords import Term, parse
from ondeck.observe.records import Health
from tui.app import bindings
from tui.app.board import Board
from tui.app.context import Desk
from tui.app.logview import LogView
from tui.app.logview_lines import Marker, clock_of
from tui.app.panes.base import View
from tui.app.panes.log_counts import repeats_menu, sources_menu
from tui.app.panes.log_head import head_rows
from tui.app.panes.log_lines import LogLines, begin_markers
from tui.app.panes.log_search import LogSearch
from tui.app.panes.pieces import known_changes
from tui.app.session import LogFeed
from tui.app.views import NOTHING, Kind, Selected


class LogsPane(View):
    """`logs checkout@prod`, `logs web-1`; alone it shows the first service."""

    DEFAULT_CSS = "LogsPane { layout: vertical; } LogsPane #head { height: 4; }"
    pane = "logs"
    hints: ClassVar[tuple[str, ...]] = (
        "log.search", "log.next", "log.filter", "log.drop", "log.follow", "log.end", "log.open", "log.errors",
        "log.repeats", "log.sources",
        "see.time", "log.wrap", "log.left", "log.right", "log.previous", "log.errors_back", "copy.command", "go.back",
    )  # fmt: skip
    find_words: ClassVar[str] = "search level, source, text; a capital makes it exact  enter jumps  esc ends"

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        named = name_of.partition(" ")[2]
        self.thing = named or next(iter(self.session.subjects()), "")
        self.is_service = "@" in self.thing
        self.head = Board(desk.roles, id="head")
        self.head.can_focus = False
        hosts = self.session.hosts_of(self.thing) if self.is_service else (self.thing,)
        # Here and not while it is composed: a feed that cannot be opened yet is said, and ends nothing.
        self.feed: LogFeed = self.session.open_logs(self.thing if self.is_service else "", hosts)
        self.lines = LogLines(self.feed.store)
        self.view = LogView(self.lines, empty="no lines yet: sources are being opened")
        self.search = LogSearch(self.lines)
        self._landing = False
        self._at = 0
        self._sought: int | None = None
        self._seeking = False
        self._zone: tzinfo | None = None

    @property
    def env(self) -> str:
        """Of the service or host."""
        return self.selected().env

    @property
    def at_words(self) -> str:
        """Its own lines tell."""
        return ""

    def compose(self) -> ComposeResult:
        """Two lines of state, a histogram, the lines."""
        yield self.head
        yield self.view

    def on_resize(self) -> None:
        """The lines above depend on the width."""
        self.call_after_refresh(self.desk.redraw)

    def on_unmount(self) -> None:
        """Nobody reads any more."""
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
        self.screen.set_focus(self.view)

    def show(self) -> None:
        """Take what came, then draw what is visible."""
        self.feed.resume()
        if self.desk.at != self._at:
            self._move_to(self.desk.at)
        self.feed.drain()
        self.lines.take()
        self.lines.mark(self._markers())
        self.search.work()
        self._land()
        if self._seeking:
            self._seek()
        if self.desk.zone is not self._zone:
            self._zone = self.desk.zone
            self.view.set_clock(clock_of(self._zone))
        self._say_empty()
        self.view.flush()
        width = self.head.size.width - 2
        if width > 10:
            self.head.show(head_rows(self, width))

    def left(self) -> None:
        """Nobody looks: no source stays open for it."""
        self.feed.park()

    def _move_to(self, at: int) -> None:
        """Another time cursor: what is older than the held lines is asked for."""
        self._at, self._seeking, self._sought = at, bool(at), None
        if at:
            self.feed.reach(at)
        else:
            self.feed.live()
            self.view.set_time_cursor(0)
            self.view.action_follow()

    def _seek(self) -> None:
        """Stand at the time cursor while its lines come, until a key goes elsewhere."""
        if self._sought is not None and self.number != self._sought:
            self._seeking = False
        elif len(self.feed.store):
            self.view.set_time_cursor(self._at)
            self.view.go_to_time(self._at)
            self._sought = self.number
            store = self.feed.store
            self._seeking = bool(self.feed.asking) and store[store.end - 1].time < self._at

    def _say_empty(self) -> None:
        if len(self.lines):
            return
        if self.feed.asking:
            self.view.set_empty(f"asking for lines since {self.desk.stamp(self.feed.asking)}")
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
        hosts = self.selected().hosts
        found = []
        for change in known_changes(self.session.changes(hosts)):
            about = change.subject in (self.thing, self.thing.partition("@")[0]) or change.host in hosts
            if about and (change.job or change.kind in ("deploy", "rollback", "restart", "mark", "reboot")):
                who = f" == {change.who}" if change.who else ""
                where = f" {change.host}" if change.host else ""
                found.append(Marker(change.time, f"{change.kind.upper()} {change.text}{where}{who}"))
        for state in self.feed.states().values():
            if state.health is Health.LOST:
                text = f"{state.source} LOST: nothing known after this  {state.error}"
                found.append(Marker(state.since, text, "alert"))
        found += self._cuts()
        store = self.feed.store
        oldest = store[store.first].time if len(store) else 0
        begins = begin_markers(self.feed.states().values(), oldest, store.gone)
        return [*begins, *[marker for marker in found if marker.time >= oldest][-200:]]

    def _cuts(self) -> list[Marker]:
        """Where lines may be missing because nobody read them."""
        found = []
        for first, last in self.feed.gaps:
            text = f"NOT READ until {self.desk.stamp(last)}: nobody looked for longer than is read afterwards"
            found.append(Marker(first, text, "alert"))
        if self.feed.stopped:
            live = bindings.key_of("log.end", self.desk.keymap)
            text = f"CUT: a history ends after {len(self.feed.store)} lines; t goes on, {live} is live"
            found.append(Marker(self.feed.stopped, text, "alert"))
        return found

    # -- search and filter --------------------------------------------------------------------

    @property
    def number(self) -> int | None:
        """Id of the line that the view stands at; None while it follows."""
        current = self.view.current
        return None if self.view.following or current is None else self.lines.number_at(current)

    def find(self, text: str) -> None:
        """`/` while it is typed: highlight and count."""
        self._landing = False
        self.search.look_for(text)
        self.view.set_search(self.search.term.spans if self.search.term else None)
        self.show()

    def found(self, text: str) -> None:
        """`/` and enter: to the nearest hit, as soon as it is known."""
        self.find(text)
        self._landing = bool(text.strip())
        self.show()

    def _land(self) -> None:
        if not self._landing or self.search.term is None:
            return
        found = self.search.nearest(self.number or 0, following=self.view.following)
        if not self.search.settled and (found is None or not self.view.following):
            return
        self._landing = False
        if found is None:
            self.desk.say(f"no match in {len(self.lines.filtered)} lines", "warn")
        else:
            self.view.go_to(self.lines.index_of(found))

    def _go(self, *, back: bool, errors: bool) -> None:
        if not errors and self.search.hits is None:
            self.desk.say("nothing is searched for: / first", "warn")
            return
        self._landing = False
        number = self.number
        if number is None:  # it follows: the newest one is the nearest
            found = self.search.step(self.lines.store.end, back=True, errors=errors)
        else:
            on_marker = not back and isinstance(self.view.current_line, Marker)
            found = self.search.step(number - on_marker, back=back, errors=errors)
        if found is None:
            self._say_end(number, back=back, errors=errors)
        else:
            self.view.go_to(self.lines.index_of(found))
            self.show()

    def _say_end(self, number: int | None, *, back: bool, errors: bool) -> None:
        """Why it does not move."""
        what = "error" if errors else "match"
        looked = self.lines.filtered if errors or self.search.hits is None else self.search.hits
        from_here = -1 if back else self.lines.store.end
        anything = (
            number is not None and self.search.step(from_here, back=not back, errors=errors) is not None
        )
        if not looked.done and (back or not anything):
            self.desk.say("older lines are still being looked at: once more in a moment", "warn")
        elif not anything:
            self.desk.say(f"no {what} in {len(self.lines.filtered)} lines", "warn")
        else:
            names = ("log.errors", "log.errors_back") if errors else ("log.next", "log.previous")
            other = bindings.key_of(names[0 if back else 1], self.desk.keymap)
            where, way = ("first", "down") if back else ("last", "up")
            self.desk.say(f"at the {where} {what}, {other} goes {way}", "warn")

    async def _ask_filter(self) -> None:
        text = await self.desk.ask(
            "& ", words="keep lines: text, level>=warn, source=web-2; !text drops; empty shows all"
        )
        if text is not None:
            self._choose(_filtered(self.lines.filtered.filter, text.strip()))

    async def _repeats(self) -> None:
        menu = repeats_menu(self)
        if menu is None:
            self.desk.say("nothing repeats in these lines", "warn")
            return
        number = await self.app.push_screen_wait(menu)
        if number is not None:
            self.view.go_to(self.lines.index_of(int(number)))
            self.show()

    async def _sources(self) -> None:
        menu = sources_menu(self)
        source = await self.app.push_screen_wait(menu) if menu is not None else None
        if source is not None:
            self._choose(_filtered(self.lines.filtered.filter, f"source={source}"))
            self._landing = self.search.term is not None
            self.show()

    def _choose(self, chosen: LogFilter) -> None:
        self.lines.choose(chosen)
        self.find(self.search.term.text if self.search.term else "")

    def _back(self) -> bool:
        """Takes away the search, then the filter; False when there is neither."""
        if self.search.term is not None or self.search.trouble:
            self.find("")
        elif self.lines.filtered.filter != LogFilter():
            self._choose(LogFilter())
        else:
            return False
        return True

    def applies(self, name: str) -> bool:
        """Matches are stepped through once something is looked for, and `G` leads back once it is paused."""
        if name in ("log.next", "log.previous"):
            return self.search.term is not None
        return not self.view.following if name == "log.end" else super().applies(name)

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
        elif name == "log.repeats":
            self.desk.spawn(self._repeats())
        elif name == "log.sources":
            self.desk.spawn(self._sources())
        elif name == "go.back":
            return self._back()
        else:
            return False
        return True

    @on(LogView.Selected)
    def _open_line(self, event: LogView.Selected) -> None:
        """Enter: the line whole; the view stays at it."""
        from tui.app.dialogs.logline import WholeLine

        if event.view.current is not None:
            event.view.go_to(event.view.current)
        self.app.push_screen(WholeLine(self.desk, event.line))

    @on(LogView.Followed)
    def _followed(self) -> None:
        if self.view.following:
            self.feed.live()
        self.show()

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """Lines only: no figures are asked."""
        return (), ()

    def command(self) -> str:
        """The same as text."""
        chosen = [
            term for term in (*self.lines.filtered.filter.keep, self.search.term) if isinstance(term, Term)
        ]
        words = ["ondeck", "logs", self.thing, "-f"]
        levels = next((term.levels for term in chosen if term.levels), None)
        if levels:
            words += ["--level", min(levels).name.lower()]
        pattern = next((term.pattern for term in reversed(chosen) if term.pattern is not None), None)
        if pattern is not None:
            words += ["--grep", pattern.text]
        if self.desk.at:
            words += ["--since", times.iso(self.desk.at)]
        return shlex.join(words)


def _filtered(chosen: LogFilter, word: str) -> LogFilter:
    """The filter after one more word; a level takes the place of the level before."""
    if not word:
        return LogFilter()
    if word.startswith("!"):
        return chosen.minus(parse(word[1:])) if word[1:].strip() else chosen
    term = parse(word)
    if term.only_level:
        kept = tuple(other for other in chosen.keep if not (isinstance(other, Term) and other.only_level))
        chosen = LogFilter(kept, chosen.drop)
    return chosen.plus(term)
