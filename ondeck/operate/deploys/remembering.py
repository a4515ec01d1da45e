"""After the last batch: is the release good everywhere, so that a rollback may lead to it one day?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ondeck.bench import Bench
from ondeck.counting import counted
from ondeck.errors import RemoteFailed
from ondeck.inventory.model import Service
from ondeck.job.plan import Plan
from ondeck.observe.health import declared
from ondeck.operate.deploys.survey import Seen
from ondeck.operate.deploys.work import Work, to_remember


def remembered(
    bench: Bench,
    plan: Plan,
    work: Work,
    service: Service,
    seen: Mapping[str, Seen],
    succeeded: tuple[str, ...],
    emit: Callable[[str], None],
) -> dict[str, str]:
    """What to remember of a release that is healthy on every host of its service; empty when it is not.

    Hosts that were left out of the plan, or that are none of its targets and cannot be asked, are told
    and not waited for.

    Args:
        bench: With what is remembered so far.
        plan: What was applied.
        work: Its release.
        service: The service.
        seen: Every host of it, as it is now.
        succeeded: Targets on which the change succeeded.
        emit: Where words for people go.

    Raises:
        RemoteFailed: A host that had succeeded is not healthy on it any more.
    """
    # A host that cannot be asked and is none of the plan's must not freeze what is remembered.
    out = [
        name
        for name, one in seen.items()
        if name not in plan.targets and (one.state is None or name in plan.draft.left_out)
    ]
    not_yet = [name for name, one in seen.items() if name not in out and not _is_good(one, work, service)]
    if lapsed := [name for name in not_yet if name in succeeded]:
        names = ", ".join(lapsed[:5])
        raise RemoteFailed(f"{work.release} is not remembered as good: no longer healthy: {names}")
    if not_yet:
        emit(f"{work.release} is not remembered as good: not healthy on it: {', '.join(not_yet[:5])}")
        return {}
    emit(
        f"{work.release} is healthy on {len(seen) - len(out)} of {counted(len(seen), 'host')} of {work.name}"
    )
    if out:
        emit(f"LEFT OUT, not on {work.release} as far as anybody knows: {', '.join(out)}")
    return to_remember(bench, work.name, work.release)


def _is_good(one: Seen, work: Work, service: Service) -> bool:
    if one.state is None or one.state.release != work.release:
        return False
    return one.probe.ok is True or (one.probe.ok is None and not declared(service.health))
