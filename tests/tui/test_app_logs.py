from __future__ import annotations

import msgspec

from ondeck.observe.logstore import LogStore
from ondeck.observe.records import Health, HistoryCut, Level, LogLine, SourceState
from tests.tui.playing import Play, playing
from tests.tui.stage import NOW, FakeFeed, FakeSession, S
from tui.app.dialogs.logline import fields_of


def signed(play: Play) -> list[str]:
    """Lines of the log that are marked as the current one."""
    return [line for line in play.text.splitlines()[6:22] if line.startswith(">")]


async def search(play: Play, text: str, key: str = "/") -> None:
    await play.press(key)
    await play.type(text)
    await play.press("enter")


async def test_search_jumps_to_the_nearest_match_and_steps_from_hit_to_hit() -> None:
    async with playing() as play:
        await play.press("4")
        await search(play, "circuit")
        await play.until("match 24 of 24")
        assert "03:13:00.000 ERROR web-3/app circuit" in signed(play)[0]
        await play.press("N")
        await play.until("match 23 of 24")
        assert "03:12:35.000 ERROR web-1/app circuit" in signed(play)[0]
        await play.press("n", "n")
        await play.until("at the last match, N goes up")


async def test_the_level_word_and_the_source_are_found() -> None:
    async with playing() as play:
        await play.press("4")
        await search(play, "error")
        await play.until("match 48 of 48")
        await search(play, "ERROR web-1")
        await play.until("match 16 of 16")
        await search(play, "Error")
        await play.until("no match in 120 lines")


async def test_a_search_from_a_paused_line_goes_on_below_it_first() -> None:
    async with playing() as play:
        await play.press("4", "g")
        await search(play, "circuit")
        await play.until("match 1 of 24")
        await play.press("N")
        await play.until("at the first match, n goes down")


async def test_errors_are_stepped_through_and_their_end_is_said() -> None:
    async with playing() as play:
        await play.press("4", "e")
        await play.until("paused")
        assert "03:13:00.000 ERROR" in signed(play)[0]
        await play.press("e")
        await play.until("at the last error, E goes up")
        await play.press("E")
        assert "at the last error" not in play.text
        assert "03:12:50.000 ERROR" in signed(play)[0]


async def test_filters_take_words_and_the_last_level_counts() -> None:
    async with playing() as play:
        await play.press("4")
        await search(play, "level>=warn", "&")
        await play.until("&level>=warn  72 of 120")
        await search(play, "level=error", "&")
        await play.until("&level=error  48 of 120")
        await search(play, "source=web-2", "&")
        await play.until("&source=web-2  16 of 120")
        await search(play, "!circuit", "&")
        await play.until("&!circuit  8 of 120")
        await search(play, "", "&")
        await play.until("all 120 lines")


async def test_esc_takes_the_search_then_the_filter_then_leaves() -> None:
    async with playing() as play:
        await play.press("enter")
        await play.until("HOSTS, worst first")
        await play.press("l")
        await play.until("120 lines")
        await search(play, "web-1", "&")
        await search(play, "circuit")
        await play.until("&web-1  40 of 120")
        await play.press("escape")
        assert "/circuit" not in play.text
        assert "&web-1  40 of 120" in play.text
        await play.press("escape")
        await play.until("all 120 lines")
        await play.press("escape")
        await play.until("HOSTS, worst first")


async def test_the_prompt_says_that_it_searches_and_how_capitals_count() -> None:
    async with playing() as play:
        await play.press("4", "/")
        shown = await play.until("search level, source, text")
        assert "a capital makes it exact" in shown
        assert "filter" not in shown


async def test_a_paused_pane_keeps_its_keys_and_says_it_once() -> None:
    async with playing() as play:
        await play.press("4")
        words = "/ search  & keep  &! drop  space pause"
        assert words in play.text
        await play.press("space")
        play.session.feed.waiting = [
            LogLine(NOW + n * S, "web-1/app", Level.INFO, "more") for n in range(184)
        ]
        play.session.dirty = True
        shown = await play.until("paused, +184 below")
        assert words in shown
        assert shown.count("below") == 1
        assert len(signed(play)) == 1


async def test_four_keeps_to_the_service_and_l_narrows_to_a_host() -> None:
    async with playing() as play:
        await play.press("5")
        await play.until("web-1")
        await play.press("4")
        await play.until("checkout@prod  4 hosts, 4 sources")
        await play.press("5", "l")
        await play.until("web-1  one host")
        await play.press("4")
        await play.until("checkout@prod  4 hosts, 4 sources")


