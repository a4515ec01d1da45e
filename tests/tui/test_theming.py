from __future__ import annotations

from pathlib import Path

import pytest
from rich.color import Color, ColorSystem
from rich.terminal_theme import TerminalTheme

from ondeck import resources
from tui.app import theming
from tui.app.theming_file import BANDS, FOREGROUNDS, PLANES
from tui.app.theming_read import parse_role

THEMES = theming.load()
STATES = ("ok", "warn", "bad", "lost", "accent", "mark", *(f"source-{number}" for number in range(1, 7)))
SYSTEMS = {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT, "16": ColorSystem.STANDARD}
# The sixteen colours of xterm, the oldest that is still common.
_XTERM = [
    *[
        (0, 0, 0),
        (205, 0, 0),
        (0, 205, 0),
        (205, 205, 0),
        (0, 0, 238),
        (205, 0, 205),
        (0, 205, 205),
        (229, 229, 229),
    ],
    *[(127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255)],
    (255, 255, 255),
]
XTERM = TerminalTheme((0, 0, 0), (229, 229, 229), _XTERM[:8], _XTERM[8:])


def luminance(color: Color, *, foreground: bool) -> float:
    red, green, blue = color.get_truecolor(XTERM, foreground=foreground)

    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def contrast(front: Color, back: Color) -> float:
    light, dark = luminance(front, foreground=True), luminance(back, foreground=False)
    high, low = max(light, dark), min(light, dark)
    return (high + 0.05) / (low + 0.05)


def pair(theme: str, role: str, system: str) -> tuple[Color, Color]:
    file = THEMES.files[theme]
    style = theming.rich_style(file.role(role))
    background = theming.rich_style(parse_role(file.role("background").colour)).color
    front = style.color or theming.rich_style(file.role("text")).color or Color.default()
    back = style.bgcolor or background or Color.default()
    if style.reverse:
        front, back = back, front
        if front.is_default or back.is_default:
            front, back = Color.parse("default"), Color.parse("default")
    return front.downgrade(SYSTEMS[system]), back.downgrade(SYSTEMS[system])


def test_the_shipped_themes_have_no_problems() -> None:
    assert THEMES.problems == ()
    assert THEMES.names()[:3] == ("dark", "light", "ansi16")


@pytest.mark.parametrize("theme", ["dark", "light", "ansi16"])
@pytest.mark.parametrize("system", list(SYSTEMS))
@pytest.mark.parametrize("role", ["text", *STATES])
def test_text_and_states_can_be_read_in_any_number_of_colours(theme: str, system: str, role: str) -> None:
    least = 4.5 if role == "text" else 3.0
    assert contrast(*pair(theme, role, system)) >= least


@pytest.mark.parametrize("theme", ["dark", "light", "ansi16"])
@pytest.mark.parametrize("system", list(SYSTEMS))
@pytest.mark.parametrize("role", BANDS)
def test_text_on_a_band_can_be_read_in_any_number_of_colours(theme: str, system: str, role: str) -> None:
    style = theming.rich_style(THEMES.files[theme].role(role))
    if (style.color is None and style.bgcolor is None) or style.color == Color.default():
        return  # the terminal's own pair, reversed or underlined
    assert contrast(*pair(theme, role, system)) >= 4.5


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("system", ["truecolor", "256"])
def test_muted_text_can_still_be_read(theme: str, system: str) -> None:
    assert contrast(*pair(theme, "muted", system)) >= 4.5


def test_without_colours_what_matters_still_looks_different() -> None:
    file = THEMES.files["ansi16"]
    assert all(file.role(role).attributes for role in ("bad", "lost", "mark", *BANDS))


def test_a_mistake_in_a_theme_names_file_line_and_key_and_the_rest_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "themes"
    folder.mkdir()
    path = folder / "mine.yaml"
    path.write_text("name: mine\nroles:\n  ok: '#12345'\n  nonsense: red\n  bad: 'bold #ff0000'\nextra: 1\n")
    themes = theming.load(tmp_path)
    assert {problem.split(": ")[0] for problem in themes.problems} == {f"{path}:{line}" for line in (3, 4, 6)}
    assert any("roles.ok" in problem for problem in themes.problems)
    assert themes.files["mine"].role("bad").attributes == "bold"
    assert themes.files["mine"].role("ok") == themes.files["dark"].role("ok")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "[]",
            "a: &x 1\nb: *x\n",
            "name: [",
            "\x00",
            "- 1",
            "roles: 3\n",
            "name: ''\nroles: {}\n",
            "? {a: b}\n: c\n",
        ),
        *(
            "name: x\nroles:\n  ok: {a: b}\n",
            "a: " + "[" * 3000,
            "name: ../x\nroles: {}\n",
            "dark: 1\nroles: {}",
        ),
        "!!python/object/apply:os.system ['true']",
    ],
)
def test_no_theme_file_can_stop_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "odd.yaml").write_text(text)
    themes = theming.load(tmp_path)
    assert themes.problems
    assert set(THEMES.files) <= set(themes.files)


def test_a_missing_folder_of_shipped_themes_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    themes = theming.load(shipped=tmp_path)
    assert len(themes.problems) == 3
    assert themes.files[themes.chosen("dark", sixteen=False)].role("cursor").attributes == "reverse"


def test_few_colours_choose_the_theme_of_sixteen() -> None:
    assert THEMES.chosen("", sixteen=True) == "ansi16"
    assert THEMES.chosen("", sixteen=False) == "dark"
    assert THEMES.chosen("light", sixteen=True) == "light"


def test_every_role_is_a_variable_of_style_sheets() -> None:
    names = theming.variables(THEMES.files["dark"])
    assert {*PLANES, *FOREGROUNDS, *BANDS} <= names.keys()
    assert {f"{band}-{part}" for band in BANDS for part in ("text", "style")} <= names.keys()


def test_a_name_always_has_the_same_colour() -> None:
    palette = theming.Palette(THEMES.files["dark"])
    assert palette.source("web-17/app") == palette.source("web-17/app")
    assert len({palette.source(f"web-{number}/app") for number in range(40)}) >= 5


@pytest.mark.parametrize("name", ["dark", "light", "ansi16"])
async def test_an_app_can_switch_to_every_theme(name: str) -> None:
    app = theming.ThemedApp()
    app.use_themes(THEMES, "dark")
    async with app.run_test():
        app.theme = name
        assert theming.palette(app).theme.name == name


def test_the_folders_that_ship_with_us_are_found() -> None:
    assert (resources.themes() / "dark.yaml").is_file()
    assert (resources.sample_inventory() / "README.md").is_file()
