"""Every key of the app: one table from which bindings, hints, help, palette and remaps are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from textual.binding import Binding

from ondeck.errors import BadInput

RESERVED = frozenset({"ctrl+a", "ctrl+b"})
"""Prefixes of screen and tmux: never a default."""


LATER = "not in this version"
"""What is said of a pane that has its key and no content yet."""


class Act(msgspec.Struct, frozen=True):
    """One thing a key can do.

    Attributes:
        id: Stable name for remaps: `pane.now`, `go.back`.
        keys: Textual's key names, comma separated.
        short: One or two words for the hint line.
        help: A sentence for `?` and the palette.
        group: Heading in the help.
        of: Id of the action whose key it shares: the same key with another word, or what is typed behind it.
        typed: What is typed behind that key.
    """

    id: str
    keys: str
    short: str
    help: str
    group: str
    of: str = ""
    typed: str = ""

    @property
    def shown(self) -> str:
        """The first key as a person would write it."""
        return spoken(self.keys.split(",")[0])


_SPOKEN = {
    "question_mark": "?", "slash": "/", "colon": ":", "at": "@", "asterisk": "*", "minus": "-",
    "left_square_bracket": "[", "right_square_bracket": "]", "escape": "esc", "ampersand": "&",
    "exclamation_mark": "!", "space": "space",
}  # fmt: skip


def spoken(key: str) -> str:
    """A key's name as it is printed: `?` for question_mark, `ctrl-p` for ctrl+p."""
    return _SPOKEN.get(key, key.replace("+", "-"))


def _panes() -> list[Act]:
    named = (
        ("1", "now", "Now", "What needs you, what runs, what changed"),
        ("2", "fleet", "Fleet", "Every host with its figures"),
        ("3", "deploy", "Deploy", "Services, what they run and where they can go"),
        ("4", "logs", "Logs", "Logs of the selected service or host"),
        ("5", "metrics", "Metrics", "Figures over time of the selected hosts"),
        ("7", "provision", "Prov", "Stacks: their locks, states and what is half done"),
        ("8", "backups", "Backup", "Backups: what is lost, how far it is proven, what was promised"),
        ("0", "jobs", "Jobs", "What ondeck does and did"),
    )
    return [Act(f"pane.{name}", key, short, text, "Panes") for key, name, short, text in named]


ACTS: tuple[Act, ...] = (
    *_panes(),
    *(
        Act(f"pane.{key}", key, name, f"{name} is {LATER}", "Panes")
        for key, name in (("6", "Alerts"), ("9", "Runbooks"))
    ),
    Act("go.open", "enter", "open", "Open the selected row", "Move"),
    Act("go.back", "escape", "back", "Back; never leaves ondeck", "Move"),
    Act("go.leave", "q", "back", "Back; on the last screen it leaves, jobs go on", "Move"),
    Act("go.last", "minus", "last view", "The view before this one, and again to return", "Move"),
    Act("go.older", "left_square_bracket", "older", "Back through the views seen", "Move"),
    Act("go.newer", "right_square_bracket", "newer", "Forward through the views seen", "Move"),
    Act("go.command", "colon", "go", "Command line: panes, kinds, names, every verb", "Move"),
    Act("go.palette", "ctrl+p", "palette", "Find any pane, thing or operation by name", "Move"),
    Act("go.help", "question_mark", "help", "This page", "Move"),
    Act("go.record", "at", "command log", "Every command ondeck planned or ran", "Move"),
    Act("go.interrupt", "ctrl+c", "stop", "Leave the typed line; twice leaves ondeck, jobs go on", "Move"),
    Act("list.filter", "slash", "filter", "Filter rows; in Logs search", "Lists"),
    Act("list.mark", "space", "mark", "Mark the row", "Lists"),
    Act("list.all", "asterisk", "mark all", "Mark every row shown", "Lists"),
    Act("list.sort", "o", "sort", "Sort by the next column; in Metrics the next figure", "Lists"),
    Act("list.reverse", "O", "reverse", "Reverse the order; in Metrics another stretch of time", "Lists"),
    Act(
        "do.deploy",
        "D",
        "deploy",
        "Plan a deploy of the selected service, an apply of the stack",
        "Operate",
    ),
    Act("do.rollback", "R", "roll back", "Plan the way back of the selected service", "Operate"),
    Act("do.hold", "H", "hold", "Plan to hold the selected snapshot, so that no forget takes it", "Operate"),
    Act("do.actions", "a", "actions", "Every operation for the selected row", "Operate"),
    Act("do.run", "x", "run", "Run a command on the marked hosts", "Operate"),
    Act("do.shell", "s", "shell", "Open a shell on the selected host", "Operate"),
    Act("see.describe", "d", "describe", "What the inventory says of the selected row", "Look"),
    Act("see.logs", "l", "logs", "Logs of the selected row", "Look"),
    Act("see.metrics", "m", "metrics", "Figures over time of the selected row", "Look"),
    Act("see.time", "t", "time", "Set the time cursor that all panes share", "Look"),
    Act("copy.name", "y", "copy", "Copy the name of the selected row", "Copy"),
    Act("copy.command", "Y", "copy command", "Copy the command line that does the same", "Copy"),
)

