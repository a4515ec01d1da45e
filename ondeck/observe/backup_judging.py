"""How a backup is: the one judgement that every face shows, with its reasons in words.

Judged is what lies in the repository against the promise. Nothing is ok because a run of ours said so.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import msgspec

from ondeck import times
from ondeck.observe.backups import NS, SKEW, BackupLook, Proof, Snapshot
from ondeck.observe.fleet import Severity

STALE = 900.0
"""Seconds after which an answer says nothing of now: newer snapshots may be there, or none at all."""
FEW, MANY = 0.5, 2.0
"""Bytes of a snapshot against the median of the last seven before it: outside of this it warns."""


class Verdict(msgspec.Struct, frozen=True):
    """How it is, and why; the worst reason stands first."""

    severity: Severity
    reasons: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """`ok warn bad ?`."""
        return "?" if self.severity is Severity.UNKNOWN else self.severity.word

    @property
    def text(self) -> str:
        """The reasons in one line; empty when it is ok."""
        return "; ".join(self.reasons)


def judge(look: BackupLook, now: int) -> Verdict:
    """The judgement; unknown is never ok, and what is bad without doubt is said before what is not known."""
    if not look.asked and not look.error:
        return Verdict(Severity.UNKNOWN, ("not asked yet",))
    if look.error:
        return Verdict(Severity.UNKNOWN, (look.error,))
    if now - look.asked > STALE * NS:
        said = f"asked {times.ago(look.asked, now)} ago: newer snapshots may be there"
        return Verdict(Severity.UNKNOWN, (said,))
    reasons = sorted(_reasons(look, now), key=lambda reason: -reason[0])
    worst = reasons[0][0] if reasons else Severity.OK
    return Verdict(Severity(worst), tuple(text for _, text in reasons))


def _reasons(look: BackupLook, now: int) -> Iterator[tuple[Severity, str]]:
    yield from _damage(look, now)
    yield from _age(look, now)
    yield from _clocks(look, now)
    yield from _size(look, now)
    yield from _proof(look, now)
    yield from _locks(look, now)


def _damage(look: BackupLook, now: int) -> Iterator[tuple[Severity, str]]:
    if look.damage is not None:
        yield Severity.BAD, f"damaged: {look.damage.text} ({times.ago(look.damage.time, now)} ago)"


def _age(look: BackupLook, now: int) -> Iterator[tuple[Severity, str]]:
    newest = look.newest(now)
    if newest is None:
        said = "no snapshot of it in the repository"
        if look.elsewhere:
            hosts = ", ".join(look.elsewhere[:3])
            said += (
                f"; its folders are there, saved by {hosts}: if that is {look.host}, write it as host_name"
            )
        yield Severity.BAD, said
        return
    age = (now - newest.time) / NS
    promise = look.promise
    if promise.rpo and age > promise.rpo:
        yield (
            Severity.BAD,
            f"newest began {times.length(age)} ago, promised at most {times.length(promise.rpo)}",
        )
    elif promise.every and age > 2 * promise.every:
        yield Severity.WARN, f"newest began {times.length(age)} ago, one every {times.length(promise.every)}"


def _clocks(look: BackupLook, now: int) -> Iterator[tuple[Severity, str]]:
    ahead = [s for s in look.snapshots if s.time > now + SKEW * NS]
    if ahead:
        by = times.length((ahead[0].time - now) / NS)
        more = f" and {len(ahead) - 1} more" if len(ahead) > 1 else ""
        yield Severity.WARN, f"{ahead[0].short}{more} dated {by} in the future: its age is not known"
    if look.skew is not None and abs(look.skew) > SKEW:
        side = "ahead of" if look.skew > 0 else "behind"
        yield Severity.WARN, f"clock of {look.host} is {times.length(abs(look.skew))} {side} ours"


def _size(look: BackupLook, now: int) -> Iterator[tuple[Severity, str]]:
    known = look.of_now(now)
    usual = usual_size(known)
    if usual is None or known[0].size is None:
        return
    size = known[0].size
    if not FEW * usual <= size <= MANY * usual:
        yield Severity.WARN, f"newest has {in_bytes(size)}, the last ones had {in_bytes(round(usual))}"


def usual_size(newest_first: tuple[Snapshot, ...]) -> float | None:
    """Median size of the seven before the newest; None with fewer than three of known size."""
    sizes = [s.size for s in newest_first[1:8] if s.size is not None]
    return median(sizes) if len(sizes) >= 3 else None


def _proof(look: BackupLook, now: int) -> Iterator[tuple[Severity, str]]:
    promise, known = look.promise, look.of_now(now)
    if promise.read_within:
        read = [s.proved for s in known if s.proof is Proof.READ]
        read += [s.proved for s in known if s.proof is Proof.RESTORED]
        if not read:
            yield Severity.WARN, "its data was never read back"
        elif (now - max(read)) / NS > promise.read_within:
            yield Severity.WARN, f"its data was read back {times.ago(max(read), now)} ago"
    last = look.last_restore
    if promise.restore_every:
        if last is None:
            yield Severity.WARN, "never restored"
        elif (now - last.time) / NS > promise.restore_every:
            yield Severity.WARN, f"last restored {times.ago(last.time, now)} ago"
    if promise.rto and last is not None and last.seconds > promise.rto:
        took, wanted = times.length(last.seconds), times.length(promise.rto)
        yield Severity.BAD, f"a restore takes {took}, promised at most {wanted}"


def _locks(look: BackupLook, now: int) -> Iterator[tuple[Severity, str]]:
    if look.locks_error:
        yield Severity.WARN, f"locks of the repository are not known: {look.locks_error}"
    for lock in look.locks:
        if lock.alive is False:
            yield Severity.WARN, f"a lock was left behind: {lock.text(now)}"


def in_bytes(count: int | None) -> str:
    """`812 B`, `4.1 GiB`; `?` when it is not known."""
    if count is None:
        return "?"
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
