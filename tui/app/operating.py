"""From a wish to a job: fill in what lacks, plan, show, confirm, start, follow."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ondeck.job.spec import OperationSpec, Risk, TargetKind
from ondeck.operate.naming import thing_of
from tui.app import commands
from tui.app.applying import services_of
from tui.app.session import Assent, Card, Wish
from tui.app.views import Kind, Selected

if TYPE_CHECKING:
    from textual.worker import Worker

    from tui.app.dialogs.base import Dialog
    from tui.app.dialogs.looking import Looking
    from tui.app.frame import DeckScreen


Shown = TypeVar("Shown")


class Operating:
    """Flows of operations; each runs as a worker of the screen and may be left at every step."""

    def __init__(self, screen: DeckScreen) -> None:
        self.screen = screen
        self.desk = screen.desk
        self.session = screen.desk.session
        self._looking: Looking | None = None
        self._worker: Worker[None] | None = None

    def begin(self, spec: OperationSpec, chosen: tuple[Selected, ...]) -> None:
        """Start the flow of an operation; from this moment no key reaches the panes until it asks or ends."""
        self.hold(f"{spec.title}: looking first")
        self._worker = self.screen.spawn(self.on_selected(spec, chosen))

    def named(self, operation: str, subject: str, params: Mapping[str, Any]) -> None:
        """Start the flow of an operation on a thing that is named, with what is known already."""
        spec = next((s for s in self.session.specs() if s.name == operation), None)
        if spec is None:
            self.desk.say(f"no provider here has {operation}", "warn")
            return
        self.hold(f"{spec.title}: looking first")
        wish = Wish(operation=operation, subject=subject, params=dict(params))
        self._worker = self.screen.spawn(self.wish(spec, wish))

    def hold(self, words: str) -> None:
        """Cover the panes while something is asked for; esc gives up."""
        from tui.app.dialogs.looking import Looking

        if self._looking is None:
            self._looking = Looking(self.desk, words, self._give_up)
            self.screen.app.push_screen(self._looking)

    def release(self) -> None:
        """Uncover the panes."""
        looking, self._looking = self._looking, None
        if looking is not None and looking.is_current:
            looking.dismiss(None)

    def _give_up(self) -> None:
        self._looking = None
        if self._worker is not None:
            self._worker.cancel()
        self.desk.say("left, nothing ran", "")

    async def _show(self, dialog: Dialog[Shown]) -> Shown | None:
        self.release()
        return await self.screen.app.push_screen_wait(dialog)

    async def on_selected(self, spec: OperationSpec, chosen: tuple[Selected, ...]) -> None:
        """An operation on what is selected."""
        if spec.target is TargetKind.SERVICE:
            subject = await self._service(spec, chosen[0])
            if subject:
                await self.wish(spec, Wish(operation=spec.name, subject=subject))
            return
        if spec.target is not TargetKind.HOSTS:
            if subject := self._subject(spec, chosen):
                await self.wish(spec, Wish(operation=spec.name, subject=subject))
            return
        hosts = self.screen.deeds.hosts()
        if not hosts:
            self.desk.say(f"select a {spec.target} first", "warn")
            return
        await self.wish(spec, Wish(operation=spec.name, subject=commands.selector_of(hosts), hosts=hosts))

    def _subject(self, spec: OperationSpec, chosen: tuple[Selected, ...]) -> str:
        """`PLACE`, or `PLACE/THING,THING` of what is marked; empty, and said, when it fits no one plan."""
        fitting = [one for one in chosen if commands.fits(spec, one, self.session)]
        owners = {thing_of(one.name)[0] for one in fitting}
        if len(owners) != 1 or len(fitting) != len(chosen):
            many = len(owners) > 1
            said = (
                "one plan is about one place: mark rows of one" if many else f"select a {spec.target} first"
            )
            self.desk.say(said, "warn")
            return ""
        (place,) = owners
        return f"{place}/{','.join(thing_of(one.name)[1] for one in fitting)}" if spec.things else place

    async def _service(self, spec: OperationSpec, chosen: Selected) -> str:
        if chosen.kind is Kind.SERVICE:
            return chosen.name
        subjects = services_of(self.session, chosen)
        if len(subjects) == 1:
            return subjects[0]
        if not subjects:
            self.desk.say(f"select a service for {spec.verb}", "warn")
            return ""
        from tui.app.dialogs.menu import Choice, Menu

        choices = [Choice(name, name) for name in subjects]
        return await self._show(Menu(self.desk, f"{spec.title}: which service", choices)) or ""

    async def wish(self, spec: OperationSpec, wish: Wish, lacking: tuple[str, ...] = ()) -> None:
        """Ask for what lacks, then plan."""
        lacking = lacking or commands.lacking(spec, wish.params)
        if "version" in lacking and spec.target is TargetKind.SERVICE:
            version = await self._version(spec, wish.subject)
            if not version:
                return
            wish = _with(wish, "version", version)
            lacking = tuple(name for name in lacking if name != "version")
        if lacking:
            from tui.app.dialogs.form import Form

            params = await self._show(Form(self.desk, spec, wish))
            if params is None:
                return
            wish = Wish(
                operation=wish.operation,
                subject=wish.subject,
                hosts=wish.hosts,
                params=params,
                reason=wish.reason,
            )
        await self.plan(spec, wish)

    async def _version(self, spec: OperationSpec, subject: str) -> str:
        from tui.app.dialogs.menu import Choice, Menu

        self.hold(f"asking what {subject} can run")
        versions = await self.session.available(subject)
        look = self.session.service(subject)
        running = look.versions
        choices = []
        for version in versions:
            on = running.get(version, 0)
            note = f"on {on} of {len(look.hosts)}" if on else ""
            note = "  ".join(filter(None, (note, "last good" if version == look.last_good else "")))
            choices.append(Choice(version, version, "", note))
        if not choices:
            self.desk.say(f"no release of {subject} was found to deploy", "warn")
            return ""
        title = f"{spec.title}: {subject}"
        return await self._show(Menu(self.desk, title, choices)) or ""

    async def run(self, text: str, hosts: tuple[str, ...]) -> None:
        """A command on hosts: a read runs at once, anything else shows its plan."""
        spec = next((s for s in self.session.specs() if s.name == "host.exec"), None)
        if spec is None or spec.shortcut is None:
            self.desk.say("no provider here can run commands on hosts", "warn")
            return
        try:
            argv = tuple(shlex.split(text))
        except ValueError:
            self.desk.say("a quote is open", "warn")
            return
        params = {spec.shortcut.rest or "argv": argv}
        subject = commands.selector_of(hosts)
        await self.plan(spec, Wish(operation=spec.name, subject=subject, hosts=hosts, params=params))

    async def plan(self, spec: OperationSpec, wish: Wish) -> None:
        """Read, show, and start what was confirmed."""
        self.hold(f"{spec.title}: looking first")
        card = await self.session.plan(wish)
        assent = await self._assent(spec, card, wish)
        if assent is None:
            self.desk.say("left, nothing ran", "")
            return
        if spec.interactive:
            self.release()
            self._lend(card, assent)
            return
        self.hold("starting")
        job = await self.session.begin(card, assent)
        self.release()
        self.desk.say(f"job {job} started; esc leaves it running", "")
        self.screen.open(job)

    def _lend(self, card: Card, assent: Assent) -> None:
        """Give the terminal to what was confirmed, until it ends."""
        from tui.app import shelling

        with self.session.shell(card, assent) as opened:
            said, opened.status = shelling.open_shell(self.screen.app, card.plan.targets[0], opened.argv)
        self.desk.say(said, "")

    async def _assent(self, spec: OperationSpec, card: Card, wish: Wish) -> Assent | None:
        unasked = card.rules.level == "none" and not card.rules.refused
        if unasked and (card.plan.draft.risk is Risk.READ or spec.interactive):
            return Assent(reason=wish.reason)
        from tui.app.dialogs.plan import PlanDialog

        return await self._show(PlanDialog(self.desk, card, wish.reason))


def _with(wish: Wish, name: str, value: str) -> Wish:
    params = {**wish.params, name: value}
    return Wish(
        operation=wish.operation, subject=wish.subject, hosts=wish.hosts, params=params, reason=wish.reason
    )
