"""Every view and dialog of the app, drawn with hostile text: `python -m tests.tui.hostile_app FOLDER`.

It walks by itself through each view and each dialog, some rounds, a payload behind every text that comes from
outside (a host, a record, a person): the next payload behind each next text, others in each round. What it
drew is written to FOLDER/seen, class by class.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

from tui.app import terminal

terminal.set_environment(terminal.sniff())

import msgspec  # noqa: E402
from textual.screen import Screen  # noqa: E402

from ondeck.errors import Unreachable  # noqa: E402
from tests.tui.backed_up import ORDERS, WithBackups  # noqa: E402
from tests.tui.listed import boxes  # noqa: E402
from tests.tui.payloads import PAYLOADS  # noqa: E402
from tests.tui.stage import SPECS, FakeSession, card, running_job  # noqa: E402
from tui.app import atlas  # noqa: E402
from tui.app.dialogs.base import Dialog  # noqa: E402
from tui.app.dialogs.form import Form  # noqa: E402
from tui.app.dialogs.help import Help, KeysHelp  # noqa: E402
from tui.app.dialogs.logline import WholeLine  # noqa: E402
from tui.app.dialogs.menu import Choice, Menu  # noqa: E402
from tui.app.dialogs.plan import PlanDialog  # noqa: E402
from tui.app.dialogs.target import WholeTarget  # noqa: E402
from tui.app.frame import DeckScreen, OndeckApp  # noqa: E402
from tui.app.palette import Palette  # noqa: E402
from tui.app.session import Wish  # noqa: E402
from tui.app.terminal_run import run_guarded  # noqa: E402
from tui.app.views import OutputLook  # noqa: E402

_OURS = {
    "name", "host", "hosts", "env", "subject", "id", "key", "job", "operation", "kind", "outcome", "targets",
    "before_env", "provider",
}  # fmt: skip
"""Fields that cannot come from outside: the loader and the record allow only plain words in them."""


ROUNDS = 4


class Payloads:
    """The next one for each next text."""

    def __init__(self, start: int) -> None:
        self._all = cycle(PAYLOADS.values())
        for _ in range(start):
            next(self._all)

    def __str__(self) -> str:
        return next(self._all)


def poisoned(value: Any, payload: Payloads) -> Any:
    """The same with a payload behind every text, through structs, sequences and mappings."""
    match value:
        case str() if type(value) is str:
            return f"{value}{payload}"
        case tuple():
            return tuple(poisoned(item, payload) for item in value)
        case list():
            return [poisoned(item, payload) for item in value]
        case dict():
            return {name: poisoned(item, payload) for name, item in value.items()}
        case msgspec.Struct():
            changes = {
                name: poisoned(getattr(value, name), payload)
                for name in value.__struct_fields__
                if name not in _OURS or not isinstance(getattr(value, name), str | tuple)
            }
            if "state" in changes:
                changes["state"] = getattr(value, "state")  # noqa: B009 - a field of some structs only
            return msgspec.structs.replace(value, **changes)
    return value


class HostileSession(FakeSession):
    """The made-up fleet, every text of it with a payload behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.inventory, self.list_specs, self.known_answers = boxes(self.inventory)
        backups = WithBackups()
        self.inventory = msgspec.structs.replace(self.inventory, backups=backups.inventory.backups)
        self.known_answers |= backups.known_answers
        self.clean = {
            name: getattr(self, name)
            for name in ("hosts", "looks", "job_list", "lock_list", "answers", "known_answers")
        }
        self.lines = list(self.feed.waiting)[:18]
        self.payload = Payloads(0)

    def choose(self, payload: Payloads) -> None:
        """From now on everything carries one of these."""
        self.payload = payload
        for name, value in self.clean.items():
            setattr(self, name, poisoned(value, payload))
        self.feed.waiting = poisoned(self.lines, payload)
        self.feed._states = poisoned(self.feed._states, payload)
        self.dirty = True

    def credentials(self) -> str:
        return f"no agent{self.payload}"

    def output(self, job: str, target: str, *, whole: bool = False, everything: bool = False) -> OutputLook:
        look = super().output(job, target, whole=whole, everything=everything)
        found: OutputLook = poisoned(look, self.payload)
        return found

    def units(self, host: str) -> Any:
        found = super().units(host)
        named = tuple(
            msgspec.structs.replace(unit, name=f"{unit.name}{self.payload}") for unit in found.units
        )
        return msgspec.structs.replace(poisoned(found, self.payload), units=poisoned(named, self.payload))

    def record(self) -> Any:
        return poisoned(super().record(), self.payload)