async def test_enter_opens_a_line_whole_with_its_fields_and_esc_leads_back() -> None:
    session = FakeSession()
    tail = "x" * 150
    long = LogLine(NOW, "web-2/app", Level.ERROR, f'timeout took_ms=5000 who="anna b" {tail}END', late=3 * S)
    session.feed.waiting.append(long)
    async with playing(session) as play:
        await play.press("4")
        await play.until('who="anna b"')
        await play.press("enter")
        shown = await play.until("LOG LINE")
        assert tail + "END" in shown.replace("\n ", "")
        for words in ("2025-11-24 03:13:05.000 UTC", "ERROR", "web-2", "came 3.0 s after", "took_ms", "5000"):
            assert words in shown
        await play.press("escape")
        shown = await play.until("paused")
        assert signed(play)
        await play.press("w")
        await play.until("END")
        await play.press("w", *["right"] * 10)
        await play.until("END")


async def test_what_was_said_goes_with_the_next_key() -> None:
    async with playing() as play:
        await play.press("4", "n")
        await play.until("nothing is searched for")
        await play.press("j")
        assert "nothing is searched for" not in play.text
        assert play.text.splitlines()[-1] == ":"


async def test_what_was_said_goes_after_a_while() -> None:
    async with playing() as play:
        await play.press("4", "n")
        await play.until("nothing is searched for")
        play.session.time += 7 * S
        while "nothing is searched for" in play.text:
            await play.pilot.pause(0.01)


async def test_the_copied_command_shows_the_same_lines() -> None:
    async with playing() as play:
        await play.press("4")
        await search(play, "level>=warn", "&")
        await search(play, "circuit open")
        await play.press("Y")
        await play.until("ondeck logs checkout@prod -f --level warn --grep 'circuit open'")


def test_fields_are_read_from_words_and_from_json() -> None:
    assert fields_of('GET /?basket=7 took=5ms user="anna b"') == [("took", "5ms"), ("user", '"anna b"')]
    assert fields_of('slow {"took": 5, "who": "anna\\u001b[2J"}')[0] == ("took", "5")
    assert "\x1b" not in str(fields_of(msgspec.json.encode({"who": "\x1b[2J"}).decode()))
    assert fields_of("nothing here {") == []


async def test_a_history_that_was_cut_is_marked_where_it_begins() -> None:
    session = FakeSession()
    first = session.feed.waiting[0].time
    states = dict(session.feed.states())
    for name, time in (("web-1/app", first - S), ("web-2/app", first + 60 * S)):
        cut = HistoryCut(time, f"{name}.log has nothing older")
        states[name] = msgspec.structs.replace(states[name], cut=cut)
    session.feed = FakeFeed(session.feed.waiting, states)
    async with playing(session) as play:
        await play.press("4", "g")
        shown = (await play.until("HISTORY BEGINS")).splitlines()
        at = next(n for n, line in enumerate(shown) if "web-1/app HISTORY BEGINS: web-1/app.log" in line)
        assert "GET /cart" in shown[at + 1]
        at = next(n for n, line in enumerate(shown) if "web-2/app HISTORY BEGINS: web-2/app.log" in line)
        assert at > 12


async def test_lines_that_made_room_are_said_at_their_place() -> None:
    session = FakeSession()
    session.feed.store = LogStore(capacity_lines=100)
    async with playing(session) as play:
        await play.press("4", "g")
        await play.until("OLDER LINES had to make room here")


async def test_no_lines_of_an_empty_history_is_never_calm() -> None:
    session = FakeSession()
    state = SourceState("web-1/app", Health.OK, NOW, cut=HistoryCut(0, "/var/log/app.log is empty"))
    session.feed = FakeFeed([], {"web-1/app": state})
    async with playing(session) as play:
        await play.press("4")
        await play.until("== web-1/app HAS NO HISTORY: /var/log/app.log is empty")


async def test_what_repeats_is_counted_and_enter_goes_to_its_first_line() -> None:
    async with playing(size=(120, 30)) as play:
        await play.press("4")
        await play.until("120 lines")
        await play.press("f")
        shown = await play.until("what repeats")
        assert '~ 24 like "timeout <n>ms calling orders-db attempt=<n>/<n>" from 3 sources' in shown
        line = next(at for at, text in enumerate(shown.splitlines()) if 'like "timeout' in text)
        first = next(at for at, text in enumerate(shown.splitlines()) if ' like "' in text)
        await play.press(*("j" * (line - first)), "enter")
        await play.until("120 lines")
        assert "timeout 5000ms" in signed(play)[0]


async def test_matches_by_source_choose_the_source() -> None:
    async with playing() as play:
        await play.press("4")
        await search(play, "circuit")
        await play.until("match 24 of 24")
        await play.press("T")
        shown = await play.until("matches by source")
        assert "web-1/app" in shown
        await play.press("enter")
        await play.until("&source=web-")
        await play.until("match 8 of 8")
