"""What is known of a stack as lines: its lock, its last states, what is half done, and the ways out."""

from __future__ import annotations

from textwrap import wrap

from ondeck.counting import counted
from ondeck.observe.asking import Question
from ondeck.observe.stacks import StackLock, StackLook
from tui.app.context import Desk
from tui.app.rows import Column, Line, Part, Row, fit, grid, row, rule
from tui.app.views import Known

EVERY = 60.0
"""Seconds after which a stack that somebody looks at is asked again: each look runs the program."""
_LABEL = 9
_STATES = (
    Column("SEEN", 5, 10),
    Column("SERIAL", 6, 8, True),
    Column("RES", 3, 6, True),
    Column("CHANGED", 10, 200),
)


def question(name: str) -> Question:
    """What is asked of a stack."""
    return Question("stacks", "stacks", name)


def age_of(desk: Desk, known: Known) -> Part:
    """How old the answer is."""
    if known.busy:
        return ("asking", "dim")
    return (f"data {desk.age(known.asked)}", "dim") if known.asked else ("not asked", "warn")


def lock_part(desk: Desk, look: StackLook | None) -> Part:
    """Who holds it, as a cell; `?` is not known, and never free."""
    if look is None:
        return ("?", "warn")
    lock = look.lock
    if lock is None:
        return ("free", "ok") if look.lock_known else ("?", "warn")
    word = {True: "", False: " DEAD", None: " ?"}[lock.alive]
    return (
        f"{lock.who.partition('@')[0] or 'LOCKED'} {desk.age(lock.since)}{word}",
        "warn" if lock.alive else "bad",
    )


def needs_part(look: StackLook | None, known: Known) -> Part:
    """What of it needs a person, the worst first."""
    if look is None:
        return (f"could not ask: {known.error}", "lost") if known.error else ("asking", "dim")
    if look.error:
        return (f"could not ask: {look.error}", "lost")
    if look.waiting:
        return (f"{counted(len(look.waiting), 'state')} not saved", "bad")
    if look.lock is not None and not look.lock.alive:
        return ("lock of a dead process" if look.lock.alive is False else "locked from elsewhere", "bad")
    if look.half_done:
        return (f"{len(look.half_done)} left half made", "bad")
    if look.drift is not None and look.drift.count:
        return (f"{look.drift.count} changed outside", "warn")
    if look.behind > 0:
        return (f"{counted(look.behind, 'commit')} behind", "warn")
    if not look.applied:
        return ("never applied by ondeck here", "dim")
    return ("nothing", "ok")


def stack_rows(desk: Desk, name: str, known: Known, width: int) -> list[Row]:
    """All of it, on one screen."""
    look: StackLook | None = known.answer
    rows: list[Row] = []
    if known.error:
        rows += _labelled("ERROR", f"could not ask: {known.error}", width, "lost")
    if look is None:
        return [*rows, row(("asking" if known.busy else "not asked", "dim")), *ways(name, None, width)]
    if look.error:
        rows += _labelled("ERROR", f"could not ask all of it: {look.error}", width, "lost")
    rows += _facts(desk, look, width)
    rows += _troubles(desk, look, width)
    rows.append(rule("last states", width, "as they were seen from here"))
    if look.states:
        lines = [
            Line((
                desk.minute(seen.at), str(seen.serial), str(seen.resources), seen.changed or "the first seen",
            ))
            for seen in look.states
        ]  # fmt: skip
        rows += grid(_STATES, lines, width)
    else:
        rows.append(row(("none seen yet", "dim")))
    return rows + ways(name, look, width)


def _labelled(label: str, text: str, width: int, role: str = "") -> list[Row]:
    lines = wrap(text, max(20, width - _LABEL - 1), break_on_hyphens=False) or [""]
    rows = [row((label.ljust(_LABEL), "dim" if label.islower() else role or "bold"), (lines[0], role))]
    return rows + [row(" " * _LABEL, (line, role)) for line in lines[1:]]


