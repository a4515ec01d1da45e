from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.observe.parse import MISSES, SECOND, Parser
from ondeck.observe.records import Level, LogLine
from ondeck.text import is_safe, styled


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000) * 1_000_000


NOW = ns("2026-11-24T03:14:20")


def one(text: str, form: str = "auto") -> LogLine:
    return Parser("web-1/app", form).parse([styled(text)], NOW, backlog=True)[0]


@pytest.mark.parametrize(
    ("text", "form", "time", "level", "message"),
    [
        (
            '{"ts":"2026-11-24T03:04:31.220Z","level":"error","msg":"timeout","attempt":2}',
            "json",
            "2026-11-24T03:04:31.220",
            Level.ERROR,
            "timeout attempt=2",
        ),
        ('{"time":1795489471220,"level":30,"msg":"ok"}', "json", "2026-11-24T03:04:31.220", Level.INFO, "ok"),
        (
            'time="2026-11-24T04:04:31+01:00" level=warning msg="pool \\"a\\" full" size=40',
            "logfmt",
            "2026-11-24T03:04:31",
            Level.WARN,
            'pool "a" full size=40',
        ),
        (
            '10.0.0.1 - - [24/Nov/2026:03:04:31 +0000] "POST /checkout HTTP/1.1" 504 12 "-" "curl"',
            "nginx",
            "2026-11-24T03:04:31",
            Level.ERROR,
            '10.0.0.1 "POST /checkout HTTP/1.1" 504 12 "-" "curl"',
        ),
        (
            "Nov 24 03:04:31 web-1 checkout[2211]: ERROR pool full",
            "syslog",
            "2026-11-24T03:04:31",
            Level.ERROR,
            "checkout[2211]: ERROR pool full",
        ),
        ("Dec 31 23:59:59 web-1 cron: x", "syslog", "2025-12-31T23:59:59", Level.NONE, "cron: x"),
        (
            "2026-11-24T03:04:31.000220+00:00 web-1 sshd[1]: Failed password",
            "syslog",
            "2026-11-24T03:04:31",
            Level.ERROR,
            "sshd[1]: Failed password",
        ),
        (
            "2026-11-24 03:04:31,220 WARN  pool 40/40",
            "plain",
            "2026-11-24T03:04:31.220",
            Level.WARN,
            "pool 40/40",
        ),
        (
            "[2026-11-24T03:04:31Z] [error] 12#0: upstream timed out",
            "plain",
            "2026-11-24T03:04:31",
            Level.ERROR,
            "12#0: upstream timed out",
        ),
        ("2026/11/24 03:04:31 Starting up", "plain", "2026-11-24T03:04:31", Level.NONE, "Starting up"),
        ("2026-11-24T03:04:31Z HTTP server up", "plain", "2026-11-24T03:04:31", Level.NONE, "HTTP server up"),
    ],
)
def test_the_usual_formats_are_found_and_taken_apart(
    text: str, form: str, time: str, level: Level, message: str
) -> None:
    parser = Parser("web-1/app")
    line = parser.parse([styled(text)], NOW, backlog=True)[0]
    assert parser.form == form
    assert abs(line.time - ns(time)) < 1_000_000
    assert (line.level, line.message) == (level, message)


def test_a_stack_trace_keeps_the_time_and_level_of_its_line() -> None:
    lines = Parser("web-1/app").parse(
        [(t, ()) for t in ("2026-11-24 03:04:31 ERROR boom", "\tat Cart.java:88", "Caused by: X", "  at Y")],
        NOW,
    )
    assert {(line.time, line.level) for line in lines} == {(ns("2026-11-24T03:04:31"), Level.ERROR)}


def test_a_line_without_a_time_has_the_time_of_its_arrival() -> None:
    assert Parser("a/b").parse([("hello", ())], NOW)[0].time == NOW


def test_a_late_line_says_how_late() -> None:
    line = Parser("a/b").parse([("2026-11-24 03:14:08 INFO x", ())], NOW)[0]
    assert line.late == 12 * SECOND


def test_a_source_that_changes_its_format_is_looked_at_again() -> None:
    parser = Parser("a/b")
    parser.parse([('{"ts":"2026-11-24T03:04:31Z","msg":"x"}', ())], NOW)
    assert parser.form == "json"
    parser.parse([("2026-11-24 03:04:31 INFO x", ())] * MISSES, NOW)
    assert parser.form == "plain"


@pytest.mark.parametrize(
    "text",
    [
        '{"ts":"2026-11-24T03:04:31Z"',
        "[" * 100_000,
        '{"ts":' + '{"a":' * 5000,
        '{"ts":1e400,"msg":"x"}',
        '{"ts":"9999-99-99T99:99:99Z"}',
        "9999-12-31T23:59:59Z x",
        "0001-01-01T00:00:00Z x",
        "2026-02-30 10:00:00 x",
        "2026-06-30T23:59:60Z leap",
        "Feb 30 10:00:00 a b: x",
        "",
    ],
)
def test_broken_lines_are_lines_with_their_arrival_time_at_worst(text: str) -> None:
    line = Parser("a/b").parse([styled(text)], NOW)[0]
    assert 0 <= line.time < 1 << 63


def test_what_json_hides_in_escapes_is_made_safe_after_decoding() -> None:
    line = one('{"ts":"2026-11-24T03:04:31Z","msg":"\\u001b]52;c;aGk=\\u0007","k":"\\u202e"}')
    assert is_safe(line.message)
    assert "\x1b" not in line.message


@given(st.text(max_size=80), st.sampled_from(["auto", "json", "nginx", "syslog", "logfmt", "plain"]))
def test_any_text_gives_one_safe_line(text: str, form: str) -> None:
    line = Parser("a/b", form).parse([styled(text)], NOW)[0]
    assert is_safe(line.message)


def test_colours_move_with_the_message() -> None:
    line = one("2026-11-24 03:04:31 \x1b[31mERROR\x1b[0m the \x1b[1mpool\x1b[0m")
    assert line.message == "the pool"
    assert line.run == ((4, 8, "1"),)
