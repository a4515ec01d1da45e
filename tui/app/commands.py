"""The `:` line: what was typed, as something to do; and something to do, as what a shell would run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ondeck.inventory import kinds
from ondeck.inventory.problems import nearest
from ondeck.job.events import Ask, What
from ondeck.job.outcome import Outcome
from ondeck.job.spec import OperationSpec, Shortcut, TargetKind
from tui.app.bindings import ACTS, LATER
from tui.app.session import Session, Wish
from tui.app.views import Kind, Selected

PLACES: dict[str, str] = {
    "now": "now", "fleet": "fleet", "hosts": "fleet", "deploy": "deploy", "services": "deploy", "svc": "deploy",
    "logs": "logs", "metrics": "metrics", "top": "metrics", "jobs": "jobs", "units": "units",
    "changes": "changes", "locks": "locks", "certs": "certs", "creds": "creds", "record": "record",
    "provision": "provision", "stacks": "provision", "backups": "backups",
}  # fmt: skip
"""Words of the `:` line that name a view, and its address."""


LATER_PANES = tuple(act for act in ACTS if act.help.endswith(LATER))
"""Panes that have their key and no content yet."""


class Go(msgspec.Struct, frozen=True):
    """Open a view."""

    address: str


class Do(msgspec.Struct, frozen=True):
    """Plan an operation; `lacking` names required parameters that were not given."""

    spec: OperationSpec
    wish: Wish
    lacking: tuple[str, ...] = ()


class Turn(msgspec.Struct, frozen=True):
    """Change how it is shown: `tz`, `theme`, `at`."""

    name: str
    value: str


class Leave(msgspec.Struct, frozen=True):
    """Quit the app; jobs go on."""


class Trouble(msgspec.Struct, frozen=True):
    """It means nothing; one line says why."""

    message: str


Typed = Go | Do | Turn | Leave | Trouble


def parse(text: str, session: Session, marked: Sequence[str] = ()) -> Typed:
    """What a line means; an operation on hosts that names none means the marked ones."""
    try:
        words = shlex.split(text)
    except ValueError:
        return Trouble("a quote is open")
    if not words:
        return Trouble("nothing typed")
    first, rest = words[0], words[1:]
    if first in ("q", "quit", "exit"):
        return Leave()
    if first in ("tz", "theme", "at"):
        return Turn(first, " ".join(rest))
    spec = _spec_of(words, session.specs())
    if spec is not None and spec.shortcut is not None:
        return _operation(spec, words[len(spec.shortcut.verb) :], session, tuple(marked))
    return _place(first, rest, session)


def _place(first: str, rest: Sequence[str], session: Session) -> Typed:
    if first == "get" and rest:
        first, rest = rest[0], rest[1:]
        if (named := kinds.plural(first)) is not None:
            return Go(f"get {named}")
    if first in PLACES:
        address = PLACES[first]
        return Go(f"{address} {rest[0]}" if rest else address)
    later = next((act.help for act in LATER_PANES if act.short.lower() == first.lower()), "")
    if (plural := kinds.plural(first)) is not None and not later:
        return Go(f"get {plural}")
    if first in session.lists():
        return Go(f"{first} {rest[0]}" if rest else first)
    if first in session.subjects() or first in session.inventory.hosts or session.job(first):
        return Go(first)
    if first in session.inventory.services:
        return _service(first, session)
    if later:
        return Trouble(later)
    if first == "job" and rest:
        return Go(rest[0])
    return Trouble(_nothing_named(first, session))


def _service(name: str, session: Session) -> Typed:
    subjects = [subject for subject in session.subjects() if subject.partition("@")[0] == name]
    if len(subjects) == 1:
        return Go(subjects[0])
    return Trouble(f"{name} stands in several environments: {' '.join(subjects)}")


def _nothing_named(word: str, session: Session) -> str:
    if word == "get":
        return f"say of what: {' '.join((*kinds.KINDS, *session.lists()))}"
    verbs = (spec.shortcut.verb[0] for spec in session.specs() if spec.shortcut)
    known = [
        *PLACES,
        *kinds.KINDS,
        *session.lists(),
        *verbs,
        "quit",
        "theme",
        *session.subjects(),
        *session.inventory.hosts,
    ]
    near = nearest(word, known)
    return f"no view, thing or verb named {word!r}" + (f": {near}" if near else ": ? lists what there is")


def _spec_of(words: Sequence[str], specs: Iterable[OperationSpec]) -> OperationSpec | None:
    best: OperationSpec | None = None
    for spec in specs:
        verb = spec.shortcut.verb if spec.shortcut else ()
        longer = best is None or best.shortcut is None or len(verb) > len(best.shortcut.verb)
        if verb and tuple(words[: len(verb)]) == verb and longer:
            best = spec
    return best


def field_names(spec: OperationSpec) -> dict[str, msgspec.structs.FieldInfo]:
    """Parameters of an operation by name."""
    return {f.name: f for f in msgspec.structs.fields(spec.params)}


def _operation(spec: OperationSpec, words: Sequence[str], session: Session, marked: tuple[str, ...]) -> Typed:
    assert spec.shortcut is not None
    shortcut, fields = spec.shortcut, field_names(spec)
    params: dict[str, Any] = {}
    plain: list[str] = []
    selectors: list[str] = []
    reason = ""
    todo = list(words)
    while todo:
        word = todo.pop(0)
        if word == "--":
            if not shortcut.rest:
                return Trouble(f"{' '.join(shortcut.verb)} takes no command after --")
            params[shortcut.rest] = tuple(todo)
            break
        if not word.startswith("-") or word == "-":
            plain.append(word)
            continue
        name, _, value = word.partition("=")
        field = fields.get(name.lstrip("-").replace("-", "_"))
        if field is not None and field.type is bool:
            params[field.name] = True
            continue
        if not value and not todo:
            return Trouble(f"{name} needs a value")
        value = value or todo.pop(0)
        if name in ("-l", "--selector"):
            selectors.append(value)
        elif name == "--reason":
            reason = value
        elif field is not None:
            params[field.name] = value
        else:
            return Trouble(f"{' '.join(shortcut.verb)} knows no {name}")
    misplaced = _bare_hosts(shortcut, plain, params, session)
    return misplaced or _wish(spec, plain, selectors, params, reason, marked)


def _bare_hosts(
    shortcut: Shortcut, plain: Sequence[str], params: Mapping[str, Any], session: Session
) -> Trouble | None:
    """Hosts where a command is expected: the line that was meant; None when there are none."""
    if shortcut.target != "selector" or not plain or plain[0] not in session.inventory.hosts:
        return None
    hosts = [word for word in plain if word in session.inventory.hosts]
    command = params.get(shortcut.rest) or plain[len(hosts) :] or ("COMMAND",)
    line = shlex.join([*shortcut.verb, "-l", selector_of(hosts), "--", *map(str, command)])
    return Trouble(f"hosts are named by -l: {line}")


def _wish(
    spec: OperationSpec,
    plain: list[str],
    selectors: list[str],
    params: dict[str, Any],
    reason: str,
    marked: tuple[str, ...],
) -> Typed:
    assert spec.shortcut is not None
    names, subject = list(spec.shortcut.positional), ""
    if spec.shortcut.target == "selector":
        subject = ",".join(selectors)
    elif spec.shortcut.target == "path":
        names = list(_PLACED[:1])
        at = next((i for i, word in enumerate(plain) if ":/" in word), -1)
        subject, _, path = plain.pop(at).partition(":/") if at >= 0 else ("", "", "")
        subject = ",".join(filter(None, (subject, *selectors)))
        if at >= 0:
            params["path"] = f"/{path}"
    else:
        subject = plain.pop(0) if plain else ""
    hosts: tuple[str, ...] = ()
    if not subject and marked and spec.target is TargetKind.HOSTS:
        subject, hosts = selector_of(marked), marked
    for name in names:
        if plain:
            params[name] = plain.pop(0)
    if plain and spec.shortcut.rest and spec.shortcut.rest not in params:
        params[spec.shortcut.rest] = tuple(plain)
        plain = []
    if plain:
        return Trouble(f"too many words: {' '.join(plain)}")
    if not subject:
        what = _WANTS.get(spec.shortcut.target, "a target")
        return Trouble(f"{' '.join(spec.shortcut.verb)} needs {what}")
    wish = Wish(operation=spec.name, subject=subject, hosts=hosts, params=params, reason=reason)
    return Do(spec, wish, lacking(spec, params))


_PLACED = ("source", "path")
_WANTS = {
    "selector": "hosts: mark some, or -l SELECTOR",
    "path": "hosts: mark some, or FILE HOST:/PATH, FILE SELECTOR:/PATH",
}


def lacking(spec: OperationSpec, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Parameters without which nothing can be planned and that are not there."""
    placed = _PLACED if spec.shortcut and spec.shortcut.target == "path" and not params.get("undo") else ()
    return tuple(
        name
        for name, field in field_names(spec).items()
        if (field.required and name not in params) or (name in placed and not params.get(name))
    )


