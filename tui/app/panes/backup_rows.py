"""Rows of backups that the pane and the page of one share: how one is, its snapshots, its locks."""

from __future__ import annotations

from ondeck import times
from ondeck.observe.asking import Question
from ondeck.observe.backup_judging import Verdict, judge, usual_size
from ondeck.observe.backups import NS, SKEW, BackupLook, Proof, Snapshot
from ondeck.observe.fleet import Severity
from tui.app.context import Desk
from tui.app.phrases import count_of, size, span
from tui.app.rows import Column, Line, Part, Row, fit, grid, row
from tui.app.views import Known

EVERY = 60.0
"""Seconds that an answer is new enough: a look opens the repository, which is work for its store."""
ROLES = {Severity.OK: "ok", Severity.WARN: "warn", Severity.BAD: "bad", Severity.UNKNOWN: "lost"}
PROOF_ROLES = {Proof.CREATED: "dim", Proof.STRUCTURE: "dim", Proof.READ: "", Proof.RESTORED: "ok"}
SNAPSHOTS = (
    Column("SNAPSHOT", 8, 34), Column("BEGAN", 5, 12), Column("LOSS", 5, 8, True), Column("PROOF", 9, 16),
    Column("SIZE", 5, 12, True), Column("HELD", 4, 5), Column("HOST", 4, 16),
)  # fmt: skip


def question(name: str) -> Question:
    """What is asked of a backup."""
    return Question("backups", "backups", name)


def look_of(known: Known) -> BackupLook | None:
    """The answer, if there is one."""
    return known.answer if isinstance(known.answer, BackupLook) else None


def verdict_of(known: Known, now: int) -> Verdict:
    """The judgement of what is known; what could not be asked now is unknown, whatever stands from before."""
    look = look_of(known)
    if known.error:
        return Verdict(Severity.UNKNOWN, (known.error,))
    if look is None:
        return Verdict(Severity.UNKNOWN, ("asking" if known.busy else "not asked yet",))
    return judge(look, now)


def state_part(verdict: Verdict) -> Part:
    """`ok`, `warn`, `BAD`, `?`."""
    word = verdict.word
    return (word.upper() if verdict.severity is Severity.BAD else word), ROLES[verdict.severity]


def loss_part(look: BackupLook, one: Snapshot, now: int) -> Part:
    """What is lost when it is taken now: everything since it began; red beyond what was promised."""
    if one.time > now + SKEW * NS:
        return "?", "lost"
    age = (now - one.time) / NS
    rpo = look.promise.rpo
    return span(age), "bad" if rpo and age > rpo else ""


def size_part(look: BackupLook, one: Snapshot, now: int) -> Part:
    """Its size, and how far it is from the usual one: `4.1G +3%`."""
    if one.size is None:
        return "?", "dim"
    usual = usual_size(look.of_now(now))
    if not usual or one is not look.newest(now):
        return size(one.size)
    change = (one.size - usual) / usual * 100
    role = "warn" if not -50 <= change <= 100 else ""
    return f"{size(one.size)} {change:+.0f}%", role


def proof_part(one: Snapshot, now: int) -> Part:
    """`read 3d`: the level, and how long ago it was proven."""
    when = f" {span((now - one.proved) / NS)}" if one.proved else ""
    return f"{one.proof.word}{when}", PROOF_ROLES[one.proof]


def restored_part(look: BackupLook, now: int) -> Part:
    """`41m 12d ago`, red when it takes longer than was promised."""
    last = look.last_restore
    if last is None:
        return "never", "warn" if look.promise.restore_every else "dim"
    late = look.promise.rto and last.seconds > look.promise.rto
    return f"{span(last.seconds)} {span((now - last.time) / NS)} ago", "bad" if late else ""


def why_rows(verdict: Verdict, width: int) -> list[Row]:
    """Every reason on a line of its own."""
    return [row((fit(reason, width).rstrip(), ROLES[verdict.severity])) for reason in verdict.reasons]


def facts_rows(desk: Desk, look: BackupLook, width: int) -> list[Row]:
    """What was promised, locks of the repository, and what else lies in it."""
    promise = look.promise
    named = (("every", promise.every), ("rpo", promise.rpo), ("rto", promise.rto))
    words = [f"{name} {times.length(value)}" for name, value in named if value]
    held = sum(1 for one in look.snapshots if one.held)
    words.append(f"{count_of(len(look.snapshots), 'snapshot')}, {held} held")
    if look.others:
        words.append(f"{look.others} of something else beside")
    words.append(look.tool)
    rows = [row((fit("   ".join(filter(None, words)), width).rstrip(), "dim"))]
    for lock in look.locks:
        role = "bad" if lock.alive is False else "warn"
        rows.append(row(("LOCK ", role), fit(lock.text(desk.session.now()), width - 5).rstrip()))
    return rows


def snapshot_rows(desk: Desk, look: BackupLook, width: int, most: int = 0) -> list[Row]:
    """Snapshots, newest first; after the time cursor they are dim."""
    now, at = desk.session.now(), desk.at
    shown = look.snapshots[:most] if most else look.snapshots
    lines = []
    for one in shown:
        after = bool(at) and one.time >= at
        cells: tuple[Part, ...] = (
            one.short, desk.minute(one.time), loss_part(look, one, now), proof_part(one, now),
            size_part(look, one, now), ("held", "ok") if one.held else "-", one.host,
        )  # fmt: skip
        if after:
            cells = tuple((_text(cell), "dim") for cell in cells)
        lines.append(Line(cells, key=f"snapshot {look.name} {one.short}"))
    return grid(SNAPSHOTS, lines, width) if lines else []


def _text(cell: Part) -> str:
    return cell if isinstance(cell, str) else cell[0]


def meant(desk: Desk, look: BackupLook) -> Snapshot | None:
    """The snapshot that is taken: the newest that began before the time cursor."""
    return look.newest(desk.session.now(), desk.at)
