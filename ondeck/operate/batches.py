"""Targets into batches: sizes, worst first, pairs that are never touched together, the largest share."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from ondeck.errors import BadInput
from ondeck.inventory.model import Environment, Host
from ondeck.job.plan import Batch

_SIZE = re.compile(r"([0-9]{1,6})(%?)", re.ASCII)


class Size(msgspec.Struct, frozen=True):
    """A batch size as written: a number of targets or a percentage of all of them."""

    value: int
    percent: bool

    def of(self, total: int) -> int:
        """Targets in a batch; percentages round down, and a batch is never empty."""
        return max(1, total * self.value // 100 if self.percent else self.value)

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)


def size(text: str) -> Size:
    """Read `1` or `25%`.

    Raises:
        BadInput: Neither a number above 0 nor a percentage from 1 to 100.
    """
    found = _SIZE.fullmatch(text.strip())
    value = int(found[1]) if found else 0
    percent = bool(found and found[2])
    if value < 1 or (percent and value > 100):
        raise BadInput(
            f"batch size {text!r} is not understood", hint="write a number like 1, or a share like 25%"
        )
    return Size(value, percent)


def share_for(environment: Environment | None, verb: str) -> float:
    """The largest share of a service that one batch of this operation may touch, 0 to 1."""
    if environment is None or verb in environment.max_targets.excepted:
        return 1.0
    return environment.max_targets.share


def apart(hosts: Iterable[Host]) -> dict[str, frozenset[str]]:
    """Host name -> groups of which it must be the only one in a batch (`never_together`)."""
    return {host.name: frozenset(host.groups) for host in hosts if host.never_together and host.groups}


def batches(
    targets: Sequence[str],
    sizes: Sequence[str],
    *,
    first: Collection[str] = (),
    keep_apart: Mapping[str, frozenset[str]] | None = None,
    share: float = 1.0,
    of: int = 0,
) -> tuple[Batch, ...]:
    """Cut targets into batches; every target is in exactly one.

    Args:
        targets: In the order they are to be worked on, without repetition.
        sizes: Sizes of the batches as written; the last one repeats.
        first: Targets that go before all others, in batches of their own (the worst).
        keep_apart: From `apart`: two targets that share one of these groups are never in one batch.
        share: Largest share of `of` in one batch, 0 to 1; at least one target is always allowed.
        of: How many the service has in all; the number of targets when 0.

    Raises:
        BadInput: A size is not understood, or there is none.
    """
    if not sizes:
        raise BadInput("no batch size is given")
    parsed = [size(text) for text in sizes]
    cap = max(1, int((of or len(targets)) * share + 1e-9))
    limit = f", at most {cap} at once ({share:.0%})" if share < 1.0 else ""
    groups = keep_apart or {}
    ahead = [t for t in targets if t in first]
    rest = [t for t in targets if t not in first]
    result = _cut(ahead, [Size(100, True)] if ahead else parsed, groups, cap, limit, "worst first")
    return (*result, *_cut(rest, parsed, groups, cap, limit, ""))


def _cut(
    targets: list[str],
    sizes: list[Size],
    groups: Mapping[str, frozenset[str]],
    cap: int,
    limit: str,
    why: str,
) -> list[Batch]:
    total = len(targets)
    left = list(targets)
    result: list[Batch] = []
    while left:
        wanted = sizes[min(len(result), len(sizes) - 1)]
        taken, waiting = _take(left, min(wanted.of(total), cap), groups)
        reason = why or _reason(wanted, total, last=len(taken) == len(left))
        reason += limit if wanted.of(total) > cap else ""
        if waiting:
            reason += f", {', '.join(waiting[:3])} never together with these"
        result.append(Batch(targets=tuple(taken), why=reason))
        chosen = set(taken)
        left = [t for t in left if t not in chosen]
    return result


def _take(left: list[str], count: int, groups: Mapping[str, frozenset[str]]) -> tuple[list[str], list[str]]:
    """The next targets in order, and those that have to wait because of one of them."""
    taken: list[str] = []
    waiting: list[str] = []
    used: set[str] = set()
    for target in left:
        if len(taken) == count:
            break
        mine = groups.get(target, frozenset())
        if mine & used:
            waiting.append(target)
            continue
        taken.append(target)
        used |= mine
    return taken, waiting


def _reason(wanted: Size, total: int, *, last: bool) -> str:
    if wanted.percent:
        return "the rest" if last else f"{wanted} of {total}"
    if wanted.value == 1:
        return "one first" if not last or total == 1 else "the last one"
    return f"{wanted} at a time"
