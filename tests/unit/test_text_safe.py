from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ondeck.text import CAP, COMBINING, MORE, Lines, decode, is_safe, safe, safe_line, styled

NASTY = [
    b"\x1b[2J",
    b"\x1b]52;c;aGk=\x07",
    b"\x1b]0;title\x1b\\",
    b"\x9b31m",
    b"\xc2\x9b31m",
    b"\x1bP$qm\x1b\\",
    b"\x1b_x",
    b"\x1b",
    b"\x1b[",
    b"\x1b[31m",
    b"\x1b[0m",
    b"\r",
    b"\r\n",
    b"\n",
    b"\t",
    b"\xe2\x80\xae",
    b"\xe2\x80\x8b",
    b"\xf3\xa0\x81\x81",
    b"\xcc\x81" * 12,
    b"e",
    "漢字".encode(),
    b"\xc0\xaf",
    b"\xff\xfe",
    b"\xf0\x9f",
    b"[/]",
    b"x" * 9000,
]
bytes_from_hell = st.lists(st.one_of(st.sampled_from(NASTY), st.binary(max_size=20)), max_size=12).map(
    b"".join
)


def lines_of(data: bytes, *cuts: int) -> list[tuple[str, object]]:
    reader = Lines()
    found: list[tuple[str, object]] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found.extend(reader.feed(data[start:end]))
    found.extend(reader.flush())
    return found


@given(bytes_from_hell)
def test_no_line_ever_holds_a_character_that_acts_on_a_terminal(data: bytes) -> None:
    for text, _ in lines_of(data):
        assert is_safe(text)
        assert "\n" not in text
        assert "\t" not in text
        assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)


@given(bytes_from_hell, st.lists(st.integers(min_value=0), max_size=8))
def test_chunks_do_not_change_what_is_read(data: bytes, cuts: list[int]) -> None:
    assert lines_of(data, *cuts) == lines_of(data)


def test_every_single_cut_of_every_sequence_gives_the_same_lines() -> None:
    data = b"a" + b"b".join(NASTY[:-1])
    whole = lines_of(data)
    for cut in range(len(data) + 1):
        assert lines_of(data, cut) == whole


@given(st.text(max_size=60))
def test_safe_text_stays_as_it_is(text: str) -> None:
    once = safe_line(text)
    assert safe_line(once) == once
    assert is_safe(safe(text))
    assert styled(once) == (once, ())


@given(bytes_from_hell)
@settings(max_examples=50)
def test_runs_lie_inside_their_line_and_in_order(data: bytes) -> None:
    for text, runs in Lines().feed(data + b"\n"):
        end = 0
        for start, stop, code in runs:
            assert end <= start < stop <= len(text)
            assert code
            end = stop


def test_colours_become_runs_and_leave_the_text() -> None:
    text, runs = styled("\x1b[1;31merror\x1b[0m in \x1b[38;5;208mcart\x1b[m")
    assert text == "error in cart"
    assert runs == ((0, 5, "1;31"), (9, 13, "38;5;208"))


@pytest.mark.parametrize("hiding", ["\x1b[8m", "\x1b[30;40m", "\x1b[38;5;1;48;5;1m"])
def test_styles_that_would_hide_text_are_not_taken(hiding: str) -> None:
    assert styled(f"{hiding}rm -rf\x1b[0m") == ("rm -rf", ())


def test_a_clipboard_write_is_shown_not_done() -> None:
    assert styled("\x1b]52;c;aGk=\x07")[0] == "␛]52;c;aGk=␇"


def test_a_progress_bar_shows_its_carriage_returns_and_crlf_is_a_line_end() -> None:
    assert Lines().feed(b"10%\r20%\r30%\r\nnext\r\n") == [("10%␍20%␍30%", ()), ("next", ())]


def test_a_line_without_end_is_cut_and_never_held_whole() -> None:
    reader = Lines()
    found = []
    for _ in range(100):
        found.extend(reader.feed(b"x" * 10_000))
        assert reader.pending <= CAP
    found.extend(reader.flush())
    assert found[0][0] == "x" * CAP
    assert all(text.startswith(MORE) for text, _ in found[1:])
    assert sum(text.count("x") for text, _ in found) == 1_000_000


def test_a_cut_does_not_break_a_character() -> None:
    assert "\\x" not in "".join(text for text, _ in lines_of("漢".encode() * 20_000))


def test_tabs_are_expanded_to_their_stops() -> None:
    assert styled("a\tbc\td")[0] == "a       bc      d"


@pytest.mark.parametrize("between", ["", "\x1b[1m"])
def test_floods_of_combining_characters_are_thinned(between: str) -> None:
    text, _ = styled("e" + ("\u0301" * 6 + between) * 200 + "x")
    assert text == "e" + "\u0301" * COMBINING + "x"


def test_bytes_that_are_not_utf8_are_shown_as_escapes() -> None:
    assert decode(b"ok\xff\xfebad") == "ok\\xff\\xfebad"
    assert Lines().feed(b"ok\xff\n") == [("ok\\xff", ())]