MOVE_ACTS: tuple[Act, ...] = (
    Act("list.down", "j,down", "down", "Down", "Lists"),
    Act("list.up", "k,up", "up", "Up", "Lists"),
    Act("list.first", "g,home", "first", "To the first row", "Lists"),
    Act("list.end", "G,end", "last", "To the last row", "Lists"),
    Act("list.half_down", "ctrl+d", "half down", "Half a page down", "Lists"),
    Act("list.half_up", "ctrl+u", "half up", "Half a page up", "Lists"),
    Act("list.page_down", "pagedown", "page down", "A page down", "Lists"),
    Act("list.page_up", "pageup", "page up", "A page up", "Lists"),
    Act("list.left", "left", "left", "Scroll wide rows to the left", "Lists"),
    Act("list.right", "right", "right", "Scroll wide rows to the right", "Lists"),
)
"""Keys that boards, tables and logs bind themselves."""

LOG_ACTS: tuple[Act, ...] = (
    Act("log.next", "n", "next", "Next match", "Logs"),
    Act("log.previous", "N", "previous", "Match before", "Logs"),
    Act("log.filter", "ampersand", "keep", "Keep lines that match: text, level>=warn, source=web-2", "Logs"),
    Act("log.repeats", "f", "repeats", "What repeats, the most frequent first; enter goes there", "Logs"),
    Act("log.sources", "T", "by source", "Matches (or lines) by source; enter keeps that source", "Logs"),
    Act("log.errors", "e", "errors", "Next error", "Logs"),
    Act("log.errors_back", "E", "error before", "Error before", "Logs"),
)

LOG_VIEW_ACTS: tuple[Act, ...] = (
    Act("log.search", "slash", "search", "Search level, source, text; a capital makes it exact", "Logs", "list.filter"),
    Act("log.drop", "ampersand", "drop", "& then !word: drop lines that match", "Logs", "log.filter", "!"),
    Act("log.follow", "space", "pause", "Pause, or live again", "Logs"),
    Act("log.end", "G,end", "live", "To the newest line, live", "Logs"),
    Act("log.open", "enter", "open", "Open the line whole, with its fields", "Logs"),
    Act("log.wrap", "w", "wrap", "Wrap long lines, or cut them", "Logs"),
    Act("log.left", "left", "left", "Scroll long lines to the left", "Logs"),
    Act("log.right", "right", "right", "Scroll long lines to the right", "Logs"),
)  # fmt: skip
"""Keys that the view of lines binds itself, and second names of keys: listed for hints, help and remaps."""

JOB_ACTS: tuple[Act, ...] = (
    Act("job.pause", "p", "pause", "Pause after the targets that run now", "Jobs"),
    Act(
        "job.continue",
        "c",
        "continue",
        "Go on with a paused job; lends this agent when it waits for one",
        "Jobs",
    ),
    Act("job.cancel", "X", "cancel", "Cancel: start no more; asks whether what runs is stopped too", "Jobs"),
    Act("job.reconcile", "r", "reconcile", "Find out what became of unknown targets", "Jobs"),
    Act("job.settle", "S", "settle", "Settle an unknown target by hand, with a reason", "Jobs"),
)

