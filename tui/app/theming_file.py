"""What a theme is: roles by name. Imports no YAML, so that a theme from the cache opens without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

Role: TypeAlias = str

PLANES: tuple[Role, ...] = ("background", "surface", "panel", "border")
FOREGROUNDS: tuple[Role, ...] = (
    *("text", "muted", "accent", "ok", "warn", "bad", "lost"),
    *("mark", "title", "source-1", "source-2", "source-3", "source-4", "source-5", "source-6"),
)
BANDS: tuple[Role, ...] = (
    *("env-prod", "env-staging", "env-other", "cursor", "cursor-blurred"),
    *("selection", "match", "header", "marker", "alert"),
)
ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse")


class RoleSpec(msgspec.Struct, frozen=True):
    """How a role is drawn: `bold #ffffff on #203040`.

    Attributes:
        colour: `#rrggbb`, `ansi_red`..., or empty for the terminal's own.
        background: The same, for a band.
        attributes: Space-separated words of `ATTRIBUTES`.
    """

    colour: str = ""
    background: str = ""
    attributes: str = ""


# What a role falls back to when neither the file nor its base names it: legible on any terminal.
_LAST_RESORT: dict[Role, RoleSpec] = {
    "muted": RoleSpec(attributes="dim"),
    "accent": RoleSpec(attributes="bold"),
    "warn": RoleSpec(attributes="bold"),
    "bad": RoleSpec(attributes="bold"),
    "title": RoleSpec(attributes="bold"),
    "mark": RoleSpec(attributes="bold"),
    **{band: RoleSpec(attributes="reverse") for band in BANDS},
}


class ThemeFile(msgspec.Struct, frozen=True):
    """A theme as its file says it.

    Attributes:
        ansi: Draw with the terminal's own 16 colours instead of exact ones.
        path: Where it was read from; empty for the last resort.
    """

    name: str
    dark: bool = True
    ansi: bool = False
    title: str = ""
    roles: Mapping[Role, RoleSpec] = {}
    path: str = ""

    def role(self, name: Role) -> RoleSpec:
        """How a role is drawn; an unknown one as plain text."""
        return self.roles.get(name) or _LAST_RESORT.get(name) or RoleSpec()
