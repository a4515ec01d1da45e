"""Roles to styles under the theme in use, in the words that panes speak."""

from __future__ import annotations

from collections.abc import Callable

from rich.style import Style

_ALIASES = {
    "": "text", "dim": "muted", "heading": "title", "head": "muted", "bold": "title", "key": "accent",
    "prod": "env-prod", "stage": "env-staging", "env": "env-other", "add": "ok", "del": "bad", "input": "selection",
}  # fmt: skip


class Roles:
    """Styles by role; `version` grows when the theme changed, so that drawings are thrown away."""

    def __init__(self) -> None:
        self.version = 0
        self._source: Callable[[str], Style] = lambda role: Style.null()
        self._base = Style.null()
        self._styles: dict[str, Style] = {}

    def use(self, source: Callable[[str], Style], background: Style) -> None:
        """Take the styles of a theme; `background` is what lies under every line."""
        self._source = source
        self._base = background
        self._styles = {}
        self.version += 1

    def style(self, role: str) -> Style:
        """The style of a role; an unknown role looks like plain text."""
        found = self._styles.get(role)
        if found is None:
            found = self._source(_ALIASES.get(role, role))
            found = self._styles[role] = self._base + found if role == "" else found
        return found