TYPED_ACTS: tuple[Act, ...] = (
    Act("prompt.leave", "escape,ctrl+c", "leave", "Leave the typed line", "Typed line"),
    Act("prompt.older", "up,ctrl+p", "older", "The line typed before", "Typed line"),
    Act("prompt.newer", "down,ctrl+n", "newer", "The line typed after", "Typed line"),
    Act("prompt.complete", "tab", "complete", "Complete the word", "Typed line"),
)

DIALOG_ACTS: tuple[Act, ...] = (
    Act("dialog.leave", "escape,ctrl+c", "leaves", "Leave the dialog, nothing done", "Dialogs"),
    Act("dialog.close", "q,question_mark", "back", "Leave a dialog without a typed line", "Dialogs"),
    Act("dialog.choose", "enter", "chooses", "Choose the row of a menu", "Dialogs"),
    Act(
        "dialog.copy", "f3", "copy",
        "Copy the command line that does the same; in dialogs a capital Y is a letter", "Dialogs",
    ),
    Act("dialog.page", "space", "page", "A page down in what scrolls", "Dialogs"),
    Act("whole.search", "slash", "search", "Search in the output of a target", "Dialogs"),
    Act("whole.next", "n", "next", "Next place in the output of a target", "Dialogs"),
    Act("whole.previous", "N", "previous", "Place before in the output of a target", "Dialogs"),
    Act("line.back", "enter", "back", "Back from a log line", "Dialogs"),
    Act("line.copy", "y", "copy", "Copy the message of a log line", "Dialogs"),
    Act("palette.down", "down,ctrl+n", "down", "Down in the palette", "Dialogs"),
    Act("palette.up", "up,ctrl+p", "up", "Up in the palette", "Dialogs"),
)  # fmt: skip

PLAN_ACTS: tuple[Act, ...] = (
    Act("plan.reason", "tab", "reason", "Write or change the reason; enter keeps it, esc drops it", "Plan"),
    Act("plan.everything", "f2", "exact commands", "Show or hide every command, as it will be run", "Plan"),
    Act("plan.down", "down", "scroll", "Scroll the plan down", "Plan"),
    Act("plan.up", "up", "scroll", "Scroll the plan up", "Plan"),
    Act("plan.page_down", "pagedown,ctrl+d", "page", "Scroll further down", "Plan"),
    Act("plan.page_up", "pageup,ctrl+u", "page", "Scroll further up", "Plan"),
    Act("plan.unfold", "right", "unfold", "Unfold a module or a resource of the plan", "Plan"),
    Act("plan.fold", "left", "fold", "Fold it again", "Plan"),
    Act("plan.all", "f4", "unfold all", "Unfold everything of the plan, or fold it", "Plan"),
    Act("plan.help", "question_mark", "help", "Keys of the plan, as long as nothing is typed", "Plan"),
)

BACKUP_ACTS: tuple[Act, ...] = (
    Act(
        "do.restore",
        "R",
        "restore",
        "Plan to restore the snapshot beside what is there",
        "Operate",
        "do.rollback",
    ),
)
"""Second names of keys: for the hint line of views of backups."""
STACK_ACTS: tuple[Act, ...] = (
    Act("do.apply", "D", "apply", "Plan an apply of the selected stack", "Operate", "do.deploy"),
)
"""Second names of keys: for the hint line of views of stacks."""

ALL: tuple[Act, ...] = (
    *ACTS, *MOVE_ACTS, *LOG_ACTS, *LOG_VIEW_ACTS, *JOB_ACTS, *TYPED_ACTS, *DIALOG_ACTS, *PLAN_ACTS,
    *BACKUP_ACTS,
    *STACK_ACTS,
)  # fmt: skip
BY_ID: dict[str, Act] = {act.id: act for act in ALL}


def bindings(acts: Iterable[Act]) -> list[Binding]:
    """Textual bindings of a part of the table; all of them call `action_act` with their id."""
    return [Binding(act.keys, f"act('{act.id}')", act.short, id=act.id, show=False) for act in acts]


def binding(name: str, action: str, *, priority: bool = False) -> Binding:
    """What a widget or dialog binds itself: keys and id from the table, so that it can be remapped."""
    act = BY_ID[name]
    return Binding(act.keys, action, act.short, id=name, show=False, priority=priority)