def dialogs(screen: DeckScreen, session: HostileSession) -> Iterator[Dialog[Any]]:
    """One of every kind, with the payload in it."""
    desk, payload = screen.desk, session.payload
    spec = SPECS[1]
    found = card(
        spec, Wish(operation=spec.name, subject="checkout@prod"), session.rules, session.risk, session
    )
    draft = poisoned(found.plan.draft, payload)
    hostile = msgspec.structs.replace(
        found, rules=poisoned(found.rules, payload), command=f"{found.command}{payload}",
        plan=msgspec.structs.replace(found.plan, draft=draft),
    )  # fmt: skip
    plan = PlanDialog(desk, hostile, reason=str(payload))
    plan.everything = True
    yield plan
    yield Menu(desk, f"which{payload}", [Choice("a", f"a{payload}", "k", str(payload)), Choice("b", "b")])
    yield Form(
        desk,
        SPECS[4],
        Wish(operation="host.put", subject="web-1", params={"source": str(payload), "mode": str(payload)}),
    )
    yield Help(desk, screen.view)
    yield KeysHelp(desk, f"KEYS{payload}", [("k", f"does{payload}")])
    job = session.job_list[0]
    yield WholeTarget(desk, job.id, job.targets[0].name)
    yield WholeLine(desk, poisoned(session.lines[0], payload))
    yield Palette(desk)


class Walk(OndeckApp):
    """The app with its own hands on the keys."""

    def __init__(self, session: HostileSession, folder: Path) -> None:
        super().__init__(session, hertz=20.0)
        self.fleet = session
        self.folder = folder
        self.crash_folder = folder / "crashes"
        self.seen: set[str] = set()

    def on_mount(self) -> None:
        """As the app, then walk."""
        super().on_mount()
        self.run_worker(self.walk(), exit_on_error=True)

    async def walk(self) -> None:
        """Every view, every dialog, every line of chrome."""
        screen = self.deck_screen
        addresses = [*atlas.ROOTS, *atlas.PAGES, "units web-1", "describe checkout@prod", "checkout@prod", "web-1",
                     "boxes", "thing boxes clusters eng-1/shop",
                     "backup orders-db", f"snapshot orders-db {ORDERS[0].short} /",
                     "web-4", "j-1", "j-2", "j-3"]  # fmt: skip
        self.fleet.clean["job_list"] = [running_job(self._card()), *self.fleet.clean["job_list"]]
        for number in range(ROUNDS):
            payload = Payloads(number * 5)
            self.fleet.choose(payload)
            for address in addresses:
                screen.open(address)
                await self._drawn(screen.refresh_all)
                self.seen.add(type(screen.view).__name__)
            for dialog in dialogs(screen, self.fleet):
                self.push_screen(dialog)
                await self._drawn(dialog.refresh)
                self.seen.add(type(dialog).__name__)
                self.pop_screen()
            for _ in range(len(PAYLOADS) // ROUNDS + 1):
                await self._say(screen, payload)
        (self.folder / "seen").write_text("\n".join(sorted(self.seen)), encoding="utf-8")
        self.exit(3)

    def _card(self) -> Any:
        wish = Wish(operation="service.rollback", subject="checkout@prod")
        return card(SPECS[1], wish, self.fleet.rules, self.fleet.risk, self.fleet)

    async def _say(self, screen: Screen[None], payload: Payloads) -> None:
        deck = self.deck_screen
        deck.say(f"said {payload}", "bad")
        await self._drawn(screen.refresh)
        self.fleet.trouble = Unreachable(f"broke {payload}", hint=str(payload), where=str(payload))
        deck.deeds.verb("rollback", *deck.deeds.chosen())
        await self._drawn(screen.refresh)
        self.fleet.trouble = None
        while self.screen is not deck:
            self.pop_screen()
        deck.prompt.ask(":", f"typed {payload}")
        await self._drawn(screen.refresh)
        deck.prompt.close()

    async def _drawn(self, draw: Callable[[], object]) -> None:
        """Until the terminal got it: laid out, then drawn."""
        for _ in range(2):
            done = asyncio.Event()
            draw()
            self.call_after_refresh(done.set)
            await done.wait()
            await asyncio.sleep(0.01)


def main() -> int:
    """Walk once."""
    folder = Path(sys.argv[1])
    app = Walk(HostileSession(), folder)
    app.ascii_only = "ascii" in sys.argv[2:]
    return run_guarded(app, log=folder / "stderr.log", ascii_only=app.ascii_only)


if __name__ == "__main__":
    raise SystemExit(main())