def selector_of(hosts: Sequence[str]) -> str:
    """A selector that names exactly these hosts."""
    return f"name={hosts[0]}" if len(hosts) == 1 else f"name in ({','.join(hosts)})"


def order_line(job: str, ask: Ask) -> str:
    """What somebody would type to ask the same of a job."""
    why = f" --reason {shlex.quote(ask.reason)}" if ask.reason else ""
    match ask.what:
        case What.SETTLE:
            outcome = f"{ask.target} {ask.outcome.value if ask.outcome else 'OUTCOME'}"
            gate = f"--gate {'passed' if ask.outcome is Outcome.SUCCEEDED else 'failed'}"
            reason = shlex.quote(ask.reason or "WHY")
            return f"ondeck settle {job} {outcome if ask.target else gate} --reason {reason}"
        case What.CREDENTIALS:
            return f"ondeck attach {job}"
        case What.CANCEL:
            return f"ondeck cancel {job}{' --now' if ask.hard else ''}{why}"
        case _:
            return f"ondeck {ask.what.value} {job}{why}"


def asked(job: str, order: str, *, hard: bool = False) -> str:
    """What was asked of a job, in words."""
    if order == "cancel":
        rest = "what runs is stopped too" if hard else "what runs finishes, nothing new starts"
        return f"asked job {job} to cancel: {rest}"
    return f"asked job {job} to {order}"


