"""What keys do when the view has no meaning of its own for them: going, looking, copying, leaving."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ondeck.job.spec import OperationSpec, TargetKind
from tui.app import bindings, clipboard, commands, phrases
from tui.app.applying import hosts_of
from tui.app.operating import Operating
from tui.app.rows import fit
from tui.app.views import OF_PLACES, Kind, Selected

if TYPE_CHECKING:
    import asyncio

    from tui.app.frame import DeckScreen

    Answer = asyncio.Future[str | None]

NO_SHELL = "   no shell: ; | && are words; sh -c '...' for one   esc"
"""What is typed for `x` goes to the hosts as words."""


class Deeds:
    """Actions of the frame by id."""

    def __init__(self, screen: DeckScreen) -> None:
        self.screen = screen
        self.desk = screen.desk
        self.session = screen.desk.session
        self.operating = Operating(screen)
        self._deeds: dict[str, Callable[[], None]] = {
            "go.open": self.open_selected,
            "go.back": self.back,
            "go.leave": lambda: self.back(leaves=True),
            "go.last": lambda: self._return(self.screen.trail.last()),
            "go.older": lambda: self._return(self.screen.trail.step(-1)),
            "go.newer": lambda: self._return(self.screen.trail.step(1)),
            "go.command": self.type_command,
            "go.palette": self.palette,
            "go.help": self.help,
            "go.record": lambda: screen.open("record"),
            "list.filter": self.filter,
            "do.deploy": lambda: self.verb("deploy", *self.chosen()),
            "do.rollback": lambda: self.verb("rollback", *self.chosen()),
            "do.actions": self.actions,
            "do.run": self.run_command,
            "do.shell": self.shell,
            "see.describe": lambda: self._look("describe"),
            "see.logs": lambda: self._look("logs"),
            "see.metrics": lambda: self._look("metrics"),
            "see.time": self.time_cursor,
            "copy.name": self.copy_name,
            "copy.command": self.copy_command,
        }

    def do(self, name: str) -> None:
        """Do it, or say why nothing happens."""
        from tui.app.bindings import BY_ID

        group, _, what = name.partition(".")
        deed = self._deeds.get(name)
        if deed is not None:
            deed()
        elif group == "pane" and what in commands.PLACES:
            self.screen.open(self._about(what))
        elif group == "pane":
            self.desk.say(BY_ID[name].help, "warn")
        else:
            self.desk.say(f"{BY_ID[name].shown}: nothing to do here", "dim")

    def _about(self, pane: str) -> str:
        """Logs and metrics open on what is selected."""
        chosen = self.screen.view.about()
        if pane not in ("logs", "metrics") or chosen.kind not in (Kind.HOST, Kind.SERVICE):
            return pane
        return f"{pane} {self._service_of(chosen) if pane == 'logs' else chosen.name}"

    def _service_of(self, chosen: Selected) -> str:
        """`4` on a host keeps to the service seen last on it; one host alone is what `l` is for."""
        services = self.session.services_on(chosen.name) if chosen.kind is Kind.HOST else ()
        seen = (address.rpartition(" ")[2] for address in self.screen.trail.recent())
        return next((name for name in (*seen, *services) if name in services), chosen.name)

    # -- going --------------------------------------------------------------------------------------

    def _return(self, address: str) -> None:
        if not address:
            self.desk.say("no further view", "dim")
            return
        from tui.app import atlas

        trail = self.screen.trail
        if atlas.is_root(address):
            trail.stack = [address]
        elif address in trail.stack:
            del trail.stack[trail.stack.index(address) + 1 :]
        else:
            trail.stack.append(address)
        self.screen.reveal()

    def open_selected(self) -> None:
        """Enter on a row."""
        chosen = self.screen.view.selected()
        if chosen.kind in (Kind.HOST, Kind.SERVICE, Kind.JOB) and chosen.name:
            self.screen.open(chosen.name)
        elif chosen.kind is Kind.THING:
            self.screen.open(f"thing {chosen.listed} {chosen.section} {chosen.name}")
        elif chosen.kind is Kind.LINE:
            self.screen.spawn(self.perform(commands.parse(chosen.name, self.session)))
        elif chosen.kind is Kind.PLACE and chosen.section in OF_PLACES:
            self.screen.open(f"{OF_PLACES[chosen.section]} {chosen.name}")
        else:
            self.desk.say("nothing to open here", "dim")

    def back(self, *, leaves: bool = False) -> None:
        """Down the stack; below its last screen only a key that `leaves` goes on."""
        if self.screen.trail.back():
            self.screen.reveal()
        elif leaves:
            self.leave()
        else:
            self.desk.say("this is the last screen: q leaves, jobs go on", "dim")

    def leave(self) -> None:
        """End the app; jobs go on."""
        from tui.app.frame import OndeckApp

        app = self.screen.app
        if isinstance(app, OndeckApp):
            app.leave()

    def type_command(self) -> None:
        """The `:` line."""
        self.screen.prompt.completions = lambda text: commands.candidates(text, self.session)
        self.screen.spawn(self._typed_command(self.screen.open_prompt(":")))

    async def _typed_command(self, answer: Answer) -> None:
        text = await self.screen.answered(answer)
        if text is not None and text.strip():
            marked = self.hosts() if self.screen.view.marked() else ()
            await self.perform(commands.parse(text, self.session, marked))

    async def perform(self, typed: commands.Typed) -> None:
        """What a `:` line or a palette entry means."""
        match typed:
            case commands.Go(address):
                self.screen.open(address)
            case commands.Do(spec, wish, lacking):
                await self.operating.wish(spec, wish, lacking)
            case commands.Turn("tz", value):
                self._set_zone(value)
            case commands.Turn("theme", value):
                self._theme(value)
            case commands.Turn(_, value):
                self._set_time(value)
            case commands.Leave():
                self.leave()
            case commands.Trouble(message):
                self.desk.say(message, "warn")

    def _set_zone(self, value: str) -> None:
        self.desk.zone = phrases.zone(value or "UTC")
        self.desk.say(f"times are in {phrases.zone_word(self.session.now(), self.desk.zone)}", "")
        self.screen.refresh_all()

    def _theme(self, value: str) -> None:
        names = sorted(self.screen.app.available_themes)
        if value in names:
            self.screen.app.theme = value
        else:
            self.desk.say(f"themes: {', '.join(names)}", "warn")

    def palette(self) -> None:
        """Find anything by a few letters."""
        from tui.app.palette import Palette

        self.screen.app.push_screen(Palette(self.desk), self._found)

    def _found(self, chosen: str | None) -> None:
        if chosen is None:
            return
        if chosen.startswith("act "):
            self.screen.action_act(chosen.removeprefix("act "))
        elif chosen.startswith("operation "):
            self._operation(chosen.removeprefix("operation "))
        else:
            self.screen.spawn(self.perform(commands.parse(chosen, self.session)))

    def _operation(self, name: str | None) -> None:
        spec = next((s for s in self.session.specs() if s.name == name), None)
        if spec is not None:
            itself = self.screen.view.about()
            mine = spec.target is TargetKind.SERVICE and itself.kind is Kind.SERVICE
            self.operating.begin(spec, (itself,) if mine else self.chosen())

    def help(self) -> None:
        """Keys as they are now."""
        from tui.app.dialogs.help import Help

        self.screen.app.push_screen(Help(self.desk, self.screen.view))

    def filter(self) -> None:
        """`/`: rows that contain a text; enter keeps the filter, esc takes it away."""
        words = self.screen.view.find_words
        self.screen.spawn(self._filtered(self.screen.open_prompt("/", words=words)))

    async def _filtered(self, answer: Answer) -> None:
        view = self.screen.view
        text = await self.screen.answered(answer)
        if text is None:
            view.find("")
        else:
            view.found(text)
        self.screen.refresh_all()

    # -- looking ------------------------------------------------------------------------------------

    def chosen(self) -> tuple[Selected, ...]:
        """Marked rows, else the one under the cursor; a line for the colon stands for what its view is about."""
        view = self.screen.view
        one = view.selected()
        return view.marked() or (view.meant("do.actions") if one.kind is Kind.LINE else one,)

    def _look(self, place: str) -> None:
        chosen = self.screen.view.selected()
        marked = [one.name for one in self.screen.view.marked() if one.kind is Kind.HOST]
        if place == "metrics" and len(marked) > 1:
            self.screen.open(f"metrics {','.join(marked)}")
        elif chosen.kind in (Kind.HOST, Kind.SERVICE):
            self.screen.open(f"{place} {chosen.name}")
        elif chosen.kind is Kind.JOB and place == "logs":
            job = self.session.job(chosen.name)
            self.screen.open(f"logs {job.subject}" if job else "logs")
        else:
            self.desk.say(f"select a host or a service for {place}", "warn")

    def time_cursor(self) -> None:
        """`t`: the moment that logs, metrics and changes show."""
        words = "time cursor: 03:04, 10m (ago), or empty for now   esc leaves"
        self.screen.spawn(self._timed(self.screen.open_prompt("time", words=words)))

    async def _timed(self, answer: Answer) -> None:
        text = await self.screen.answered(answer)
        if text is not None:
            self._set_time(text)

    def _set_time(self, text: str) -> None:
        self.desk.at = phrases.moment(text, self.session.now(), self.desk.zone) if text.strip() else 0
        self.desk.say(
            f"time cursor at {self.desk.stamp(self.desk.at)}" if self.desk.at else "time cursor: now", ""
        )
        self.screen.refresh_all()

    # -- copying --------------------------------------------------------------------------------------

    def copy_name(self) -> None:
        """`y`: names of what is marked or under the cursor."""
        self._copy(" ".join(c.name for c in self.chosen() if c.name))

    def copy_command(self) -> None:
        """`Y`: the command line that shows the same."""
        self._copy(self.screen.view.command())

    def _copy(self, text: str) -> None:
        if text:
            self.desk.say(clipboard.copy(self.screen.app, text), "")
        else:
            self.desk.say("nothing to copy here", "dim")

    # -- operating --------------------------------------------------------------------------------------

    def verb(self, verb: str, *chosen: Selected) -> None:
        """Plan the operation of services with this verb; of a place the one that has its key."""
        if meant := self._of_place(verb):
            self.operating.begin(*meant)
            return
        spec = next(
            (s for s in self.session.specs() if s.verb == verb and s.target is TargetKind.SERVICE), None
        )
        if spec is None:
            self.desk.say(f"no provider here can {verb}", "warn")
        else:
            self.operating.begin(spec, chosen)

    def _of_place(self, verb: str) -> tuple[OperationSpec, tuple[Selected, ...]] | None:
        """The operation that shares the key of a verb of services, where a place is meant: `D` applies a stack."""
        one = self.screen.view.meant(f"do.{verb}")
        key = bindings.BY_ID[f"do.{verb}"].keys
        if one.kind is not Kind.PLACE:
            return None
        specs = (s for s in self.session.specs() if s.key == key and commands.fits(s, one, self.session))
        spec = next(specs, None)
        return (spec, (one,)) if spec is not None else None

    def actions(self) -> None:
        """`a`: every operation for what is selected."""
        from tui.app.dialogs.menu import Choice, Menu

        chosen = self.chosen()
        itself = self.screen.view.about()
        if itself.kind is Kind.SERVICE and chosen[0].kind is Kind.HOST and not self.screen.view.marked():
            meant: tuple[Selected, ...] = (itself, chosen[0])
        else:
            meant = (chosen[0],)
        specs = [s for one in meant for s in self.session.specs() if commands.fits(s, one, self.session)]
        if not specs:
            self.desk.say("no operation for what is selected", "warn")
            return
        title = chosen[0].name if len(chosen) == 1 else phrases.count_of(len(chosen), str(chosen[0].kind))
        if len({s.target for s in specs}) > 1:
            title = f"{itself.name}, then {chosen[0].name}"
        choices = [Choice(s.name, s.title, s.key or "", str(s.risk)) for s in specs]
        self.screen.app.push_screen(Menu(self.desk, f"actions for {title}", choices), self._operation)

    def run_command(self) -> None:
        """`x`: a command on the marked hosts; the road decides whether it is a read."""
        hosts = self.hosts("do.run")
        if not hosts:
            self.desk.say("mark hosts first, or stand on one", "warn")
            return
        where = hosts[0] if len(hosts) == 1 else phrases.count_of(len(hosts), "host")
        room = max(20, self.screen.size.width - len(NO_SHELL) - 2)
        words = fit(f"run on {where}: {' '.join(hosts)}", room).rstrip() + NO_SHELL
        self.screen.spawn(self._run(self.screen.open_prompt("run", words=words), hosts))

    async def _run(self, answer: Answer, hosts: tuple[str, ...]) -> None:
        text = await self.screen.answered(answer)
        if text and text.strip():
            await self.operating.run(text, hosts)

    def hosts(self, name: str = "") -> tuple[str, ...]:
        """Hosts of what is marked, else of what an action means, each once, in order."""
        found: dict[str, None] = {}
        for chosen in self.screen.view.marked() or (self.screen.view.meant(name),):
            for name in hosts_of(chosen):
                found[name] = None
        return tuple(found)

    def shell(self) -> None:
        """`s`: a shell on the selected host, on this terminal or in a new tmux window."""
        hosts = hosts_of(self.screen.view.meant("do.shell"))
        shells = (s for s in self.session.specs() if s.interactive and s.target is TargetKind.HOSTS)
        spec = next(shells, None)
        if len(hosts) != 1 or spec is None:
            self.desk.say("a shell needs one host under the cursor", "warn")
            return
        from tui.app.session import Wish

        wish = Wish(operation=spec.name, subject=commands.selector_of(hosts), hosts=hosts)
        self.screen.spawn(self.operating.plan(spec, wish))
