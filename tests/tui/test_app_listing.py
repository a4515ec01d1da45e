"""Lists of live things on the screen: age, trouble, things to open and to operate on."""

from __future__ import annotations

from ondeck.job.spec import OperationSpec
from ondeck.observe.asking import Question
from ondeck.observe.resources import Listing, Resource
from tests.tui.listed import boxes
from tests.tui.payloads import PAYLOADS
from tests.tui.playing import Play, playing
from tests.tui.stage import NOW, FakeSession
from tests.unit.test_places import STOP
from tui.app.views import Known


class WithBoxes(FakeSession):
    """With engines and what can be done to their boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory, self.list_specs, self.known_answers = boxes(self.inventory)

    def specs(self) -> tuple[OperationSpec, ...]:
        return (*super().specs(), STOP)


async def typed(play: Play, words: str) -> None:
    await play.press(":")
    await play.type(words)
    await play.press("enter")


async def test_every_place_stands_with_its_age_and_what_could_not_be_asked() -> None:
    async with playing(WithBoxes()) as play:
        await typed(play, "boxes")
        await play.until("BOXES of eng-1  2")
        assert "data 5s" in play.text
        assert "could not ask: connection refused" in play.text
        await typed(play, "boxes eng-1")
        await play.until("exited 1")
        assert "eng-2" not in play.text


async def test_a_place_that_never_answered_is_asking_and_never_empty() -> None:
    session = WithBoxes()
    session.known_answers.clear()
    async with playing(session) as play:
        await typed(play, "boxes eng-1")
        await play.until("asking")
        assert "no boxes" not in play.text


async def test_marked_things_of_one_place_are_one_wish_and_of_two_places_none() -> None:
    session = WithBoxes()
    async with playing(session) as play:
        await typed(play, "boxes eng-1")
        await play.until("exited 1")
        await play.press("asterisk", "a")
        await play.until("Stop a box")
        await play.press("enter")
        await play.until("PRE-FLIGHT")
        assert [wish.subject for wish in session.planned] == ["eng-1/mail,shop"]
        await play.press("escape")
        await typed(play, "boxes")
        await play.until("BOXES of eng-2")
        await play.press("asterisk", "a", "enter")
        await play.until("one plan is about one place")


async def test_enter_on_a_thing_shows_all_of_it() -> None:
    session = WithBoxes()
    async with playing(session) as play:
        await typed(play, "boxes eng-1")
        await play.until("exited 1")
        await play.press("enter")
        await play.until("image")
        assert "80 443" in play.text


async def test_hostile_cells_stay_in_their_row() -> None:
    session = WithBoxes()
    rows = tuple(Resource(name=f"n{at}", cells=(text, "up")) for at, text in enumerate(PAYLOADS))
    question = Question("resources", "clusters", "eng-1", "boxes")
    session.known_answers[question] = Known(
        answer=Listing(kind="boxes", place="eng-1", rows=rows, asked=NOW), asked=NOW
    )
    async with playing(session) as play:
        await typed(play, "boxes eng-1")
        await play.until("BOXES of eng-1")
