"""A session made by hand: what panes are shown with, without engine, fleet or network."""

# ruff: noqa: E501 - a table of made-up facts reads best in long lines
from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ondeck.errors import OndeckError
from ondeck.inventory import selector
from ondeck.inventory.live import HostFacts
from ondeck.job.listing import ListSpec
from ondeck.job.plan import Action, Batch, Draft, Plan, Preflight, Request, RolloutPlan
from ondeck.job.plan import Change as PlannedChange
from ondeck.job.plan import Command as PlannedCommand
from ondeck.job.spec import OperationSpec, Risk
from ondeck.observe.asking import Question
from ondeck.observe.checks import CheckLook
from ondeck.observe.fleet import judge
from ondeck.observe.live import live
from ondeck.observe.logstore import LogStore
from ondeck.observe.records import Change, Health, Level, LogLine, ReleaseFacts, SourceState, Unit
from ondeck.operate.interactive import Opened
from ondeck.settings import Settings
from tests.tui.creds_stage import CredsOnStage
from tests.tui.fleet import SPECS, inventory
from tui.app import commands
from tui.app.session import Assent, Card, Rules, Wish
from tui.app.views import (
    Answer,
    BatchLook,
    HostLook,
    JobLook,
    Known,
    LockLook,
    LogEntry,
    Matched,
    OutputLook,
    RecordLook,
    ServiceLook,
    TargetLook,
    UnitsLook,
)

S, M = 1_000_000_000, 60_000_000_000
NOW = 1_763_953_985 * S  # 2025-11-24 03:13:05 UTC


class FakeFeed:
    def __init__(self, lines: Sequence[LogLine], states: Mapping[str, SourceState]) -> None:
        self.store = LogStore(10_000)
        self.waiting = list(lines)
        self._states = dict(states)
        self.gaps: list[tuple[int, int]] = []
        self.dropped = 0
        self.asking = 0
        self.stopped = 0
        self.closed = False
        self.told: list[tuple[str, int]] = []

    def drain(self) -> int:
        count = len(self.waiting)
        self.store.append(self.waiting)
        self.waiting = []
        return count

    def states(self) -> Mapping[str, SourceState]:
        return self._states

    def park(self) -> None:
        self.told.append(("park", 0))

    def resume(self) -> None:
        if self.told and self.told[-1] == ("park", 0):
            self.told.append(("resume", 0))

    def reach(self, time: int) -> None:
        self.told.append(("reach", time))

    def live(self) -> None:
        self.stopped = 0

    def close(self) -> None:
        self.closed = True


