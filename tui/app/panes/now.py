"""Now: what fails, what waits for a person, what runs, what changed, and how the fleet is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from ondeck.observe import now
from ondeck.observe.fleet import Severity, Standing
from ondeck.observe.records import Health
from tui.app.board import Board
from tui.app.context import Desk
from tui.app.panes.base import BoardView
from tui.app.panes.pieces import (
    HOUR,
    change_rows,
    healthy_word,
    jobs_rows,
    known_changes,
    on_hosts,
    record_rows,
    sources,
    spoken,
    standing_of,
    versions_word,
)
from tui.app.panes.service_rows import service_rows
from tui.app.phrases import SECOND, count_of, span
from tui.app.rows import BLANK, Column, Line, Part, Row, fit, grid, heading, row
from tui.app.views import NOTHING, Answer, JobLook, Kind, Selected, ServiceLook

SMALL = 20
"""With no more hosts than this, all of them are looked at from the start."""
WIDE = 140
AGAIN = 120 * SECOND
"""Time after which a host is asked again what changed."""
TROUBLE = {Severity.WARN: ("WARN", "warn"), Severity.BAD: ("CRIT", "bad"), Severity.LOST: ("LOST", "lost")}
FLEET_ROLES = {"OK": "ok", "WARN": "warn", "BAD": "bad", "LOST": "lost", "?": ""}


if TYPE_CHECKING:
    from ondeck.observe.checks import CheckTrouble


_WAITS = {
    now.Wait.UNKNOWN: ("LOOK", "outcome unknown: reconcile or settle"),
    now.Wait.LOST: ("LOST", "its worker was lost half-way: continue"),
    now.Wait.PAUSED: ("HELD", ""),
    now.Wait.WAITING: ("ASK ", ""),
}
"""Word of a job that needs a person, and what to say where it says nothing itself."""


class NowPane(BoardView):
    """The first screen."""

    DEFAULT_CSS = """
    NowPane #side { width: 42%; display: none; border-left: solid $border; }
    NowPane.-wide #side { display: block; }
    NowPane Board { width: 1fr; }
    """
    pane = "now"
    hints: ClassVar[tuple[str, ...]] = (
        "go.open", "do.rollback", "do.deploy", "see.logs", "see.metrics", "do.run", "do.actions", "list.filter",
        "do.shell", "see.time", "copy.name", "go.record",
    )  # fmt: skip

    def __init__(self, desk: Desk, name_of: str) -> None:
        super().__init__(desk, name_of)
        self._asked: dict[str, int] = {}
        self.side = Board(desk.roles, id="side")
        self.side.can_focus = False

    def compose(self) -> ComposeResult:
        """The list, and on wide screens the page of what is selected in it."""
        with Horizontal():
            yield self.board
            yield self.side

    def show(self) -> None:
        """Both halves."""
        self.set_class(self.size.width >= WIDE, "-wide")
        super().show()
        if self.size.width >= WIDE and self.side.size.width <= 12:
            self.call_after_refresh(self.show)  # its half has just been opened and has no size yet
            return
        chosen = self.selected()
        if self.size.width >= WIDE and self.side.size.width > 12:
            subject = self._subject_of(chosen)
            width = self.side.size.width - 2
            rows = service_rows(self.desk, subject, width) if subject else [row(("nothing selected", "dim"))]
            self.side.show([Row(r.parts, r.right) for r in rows])

    @on(Board.Moved)
    def _moved(self) -> None:
        if self.size.width >= WIDE:
            self.show()

    def _subject_of(self, chosen: Selected) -> str:
        if chosen.kind is Kind.SERVICE:
            return chosen.name
        job = self.session.job(chosen.name) if chosen.kind is Kind.JOB else None
        if job is not None and job.subject in self.session.subjects():
            return job.subject
        subjects = self.session.services_on(chosen.name) if chosen.kind is Kind.HOST else ()
        if subjects:
            return subjects[0]
        return next(iter(self.session.subjects()), "")

    def looking_at(self) -> tuple[Sequence[str], Sequence[str]]:
        """A small fleet whole; of a large one what was deployed lately, runs or is selected."""
        subjects = self.session.subjects()
        self._ask_changes()
        if len(self.session.inventory.hosts) <= SMALL:
            return tuple(self.session.inventory.hosts), subjects
        near = self.session.now() - 24 * HOUR
        wanted = [job.subject for job in self.session.jobs() if job.running or job.started > near]
        chosen = self.selected()
        if chosen.kind is Kind.SERVICE:
            wanted.append(chosen.name)
        seen = [s for s in dict.fromkeys(wanted) if s in subjects][:8]
        return (), seen

    def _ask_changes(self) -> None:
        """What changed is asked of hosts that are connected already: no login for it alone."""
        now_at = self.session.now()
        ready = [
            name
            for name, look in self.session.known().items()
            if look.health in (Health.OK, Health.SLOW) and now_at - self._asked.get(name, 0) > AGAIN
        ]
        if ready:
            self._asked |= dict.fromkeys(ready, now_at)
            self.session.ask_changes(ready)

    # -- what is selected ---------------------------------------------------------------------------

    def of_key(self, key: str) -> Selected:
        """Rows carry `kind name`, perhaps with a number behind it."""
        kind, _, rest = key.partition(" ")
        name = rest.partition(" ")[0]
        if kind in ("check", "service"):
            return Selected(Kind.SERVICE, name, name.partition("@")[2], self.session.hosts_of(name))
        if kind == "job":
            job = self.session.job(name)
            return Selected(Kind.JOB, name, job.env if job else "")
        if kind == "host":
            host = self.session.inventory.hosts.get(name)
            return Selected(Kind.HOST, name, host.env if host else "", (name,))
        return self._of_change(name) if kind == "change" else NOTHING

    def _of_change(self, number: str) -> Selected:
        changes = known_changes(self.session.changes())
        if not number.isdigit() or int(number) >= len(changes):
            return NOTHING
        change = changes[int(number)]
        if change.job and self.session.job(change.job):
            return Selected(Kind.JOB, change.job, change.env)
        if change.subject in self.session.subjects():
            return Selected(Kind.SERVICE, change.subject, change.env, self.session.hosts_of(change.subject))
        if change.host in self.session.inventory.hosts:
            return Selected(Kind.HOST, change.host, change.env, (change.host,))
        return NOTHING

    # -- lines --------------------------------------------------------------------------------------

    def rows(self, width: int) -> list[Row]:
        """Top to bottom in the order of a bad night."""
        looks = [self.session.service(subject) for subject in self.session.subjects()]
        jobs = self.session.jobs()
        return [
            *record_rows(self.desk, width),
            *self._failing(looks, width),
            *self._waiting(jobs, width),
            *self._runs(jobs, width),
            *self._changed(width),
            *self._services(looks, width),
            *self._fleet(width),
        ]

    def _failing(self, looks: Sequence[ServiceLook], width: int) -> list[Row]:
        rows: list[Row] = []
        severities: list[Severity] = []
        count = 0
        for look in looks:
            if look.failing:
                count += 1
                rows += self._check(look, width)
        for standing in now.troubles(self._standings().values()):
            severities.append(standing.severity)
            rows.append(self._trouble(standing, width))
        for one in self._check_troubles():
            severities.append(one.severity)
            rows.append(self._check_trouble(one, width))
        asked = [look for look in looks if look.asked]
        right: list[Part] = []
        if asked:
            right.append((f"{sum(not x.unknown for x in asked)} of {len(looks)} services known  ", "dim"))
            if len(asked) < len(looks):
                right.append((f"{len(looks) - len(asked)} not asked  ", "warn"))
            right.append((f"{self.desk.age(min(x.asked for x in asked))} ago", "dim"))
        else:
            right.append(
                ("asking" if any(x.asking for x in looks) else "not asked yet", "warn" if looks else "dim")
            )
        head = heading(now.headline(severities, count), right=right)
        if rows:
            return [head, *rows]
        silent = sum(1 for look in asked if look.silent)
        word = "no failing check is known" + (f"; {silent} services not fully known" if silent else "")
        if not_asked := len(looks) - len(asked):
            word += f"; {not_asked} of {len(looks)} services not asked"
        return [head, row((word, "dim"))]

    def _check(self, look: ServiceLook, width: int) -> list[Row]:
        names = [facts.host for facts in look.failing]
        text = f"health fails on {' '.join(names[:4])}" + (f" +{len(names) - 4}" if len(names) > 4 else "")
        first = row(
            ("CRIT", "bad"), " ", (fit(look.env, 8), self.desk.env_role(look.env)), fit(look.name, 10), " ",
            fit(text, max(10, width - 42)).rstrip(),
            right=[(f"{len(names)} of {len(look.hosts)}", "bad")], key=f"check {look.subject}",
        )  # fmt: skip
        from ondeck.observe.firing import change_before  # not needed while all is well

        change = change_before(known_changes(self.session.changes()), look.subject)
        back = f"R = go back to {look.way_back}" if look.way_back else ""
        if change is not None:
            ago = span((self.session.now() - change.time) / SECOND)
            who = f" ({change.who})" if change.who else ""
            told = change.job or change.text.lower().startswith(change.kind)
            what = change.text if told else f"{change.kind} {change.text}"
            note = f"{ago} after {what}{who}"
        else:
            note = next((f.health_text for f in look.failing if f.health_text), "no change of it is known")
        lead = " " * 14
        return [first, row(lead, fit(note, max(10, width - len(back) - 17)).rstrip(), right=[(back, "key")])]

    def _standings(self) -> dict[str, Standing]:
        """Hosts that were asked; all others are unknown."""
        known = self.session.known()
        return {name: standing_of(self.desk, look) for name, look in known.items() if look.health is not None}

    def _trouble(self, standing: Standing, width: int) -> Row:
        name, look = standing.host, self.session.host(standing.host)
        word, role = TROUBLE[standing.severity]
        since = f"lost since {self.desk.clock(look.since)}  " if role == "lost" else ""
        return row(
            (word, role), " ", (fit(standing.env, 8), self.desk.env_role(standing.env)), fit(name, 10), " ",
            fit(since + standing.why, max(10, width - 26)).rstrip(), key=f"host {name}",
        )  # fmt: skip

    def _check_troubles(self) -> list[CheckTrouble]:
        looks = self.session.checks()
        if not looks:
            return []
        from ondeck.observe.checks import troubles  # only where the inventory declares some

        return troubles(looks)

    def _check_trouble(self, one: CheckTrouble, width: int) -> Row:
        """A check beside the health of a service; what cannot be asked is `?`, in its place."""
        word, role = TROUBLE.get(one.severity, ("?   ", "lost"))
        name = one.subject.partition("@")[0]
        where = f"{' '.join(one.members[:4])}{' ..' * (len(one.members) > 4)}  " if one.members else ""
        return row(
            (word, role), " ", (fit(one.env, 8), self.desk.env_role(one.env)), fit(name, 10), " ",
            fit(f"{where}{one.why}  {one.what}", max(10, width - 26)).rstrip(), key=f"check {one.subject} {one.text}",
        )  # fmt: skip

    def _waiting(self, jobs: Sequence[JobLook], width: int) -> list[Row]:
        waiting = [job for job in jobs if job.wait is not None]
        if not waiting:
            return []
        rows = [heading(f"WAITING FOR A PERSON {len(waiting)}")]
        for job in waiting:
            word, instead = _WAITS[job.wait or now.Wait.WAITING]
            why = job.waiting or instead or job.state
            text = f"{job.title} {job.subject}  {spoken(why)}"
            rows.append(row(
                (word, "warn"), " ", (fit(job.env, 8), self.desk.env_role(job.env)),
                fit(text, max(10, width - 24)).rstrip(), right=[(f"{job.actor} {self.desk.age(job.started)}", "dim")],
                key=f"job {job.id} waiting",
            ))  # fmt: skip
        return rows

    def _runs(self, jobs: Sequence[JobLook], width: int) -> list[Row]:
        running = [job for job in jobs if job.state in ("running", "queued")]
        if not running:
            return []
        return [heading(f"RUNNING {len(running)}"), *jobs_rows(self.desk, running, width, head=False)]

    def _changed(self, width: int) -> list[Row]:
        answers = self.session.changes()
        since = self.session.now() - HOUR
        everything = known_changes(answers)
        recent = [(i, c) for i, c in enumerate(everything) if c.time >= since]
        silent = self._unheard(answers)
        rows = [heading("CHANGED IN THE LAST 60 MIN", right=self._heard(answers, len(silent)))]
        wide = width >= 90
        shown = recent[: 12 if wide else 5]
        rows += change_rows(self.desk, shown, width, wide=wide)
        if hidden := len(recent) - len(shown):
            rows.append(row((f"+{hidden} more", "warn"), ("  :changes lists them all", "dim")))
        if not recent:
            word = (
                "nothing in what could be asked"
                if silent or any(a.error for a in answers)
                else "nothing is known to have changed"
            )
            rows.append(row((word, "dim")))
        return rows

    def _unheard(self, answers: Sequence[Answer]) -> list[str]:
        """Hosts that nobody asked what changed."""
        asked = {answer.source for answer in answers}
        return [name for name in self.session.inventory.hosts if name not in asked]

    def _heard(self, answers: Sequence[Answer], unasked: int) -> list[Part]:
        """Our own record and failed hosts by name, the others as a count: not asked is never calm."""
        hosts = self.session.inventory.hosts
        well = sum(1 for a in answers if a.source in hosts and not a.error)
        named = [a for a in answers if a.error or a.source not in hosts]
        parts = sources(named[:3])
        more = len(named) - 3
        words = [
            f"+{more} not asked" if more > 0 else "",
            f"{count_of(unasked, 'host')} not asked" if unasked else "",
        ]
        parts += [(f"  {word}", "warn") for word in words if word]
        return [*parts, (f"  {count_of(well, 'host')} ok" if well else "", "dim")]

    def _services(self, looks: Sequence[ServiceLook], width: int) -> list[Row]:
        if not looks:
            return []
        columns = (
            Column("SERVICE", 10, 28), Column("ENV", 4, 9), Column("VERSION", 8, 34), Column("HOSTS", 5, 9),
            Column("HEALTHY", 8, 12), Column("LAST GOOD", 9, 16), Column("DATA", 4, 7, True),
        )  # fmt: skip
        lines = [
            Line((
                look.name, (look.env, self.desk.env_role(look.env)), versions_word(look), on_hosts(look),
                healthy_word(look), look.last_good or "-", self.desk.age(look.asked),
            ), key=f"service {look.subject}")
            for look in sorted(looks, key=lambda x: (not x.failing, x.env, x.name))
        ]  # fmt: skip
        return grid(columns, lines, width)

    def _fleet(self, width: int) -> list[Row]:
        columns = (Column("FLEET", 10, 28), *(Column(word, 5, 7, True) for word in ("COUNT", *FLEET_ROLES)))
        lines = []
        for fleet in now.fleets(self.session.inventory, self._standings()):
            groups = (fleet.ok, fleet.warn, fleet.bad, fleet.lost, fleet.unknown)
            cells = [
                (str(len(names)), role if names else "dim")
                for names, role in zip(groups, FLEET_ROLES.values(), strict=True)
            ]
            lines.append(Line(((fleet.env, self.desk.env_role(fleet.env)), (str(fleet.hosts), ""), *cells)))
        return [BLANK, *grid(columns, lines, width)] if lines else []

    def command(self) -> str:
        """The same as text."""
        return "ondeck now"
