"""Themes: one YAML file each, turned into a Textual theme and the styles that our widgets draw with.

A theme names **roles** (`ok`, `bad`, `env-prod`, ...), never widgets. Widgets that draw their own lines ask
`palette(widget.app)`; style sheets use the same names as variables: `$ok`, `$env-prod`, `$env-prod-text`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter, Monochrome, NoColor
from textual.theme import Theme

from ondeck import resources
from ondeck.errors import OndeckError
from tui.app.theming_file import BANDS, FOREGROUNDS, PLANES, Role, RoleSpec, ThemeFile

DEFAULT = "dark"
SIXTEEN = "ansi16"
_BUILT_IN = ("dark", "light", "ansi16")


class Themes(msgspec.Struct, frozen=True):
    """What could be loaded, and one line for each thing that could not.

    Attributes:
        problems: `file:line: key: what is wrong`; show them, the app runs without what they name.
    """

    files: Mapping[str, ThemeFile]
    problems: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Names to choose from, built-in ones first."""
        return tuple(self.files)

    def chosen(self, wanted: str, *, sixteen: bool) -> str:
        """The name to start with: what was asked for if it is there, else the one for this terminal."""
        if wanted in self.files:
            return wanted
        return SIXTEEN if sixteen else DEFAULT


def load(config: Path | None = None, *, shipped: Path | None = None, cache: Path | None = None) -> Themes:
    """Built-in themes and those in `config/themes/*.yaml`; never raises, says what it left out.

    Args:
        config: The user's configuration folder (`settings.config`); a file there wins over a built-in name.
        shipped: Folder of the built-in themes; found when None.
        cache: Folder for what can be made again: the same files open without reading YAML. None: no cache.
    """
    files: dict[str, ThemeFile] = {}
    problems: list[str] = []
    try:
        home = shipped or resources.themes()
        paths = [home / f"{name}.yaml" for name in _BUILT_IN]
    except OndeckError as error:
        problems.append(error.message)
        paths = []
    if config is not None and (config / "themes").is_dir():
        paths += sorted((config / "themes").glob("*.y*ml"))
    stamp = _stamp(paths)
    known = _cached(cache, stamp) if cache is not None and not problems else None
    if known is not None:
        return Themes(files=known)
    from tui.app.theming_read import read

    for path in paths:
        found, wrong = read(path, files)
        problems += wrong
        if found is not None:
            files[found.name] = found
    files.setdefault(DEFAULT, ThemeFile(name=DEFAULT, dark=True, ansi=True))
    files.setdefault(SIXTEEN, ThemeFile(name=SIXTEEN, dark=True, ansi=True))
    if cache is not None and not problems:
        _keep(cache, stamp, files)
    return Themes(files=files, problems=tuple(problems))


class _Cached(msgspec.Struct, frozen=True):
    stamp: list[tuple[str, int, int]]
    files: dict[str, ThemeFile]


