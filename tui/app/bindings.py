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
        ("0", "jobs", "Jobs", "What ondeck does and did"),
    )
    return [Act(f"pane.{name}", key, short, text, "Panes") for key, name, short, text in named]


ACTS: tuple[Act, ...] = (
    *_panes(),
    *(
        Act(f"pane.{key}", key, name, f"{name}: not in this version", "Panes")
        for key, name in (("6", "Alerts"), ("7", "Provision"), ("8", "Backups"), ("9", "Runbooks"))
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
    Act("list.filter", "slash", "filter", "Filter rows; in Logs search", "Lists"),
    Act("list.mark", "space", "mark", "Mark the row", "Lists"),
    Act("list.all", "asterisk", "mark all", "Mark every row shown", "Lists"),
    Act("list.sort", "o", "sort", "Sort by the next column", "Lists"),
    Act("list.reverse", "O", "reverse", "Reverse the order", "Lists"),
    Act("do.deploy", "D", "deploy", "Plan a deploy of the selected service", "Operate"),
    Act("do.rollback", "R", "roll back", "Plan the way back of the selected service", "Operate"),
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

PLAN_ACTS: tuple[Act, ...] = (
    Act("plan.reason", "tab", "reason", "Write or change the reason", "Plan"),
    Act("plan.everything", "f2", "all", "Show exact commands", "Plan"),
    Act("plan.copy", "f3", "copy", "Copy the command line that does the same", "Plan"),
)

ALL: tuple[Act, ...] = (*ACTS, *LOG_ACTS, *LOG_VIEW_ACTS, *JOB_ACTS, *PLAN_ACTS)
BY_ID: dict[str, Act] = {act.id: act for act in ALL}


def bindings(acts: Iterable[Act]) -> list[Binding]:
    """Textual bindings of a part of the table; all of them call `action_act` with their id."""
    return [Binding(act.keys, f"act('{act.id}')", act.short, id=act.id, show=False) for act in acts]


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


def _no_clash(found: Mapping[str, str], path: Path) -> None:
    seen: dict[str, str] = {}
    for act in ACTS:
        for key in (found.get(act.id) or act.keys).split(","):
            if key in seen:
                raise BadInput(f"key {key!r} is given to {seen[key]!r} and {act.id!r}", where=str(path))
            seen[key] = act.id