class FakeSession(CredsOnStage):
    """The first night on a small fleet: checkout 2.15.0 fails on two of four hosts, one is lost."""

    def __init__(self, tmp: Path = Path("/nonexistent"), *, read_only: bool = False) -> None:
        self.inventory = inventory()
        self.settings = Settings(
            state=tmp, cache=tmp, config=tmp, actor="anna", timescale=0.02, read_only=read_only
        )
        self.machine = "bastion-1"
        self.time = NOW
        self.dirty = False
        self.reading = RecordLook(read_at=NOW - S)
        self.looked: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self.shells: list[str] = []
        self.orders: list[tuple[str, ...]] = []
        self.begun: list[tuple[Card, Assent]] = []
        self.again: Rules | None = None
        self.assents: list[Assent | None] = []
        self.planned: list[Wish] = []
        self.rules = Rules(
            level="type-name", type_this="prod", why=("rollback in prod: type its name (ops/ondeck.yml)",)
        )
        self.risk = Risk.CHANGE
        self.trouble: OndeckError | None = None
        self.slow: asyncio.Event | None = None
        self.hosts = {n: self._host(n, h.env) for n, h in self.inventory.hosts.items()}
        self.looks = {
            "checkout@prod": self._checkout(),
            "checkout@staging": self._staging(),
            "orders-db@prod": self._db(),
        }
        self.job_list: list[JobLook] = [old_job(), held_job()]
        self.lock_list = [
            LockLook(
                key="orders-db@prod",
                owner="bob",
                reason="migration",
                job="j-2",
                since=NOW - 9 * M,
                alive=True,
            )
        ]
        self.answers = [
            Answer(source="record", changes=(
                Change(time=NOW - 9 * M, env="prod", kind="deploy", subject="checkout@prod", text="2.14.0 -> 2.15.0", who="ci#4411"),
                Change(time=NOW - 33 * M, env="staging", kind="package", subject="nginx", host="stg-1",
                       text="nginx 1.24.0 -> 1.26.1", who="unattended-upgrades"),
            )),
            Answer(source="web-4", error="timed out"),
        ]  # fmt: skip
        self.check_list: list[CheckLook] = []
        self.list_specs: dict[str, tuple[ListSpec, ...]] = {}
        self.known_answers: dict[Question, Known] = {}
        self.entries: list[LogEntry] = []
        self.unread: dict[str, OutputLook] = {}
        self.everything: dict[str, OutputLook] = {}
        self.feed = FakeFeed(log_lines(), {
            "web-1/app": SourceState("web-1/app", Health.OK, NOW), "web-2/app": SourceState("web-2/app", Health.OK, NOW),
            "web-3/app": SourceState("web-3/app", Health.SLOW, NOW - 12 * S),
            "web-4/app": SourceState("web-4/app", Health.LOST, NOW - 4 * M, error="connection reset"),
        })  # fmt: skip

    def _host(self, name: str, env: str) -> HostLook:
        if name == "web-4":
            return HostLook(
                name=name, env=env, health=Health.LOST, since=NOW - 4 * M, error="connection reset"
            )
        number = int(name[-1])
        facts = HostFacts(
            host=name, time=NOW - 2 * S, cpu=0.97 if number < 3 and env == "prod" else 0.31, cores=4, memory=0.6,
            memory_total=8 << 30, swap=0.0, load1=3.8, network=(12_000.0, 900.0), uptime=86400.0 * 21, clock_offset=0.1,
            disks={"/": (0.63, 0.2, 9 << 30), "/var": (0.91 if name == "db-1" else 0.4, 0.1, 2 << 30)},
            os="Debian 12", kernel="6.1.0",
        )  # fmt: skip
        return HostLook(name=name, env=env, health=Health.OK, since=NOW - M, facts=facts)

    def _checkout(self) -> ServiceLook:
        releases = [
            ReleaseFacts(host=f"web-{n}", service="checkout", version="2.15.0", digest="9f3c1a" + "0" * 58,
                         since=NOW - 9 * M, healthy=n == 3, health_text="" if n == 3 else "http 503 from /healthz",
                         kept=("2.15.0", "2.14.0", "2.13.2"), drained=False)
            for n in (1, 2, 3)
        ]  # fmt: skip
        releases.append(ReleaseFacts(host="web-4", service="checkout", error="connection reset"))
        return ServiceLook(subject="checkout@prod", name="checkout", env="prod", hosts=("web-1", "web-2", "web-3", "web-4"),
                           releases=tuple(releases), asked=NOW - 3 * S, last_good="2.14.0", way_back="2.14.0")  # fmt: skip

    def _staging(self) -> ServiceLook:
        facts = ReleaseFacts(host="stg-1", service="checkout", version="2.16.0", digest="c0ffee" + "0" * 58, since=NOW - 90 * M,
                             healthy=True, kept=("2.16.0", "2.15.0"), drained=False)  # fmt: skip
        return ServiceLook(subject="checkout@staging", name="checkout", env="staging", hosts=("stg-1",), releases=(facts,),
                           asked=NOW - 3 * S, last_good="2.16.0")  # fmt: skip

    def _db(self) -> ServiceLook:
        return ServiceLook(subject="orders-db@prod", name="orders-db", env="prod", hosts=("db-1",))

    # -- the port ---------------------------------------------------------------------------------

    def now(self) -> int:
        return self.time

    def start(self) -> None:
        self.dirty = True

    def close(self) -> None:
        self.feed.close()

    def drain(self) -> bool:
        dirty, self.dirty = self.dirty, False
        return dirty

    def credentials(self) -> str:
        return "agent 2 keys"

    def look_at(self, hosts: Sequence[str], services: Sequence[str]) -> None:
        self.looked = (tuple(hosts), tuple(services))

    def subjects(self) -> tuple[str, ...]:
        return tuple(self.looks)

    def hosts_of(self, subject: str) -> tuple[str, ...]:
        return self.looks[subject].hosts if subject in self.looks else ()

    def services_on(self, host: str) -> tuple[str, ...]:
        return tuple(s for s, look in self.looks.items() if host in look.hosts)

    def host(self, name: str) -> HostLook:
        return self.hosts.get(name) or HostLook(name=name, env="")

    def known(self) -> Mapping[str, HostLook]:
        return self.hosts

    def select(self, text: str) -> Matched:
        facts = {name: look.facts for name, look in self.hosts.items() if look.facts}
        standings = {
            name: judge(host, self.host(name).facts, self.host(name).source, self.time)
            for name, host in self.inventory.hosts.items()
        }
        found = selector.parse([text]).judge(self.inventory, live(facts, standings, {}))
        return Matched(frozenset(host.name for host in found.hosts), found.unjudged)

    def record_look(self) -> RecordLook:
        return self.reading

    def dropped(self) -> int:
        return 0

    def history(self, host: str, figure: str) -> tuple[tuple[int, float], ...]:
        if host == "web-4":
            return ()
        return tuple((NOW - (60 - i) * 2 * S, min(1.0, 0.2 + i / 75)) for i in range(60))

    def service(self, subject: str) -> ServiceLook:
        name, _, env = subject.partition("@")
        return self.looks.get(subject) or ServiceLook(subject=subject, name=name, env=env, hosts=())

    def refresh(self, subject: str) -> None:
        self.orders.append(("refresh", subject))

    def jobs(self) -> tuple[JobLook, ...]:
        return tuple(self.job_list)

    def job(self, name: str) -> JobLook | None:
        return next((job for job in self.job_list if job.id == name), None)

    def output(self, job: str, target: str, *, whole: bool = False, everything: bool = False) -> OutputLook:
        known = self.everything if everything and target in self.everything else self.unread
        if target in known:
            return known[target]
        if job == "j-exec":
            share = "63%" if target != "web-3" else "91%"
            lines = ("Filesystem  Use%", f"/dev/sda1  {share}")
            return OutputLook(lines=lines, size=40, count=2, digest=share)
        return OutputLook(lines=(f"unpacked 2.14.0 on {target}", "switched to 2.14.0"), size=60)

    def locks(self) -> tuple[LockLook, ...]:
        return tuple(self.lock_list)

    def changes(self, hosts: Sequence[str] = ()) -> tuple[Answer, ...]:
        return tuple(self.answers)

    def ask_changes(self, hosts: Sequence[str]) -> None:
        self.orders.append(("changes", *hosts))

    def checks(self) -> tuple[CheckLook, ...]:
        return tuple(self.check_list)

    def units(self, host: str) -> UnitsLook:
        if host == "web-4":
            return UnitsLook(host=host, asked=NOW, error="connection reset")
        units = (
            Unit(
                host=host,
                name="checkout.service",
                active="failed",
                sub="failed",
                description="checkout",
                since=NOW - 9 * M,
                restarts=4,
            ),
            Unit(
                host=host,
                name="ssh.service",
                active="active",
                sub="running",
                description="OpenSSH server",
                since=NOW - 90 * M,
                memory=9 << 20,
            ),
        )
        return UnitsLook(host=host, asked=NOW - 5 * S, units=units)

    def lists(self) -> Mapping[str, tuple[ListSpec, ...]]:
        return self.list_specs

    def asked(self, question: Question, every: float = 10.0) -> Known:
        return self.known_answers.get(question, Known(busy=True))

    def ask_again(self, question: Question) -> None:
        self.orders.append(("again", question.capability, question.place, question.kind))

    def record(self) -> tuple[LogEntry, ...]:
        return tuple(self.entries)

    def specs(self) -> tuple[OperationSpec, ...]:
        return SPECS

    async def available(self, subject: str) -> tuple[str, ...]:
        if self.trouble is not None:
            raise self.trouble
        return ("2.16.0", "2.15.0", "2.14.0")

    async def plan(self, wish: Wish) -> Card:
        if self.trouble is not None:
            raise self.trouble
        if self.slow is not None:
            await self.slow.wait()
        self.planned.append(wish)
        spec = next(s for s in self.specs() if s.name == wish.operation)
        self.entries.append(LogEntry(self.now(), "planned", commands.shell_line(spec, wish)))
        return card(spec, wish, self.rules, self.risk, self)

    async def begin(self, card: Card, assent: Assent) -> str:
        self.begun.append((card, assent))
        self.job_list.insert(0, running_job(card))
        return self.job_list[0].id

    async def going_on(self, job: str) -> Rules | None:
        return self.again

    async def order(
        self,
        job: str,
        order: str,
        *,
        target: str = "",
        text: str = "",
        reason: str = "",
        hard: bool = False,
        assent: Assent | None = None,
    ) -> str:
        self.orders.append((order, job, target, text, reason, "hard" if hard else ""))
        self.assents.append(assent)
        return commands.asked(job, order, hard=hard)

    def open_logs(self, subject: str, hosts: Sequence[str]) -> FakeFeed:
        return self.feed

    @contextmanager
    def shell(self, card: Card, assent: Assent) -> Iterator[Opened]:
        self.shells.append(card.plan.targets[0])
        yield Opened(argv=("true",))


