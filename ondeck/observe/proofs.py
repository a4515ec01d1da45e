"""What our record remembers of a backup between jobs, as facts of one short line each.

`proof NAME`     `KEY:STRUCTURE[:RESTORED] ...`: snapshots that a check of ours saw, when it did so first, and
                 when it was restored; seconds since 1970.
`parts NAME`     `28 1:TIME 2:TIME ...`: into how many parts reading is cut, when each was read and found whole.
`damage NAME`    `TIME text`: the last check that found damage; empty once one found none.
`restored NAME`  `TIME SECONDS BYTES KEY HOST drill|restore`: the last restore that came to its end.

A snapshot counts as read when each part was read after a check saw the snapshot first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ondeck.observe.backups import NS, BackupLook, Damage, LastRestore, Proof, Snapshot

KEY = 12
_MOST = 40
"""Snapshots that are remembered; a fact is a line of at most 2,000 characters."""
Remembered = Callable[[str], str]


class Proven(msgspec.Struct, frozen=True):
    """One snapshot's proof in seconds since 1970; 0 is never."""

    structure: int = 0
    restored: int = 0


class Proofs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is remembered of a backup."""

    snapshots: dict[str, Proven] = {}
    of: int = 0
    parts: dict[int, int] = {}
    damage: Damage | None = None
    last_restore: LastRestore | None = None

    def level(self, snapshot: Snapshot) -> tuple[Proof, int]:
        """How far a snapshot is proven, and since when in ns."""
        found = self.snapshots.get(snapshot.key[:KEY])
        if found is None:
            return Proof.CREATED, 0
        if found.restored:
            return Proof.RESTORED, found.restored * NS
        read = min(self.parts.values(), default=0)
        if self.of and len(self.parts) == self.of and read >= found.structure:
            return Proof.READ, read * NS
        return Proof.STRUCTURE, found.structure * NS

    def seen(self, keys: Iterable[str], when: int) -> Proofs:
        """A check of the structure at a time (s) saw these snapshots, newest first; the oldest are let go."""
        known = {key[:KEY]: self.snapshots.get(key[:KEY], Proven()) for key in keys}
        merged = {
            key: msgspec.structs.replace(proven, structure=proven.structure or when)
            for key, proven in list(known.items())[:_MOST]
        }
        kept = {key: proven for key, proven in known.items() if proven.restored and key not in merged}
        return msgspec.structs.replace(self, snapshots=merged | dict(list(kept.items())[:4]))

    def read(self, part: int, of: int, when: int) -> Proofs:
        """A part was read and found whole; another cut begins again."""
        parts = {} if of != self.of else self.parts
        return msgspec.structs.replace(self, of=of, parts=parts | {part: when})

    def next_part(self, of: int) -> int:
        """The part that was not read for longest."""
        parts = self.parts if of == self.of else {}
        return min(range(1, of + 1), key=lambda part: (parts.get(part, 0), part))

    def restored(self, last: LastRestore) -> Proofs:
        """A snapshot was restored."""
        when = last.time // NS
        old = self.snapshots.get(last.key[:KEY], Proven(structure=when))
        one = {last.key[:KEY]: msgspec.structs.replace(old, restored=when)}
        return msgspec.structs.replace(self, snapshots=one | self.snapshots | one, last_restore=last)

    def damaged(self, when: int, text: str) -> Proofs:
        """A check found damage: nothing counts as read until every part was read again."""
        return msgspec.structs.replace(self, parts={}, damage=Damage(when * NS, text))

    def whole(self) -> Proofs:
        """A check that covers the damage found none."""
        return msgspec.structs.replace(self, damage=None)

    def facts(self, name: str) -> dict[str, str]:
        """As the record keeps it."""
        last = self.last_restore
        return {
            f"proof {name}": " ".join(_entry(key, one) for key, one in self.snapshots.items()),
            f"parts {name}": " ".join([str(self.of), *(f"{n}:{t}" for n, t in sorted(self.parts.items()))]),
            f"damage {name}": f"{self.damage.time // NS} {self.damage.text[:300]}" if self.damage else "",
            **({f"restored {name}": _last(last)} if last is not None else {}),
        }


def _entry(key: str, one: Proven) -> str:
    return f"{key}:{one.structure}" + (f":{one.restored}" if one.restored else "")


def _last(last: LastRestore) -> str:
    kind = "drill" if last.drilled else "restore"
    return f"{last.time // NS} {last.seconds:.1f} {last.size} {last.key[:KEY]} {last.host} {kind}"


def recall(remembered: Remembered, name: str) -> Proofs:
    """What is remembered of a backup; a line that cannot be read counts as nothing proven."""
    snapshots = {}
    for word in remembered(f"proof {name}").split():
        key, _, rest = word.partition(":")
        first, _, second = rest.partition(":")
        if first.isdecimal():
            snapshots[key] = Proven(int(first), int(second) if second.isdecimal() else 0)
    of, *parts = remembered(f"parts {name}").split() or ["0"]
    read = dict(part.split(":", 1) for part in parts if ":" in part)
    when, _, text = remembered(f"damage {name}").partition(" ")
    return Proofs(
        snapshots=snapshots,
        of=int(of) if of.isdecimal() else 0,
        parts={int(n): int(t) for n, t in read.items() if n.isdecimal() and t.isdecimal()},
        damage=Damage(int(when) * NS, text) if when.isdecimal() else None,
        last_restore=_recalled(remembered(f"restored {name}")),
    )


def _recalled(line: str) -> LastRestore | None:
    match line.split():
        case [when, seconds, size, key, host, kind]:
            whole = when.isdecimal() and size.isdecimal() and seconds.replace(".", "", 1).isdecimal()
            if whole:
                return LastRestore(int(when) * NS, float(seconds), int(size), key, host, kind == "drill")
    return None


def with_proofs(look: BackupLook, proofs: Proofs) -> BackupLook:
    """The look with the level of every snapshot."""
    proved = []
    for snapshot in look.snapshots:
        level, when = proofs.level(snapshot)
        proved.append(msgspec.structs.replace(snapshot, proof=level, proved=when))
    return msgspec.structs.replace(
        look, snapshots=tuple(proved), damage=proofs.damage, last_restore=proofs.last_restore
    )
