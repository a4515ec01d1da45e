"""The app: two lines of chrome, one view, one typed line, and one timer that feeds what is on screen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.style import Style
from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker

from ondeck.errors import OndeckError
from ondeck.text import safe_line
from tui.app import atlas, bindings, phrases, theming
from tui.app.chrome import BannerLine, ContextLine, HintLine, PaneBar, SaidLine
from tui.app.context import Desk
from tui.app.guard import GuardedApp
from tui.app.keyline import OrderedKeys
from tui.app.panes.base import View
from tui.app.prompt import Prompt
from tui.app.session import Session
from tui.app.terminal_run import CrashReports, busy
from tui.app.theming import DEFAULT, ThemedApp, Themes
from tui.app.trail import Trail

if TYPE_CHECKING:
    from tui.app.deeds import Deeds
    from tui.app.dialogs.menu import Choice

KEPT_VIEWS = 10


class DeckScreen(Screen[None]):
    """Everything but dialogs."""

    AUTO_FOCUS = ""
    DEFAULT_CSS = "#body { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings.bindings(act for act in bindings.ACTS if act.id != "go.interrupt"),
        *bindings.bindings(bindings.LOG_ACTS),
        *bindings.bindings(bindings.JOB_ACTS),
        bindings.binding("go.interrupt", "interrupt", priority=True),
    ]

    def __init__(self, desk: Desk, first: str = "now") -> None:
        super().__init__()
        self.desk = desk
        self.trail = Trail(first)
        self.views: dict[str, View] = {}
        self.prompt = Prompt()
        self._answer: asyncio.Future[str | None] | None = None
        self._second = 0
        self._interrupted = 0
        self._standing = False
        self._started = False

    def compose(self) -> ComposeResult:
        """Chrome, body, typed line."""
        yield BannerLine(self.desk, id="banner")
        yield ContextLine(self.desk, id="context")
        yield PaneBar(self.desk, id="bar")
        yield Container(id="body")
        yield HintLine(self.desk, id="hints")
        yield SaidLine(self.desk)
        yield self.prompt

    def on_mount(self) -> None:
        """Draw the first view at once; waiting for things begins after it."""
        self.prompt.close()
        self.desk.say, self.desk.open = self.say, self.open
        self.desk.redraw = self.refresh_all
        self.desk.spawn, self.desk.ask, self.desk.choose = self.spawn, self.ask, self.choose
        self.desk.wish = lambda name, subject, params: self.deeds.operating.named(name, subject, params)
        self.desk.operate = lambda verb, chosen: self.deeds.verb(verb, chosen)
        self.query_one(SaidLine).clear_words()
        self.reveal()
        self._standing = True

    @cached_property
    def deeds(self) -> Deeds:
        """What keys do; loaded with the first of them."""
        from tui.app.deeds import Deeds

        return Deeds(self)

    @property
    def view(self) -> View:
        """The view on screen."""
        return self.views[self.trail.here]

    def say(self, text: str, role: str = "") -> None:
        """A line at the bottom, for a while."""
        self.query_one(SaidLine).say(text, role)

    def hush(self) -> None:
        """Take away what was said."""
        if self.is_mounted:
            self.query_one(SaidLine).clear_words()

    def open(self, address: str) -> None:
        """Go to an address; says so when there is nothing of that name."""
        try:
            if address not in self.views:
                self.views[address] = atlas.make(self.desk, address)
        except OndeckError as error:
            self.say(error.message, "warn")
            return
        self.trail.go(address, root=atlas.is_root(address))
        self.reveal()

    def reveal(self) -> None:
        """Show the view on top of the stack, hide the others, ask for what it looks at."""
        here = self.trail.here
        if here not in self.views:
            self.views[here] = atlas.make(self.desk, here)
        view = self.views[here]
        for address, other in list(self.views.items()):
            if other is not view and not other.has_class("-hidden") and other.is_attached:
                other.add_class("-hidden")
                other.left()
            if other is not view and len(self.views) > KEPT_VIEWS and address not in self.trail.stack:
                del self.views[address]
                other.remove()
        if view.is_attached:
            view.remove_class("-hidden")
        else:
            self.query_one("#body").mount(view)
        if isinstance(self.app, OrderedKeys):
            self.app.hold_keys()
        self.call_after_refresh(self._shown)

    def _shown(self, tries: int = 50) -> None:
        self.view.show()
        if not self.view.laid_out and tries:
            self.set_timer(0.01, partial(self._shown, tries - 1))
            return
        if self.is_current and not self.prompt.is_open:
            self.view.take_focus()
        self.refresh_all()
        if isinstance(self.app, OrderedKeys):
            self.app.free_keys()
        if not self._started:
            self._started = True
            self.call_after_refresh(self.desk.session.start)  # loading would slow the first frame down

    def refresh_all(self) -> None:
        """Draw the view and the chrome from what is known now."""
        view, session = self.views.get(self.trail.here), self.desk.session
        if view is None or not view.is_attached:
            return
        session.look_at(*view.looking_at())
        view.show()
        self.query_one("#context", ContextLine).show(view.env)
        jobs = sum(1 for job in session.jobs() if job.running)
        self.query_one("#bar", PaneBar).show(self.pane_name, {"jobs": str(jobs)} if jobs else {})
        self.refresh_hints()

    def on_board_moved(self) -> None:
        """Keys follow what is selected at once; by name, because tables are loaded with the first of them."""
        self.refresh_hints()

    on_live_table_highlighted = on_log_view_followed = on_board_moved

    def refresh_hints(self) -> None:
        """Keys that do something now."""
        view = self.views.get(self.trail.here)
        if view is None or self.prompt.is_open:
            return
        hints = [name for name in view.hints if view.applies(name)]
        extra = filter(None, (view.extra, view.at_words if self.desk.at else ""))
        self.query_one("#hints", HintLine).show(hints, "  ".join(extra))

    @property
    def pane_name(self) -> str:
        """Which pane of the bar is on: the one at the bottom of the stack."""
        return self.view.pane or self.trail.stack[0].partition(" ")[0]

    def tick(self) -> None:
        """Take in what came; draw when something may differ or a second passed.

        The app's timer may begin before the screen has its lines: until then there is nothing to draw on.
        """
        if not self._standing:
            return
        session = self.desk.session
        changed = session.drain()
        second = session.now() // phrases.SECOND
        if self.is_current and (changed or second != self._second):
            self._second = second
            self.query_one(SaidLine).settle()
            self.refresh_all()

    # -- typed line ---------------------------------------------------------------------------

    def open_prompt(self, kind: str, value: str = "", words: str = "") -> asyncio.Future[str | None]:
        """Open the typed line at once; the next key belongs to it."""
        self._end_prompt(None)
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self.query_one(SaidLine).display = False
        self.prompt.ask(kind, value)
        self.query_one("#hints", HintLine).say(words or "enter does it   esc leaves")
        return answer

    async def ask(self, kind: str, value: str = "", words: str = "") -> str | None:
        """Let the person type one line; None when they left it."""
        return await self.answered(self.open_prompt(kind, value, words))

    async def choose(self, title: str, choices: Sequence[Choice]) -> str | None:
        """Let the person choose one line; None when they left it."""
        from tui.app.dialogs.menu import Menu

        return await self.app.push_screen_wait(Menu(self.desk, title, choices))

    async def answered(self, answer: asyncio.Future[str | None]) -> str | None:
        """Wait for what is typed into the open line."""
        try:
            return await answer
        finally:
            if self._answer is answer:
                self._end_prompt(None)

    def _end_prompt(self, text: str | None) -> None:
        """Close the line at once, so that the next key belongs to the view again; then give the answer."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        self.prompt.close()
        self.query_one(SaidLine).display = True
        self.view.take_focus()
        if not answer.done():
            answer.set_result(text)
        self.refresh_all()

    @on(Input.Submitted, "#prompt")
    def _typed(self) -> None:
        self.prompt.remember()
        self._end_prompt(self.prompt.value)

    @on(Prompt.Left)
    def _left(self) -> None:
        self._end_prompt(None)

    @on(Input.Changed, "#prompt")
    def _typing(self, event: Input.Changed) -> None:
        if self.prompt.kind == ":":
            found = self.prompt.completions(event.value)
            self.query_one("#hints", HintLine).say("  ".join(found) or "enter does it   esc leaves")
        elif self.prompt.kind == "/" and self.prompt.is_open:
            self.view.find(event.value)

    # -- keys -----------------------------------------------------------------------------------

    def action_act(self, name: str) -> None:
        """Every key of the table: first the view's own meaning, then the frame's."""
        if not self.view.act("go.back" if name == "go.leave" else name):
            self.deeds.do(name)

    def action_interrupt(self) -> None:
        """ctrl-c: leaves the typed line; twice leaves the app; never touches a job."""
        now = self.desk.session.now()
        if self._answer is not None:
            self._end_prompt(None)
        elif now - self._interrupted < 2 * phrases.SECOND:
            self.deeds.leave()
        else:
            self._interrupted = now
            self.say("ctrl-c again leaves; jobs go on", "warn")

    def spawn(self, work: Coroutine[Any, Any, None]) -> Worker[None]:
        """Run a flow that waits; what goes wrong in it is said, never fatal."""
        return self.run_worker(self._guarded(work), exit_on_error=False)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except OndeckError as error:
            self.say("  ".join(filter(None, (error.where, error.message, error.hint))), "bad")
        except Exception as error:  # noqa: BLE001 - a flow that breaks must not end as if nothing had been asked
            self.say(safe_line(f"this broke in ondeck itself: {type(error).__name__}: {error}"), "bad")
        finally:
            self.deeds.operating.release()

    def on_resize(self, event: events.Resize) -> None:
        """Chrome depends on the width."""
        del event
        if self.trail.here in self.views:
            self.call_after_refresh(self.refresh_all)


