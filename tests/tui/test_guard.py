from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.color import Color
from textual.widgets import DataTable, Label, Static

from tests.tui.grammar import problems
from tests.tui.payloads import PAYLOADS
from tui.app.guard import UNSAFE, GuardedApp, SafeFilter, visible

BLACK = Color(0, 0, 0)
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)


def apply(*texts: str, ascii_only: bool = False) -> list[Segment]:
    return SafeFilter(ascii_only=ascii_only).apply([Segment(text) for text in texts], BLACK)


def text_of(segments: list[Segment]) -> str:
    return "".join(segment.text for segment in segments)


@given(st.lists(ANY_TEXT, max_size=6))
def test_nothing_that_a_terminal_obeys_or_hides_gets_through(texts: list[str]) -> None:
    shown = text_of(apply(*texts))
    assert UNSAFE.search(shown) is None
    assert problems(shown.encode()) == []


@given(st.lists(ANY_TEXT, max_size=6))
def test_a_line_keeps_its_number_of_cells(texts: list[str]) -> None:
    before = sum(cell_len(text) for text in texts)
    assert sum(cell_len(segment.text) for segment in apply(*texts)) == before


@given(st.lists(ANY_TEXT, max_size=6))
def test_without_utf8_only_ascii_leaves(texts: list[str]) -> None:
    segments = apply(*texts, ascii_only=True)
    assert text_of(segments).isascii()
    assert sum(cell_len(segment.text) for segment in segments) == sum(cell_len(text) for text in texts)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_clean_text_is_handed_on_as_the_same_object(text: str) -> None:
    segments = [Segment(text)]
    assert SafeFilter().apply(segments, BLACK) is segments


@pytest.mark.parametrize("text", ["Grüße aus Köln", "日本語", "héllo → ok", "─│┌┐"])
def test_honest_text_of_any_language_is_left_alone(text: str) -> None:
    assert visible(text) is text or visible(text) == text


def test_an_escape_shows_where_it_stands_and_takes_its_cell_from_the_spaces_behind() -> None:
    segments = apply("a\x1b[2Jb   ", "|")
    assert text_of(segments) == "a␛[2Jb  |"


def test_hyperlinks_and_click_actions_are_dropped_and_what_widgets_need_stays() -> None:
    style = Style(link="http://evil.example") + Style.from_meta({"@click": "app.quit", "row": 3})
    (segment,) = SafeFilter().apply([Segment("x", style)], BLACK)
    assert segment.style is not None
    assert segment.style.link is None
    assert segment.style.meta == {"row": 3}


def test_control_segments_are_dropped() -> None:
    from rich.control import Control

    assert text_of(SafeFilter().apply([Control.title("owned").segment, Segment("x")], BLACK)) == "x"


def test_a_pile_of_accents_is_cut() -> None:
    assert len(visible("e" + "\u0301" * 400)) <= 5


def test_box_drawing_becomes_ascii_where_there_is_no_utf8() -> None:
    assert visible("┌─┐│é", ascii_only=True) == "+-+|?"


class Hostile(GuardedApp):
    def compose(self) -> ComposeResult:
        yield Static(" ".join(PAYLOADS.values()), markup=False)
        yield Label(" ".join(PAYLOADS.values()), markup=False)
        yield DataTable()


async def test_no_widget_of_a_guarded_app_renders_a_control() -> None:
    async with Hostile().run_test(size=(100, 30)) as pilot:
        table = pilot.app.query_one(DataTable)
        from rich.text import Text

        table.add_column(Text(PAYLOADS["title"]))
        table.add_rows([[Text(text)] for text in PAYLOADS.values()])
        await pilot.pause()
        lines = pilot.app.screen._compositor.render_strips()
        shown = "\n".join(line.text for line in lines)
        assert problems(shown.encode()) == []
        assert "␛" in shown


@pytest.mark.parametrize(
    "data",
    [
        *(
            "\x1b]0;t\x07",
            "\x1b]8;;x\x1b\\",
            "\x1b[6n",
            "\x1b[c",
            "\x1bc",
            "\x1bP1\x1b\\",
            "\x9b2J",
            "\x00",
            "\x0e",
        ),
        *("\x1b[?47h", "\x1b]52;c;eA==\x07", "\x1b]2;x", "\u202e", "\u200b", "\x1b[>4;2m"),
    ],
)
def test_the_grammar_refuses_what_we_never_send(data: str) -> None:
    assert problems(f"before {data} after".encode()) != []


@pytest.mark.parametrize(
    "data", ["\x1b[38;2;1;2;3mx\x1b[0m", "\x1b[3;4H", "\x1b[?2026$p", "\x1b[?1049h", "\x1b[>25u"]
)
def test_the_grammar_accepts_what_textual_sends(data: str) -> None:
    assert problems(data.encode()) == []