def card(spec: OperationSpec, wish: Wish, rules: Rules, risk: Risk, session: FakeSession) -> Card:
    hosts = wish.hosts or tuple(h for h in session.hosts_of(wish.subject) if h != "web-4")
    if not hosts:
        place, _, things = wish.subject.partition("/")
        hosts = tuple(f"{place}/{thing}" for thing in things.split(","))
    known = session.inventory.hosts
    env = wish.subject.partition("@")[2] or (known[hosts[0]].env if hosts[0] in known else "prod")
    request = Request(
        operation=spec.name, subject=wish.subject, targets=hosts, env=env, params=wish.params, actor="anna"
    )
    draft = Draft(
        summary="2.15.0 (9m) -> 2.14.0 (last good)", risk=risk,
        changes=tuple(PlannedChange(action=Action.UPDATE, target=h, address="release checkout", before="2.15.0", after="2.14.0")
                      for h in hosts),
        commands=tuple(PlannedCommand(target=h, argv=("ln", "-sfn", "releases/2.14.0", "current")) for h in hosts),
        preflight=(Preflight(name="reachable, key known", ok=len(hosts), unknown=1, note="web-4 lost"),
                   Preflight(name="release 2.14.0 on host", ok=len(hosts)),
                   Preflight(name="healthy now", ok=1, bad=2, note="web-1 web-2: these first")),
        rollout=RolloutPlan(batches=(Batch(targets=hosts[:2], why="failing first"), Batch(targets=hosts[2:])), parallel=2,
                            max_failures=1, gate="/healthz 3 times, within 5m"),
        lock_key=wish.subject, undo="ondeck deploy checkout@prod 2.15.0", left_out={"web-4": "lost: connection reset"},
    )  # fmt: skip
    plan = Plan(id="p-1", request=request, title=spec.title, provider="release", draft=draft, inventory="a1b2c3d",
                policy="x", made=NOW)  # fmt: skip
    return Card(
        plan=plan,
        digest="7c1e9a" + "0" * 58,
        rules=rules,
        command=commands.shell_line(spec, wish),
        seconds=2.1,
    )