def _facts(desk: Desk, look: StackLook, width: int) -> list[Row]:
    state = "?"
    if look.known:
        state = (
            f"serial {look.serial}, {counted(look.resources, 'resource')}, {counted(look.outputs, 'output')}"
        )
        state = state if look.lineage else "no state yet"
    rows = _labelled("state", f"{state}; workspace {look.workspace or '?'}; {look.backend or '?'}", width)
    if look.commit:
        where = f"{look.ref or 'HEAD'} at {look.commit[:7]} ({look.subject})"
        fetched = f", fetched {desk.age(look.fetched)} ago" if look.fetched else ""
        applied = "never applied by ondeck here"
        if look.applied:
            behind = f"{counted(look.behind, 'commit')} behind" if look.behind >= 0 else "how far behind: ?"
            applied = f"applied {look.applied[:7]}, {behind}"
        rows += _labelled("commit", f"{where}{fetched}; {applied}", width)
    return rows


def _troubles(desk: Desk, look: StackLook, width: int) -> list[Row]:
    rows: list[Row] = []
    if look.lock is not None:
        role = "warn" if look.lock.alive else "bad"
        rows += _labelled("LOCK", lock_words(desk, look.lock), width, role)
        rows += _labelled("", f"id {look.lock.id}", width)
    elif look.lock_known:
        rows += _labelled("lock", "free", width, "ok")
    else:
        rows += _labelled(
            "lock", "? its backend tells of a lock only to who wants it: plan, or unlock", width, "warn"
        )
    for one in look.waiting:
        text = f"serial {one.serial} could not be saved {desk.age(one.at)} ago ({one.differs}): {one.path}"
        rows += _labelled("WAITS", text, width, "bad")
    if look.half_done:
        rows += _labelled("HALF", f"left half made: {', '.join(look.half_done[:6])}", width, "bad")
    if look.drift is not None and look.drift.count:
        text = f"{look.drift.count} changed outside as of {desk.age(look.drift.at)} ago: "
        rows += _labelled("DRIFT", text + ", ".join(look.drift.addresses[:4]), width, "warn")
    for warning in look.warnings:
        rows += _labelled("WARN", warning, width, "warn")
    return rows


def lock_words(desk: Desk, lock: StackLock) -> str:
    """`apply by dave@bastion for 11m; DEAD: no such process ...`."""
    word = {True: "lives", False: "DEAD", None: "not known whether it lives"}[lock.alive]
    seen = f", seen {desk.age(lock.seen)} ago" if lock.seen else ""
    since = f" for {desk.age(lock.since)}" if lock.since else ""
    job = f", job {lock.job}" if lock.job else ""
    what = f"{lock.operation or 'something'} by {lock.who or 'somebody it does not tell'}"
    return f"{what}{since}{seen}; {word}: {lock.why}{job}"


def ways(name: str, look: StackLook | None, width: int) -> list[Row]:
    """What can be done now, what helps most first; enter begins it, and nothing runs before its plan is confirmed."""
    found: list[tuple[str, str]] = []
    if look is not None and look.lock is not None and look.lock.job:
        found.append((look.lock.job, "open the job that holds the lock"))
    if (
        look is not None
        and (look.lock is None or not look.lock.alive)
        and not (look.lock is None and look.lock_known)
    ):
        unlock = (f"stack unlock {name}", "who holds the lock; break it by typing its id")
        push = (f"stack push {name}", "put the state that waits where it belongs")
        # Nothing is pushed past a lock; where nobody knows of one, the state that waits comes first.
        both = (unlock, push) if look.lock is not None else (push, unlock)
        found += both if look.waiting else [unlock]
    elif look is not None and look.waiting:
        found.append((f"stack push {name}", "put the state that waits where it belongs"))
    found += [
        (f"stack plan {name}", "what the pinned commit would change"),
        (f"stack plan {name} --drift", "what changed outside"),
        (f"stack apply {name}", "plan, then apply exactly that"),
        (f"stack apply {name} --ref {_before(look)}", "the way back: the commit before"),
    ]
    rows = [rule("ways out, enter begins one", width)]
    wide = min(max(len(line) for line, _ in found) + 2, width - 24)
    return rows + [row(fit(line, wide), (words, "dim"), key=f"line {line}") for line, words in found]


def _before(look: StackLook | None) -> str:
    commit = (look.applied or look.commit) if look is not None else ""
    return f"{commit[:7] or 'HEAD'}~1"
