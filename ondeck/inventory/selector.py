"""Selectors: which hosts a text means, by what the files say and by what is known live.

Every test is true, false or not known (a figure that nobody has measured). `not`, `and` and `or` keep
'not known' as such, so an unknown host is never selected by turning a test round, and it is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate

import msgspec

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory import expression, patterns
from ondeck.inventory.expression import All, Among, AnyOf, Compare, Expression, Not, Word
from ondeck.inventory.live import STATES, HostFacts, Live
from ondeck.inventory.model import Host, Inventory
from ondeck.inventory.problems import Bad, listed, nearest

Judge = Callable[[Host], bool | None]

PLAIN_KEYS = ("name", "host", "env", "group", "role", "nature", "address", "service")
FIGURES: dict[str, Callable[[HostFacts], float | None]] = {
    "cpu": lambda facts: _hundred(facts.cpu),
    "mem": lambda facts: _hundred(facts.memory),
    "memory": lambda facts: _hundred(facts.memory),
    "swap": lambda facts: _hundred(facts.swap),
    "disk": lambda facts: _hundred(max((disk[0] for disk in facts.disks.values()), default=None)),
    "inodes": lambda facts: _hundred(max((disk[1] for disk in facts.disks.values()), default=None)),
    "load1": lambda facts: facts.load1,
    "cores": lambda facts: facts.cores,
}
"""Live figures; shares count from 0 to 100."""
LIVE_KEYS = (*FIGURES, "state", "version")
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?%?")


class Selected(msgspec.Struct, frozen=True):
    """What a selector found.

    Attributes:
        hosts: In the order of the inventory.
        unjudged: Hosts that could not be judged, because a figure or state of them is not known.
    """

    hosts: tuple[Host, ...]
    unjudged: int = 0


class Selector(msgspec.Struct, frozen=True):
    """A parsed selector; `str` gives a text that parses to the same."""

    tree: Expression

    def __str__(self) -> str:
        return str(self.tree)

    def judge(
        self,
        inventory: Inventory,
        live: Live | None = None,
    ) -> Selected:
        """Judge every host; an empty result is no error here.

        Raises:
            BadInput: A key is neither built in nor a label of any host, or a value cannot be compared.
            NoMatch: It names a service that is not there.
        """
        refuse_unknown_keys(self.tree, inventory)
        judge = compiled(self.tree, inventory, live)
        found = []
        unjudged = 0
        for host in inventory.hosts.values():
            verdict = judge(host)
            if verdict:
                found.append(host)
            elif verdict is None:
                unjudged += 1
        return Selected(tuple(found), unjudged)

    def select(
        self,
        inventory: Inventory,
        live: Live | None = None,
    ) -> tuple[Host, ...]:
        """The hosts that match, in the order of the inventory.

        Raises:
            NoMatch: None does; the hint has what is near.
            BadInput: As `judge`.
        """
        found = self.judge(inventory, live)
        if found.hosts:
            return found.hosts
        lost = (
            f"; {found.unjudged} could not be judged, their figures are not known" if found.unjudged else ""
        )
        raise NoMatch(f"no host matches {str(self)!r}{lost}", hint=_near(self.tree, inventory))

    def matches(
        self,
        host: Host,
        inventory: Inventory | None = None,
        live: Live | None = None,
    ) -> bool:
        """True when one host surely matches. `service=` needs the inventory."""
        return compiled(self.tree, inventory, live)(host) is True


def parse(texts: Sequence[str]) -> Selector:
    """One selector from several texts, all of which must hold; none at all selects every host.

    Raises:
        BadInput: A text is not a selector; the hint points at the place.
    """
    trees = tuple(expression.parse(text) for text in texts)
    return Selector(trees[0] if len(trees) == 1 else All(trees))


def keys(tree: Expression) -> set[str]:
    """Every key that is tested."""
    match tree:
        case Compare(key=key) | Among(key=key):
            return {key}
        case Not(item=item):
            return keys(item)
        case All(items=items) | AnyOf(items=items):
            return set().union(*(keys(item) for item in items))
    return set()


def services_named(tree: Expression, inventory: Inventory) -> frozenset[str] | None:
    """Services that `service=` names: whose `version` is meant; None when the selector names none."""
    match tree:
        case Compare(key="service", op="=", value=value):
            return frozenset(filter(_matcher([value]), inventory.services))
        case Among(key="service", values=values, negated=False):
            return frozenset(filter(_matcher(values), inventory.services))
        case All(items=items) | AnyOf(items=items):
            found = [named for item in items if (named := services_named(item, inventory)) is not None]
            return frozenset().union(*found) if found else None
    return None


def refuse_unknown_keys(tree: Expression, inventory: Inventory) -> None:
    """Refuse a key that means nothing here: `rol!=web` must not quietly select everything.

    Raises:
        BadInput: A key is neither built in nor a label of any host.
    """
    asked = keys(tree).difference(PLAIN_KEYS, LIVE_KEYS)
    if not asked:
        return
    labels = {key for host in inventory.hosts.values() for key in host.labels}
    for key in sorted(asked - labels):
        known = [*PLAIN_KEYS, *LIVE_KEYS, *sorted(labels)]
        raise BadInput(
            f"selector: no host has a label {key!r}",
            hint=nearest(key, known) or f"keys that mean something: {listed(known, 20)}",
        )


def compiled(
    tree: Expression,
    inventory: Inventory | None = None,
    live: Live | None = None,
) -> Judge:
    """A function that judges one host: True, False, or None when something is not known."""
    named = None if inventory is None else services_named(tree, inventory)
    return _Compiler(inventory, live or Live(), named).judge(tree)


class _Compiler:
    def __init__(self, inventory: Inventory | None, live: Live, named: frozenset[str] | None) -> None:
        self.inventory = inventory
        self.live = live
        self.named = named

    def judge(self, tree: Expression) -> Judge:
        match tree:
            case Word(text=text):
                return self._test("name", _matcher([text]), negated=False)
            case Compare(key=key, op="=" | "!=" as op, value=value) if key not in FIGURES:
                return self._test(key, _matcher([value]), negated=op == "!=", values=(value,))
            case Compare(key=key, op=op, value=value):
                return self._figure(key, op, value)
            case Among(key=key) if key in FIGURES:
                raise BadInput(f"selector: {key} is a figure, compare it with > < >= <= or =")
            case Among(key=key, values=values, negated=negated):
                return self._test(key, _matcher(values), negated=negated, values=values)
            case Not(item=item):
                return _negated(self.judge(item))
            case All(items=items):
                return _all([self.judge(item) for item in items])
            case AnyOf(items=items):
                return _any([self.judge(item) for item in items])

    def _test(
        self, key: str, fits: Callable[[str], bool], *, negated: bool, values: Sequence[str] = ()
    ) -> Judge:
        match key:
            case "name" | "host":
                return lambda host: fits(host.name) is not negated
            case "env":
                return lambda host: fits(host.env) is not negated
            case "address":
                return lambda host: fits(host.address) is not negated
            case "nature":
                return lambda host: fits(host.nature) is not negated
            case "group":
                return lambda host: any(map(fits, host.groups)) is not negated
            case "role":
                return lambda host: (
                    (fits(host.labels.get("role", "")) or any(map(fits, host.groups))) is not negated
                )
            case "service":
                names = self._hosts_of_services(fits, values)
                return lambda host: (host.name in names) is not negated
            case "state":
                return self._state(fits, values, negated=negated)
            case "version":
                return self._version(fits, negated=negated)
        return lambda host: (key in host.labels and fits(host.labels[key])) is not negated

    def _state(self, fits: Callable[[str], bool], values: Sequence[str], *, negated: bool) -> Judge:
        if not any(map(fits, STATES)):
            hint = nearest(values[0], STATES) or f"states are: {', '.join(STATES)}"
            raise BadInput(f"selector: no host is ever state={values[0]}", hint=hint)
        states = self.live.states

        def judge(host: Host) -> bool | None:
            state = states.get(host.name)
            if state is None or (state == "unknown" and not fits(state)):
                return None
            return fits(state) is not negated

        return judge

    def _version(self, fits: Callable[[str], bool], *, negated: bool) -> Judge:
        running, named = self.live.versions, self.named

        def judge(host: Host) -> bool | None:
            known = running.get(host.name, {})
            found = [version for name, version in known.items() if named is None or name in named]
            found = found or [host.labels.get("version", "")]
            if any(map(fits, filter(None, found))):
                return not negated
            return negated if all(found) else None

        return judge

    def _hosts_of_services(self, fits: Callable[[str], bool], values: Sequence[str]) -> frozenset[str]:
        from ondeck.inventory import members

        if self.inventory is None:
            raise BadInput("selector: service= can only be asked of a whole inventory")
        services = [service for name, service in self.inventory.services.items() if fits(name)]
        if not services:
            asked = ", ".join(values)
            hint = nearest(values[0], self.inventory.services) or listed(self.inventory.services)
            raise NoMatch(f"no service is named {asked!r}", hint=hint)
        return frozenset(
            host.name
            for service in services
            for env in service.on
            for host in members.hosts_of(self.inventory, service, env)
        )

    def _figure(self, key: str, op: str, value: str) -> Judge:
        if key not in FIGURES:
            near = nearest(key, FIGURES)
            hint = near or f"figures are: {', '.join(FIGURES)}; for labels use = or !="
            raise BadInput(f"selector: {key!r} is not a figure, {op} cannot compare it", hint=hint)
        if not _NUMBER.fullmatch(value):
            raise BadInput(f"selector: expected a number after {key}{op}, found {value!r}")
        figure, live = FIGURES[key], self.live.facts
        bound = float(value.removesuffix("%"))
        compare = _COMPARE[op]

        def judge(host: Host) -> bool | None:
            facts = live.get(host.name)
            known = None if facts is None else figure(facts)
            return None if known is None else compare(known, bound)

        return judge


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
}


def _hundred(share: float | None) -> float | None:
    return None if share is None else share * 100


def _negated(judge: Judge) -> Judge:
    def opposite(host: Host) -> bool | None:
        verdict = judge(host)
        return None if verdict is None else not verdict

    return opposite


def _all(judges: Sequence[Judge]) -> Judge:
    def every(host: Host) -> bool | None:
        verdict: bool | None = True
        for judge in judges:
            one = judge(host)
            if one is False:
                return False
            if one is None:
                verdict = None
        return verdict

    return every


def _any(judges: Sequence[Judge]) -> Judge:
    def either(host: Host) -> bool | None:
        verdict: bool | None = False
        for judge in judges:
            one = judge(host)
            if one:
                return True
            if one is None:
                verdict = None
        return verdict

    return either


def _matcher(texts: Sequence[str]) -> Callable[[str], bool]:
    """Matches any of the texts: exact, a glob with * or ?, or a host pattern such as web-[01:05]."""
    exact: set[str] = set()
    globs = []
    for text in texts:
        if ":" in text and patterns.is_pattern(text):
            try:
                exact.update(patterns.expand(text))
            except Bad as bad:
                raise BadInput(f"selector: {bad.message}", hint=bad.hint) from None
        elif "*" in text or "?" in text:
            globs.append(_glob(text))
        else:
            exact.add(text)
    if not globs:
        return exact.__contains__
    return lambda value: value in exact or any(glob(value) for glob in globs)


def _glob(text: str) -> Callable[[str], bool]:
    collapsed = re.sub(r"\*+", "*", text).replace("[", "[[]")
    if collapsed.count("*") > 8:
        raise BadInput(f"selector: expected at most 8 '*' in {text!r}")
    match = re.compile(translate(collapsed)).match
    return lambda value: match(value) is not None


def _near(tree: Expression, inventory: Inventory) -> str:
    """What a selector that found nothing may have meant."""
    match tree:
        case Word(text=text):
            return _near_word(text, inventory)
        case Compare(key=key, op="=", value=value) | Among(key=key, values=(value, *_)):
            known = _known_values(key, inventory)
            if value not in known:
                return nearest(value, known, say=f"did you mean {key}={{}}?") or f"{key}: {listed(known)}"
        case All(items=items) | AnyOf(items=items):
            return next((hint for hint in (_near(item, inventory) for item in items) if hint), "")
    return ""


def _near_word(text: str, inventory: Inventory) -> str:
    if text in inventory.hosts:
        return ""
    groups = _known_values("group", inventory)
    for key, known in (("group", groups), ("env", inventory.environments), ("service", inventory.services)):
        if text in known:
            return f"did you mean {key}={text}?"
    return nearest(text, inventory.hosts) or f"hosts: {listed(inventory.hosts)}"


def _known_values(key: str, inventory: Inventory) -> set[str]:
    hosts = inventory.hosts.values()
    match key:
        case "name" | "host":
            return set(inventory.hosts)
        case "env":
            return set(inventory.environments)
        case "group":
            return {group for host in hosts for group in host.groups}
        case "role":
            return {group for host in hosts for group in host.groups} | {
                host.labels["role"] for host in hosts if "role" in host.labels
            }
        case "nature" | "address":
            return {str(getattr(host, key)) for host in hosts}
        case "service":
            return set(inventory.services)
    return {host.labels[key] for host in hosts if key in host.labels}