def old_job() -> JobLook:
    return JobLook(id="j-1", operation="service.deploy", title="Deploy a release", subject="checkout@prod", env="prod",
                   summary="2.14.0 -> 2.15.0", deed="deploy 2.14.0 -> 2.15.0", actor="ci", state="ended", outcome="succeeded", started=NOW - 11 * M,
                   ended=NOW - 9 * M, targets=tuple(TargetLook(name=f"web-{n}", outcome="succeeded", evidence="exit 0")
                                                    for n in range(1, 5)))  # fmt: skip


def held_job() -> JobLook:
    return JobLook(id="j-2", operation="service.restart", title="Restart a service", subject="orders-db@prod", env="prod",
                   deed="restart orders-db", actor="bob", state="paused", waiting="gate unclear: no data", started=NOW - 9 * M,
                   targets=(TargetLook(name="db-1"),))  # fmt: skip


def running_job(card: Card) -> JobLook:
    plan = card.plan
    targets = [
        TargetLook(name=plan.targets[0], outcome="succeeded", evidence="exit 0, 2.14.0 running", started=NOW)
    ]
    targets += [TargetLook(name=name, started=NOW, step="unpacking") for name in plan.targets[1:2]]
    targets += [TargetLook(name=name) for name in plan.targets[2:]]
    batches = tuple(
        BatchLook(targets=b.targets, why=b.why, started=i == 0)
        for i, b in enumerate(plan.draft.rollout.batches)
    )
    return JobLook(
        id="j-3", operation=plan.request.operation, title=plan.title, subject=plan.request.subject, env=plan.request.env,
        summary=plan.draft.summary, actor="anna", reason="p95 after 2.15.0", state="running", started=NOW - 20 * S,
        targets=tuple(targets), batches=batches, left_out=dict(plan.draft.left_out), gate=plan.draft.rollout.gate,
        notes=((NOW - 20 * S, "lock checkout@prod taken"), (NOW - 18 * S, "batch 1 started: web-1 web-2")),
        before={c.target: c.before for c in plan.draft.changes}, wanted={c.target: c.after for c in plan.draft.changes},
    )  # fmt: skip


def log_lines() -> list[LogLine]:
    words = (
        (Level.INFO, "GET /cart 200 12ms"), (Level.WARN, "pool 38/40 in use"), (Level.ERROR, "timeout 5000ms calling orders-db attempt=1/9"),
        (Level.INFO, "GET /healthz 200"), (Level.ERROR, "circuit open: orders-db"),
    )  # fmt: skip
    return [
        LogLine(NOW - (120 - i) * 5 * S, f"web-{i % 3 + 1}/app", words[i % 5][0], words[i % 5][1])
        for i in range(120)
    ]