def shell_line(spec: OperationSpec, wish: Wish) -> str:
    """The command a person would type for the same."""
    shortcut = spec.shortcut
    if shortcut is None:
        words = ["ondeck", "plan", spec.name, wish.subject]
        for name, value in wish.params.items():
            words += ["--set", f"{name}={value}"]
        return shlex.join(words)
    given = dict(wish.params)
    words = ["ondeck", *shortcut.verb]
    rest = given.pop(shortcut.rest, ()) if shortcut.rest else ()
    first = _PLACED[:1] if shortcut.target == "path" else ()
    positional = [str(given.pop(name)) for name in (*first, *shortcut.positional) if name in given]
    if shortcut.target == "selector":
        words += ["-l", selector_of(wish.hosts) if wish.hosts else wish.subject]
    elif shortcut.target == "path":
        path = given.pop("path", "")
        where = wish.hosts[0] if len(wish.hosts) == 1 else wish.subject
        positional.append(f"{where}:{path}" if path else where)
    else:
        words.append(wish.subject)
    words += positional
    words += _flags(given)
    if wish.reason:
        words += ["--reason", wish.reason]
    if rest:
        words += ["--", *map(str, rest)]
    return shlex.join(words)


def with_reason(line: str, reason: str) -> str:
    """A command line of `shell_line` with another reason in it; what is no such line stays as it is."""
    try:
        words = shlex.split(line)
    except ValueError:
        return line
    end = words.index("--") if "--" in words else len(words)
    if "--reason" in words[:end]:
        at = words.index("--reason")
        del words[at : at + 2]
        end -= 2
    words[end:end] = ["--reason", reason.strip()] if reason.strip() else []
    return shlex.join(words)


def _flags(given: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, tuple | list):
            for item in value:
                words += [flag, str(item)]
        elif value is not False and value is not None:
            words += [flag, str(value)]
    return words


def candidates(text: str, session: Session, limit: int = 12) -> list[str]:
    """Words that may come next, best first."""
    before, _, last = text.rpartition(" ")
    if before:
        names: Iterable[str] = [*session.subjects(), *session.inventory.hosts]
    else:
        verbs = (" ".join(s.shortcut.verb) for s in session.specs() if s.shortcut)
        names = [
            *PLACES,
            *kinds.KINDS,
            *session.lists(),
            *verbs,
            "tz",
            "theme",
            "at",
            "q",
            *session.subjects(),
            *session.inventory.hosts,
        ]
    found: list[str] = []
    for name in names:
        if name.startswith(last) and name not in found:
            found.append(name)
            if len(found) == limit:
                break
    return found


def fits(spec: OperationSpec, chosen: Selected, session: Session) -> bool:
    """True when an operation acts on this kind of thing."""
    match chosen.kind:
        case Kind.HOST:
            return spec.target is TargetKind.HOSTS
        case Kind.SERVICE:
            return spec.target is TargetKind.SERVICE
        case Kind.PLACE:
            return spec.target.section == chosen.section and not spec.things
        case Kind.THING:
            lists = session.lists().get(chosen.listed, ())
            return any(spec.name in one.operations for one in lists if one.of.section == chosen.section)
        case _:
            return False
