"""The two lines above the panes and the two below: who, where, which pane, which keys, what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.geometry import Region
from textual.widget import Widget

from ondeck.text import safe_line
from tui.app import phrases
from tui.app.bindings import ACTS, LATER, hint
from tui.app.context import Desk

PANES: tuple[tuple[str, str, str], ...] = tuple(
    (act.keys, act.id.partition(".")[2], act.short)
    for act in ACTS
    if act.group == "Panes" and LATER not in act.help
)


class Line(Widget):
    """One line of text, drawn again only when it differs."""

    DEFAULT_CSS = "Line { height: 1; width: 1fr; background: $background; color: $foreground; }"

    def __init__(self, desk: Desk, *, id: str) -> None:
        super().__init__(id=id)
        self.desk = desk
        self._shown = Text("")

    def put(self, text: Text) -> None:
        """Show this."""
        before, self._shown = self._shown, text
        if text.spans != before.spans or len(text.plain) != len(before.plain) or not text.plain.isascii():
            if text != before or text.spans != before.spans:
                self.refresh()
            return
        differ = [
            at for at, (old, new) in enumerate(zip(before.plain, text.plain, strict=True)) if old != new
        ]
        if differ:  # only these cells: a clock costs a few bytes a second, not its whole line
            self.refresh(Region(differ[0], 0, differ[-1] - differ[0] + 1, 1))

    def render(self) -> Text:
        """The line."""
        text = self._shown.copy()
        text.no_wrap = True
        text.overflow = "crop"
        return text

    @property
    def plain(self) -> str:
        """What stands there."""
        return self._shown.plain


def spread(left: Text, right: Text, width: int) -> Text:
    """Left, a gap, right; the left gives way."""
    room = width - cell_len(right.plain) - 2
    if room < cell_len(left.plain):
        left = left.copy()
        left.truncate(max(0, room))
    gap = width - cell_len(left.plain) - cell_len(right.plain) - 1
    return Text.assemble(left, " " * max(1, gap), right)


class Clock(Line):
    """`03:13:05 UTC` at the right end; a widget of its own, because what is left of a change is sent again."""

    DEFAULT_CSS = f"Clock {{ dock: right; width: {len('03:13:05 UTC ')}; }}"

    def show(self) -> int:
        """Draw the time; how many cells it takes."""
        desk = self.desk
        text = Text(f"{desk.stamp(desk.session.now())} ")
        if desk.at and self.app.size.width >= 100:
            text = Text.assemble((f"AT {desk.clock(desk.at)}  ", desk.roles.style("warn")), text)
        elif desk.at:
            text = Text(f"AT {desk.stamp(desk.at)} ", desk.roles.style("warn"))
        width = cell_len(text.plain)
        if self.size.width != width:
            self.styles.width = width
        self.put(text)
        return width


class ContextLine(Line):
    """`PROD  anna@bastion-1  may change  inv a1b2c3d ok  creds agent  03:13:05 UTC`."""

    def __init__(self, desk: Desk, *, id: str) -> None:
        super().__init__(desk, id=id)
        self.clock = Clock(desk, id="clock")

    def compose(self) -> ComposeResult:
        """The clock lies on the line's right end."""
        yield self.clock

    def show(self, env: str) -> None:
        """For the environment of the view on screen; empty means all."""
        desk, session = self.desk, self.desk.session
        width = self.size.width or self.app.size.width
        wide = width >= 100
        role = desk.env_band(env) if env else "bold"
        gap = "   " if wide else "  "
        style = desk.roles.style
        left = Text(" ")
        left.append(env.upper() if env else "ALL ENVS", style(role))
        left.append(f"{gap}{session.settings.actor}@{session.machine.partition('.')[0]}")
        if session.settings.read_only:
            left.append(f"{gap}READ-ONLY", style("warn"))
        else:
            left.append(f"{gap}may change")
        for text, part_role in self._inventory(wide):
            left.append(f"{gap if text.startswith('inv') else ' '}{text}", style(part_role))
        credentials = session.credentials()
        if credentials:
            lacking = credentials.startswith(("no ", "agent gone", "agent empty", "agent locked"))
            brief = credentials if wide else credentials.partition(":")[0]
            brief = brief if wide or lacking else brief.removeprefix("agent ")
            left.append(f"{gap}{'creds ' if wide else ''}{brief}", style("warn" if lacking else ""))
        self.put(spread(left, Text(" " * (self.clock.show() - 1)), width))

    def _inventory(self, wide: bool) -> Sequence[tuple[str, str]]:
        revision = self.desk.session.inventory.revision
        word = "inventory" if wide else "inv"
        parts = [(f"{word} {revision.commit or 'no git'}", "")]
        if revision.dirty:
            parts.append(("changed", "warn"))
        if revision.behind > 0:
            parts.append((f"{revision.behind} behind", "warn"))
        if revision.commit and not revision.dirty and revision.behind <= 0:
            parts.append(("ok" if revision.behind == 0 else "clean", ""))
        return parts


