"""Flags of an operation, made from its parameter struct; and the flags that every verb has."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import click
import msgspec

from ondeck.errors import BadInput
from ondeck.job.spec import OperationSpec, Params, TargetKind


class Field(msgspec.Struct, frozen=True):
    """One parameter as the command line sees it; `many` means a tuple of strings."""

    name: str
    kind: type
    required: bool
    default: Any
    help: str
    many: bool = False

    @property
    def flag(self) -> str:
        """`--cpu-limit` for `cpu_limit`."""
        return "--" + self.name.replace("_", "-")


def _plain(annotation: object) -> tuple[type, bool, str]:
    """The type below Annotated and Optional, whether it is a tuple of strings, its description."""
    described = ""
    if get_origin(annotation) is Annotated:
        annotation, *metas = get_args(annotation)
        described = next((m.description for m in metas if isinstance(m, msgspec.Meta) and m.description), "")
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(a for a in get_args(annotation) if a is not NoneType)
    if get_origin(annotation) is tuple:
        return str, True, described
    assert isinstance(annotation, type)
    return annotation, False, described


def fields_of(params: type[Params]) -> list[Field]:
    """The parameters of an operation in the order they are declared."""
    hints = get_type_hints(params, include_extras=True)
    found = []
    for entry in msgspec.structs.fields(params):
        kind, many, described = _plain(hints[entry.name])
        default = entry.default if entry.default is not msgspec.NODEFAULT else None
        found.append(Field(entry.name, kind, entry.required, default, described, many))
    return found


def _option(field: Field) -> click.Parameter:
    if field.kind is bool:
        return click.Option([field.flag], is_flag=True, default=bool(field.default), help=field.help)
    kind: Any = field.kind
    if issubclass(field.kind, Enum):
        kind = click.Choice([str(member.value) for member in field.kind])
    return click.Option(
        [field.flag],
        type=kind,
        multiple=field.many,
        required=field.required,
        default=field.default,
        show_default=field.default not in (None, "", ()),
        help=field.help,
        metavar=None if issubclass(field.kind, Enum) else field.name.upper(),
    )


def parameters(spec: OperationSpec) -> list[click.Parameter]:
    """Arguments and flags of an operation's verb: its target, its parameters, then the common ones."""
    shortcut = spec.shortcut
    positional = shortcut.positional if shortcut else ()
    rest = shortcut.rest if shortcut else ""
    fields = {field.name: field for field in fields_of(spec.params)}
    made: list[click.Parameter] = list(_target(spec))
    if shortcut and shortcut.target == "path":
        # FILE and TARGET:/PATH are these two already.
        fields.pop("source", None)
        fields.pop("path", None)
    for name in positional:
        field = fields.pop(name)
        made.append(click.Argument([name], required=field.required, type=field.kind, default=field.default))
    if rest:
        fields.pop(rest)
        made.append(click.Argument([rest], nargs=-1, type=click.UNPROCESSED, required=True))
    made.extend(_option(field) for field in fields.values())
    return made + [option for option in common() if not spec.interactive or option.name in _INTERACTIVE]


_INTERACTIVE = ("reason", "yes", "confirm", "no_input")
"""Of the common flags, what makes sense where no job is started."""


def _target(spec: OperationSpec) -> Sequence[click.Parameter]:
    shape = spec.shortcut.target if spec.shortcut else "argument"
    selector = click.Option(
        ["-l", "--selector"], multiple=True, metavar="SELECTOR", help="Hosts to act on; several are and."
    )
    match shape:
        case "selector":
            return [selector]
        case "path":
            return [
                click.Argument(["source"], metavar="FILE"),
                click.Argument(["target"], metavar="TARGET:/PATH"),
                selector,
            ]
        case _:
            metavar = {TargetKind.HOSTS: "HOST", TargetKind.SERVICE: "SERVICE@ENV"}.get(spec.target, "NAME")
            return [click.Argument(["target"], metavar=metavar), selector]


def common() -> list[click.Parameter]:
    """What every operation takes."""
    return [
        click.Option(["--reason"], default="", help="Why; goes into plan, job and audit."),
        click.Option(
            ["-y", "--yes"], is_flag=True, help="Confirm where the rules ask for no more than that."
        ),
        click.Option(["--confirm"], default="", metavar="NAME", help="The name that the rules want typed."),
        click.Option(
            ["--break-glass"], is_flag=True, help="Pass a two-person rule alone: loud, with a reason."
        ),
        click.Option(["--plan"], is_flag=True, help="Print the plan and stop."),
        click.Option(
            ["--exit-code"], is_flag=True, help="With --plan: end with 10 when something would change."
        ),
        click.Option(["--detach"], is_flag=True, help="Start the job and return at once."),
        click.Option(
            ["--lock-wait"], default="", metavar="SPAN", help="Wait so long for the lock, e.g. 15m."
        ),
        click.Option(
            ["--timeout"],
            default="",
            metavar="SPAN",
            help="Stop following after so long, with 130; the job itself has no time limit and goes on.",
        ),
        click.Option(["--no-input"], is_flag=True, help="Never ask; end with 4 when a person is needed."),
        click.Option(
            ["-o", "--output", "form"],
            type=click.Choice(["text", "json", "jsonl", "name"]),
            default="text",
            help="How to print; name is only the id of the plan or job.",
        ),
    ]


def assign(pairs: Sequence[str]) -> dict[str, str]:
    """`--set k=v` pairs as a mapping.

    Raises:
        BadInput: One has no `=`.
    """
    found = {}
    for pair in pairs:
        key, eq, value = pair.partition("=")
        if not eq or not key:
            raise BadInput(f"--set {pair!r} is not of the form key=value")
        found[key] = value
    return found


def _words(name: str, raw: str) -> list[str]:
    """The words of a value as a shell would split them; nothing is expanded."""
    try:
        return shlex.split(raw)
    except ValueError as error:
        raise BadInput(f"{name}: {raw!r}: {error}", hint="quote it as for a shell") from error


def check(spec: OperationSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters checked against the operation's struct, as plain data.

    Raises:
        BadInput: One is missing, unknown or of the wrong kind.
    """
    names = {field.name for field in fields_of(spec.params)}
    for name in given:
        if name not in names:
            raise BadInput(
                f"{spec.name} has no parameter {name!r}", hint=f"it has: {', '.join(sorted(names)) or 'none'}"
            )
    known = {key: value for key, value in given.items() if value is not None}
    for field in fields_of(spec.params):
        if field.many and isinstance(raw := known.get(field.name), str):
            known[field.name] = _words(field.name, raw)
    try:
        converted = msgspec.convert(known, type=spec.params, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{spec.name}: {error}") from error
    plain: Callable[[Any], Any] = msgspec.to_builtins
    result = plain(converted)
    assert isinstance(result, dict)
    return result
