"""The confirm: shows the whole plan, takes no key by accident, and starts nothing that is not wanted."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events, on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Input

from tui.app import bindings
from tui.app.board import Board
from tui.app.chrome import ContextLine
from tui.app.commands import with_reason
from tui.app.context import Desk
from tui.app.dialogs.base import Dialog
from tui.app.dialogs.help import KeysHelp
from tui.app.dialogs.plan_rows import EXACT, plan_rows
from tui.app.dialogs.plan_tree import ChangeTree, is_tree
from tui.app.rows import Part, Row, fit, row, rule
from tui.app.session import Assent, Card

QUIET = 0.5
"""Seconds after the dialog is drawn, or after a stray key, in which keys count for nothing."""
LEAST_HEIGHT = 14
LONG = 20
"""Characters of a name from which on it stands on a line of its own."""
_SCROLL = {"plan.down": 1, "plan.up": -1, "plan.page_down": 10, "plan.page_up": -10}
_SHOWN = ("plan.reason", "plan.everything", "dialog.copy", "plan.down", "plan.help")
"""Keys of the dialog that its line shows: none is a letter, so none can be part of a name that is typed."""
_FOLDS = ("plan.unfold", "plan.fold", "plan.all")
_HELP = ("plan.reason", "plan.everything", "dialog.copy", *_SCROLL, *_FOLDS, "plan.help", "dialog.leave")


class PlanDialog(Dialog[Assent]):
    """Answers with what the person did, or None when they left."""

    DEFAULT_CSS = """
    PlanDialog #ask { height: 4; }
    PlanDialog Input, PlanDialog Input:focus { border: none; height: 1; padding: 0 1; background: $surface; }
    PlanDialog Input.-hidden { display: none; }
    """

    def __init__(self, desk: Desk, card: Card, reason: str = "") -> None:
        super().__init__(desk)
        self.card = card
        self.reason = reason
        self.typed = ""
        self.trouble = ""
        self.everything = False
        self.broken = False
        self.ready = False
        changes = card.plan.draft.changes
        self.folds = ChangeTree(changes) if is_tree(changes) else None
        self._built: tuple[object, list[Row]] = (None, [])
        acts = (*_SCROLL, *_SHOWN, *_FOLDS)
        self._ids = {key: name for name in acts for key in bindings.keys_of(name, desk.keymap)}
        self._hold: Timer | None = None
        self.plan_board = Board(desk.roles)
        self.ask_board = Board(desk.roles, id="ask")
        self.input = Input(placeholder="why", compact=True, classes="-hidden")

    def compose(self) -> ComposeResult:
        """Context, plan, the question."""
        yield ContextLine(self.desk, id="context")
        yield self.plan_board
        yield self.ask_board
        yield self.input

    def on_mount(self) -> None:
        """Draw all of it, then wait before any key counts."""
        self.plan_board.can_focus = self.ask_board.can_focus = False
        self.set_focus(None)
        self.call_after_refresh(self._drawn)
        self.set_interval(1.0, self._clock)

    def _clock(self) -> None:
        self.query_one(ContextLine).show(self.card.plan.request.env)

    def _drawn(self) -> None:
        self._draw()
        self.call_after_refresh(self._wait)

    def _wait(self) -> None:
        """Keys count again once nobody has typed for a while."""
        self.ready = False
        if self._hold is not None:
            self._hold.stop()
        self._hold = self.set_timer(self.desk.session.settings.seconds(QUIET), self._count_keys)

    def _count_keys(self) -> None:
        self.ready = True
        self._draw()

    def on_resize(self) -> None:
        """A new size may be too small."""
        self.call_after_refresh(self._draw)

    # -- drawing --------------------------------------------------------------------------------

    def _draw(self) -> None:
        self._clock()
        width = self.plan_board.size.width - 2
        if width > 10:
            env = self.card.plan.request.env
            band = (f" {env.upper()} ", self.desk.env_band(env))
            # A plan may have thousands of lines: they are made again when they are others, not for a typed key.
            made_of = (
                self.desk.roles.version,
                band,
                width,
                self.reason,
                self.everything,
                self.folds.version if self.folds else 0,
            )
            if self._built[0] != made_of:
                first, *rest = plan_rows(
                    self.card, self.reason, width, everything=self.everything, tree=self.folds
                )
                self._built = (made_of, [Row((band, (" ", ""), *first.parts), first.right), *rest])
                self.plan_board.show(self._built[1])
            self.ask_board.show(self.question(width))

    @property
    def name_to_type(self) -> str:
        """What has to be typed; empty when one key is enough."""
        rules = self.card.rules
        if self.broken:
            return rules.type_this or self.card.plan.request.env
        return rules.type_this

    @property
    def closed(self) -> bool:
        """A rule says no, and nobody broke the glass."""
        return bool(self.card.rules.refused) and not self.broken

    def question(self, width: int) -> list[Row]:
        """The lines at the bottom: rules, and what to do to start."""
        rules = self.card.rules
        words = rules.refused if self.closed else "; ".join(rules.why) or f"protection here: {rules.level}"
        said, role = (self.trouble, "warn") if self.trouble else (words, "bad" if self.closed else "")
        lines = [
            rule("rules", width, self._place()),
            row((fit(said, width).rstrip(), role)),
            self._above_ask(width),
        ]
        ask = self._ask_row()
        if not self._fits(ask, width):
            ask = row(("too small to confirm: make the terminal larger. esc leaves, nothing ran", "bad"))
        return [*lines, ask]

    @property
    def _is_long(self) -> bool:
        """What has to be typed takes a line of its own: the id of a lock, say."""
        return len(self.name_to_type) > LONG and self.ready and not self.closed

    def _above_ask(self, width: int) -> Row:
        """The keys; in their place what has to be typed, where it leaves no room for anything beside it."""
        if not self._is_long:
            return row((keys_line(width, self.desk.keymap, folds=self.folds is not None), "dim"))
        name = (self.name_to_type, "prod" if self._is_red() else "bold")
        return row("type  ", name, "  to start; esc leaves")

    def _place(self) -> str:
        """`lines 1-16 of 22` while a part of the plan is out of sight."""
        total, height = len(self.plan_board.rows), self.plan_board.size.height
        if total <= height:
            return ""
        top = int(self.plan_board.scroll_offset.y)
        last = min(total, top + height)
        return f"lines {top + 1}-{last} of {total}{', more below' if last < total else ''}"

    def _ask_row(self) -> Row:
        leave: list[Part] = [("esc leaves, nothing ran", "dim")]
        if self.closed:
            glass: list[Part] = (
                [("b", "key"), " breaks the glass, with a reason   "] if self.card.rules.break_glass else []
            )
            return row(("REFUSED  ", "bad"), *glass, right=leave)
        if not self.ready:
            return row(("look at it first: keys count in a moment", "dim"), right=leave)
        if self._is_long:
            return row(("alone, loudly  " if self.broken else "  ", ""), (f"{self.typed}_", "key"))
        if self.name_to_type:
            lead = "alone, loudly: type  " if self.broken else "type  "
            return row(
                lead, (self.name_to_type, "prod" if self._is_red() else "bold"), "  to start:  ",
                (f"{self.typed}_", "key"), right=leave,
            )  # fmt: skip
        return row(("y", "key"), " starts it; enter does not", right=leave)

    def _is_red(self) -> bool:
        return self.desk.env_band(self.card.plan.request.env) == "prod"

    def _fits(self, ask: Row, width: int) -> bool:
        above = len(self._above_ask(width).text) if self._is_long else 0
        return max(len(ask.text) + 3, above) <= width and self.size.height >= LEAST_HEIGHT

    @property
    def too_small(self) -> bool:
        """Part of the question would be cut off."""
        return not self._fits(self._ask_row(), self.plan_board.size.width - 2)

    # -- keys -----------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Every key of the dialog but esc."""
        if self.input.has_focus:
            return
        event.stop()
        event.prevent_default()
        name = self._ids.get(event.key, "")
        if name in _SCROLL:
            self._move(_SCROLL[name])
            self.call_after_refresh(self._draw)
        elif name in _FOLDS and self.folds is not None:
            self._fold(self.folds, name)
            self.call_after_refresh(self._draw)
        elif name == "plan.help" and not self.typed:
            keymap = self.desk.keymap
            keys = [(bindings.every_key(found, keymap), bindings.BY_ID[found].help) for found in _HELP]
            self.app.push_screen(KeysHelp(self.desk, "KEYS of this plan", keys))
        elif not self.ready:
            self._wait()
        elif not self.too_small:
            self._act(name, event)
            self._draw()

    def _move(self, lines: int) -> None:
        """Through the tree where there is one; else the page moves."""
        if self.folds is None:
            self.plan_board.scroll_relative(y=lines, animate=False)
        elif abs(lines) == 1:
            self.plan_board.action_move(lines)
        else:
            self.plan_board.action_page(1 if lines > 0 else -1)

    def _fold(self, tree: ChangeTree, name: str) -> None:
        if name == "plan.all":
            tree.turn_all()
        else:
            tree.turn(self.plan_board.key, unfold=name == "plan.unfold")

    def command(self) -> str:
        """What a person would type for the same."""
        return with_reason(self.card.command, self.reason)

    def _act(self, name: str, event: events.Key) -> None:
        key, letter = event.key, event.character or ""
        self.trouble = ""
        if name == "plan.reason":
            self._edit_reason()
        elif name == "plan.everything":
            self.everything = not self.everything
            self._draw()
            self.plan_board.call_after_refresh(self.call_after_refresh, self._to_commands)
        elif name == "dialog.copy":
            self.action_copy_command()
            self.trouble = "copied"
        elif self.closed:
            if letter == "b" and self.card.rules.break_glass:
                self.broken = True
                self.trouble = "breaking the glass: it is recorded, told, and listed in the hand-over"
        elif self.name_to_type:
            self._type(key, letter)
        elif letter == "y":
            self._start()
        else:
            self._stray(key, letter)

    def _to_commands(self) -> None:
        """Their first line on top of what is in sight; back at the begin once they are gone."""
        rows = self.plan_board.rows
        at = next((i for i, found in enumerate(rows) if f" {EXACT} " in found.text), 0)
        self.plan_board.scroll_to(y=at, animate=False)
        self.call_after_refresh(self._draw)

    def _stray(self, key: str, letter: str) -> None:
        """A key that means nothing here: part of a word perhaps, whose `y` must not start anything."""
        word = letter if letter.isprintable() and letter else key
        self.trouble = f"{word} does not start it: y does, esc leaves; nothing started"
        if letter.isprintable() and letter:
            self._wait()

    def _type(self, key: str, letter: str) -> None:
        if key == "backspace":
            self.typed = self.typed[:-1]
        elif key == "enter":
            if self.typed == self.name_to_type:
                self._start()
            elif self.typed:
                self.trouble = f"that is not {self.name_to_type}; nothing started"
                self.typed = ""
            else:
                self.trouble = f"type {self.name_to_type}, then enter; nothing started"
        elif letter.isprintable() and letter and len(self.typed) < 64:
            self.typed += letter

    def _start(self) -> None:
        if self.broken and not self.reason.strip():
            self.trouble = "breaking the glass needs a reason: tab"
            return
        self.dismiss(Assent(typed=self.typed, reason=self.reason.strip(), break_glass=self.broken))

    def on_paste(self, event: events.Paste) -> None:
        """A name is typed, never pasted."""
        if not self.input.has_focus:
            event.stop()
            self.trouble = "pasted text is not taken here: type the name"
            self._draw()

    # -- reason ---------------------------------------------------------------------------------

    def _edit_reason(self) -> None:
        self.input.value = self.reason
        self.input.remove_class("-hidden")
        self.input.focus()

    @on(Input.Submitted)
    def _reason_given(self) -> None:
        self.reason = self.input.value
        self._end_edit()

    def action_leave(self) -> None:
        """Esc leaves the reason first, then the dialog."""
        if self.input.has_focus:
            self._end_edit()
        else:
            self.dismiss(None)

    def _end_edit(self) -> None:
        self.input.add_class("-hidden")
        self.set_focus(None)
        self.call_after_refresh(self._draw)


def keys_line(width: int, keymap: Mapping[str, str], *, folds: bool = False) -> str:
    """The keys as one line; where room lacks the words give way, never a key."""
    names = (*_SHOWN[:-1], "plan.unfold", _SHOWN[-1]) if folds else _SHOWN
    shown = {name: bindings.key_of(name, keymap) for name in names}
    shown["plan.down"] = f"{bindings.key_of('plan.up', keymap)}/{shown['plan.down']}"
    keys = [(key, bindings.BY_ID[name].short) for name, key in shown.items()]
    words = [f"{key} {short}" for key, short in keys]
    for gap in ("   ", "  "):
        if len(gap.join(words)) <= width:
            return gap.join(words)
    return "  ".join(f"{key} {short.split()[-1]}" for key, short in keys)