class BannerLine(Line):
    """What must never be forgotten while it stands: the demo says that its hosts are this machine."""

    def on_mount(self) -> None:
        """There is no such line without something to say."""
        words = safe_line(self.desk.session.settings.banner)
        self.display = bool(words)
        self.put(Text(f" {words}", self.desk.roles.style("warn")))


class PaneBar(Line):
    """`1 Now* 2 Fleet 3 Deploy ...`."""

    def show(self, current: str, counts: Mapping[str, str]) -> None:
        """Mark the pane on screen; counts stand behind their pane's name."""
        width = self.size.width or self.app.size.width
        style = self.desk.roles.style
        gap = "   " if width >= 100 else "  "
        text = Text(" ")
        for key, name, short in PANES:
            on = name == current
            count = counts.get(name, "")
            word = f"{key} {short}{'*' if on else ''}"
            text.append(word, style("key") if on else style("dim"))
            if count:
                text.append(f" {count}", style("warn"))
            text.append(gap)
        tail = Text(": go anywhere   ? help   @ command log" if width >= 110 else "", style("dim"))
        self.put(spread(text, tail, width))


class HintLine(Line):
    """Keys that make sense here."""

    def show(self, ids: Sequence[str], extra: str) -> None:
        """As many as fit, and a few words at the right."""
        width = self.size.width or self.app.size.width
        right = Text(extra, self.desk.roles.style("key"))
        room = width - cell_len(extra) - 4
        text = Text(f" {hint(ids, self.desk.keymap, room)}", self.desk.roles.style("dim"))
        self.put(spread(text, right, width))

    def say(self, words: str) -> None:
        """Something else in its place, while the command line is open."""
        self.put(Text(f" {words}", self.desk.roles.style("dim")))


class SaidLine(Line):
    """The last line: a colon, or what was said last, until the next key or for a few seconds."""

    LASTING: ClassVar[int] = 6 * phrases.SECOND
    MOST: ClassVar[int] = 5
    """Lines of a message at most; the view stays in sight above it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, id="said")
        self._until = 0

    def say(self, text: str, role: str) -> None:
        """Show for a while."""
        self._until = self.desk.session.now() + self.LASTING
        lines = wrap(text, max(20, self.app.size.width - 2))[: self.MOST] or [text]
        self._tall(len(lines))
        self.put(Text("\n".join(f" {line}" for line in lines), self.desk.roles.style(role)))

    def _tall(self, lines: int) -> None:
        """What is longer than the line takes the lines it needs: the end of a message is what it is for."""
        if self.styles.height is None or self.styles.height.value != lines:
            self.styles.height = lines
            self.refresh(layout=True)

    def settle(self) -> None:
        """Back to a colon when it stood long enough."""
        if self._until and self.desk.session.now() > self._until:
            self.clear_words()

    def clear_words(self) -> None:
        """Back to a colon."""
        self._until = 0
        self._tall(1)
        self.put(Text(":", self.desk.roles.style("dim")))
