"""Rows that several panes share: changes, jobs, what runs on a service's hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from ondeck.inventory.model import Host
from ondeck.observe.fleet import Severity, Standing, judge
from ondeck.observe.records import Change, Health, ReleaseFacts
from tui.app.context import Desk
from tui.app.phrases import SECOND, count_of, percent, span, verb_of
from tui.app.rows import Column, Line, Part, Row, fit, grid, row
from tui.app.views import Answer, HostLook, JobLook, ServiceLook

HOUR = 3600 * SECOND
OUTCOME_ROLES = {
    "succeeded": "ok", "failed": "bad", "timed_out": "bad", "unknown": "lost", "unreachable": "lost",
    "mixed": "warn", "cancelled": "warn", "skipped": "dim", "not_started": "dim",
}  # fmt: skip
STATE_ROLES = {"running": "ok", "paused": "warn", "waiting": "warn", "queued": "dim", "ended": ""}


def spoken(word: str) -> str:
    """`not_started` as `not started`."""
    return word.replace("_", " ")


def known_changes(answers: Iterable[Answer]) -> list[Change]:
    """Every change once, newest first."""
    seen: dict[tuple[int, str, str], Change] = {}
    for answer in answers:
        for change in answer.changes:
            seen.setdefault((change.time, change.subject, change.text), change)
    return sorted(seen.values(), key=lambda c: -c.time)


def sources(answers: Sequence[Answer]) -> list[Part]:
    """How each source of changes is: an empty list of one that could not be asked means nothing."""
    parts: list[Part] = []
    for answer in answers[:6]:
        word, role = ("partly" if answer.changes else "not asked", "warn") if answer.error else ("ok", "dim")
        parts += [(f"{answer.source} {word}", role), "  "]
    if len(answers) > 6:
        bad = sum(1 for a in answers[6:] if a.error)
        parts.append(
            (f"+{len(answers) - 6}" + (f", {bad} not asked" if bad else ""), "warn" if bad else "dim")
        )
    return parts[:-1] if parts and parts[-1] == "  " else parts


def change_rows(desk: Desk, changes: Sequence[tuple[int, Change]], width: int, *, wide: bool) -> list[Row]:
    """`03:04 prod checkout 2.14.0 -> 2.15.0   ci#4411`, with the number of each in its key.

    Columns are as wide as what stands in them: every one that is free is for the text.
    """
    envs = min(8, max((len(change.env or "-") for _, change in changes), default=0))
    subjects = min(16 if wide else 12, max((len(_changed(change)) for _, change in changes), default=0))
    return [
        _change_row(desk, change, width, f"change {at}", (envs, subjects), wide=wide)
        for at, change in changes
    ]


def _changed(change: Change) -> str:
    """The service, host or package; of chosen hosts their selector says less than the text does."""
    if "@" in change.subject or not change.job:
        return change.subject.partition("@")[0]
    return change.host or "hosts"


def _change_row(
    desk: Desk, change: Change, width: int, key: str, widths: tuple[int, int], *, wide: bool
) -> Row:
    subject = _changed(change)
    where = change.host if change.host != subject else ""
    tail = change.who + (f"  job {change.job}" if change.job and wide else "")
    parts: list[Part] = [
        (desk.minute(change.time), ""), " ", (fit(change.env or "-", widths[0]), desk.env_role(change.env)),
        " ", fit(subject, widths[1]), " ",
    ]  # fmt: skip
    room = width - sum(cell_len(p if isinstance(p, str) else p[0]) for p in parts) - cell_len(tail) - 2
    text = change.text if not where or where in change.text else f"{change.text}  {where}"
    return row(*parts, fit(text, max(8, room)).rstrip(), right=[(tail, "dim")], key=key)


def job_line(desk: Desk, job: JobLook, *, wide: bool) -> Line:
    """A job as a line of a grid."""
    state: Part
    if job.running:
        word = f"{job.state} {spoken(job.waiting)}".strip() if job.state == "waiting" else job.state
        state = (word, STATE_ROLES.get(job.state, ""))
    else:
        state = (spoken(job.outcome or "ended"), OUTCOME_ROLES.get(job.outcome, ""))
    begin = job.started
    took = (
        desk.age(begin)
        if job.running
        else (span((job.ended - begin) / SECOND) if begin and job.ended else "?")
    )
    what = job.deed or verb_of(job.operation).lower()
    env: tuple[Part, ...] = ((job.env or "-", desk.env_role(job.env)),) if wide else ()
    cells: tuple[Part, ...] = (
        desk.minute(begin), *env, on_word(job), what, state, done_word(job), took, job.actor,
    )  # fmt: skip
    return Line(cells, key=f"job {job.id}")


def done_word(job: JobLook) -> str:
    """`3/4` that went well of all, with those that went wrong: `1/4 2 bad`."""
    bad = job.count("failed", "timed_out", "unreachable")
    return f"{job.count('succeeded')}/{len(job.targets)}" + (f" {bad} bad" if bad else "")


def on_word(job: JobLook) -> str:
    """`checkout@prod`, `web-1@prod` or `3 hosts@prod`: a selector of many hosts says less than their count."""
    if "@" in job.subject or not job.targets:
        return job.subject
    name = job.targets[0].name if len(job.targets) == 1 else count_of(len(job.targets), "host")
    return f"{name}@{job.env}" if job.env else name


JOB_COLUMNS = (
    Column("AT", 5, 10), Column("ENV", 4, 9), Column("ON", 6, 28), Column("WHAT", 6, 60), Column("STATE", 9, 24),
    Column("DONE", 4, 13, True), Column("TOOK", 4, 7, True), Column("BY", 3, 14),
)  # fmt: skip


def jobs_rows(desk: Desk, jobs: Sequence[JobLook], width: int, *, head: bool = True) -> list[Row]:
    """Jobs as aligned rows."""
    wide = width >= 110
    columns = [column for column in JOB_COLUMNS if wide or column.head != "ENV"]
    longest = max((len(job.deed) for job in jobs), default=0)
    at = next(i for i, column in enumerate(columns) if column.head == "WHAT")
    by = max((min(8, len(job.actor)) for job in jobs), default=3)
    spare = max(0, by - 5) + max(
        (len(done_word(job)) - 5 for job in jobs if " " in done_word(job)), default=0
    )
    least = max(12, 24 - spare) if width >= 76 else 12
    columns[at] = columns[at]._replace(least=min(least, max(6, longest)))
    columns[-1] = columns[-1]._replace(least=max(3, by))
    return grid(columns, [job_line(desk, job, wide=wide) for job in jobs], width, head=head)


FIGURE_ROLES = {Severity.WARN: "warn", Severity.BAD: "bad", Severity.OK: ""}


def standing_of(desk: Desk, look: HostLook) -> Standing:
    """How a host is by its thresholds; the words and colours of every pane come from it."""
    host = desk.session.inventory.hosts.get(look.name) or Host(name=look.name, env=look.env)
    return judge(
        host, look.facts, look.source, desk.session.now(), cached=look.cached, full_in=look.full_in
    )  # fmt: skip


def host_state(desk: Desk, look: HostLook, standing: Standing) -> tuple[str, str]:
    """`ok`, `warn disk`, `BAD cpu`, `LOST 4m`, `old`, `asking`, `?`; and its role."""
    if standing.severity is Severity.LOST:
        return f"LOST {desk.age(look.since)}", "lost"
    if standing.severity is Severity.UNKNOWN:
        return ("asking" if look.health is Health.CONNECTING else "?" if look.facts is None else "old"), "dim"
    if standing.severity is Severity.OK:
        return "ok", "ok"
    word = standing.findings[0].figure if standing.findings else "slow"
    return (f"BAD {word}", "bad") if standing.severity is Severity.BAD else (f"warn {word}", "warn")


def figure(value: float | None, severity: Severity) -> tuple[str, str]:
    """A share in the colour of its finding; what is not of now is dim, unknown is `?`."""
    return percent(value), "dim" if value is None else FIGURE_ROLES.get(severity, "dim")


def health_word(facts: ReleaseFacts | None) -> tuple[str, str]:
    """`ok`, `FAILS`, `?`; and its role."""
    if facts is None or facts.error or facts.healthy is None:
        return "?", "lost" if facts is not None and facts.error else "dim"
    if facts.drained:
        return ("drained", "warn")
    return ("ok", "ok") if facts.healthy else ("FAILS", "bad")


def versions_word(look: ServiceLook) -> tuple[str, str]:
    """`2.15.0`, `MIXED 9.0.1 3, 8.9.2 9`, `?`; and its role."""
    found = look.versions
    if not found:
        return ("asking" if look.asking else "?"), "dim"
    if len(found) == 1:
        return next(iter(found)), ""
    words = [f"{version} {count}" for version, count in sorted(found.items(), key=lambda item: -item[1])]
    return f"MIXED {', '.join(words)}", "warn"


def on_hosts(look: ServiceLook) -> tuple[str, str]:
    """`6`, `39+1?`: how many hosts it is known on, and how many are not known."""
    known = len(look.hosts) - look.unknown
    return (f"{known}+{look.unknown}?", "lost") if look.unknown else (str(known), "")


def healthy_word(look: ServiceLook) -> tuple[str, str]:
    """`39 of 40`; red when a check fails, `?` when nobody was asked."""
    if not look.asked:
        return ("asking" if look.asking else "?"), "dim"
    if not look.healthy and not look.failing:
        return f"? of {len(look.hosts)}", "lost"
    role = "bad" if look.failing else "ok" if look.healthy == len(look.hosts) else "lost"
    return f"{look.healthy} of {len(look.hosts)}", role


def worst_first(look: ServiceLook) -> list[tuple[str, ReleaseFacts | None]]:
    """Hosts of a service: failing, lost, drained, then by name."""
    by_host = {facts.host: facts for facts in look.releases}

    def rank(name: str) -> tuple[int, str]:
        facts = by_host.get(name)
        if facts is None or facts.error:
            return 1, name
        return (0 if facts.healthy is False else 2 if facts.drained else 3), name

    return [(name, by_host.get(name)) for name in sorted(look.hosts, key=rank)]


def record_rows(desk: Desk, width: int) -> list[Row]:
    """What of our own record cannot be read: without this line an empty list would be a calm lie."""
    look = desk.session.record_look()
    rows = []
    if look.error:
        age = f"what is shown is {desk.age(look.read_at)} old" if look.read_at else "nothing is known"
        text = f"the record cannot be read, {age}: {look.error}"
        rows.append(row(("NOT READ", "bad"), " ", fit(text, max(10, width - 10)).rstrip()))
    for name, why in look.unread:
        text = f"job {name}: {why}"
        rows.append(row(("NOT READ", "bad"), " ", fit(text, max(10, width - 10)).rstrip()))
    return rows


def record_age(desk: Desk) -> Part:
    """How old jobs and locks are."""
    look = desk.session.record_look()
    if not look.read_at:
        return "not read yet", "warn"
    return f"read {desk.age(look.read_at)} ago", "warn" if look.error else "dim"


def nothing_word(desk: Desk, word: str) -> Part:
    """`nothing runs`, but only of a record that was read whole."""
    look = desk.session.record_look()
    return (word, "dim") if look.read_at and not look.error and not look.unread else ("not known", "warn")