class OndeckApp(OrderedKeys, CrashReports, ThemedApp, GuardedApp):
    """The full-screen face."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "ondeck"
    CSS = "Screen { background: $background; color: $foreground; layers: base; }"

    def __init__(
        self,
        session: Session,
        *,
        keymap: Mapping[str, str] | None = None,
        hertz: float = 10.0,
        themes: Themes | None = None,
        theme: str = DEFAULT,
    ) -> None:
        super().__init__()
        self.use_themes(themes or theming.load(), theme)
        self.desk = Desk(session=session, keymap=dict(keymap or {}))
        self.hertz = hertz
        self.parting = ""
        self.deck_screen = DeckScreen(self.desk)

    def get_default_screen(self) -> Screen[Any]:
        """The one screen under all dialogs."""
        self._use_theme()
        return self.deck_screen

    def on_mount(self) -> None:
        """Keys of the user, and the one timer."""
        self.set_keymap(dict(self.desk.keymap))
        self.theme_changed_signal.subscribe(self, lambda _theme: self._use_theme())
        self.set_interval(1 / self.hertz, self._tick)

    def _tick(self) -> None:
        """Skips while the terminal has not taken what it got: a slow link costs frames, never keys."""
        if not busy(cast("App[object]", self)):
            self.deck_screen.tick()

    def key_comes(self) -> None:
        """What was said before this key has been read."""
        self.deck_screen.hush()

    def _use_theme(self) -> None:
        found = theming.palette(cast("App[object]", self))
        self.desk.roles.use(found.style, Style(bgcolor=found.style("background").color))

    async def action_quit(self) -> None:
        """ctrl-q, like q on the last screen."""
        self.deck_screen.deeds.leave()

    def leave(self) -> None:
        """End the app; running jobs are named on the terminal."""
        going = [job for job in self.desk.session.jobs() if job.running]
        if going:
            self.parting = (
                f"{phrases.count_of(len(going), 'job')} go{'es' if len(going) == 1 else ''} on: ondeck jobs"
            )
        self.exit(0)