def _stamp(paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Path, time and size of each file; a missing one counts too."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            facts = path.stat()
            found.append((str(path), facts.st_mtime_ns, facts.st_size))
    return found


def _cached(folder: Path, stamp: list[tuple[str, int, int]]) -> dict[str, ThemeFile] | None:
    try:
        kept = msgspec.json.decode((folder / "themes.json").read_bytes(), type=_Cached)
    except (OSError, msgspec.DecodeError):
        return None
    return kept.files if kept.stamp == stamp else None


def _keep(folder: Path, stamp: list[tuple[str, int, int]], files: dict[str, ThemeFile]) -> None:
    with contextlib.suppress(OSError):  # without it the next start only reads the files again
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = folder / "themes.json.new"
        beside.write_bytes(msgspec.json.encode(_Cached(stamp, files)))
        beside.replace(folder / "themes.json")


def variables(theme: ThemeFile) -> dict[str, str]:
    """Names for style sheets: a plane or foreground role as its colour, a band as `NAME`, `NAME-text`, `NAME-style`.

    A band needs all three (`background: $cursor; color: $cursor-text; text-style: $cursor-style`): without
    colours its `reverse` or `bold` is what is left of it.
    """
    found: dict[str, str] = {}
    for name in PLANES:
        found[name] = theme.role(name).colour
    for name in FOREGROUNDS:
        found[name] = theme.role(name).colour
    for name in BANDS:
        spec = theme.role(name)
        found[name] = spec.background
        found[f"{name}-text"] = spec.colour
        found[f"{name}-style"] = spec.attributes or "none"
    found.update(_textual_names(theme))
    return {name: value or "ansi_default" for name, value in found.items()}


def _textual_names(theme: ThemeFile) -> dict[str, str]:
    """Variables that Textual's own widgets read, from our roles, so that both look alike."""
    cursor, text = theme.role("cursor"), theme.role("text").colour
    accent, muted = theme.role("accent").colour, theme.role("muted").colour
    panel, border = theme.role("panel").colour, theme.role("border").colour
    selection = theme.role("selection")
    return {
        "ansi-background": theme.role("background").colour or "ansi_black",
        "ansi-foreground": text or "ansi_white",
        "block-cursor-foreground": cursor.colour,
        "block-cursor-background": cursor.background,
        "block-cursor-text-style": cursor.attributes or "none",
        "block-cursor-blurred-foreground": text,
        "block-cursor-blurred-background": panel,
        "block-cursor-blurred-text-style": "none",
        "border": accent,
        "border-blurred": border,
        "footer-background": panel,
        "footer-foreground": text,
        "footer-description-foreground": text,
        "footer-description-background": panel,
        "footer-item-background": panel,
        "footer-key-foreground": accent,
        "footer-key-background": panel,
        "text": text,
        "text-muted": muted,
        "text-disabled": muted,
        "input-cursor-background": text,
        "input-cursor-foreground": theme.role("background").colour,
        "input-cursor-text-style": "reverse" if theme.ansi else "none",
        "input-selection-background": selection.background,
        "input-selection-foreground": selection.colour,
        "screen-selection-background": selection.background,
        "screen-selection-foreground": selection.colour,
        "scrollbar": border,
        "scrollbar-hover": accent,
        "scrollbar-active": accent,
        "scrollbar-background": panel,
        "scrollbar-background-hover": panel,
        "scrollbar-background-active": panel,
        "scrollbar-corner-color": panel,
    }


def textual_theme(theme: ThemeFile) -> Theme:
    """The Textual theme of a file."""

    def colour(name: Role) -> str:
        return theme.role(name).colour or "ansi_default"

    return Theme(
        name=theme.name,
        primary=colour("accent"),
        secondary=colour("accent"),
        accent=colour("accent"),
        warning=colour("warn"),
        error=colour("bad"),
        success=colour("ok"),
        foreground=colour("text"),
        background=colour("background"),
        surface=colour("surface"),
        panel=colour("panel"),
        boost=colour("panel"),
        dark=theme.dark,
        ansi=theme.ansi,
        text_alpha=1.0,
        variables=variables(theme),
    )


class Palette:
    """Rich styles of a theme's roles, for widgets that draw their own lines."""

    def __init__(self, theme: ThemeFile) -> None:
        self.theme = theme
        self._styles: dict[str, Style] = {"": Style.null()}

    def style(self, role: str) -> Style:
        """The style of a role; an unknown or empty role is plain text and never an error."""
        found = self._styles.get(role)
        if found is None:
            found = self._styles[role] = rich_style(self.theme.role(role)) if role else Style.null()
        return found

    def source(self, name: str) -> Style:
        """A colour for a name, the same in every session, never one that means a state."""
        number = sum(byte * (index % 7 + 1) for index, byte in enumerate(name.encode("utf-8", "replace")))
        return self.style(f"source-{number % 6 + 1}")


def rich_style(spec: RoleSpec) -> Style:
    """The Rich style of a role."""
    flags = dict.fromkeys(spec.attributes.split(), True)
    return Style(
        color=Color.parse(spec.colour).rich_color if spec.colour else None,
        bgcolor=Color.parse(spec.background).rich_color if spec.background else None,
        **flags,  # type: ignore[arg-type]
    )


class ThemedApp(App[int]):
    """An app that draws with our themes; its subclasses call `use_themes` before they mount anything."""

    themes: Themes = Themes(files={DEFAULT: ThemeFile(name=DEFAULT, dark=True, ansi=True)})

    def use_themes(self, themes: Themes, name: str) -> None:
        """Register every theme and switch to one."""
        self.themes = themes
        for theme in themes.files.values():
            self.register_theme(textual_theme(theme))
        self.theme = name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's; with NO_COLOR the one that takes all colour away, where Textual would draw in greys."""
        found = super().get_line_filters()
        return [NoColor() if isinstance(each, Monochrome) else each for each in found]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our variables exist in every theme, also in Textual's own."""
        themes = self.themes.files
        return variables(themes.get(DEFAULT) or next(iter(themes.values())))


def palette(app: App[object]) -> Palette:
    """The palette of the theme that the app shows now; of the shipped dark one in an app without ours."""
    themes: Themes | None = getattr(app, "themes", None)
    theme = themes.files.get(app.theme) if themes is not None else None
    if theme is None:
        return _fallback(themes, dark=app.current_theme.dark)
    found = getattr(app, "_ondeck_palette", None)
    if not isinstance(found, Palette) or found.theme is not theme:
        found = Palette(theme)
        with contextlib.suppress(AttributeError):
            app._ondeck_palette = found  # type: ignore[attr-defined]
    return found


@lru_cache(2)
def _shipped(name: str) -> Palette:
    files = load().files
    return Palette(files.get(name) or files[DEFAULT])


def _fallback(themes: Themes | None, *, dark: bool) -> Palette:
    name = "dark" if dark else "light"
    found = themes.files.get(name) if themes is not None else None
    return Palette(found) if found is not None else _shipped(name)


def role_names() -> Sequence[str]:
    """Every role a theme may set, for documentation and for the hint of an error."""
    return (*PLANES, *FOREGROUNDS, *BANDS)