def keys_of(name: str, keymap: Mapping[str, str]) -> tuple[str, ...]:
    """Every key of an action in Textual's names, after the user's remaps."""
    return tuple((keymap.get(name) or BY_ID[name].keys).split(","))


def every_key(name: str, keymap: Mapping[str, str]) -> str:
    """Every key of an action as they are printed: `esc ctrl-c`."""
    return " ".join(spoken(key) for key in keys_of(name, keymap))


def hint(ids: Iterable[str], keymap: Mapping[str, str], width: int) -> str:
    """`enter open  R roll back  ...` as far as it fits, always ending with help."""
    tail = f"{key_of('go.help', keymap)} help"
    line = ""
    for name in ids:
        part = f"{key_of(name, keymap)} {BY_ID[name].short}  "
        if len(line) + len(part) + len(tail) > width:
            break
        line += part
    return line + tail


def key_of(name: str, keymap: Mapping[str, str]) -> str:
    """The key of an action as it is printed, after the user's remaps."""
    act = BY_ID[name]
    if act.of:
        return key_of(act.of, keymap) + act.typed
    return spoken((keymap.get(name) or act.keys).split(",")[0])


def read_keymap(path: Path) -> dict[str, str]:
    """The user's remaps from `keys.yml`: `action id: key` or a list of keys; empty when there is no file.

    Raises:
        BadInput: Not a mapping, an unknown action, or one key for two actions.
    """
    if not path.exists():
        return {}
    import yaml

    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"cannot be read: {str(error).splitlines()[0]}", where=str(path)) from error
    if not isinstance(raw, dict):
        raise BadInput("expected lines of `action: key`", where=str(path))
    found: dict[str, str] = {}
    for name, keys in raw.items():
        if name not in BY_ID or BY_ID[name].of:
            raise BadInput(f"no action named {name!r}", where=str(path), hint="`?` in the app lists them")
        words = keys if isinstance(keys, list) else [keys]
        found[name] = ",".join(str(word).replace("ctrl-", "ctrl+") for word in words)
    _no_clash(found, path)
    return found


_TOGETHER: tuple[frozenset[str], ...] = (
    frozenset({"pane", "go", "list", "do", "see", "copy", "log", "job"}),
    frozenset({"prompt"}),
    frozenset({"dialog", "line", "list"}),
    frozenset({"dialog", "palette"}),
    frozenset({"dialog", "plan"}),
)
"""Kinds of actions whose keys are heard at the same time."""
_TYPING = frozenset({"prompt.leave", "prompt.older", "prompt.newer", "prompt.complete", "dialog.leave", "dialog.copy",
                     "palette.down", "palette.up", "plan.reason", "plan.everything", "plan.down", "plan.up",
                     "plan.page_down", "plan.page_up", "plan.unfold", "plan.fold", "plan.all"})  # fmt: skip
"""Actions whose keys are heard while a text is typed."""


def _no_clash(found: Mapping[str, str], path: Path) -> None:
    for name in _TYPING & set(found):
        letters = [key for key in keys_of(name, found) if len(spoken(key)) == 1 or key == "space"]
        if letters:
            raise BadInput(
                f"{name!r} cannot have {letters[0]!r}: it would be typed",
                where=str(path),
                hint="a function key, or one with ctrl",
            )
    for kinds in _TOGETHER:
        acts = [act for act in ALL if act.id.partition(".")[0] in kinds and not act.of]
        shared = _shared(acts, {})
        for first, second, key in _shared(acts, found) - shared:
            raise BadInput(f"key {key!r} is given to {first!r} and {second!r}", where=str(path))


def _shared(acts: Iterable[Act], keymap: Mapping[str, str]) -> set[tuple[str, str, str]]:
    """Pairs of actions that have a key in common, with the key."""
    found: set[tuple[str, str, str]] = set()
    seen: dict[str, list[str]] = {}
    for act in acts:
        for key in keys_of(act.id, keymap):
            found.update((other, act.id, key) for other in seen.get(key, ()))
            seen.setdefault(key, []).append(act.id)
    return found
