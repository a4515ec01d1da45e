"""What repeats in the lines shown, and which sources they came from: lists to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ondeck.observe.folding import repeats
from tui.app.dialogs.menu import Choice, Menu

if TYPE_CHECKING:
    from tui.app.panes.logs import LogsPane

LOOKED_AT = 20_000
"""Newest lines that are folded."""
SHOWN = 14


def repeats_menu(pane: LogsPane) -> Menu | None:
    """Repeats as `212 like "timeout <n>ms" from 3 sources, 6 s`; choosing one gives its first line's id."""
    found = repeats(pane.feed.store, pane.lines.filtered, LOOKED_AT)[:SHOWN]
    choices = [Choice(str(fold.ids[0]), f"~ {fold.text()}") for fold in found]
    return Menu(pane.desk, "what repeats, the most frequent first", choices) if choices else None


def sources_menu(pane: LogsPane) -> Menu | None:
    """Matches of the search, else lines, by source; choosing one gives its name."""
    hits = pane.search.hits
    counts = (hits if hits is not None else pane.lines.filtered).by_source().most_common(SHOWN)
    choices = [Choice(name, name, note=str(count)) for name, count in counts]
    what = "matches" if hits is not None else "lines"
    return Menu(pane.desk, f"{what} by source", choices) if choices else None
