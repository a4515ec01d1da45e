"""Checks beside a service's health, such as the certificate that each member serves: asked, judged, never calm.

A check that cannot be asked is unknown, which is its own answer: every face shows it as `?`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import msgspec

from ondeck import times
from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.errors import OndeckError
from ondeck.inventory import expression, selector
from ondeck.inventory.model import Check, Host, Inventory
from ondeck.observe.fleet import NS, Severity
from ondeck.observe.ports import CheckReader
from ondeck.text import safe_line

AT_ONCE = 16
"""Members that are asked at the same time."""
LONGEST = 10.0
"""Seconds that asking one may take."""
WARN = 21 * 86_400.0
CRIT = 7 * 86_400.0


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a member serves.

    Attributes:
        ends: When its certificate ends, ns.
        problem: Why it is not trusted for the name; empty when it is.
    """

    ends: int
    serial: str = ""
    issuer: str = ""
    problem: str = ""


class CheckLook(msgspec.Struct, frozen=True, kw_only=True):
    """One check on one member.

    Attributes:
        subject: `checkout@prod`.
        member: The host; empty when the name itself was asked.
        text: Why, or until when; one line.
        ends: When the certificate ends, ns; 0 when not known.
        asked: When it was asked, ns; 0 when not yet.
    """

    subject: str
    env: str
    kind: str
    target: str
    member: str
    severity: Severity
    text: str
    ends: int = 0
    serial: str = ""
    issuer: str = ""
    asked: int = 0

    @property
    def state(self) -> str:
        """`ok warn bad ?`."""
        return "?" if self.severity is Severity.UNKNOWN else self.severity.word


class _Question(msgspec.Struct, frozen=True):
    subject: str
    env: str
    check: Check
    host: Host | None
    trouble: str = ""

    def answer(self, severity: Severity, text: str, asked: int, served: Served | None = None) -> CheckLook:
        found = served or Served(ends=0)
        return CheckLook(
            subject=self.subject, env=self.env, kind=self.check.kind, target=self.check.target,
            member=self.host.name if self.host else "", severity=severity, text=text, ends=found.ends,
            serial=found.serial, issuer=found.issuer, asked=asked,
        )  # fmt: skip


def members(inventory: Inventory, env: str, check: Check) -> tuple[Host, ...]:
    """The hosts of an environment that a check is asked of; none when it asks the name itself."""
    if not check.each:
        return ()
    judge = selector.compiled(expression.parse(check.each), inventory)
    return tuple(host for host in inventory.hosts.values() if host.env == env and judge(host))


def _questions(inventory: Inventory) -> list[_Question]:
    found = []
    for service in inventory.services.values():
        for env in service.on:
            for check in service.checks:
                subject = f"{service.name}@{env}"
                hosts = members(inventory, env, check)
                if hosts:
                    found += [_Question(subject, env, check, host) for host in hosts]
                elif check.each:
                    found.append(
                        _Question(subject, env, check, None, f"no host of {env} matches {check.each}")
                    )
                else:
                    found.append(_Question(subject, env, check, None))
    return found


def declared(inventory: Inventory) -> tuple[CheckLook, ...]:
    """Every check that the inventory declares, before it is asked: not known."""
    return tuple(q.answer(Severity.UNKNOWN, "not asked yet", 0) for q in _questions(inventory))


async def look(
    able: Capabilities, bench: Bench, *, only: Callable[[str], bool] | None = None
) -> list[CheckLook]:
    """Ask every declared check of every member, bounded; never raises for one that cannot be asked.

    Args:
        able: Says who can evaluate a kind of check.
        bench: What readers work with.
        only: Which `service@env` to ask; all when None.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(question: _Question) -> CheckLook:
        async with gate:
            return await _ask(question, able, bench)

    wanted = [q for q in _questions(bench.inventory) if only is None or only(q.subject)]
    return soonest_first(await asyncio.gather(*(one(question) for question in wanted)))


async def _ask(question: _Question, able: Capabilities, bench: Bench) -> CheckLook:
    now, error = time.time_ns(), question.trouble
    try:
        if not error:
            reader = cast(CheckReader, able.check(question.check.kind))
            address = question.host.address or question.host.name if question.host else ""
            async with asyncio.timeout(bench.settings.seconds(LONGEST)):
                served = await reader.ask(question.check, address, bench)
            return _judged(question, served, now)
    except TimeoutError:
        error = f"no answer within {LONGEST:.0f} s"
    except OndeckError as failed:
        error = safe_line(failed.message)
    except Exception as failed:  # noqa: BLE001 - a provider's mistake becomes the answer of its member
        error = safe_line(f"{type(failed).__name__}: {failed}")
    return question.answer(Severity.UNKNOWN, error, now)


def _judged(question: _Question, served: Served, now: int) -> CheckLook:
    check, left = question.check, (served.ends - now) / NS
    warn = WARN if check.warn is None else check.warn
    crit = CRIT if check.crit is None else check.crit
    ends = f"ends in {times.length(left)}" if left > 0 else f"ended {times.length(-left)} ago"
    severity = Severity.BAD if left <= crit else Severity.WARN if left <= warn else Severity.OK
    if served.problem:
        return question.answer(Severity.BAD, f"{served.problem}; {ends}", now, served)
    return question.answer(severity, ends, now, served)


def soonest_first(looks: Iterable[CheckLook]) -> list[CheckLook]:
    """What is bad first, then what is not known, then by the end of the certificate."""
    rank = {Severity.BAD: 0, Severity.UNKNOWN: 1, Severity.WARN: 2, Severity.OK: 3}
    return sorted(looks, key=lambda c: (rank[c.severity], c.ends or 0, c.subject, c.target, c.member))


class CheckTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """A check that is not ok on some of its members, which stand side by side when they say the same."""

    subject: str
    env: str
    severity: Severity
    members: tuple[str, ...]
    what: str
    why: str

    @property
    def text(self) -> str:
        """Such as `tls checkout.example.com:443 ends in 1h58m`."""
        return f"{self.what} {self.why}"


def troubles(looks: Sequence[CheckLook]) -> list[CheckTrouble]:
    """What a person has to know of checks, one for what several members say alike."""
    alike: dict[tuple[str, str, str, str, Severity], list[CheckLook]] = {}
    for one in soonest_first(looks):
        if one.severity is not Severity.OK:
            alike.setdefault((one.subject, one.env, one.kind, one.target, one.severity), []).append(one)
    return [
        CheckTrouble(
            subject=subject, env=env, severity=severity, members=tuple(c.member for c in found if c.member),
            what=f"{kind} {target}", why=found[0].text,
        )
        for (subject, env, kind, target, severity), found in alike.items()
    ]  # fmt: skip
