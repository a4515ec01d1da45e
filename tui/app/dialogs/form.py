"""A form for the parameters of an operation, made from its struct; errors stand beside their field."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

import msgspec
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from ondeck.job.spec import OperationSpec
from tui.app import commands
from tui.app.bindings import key_of
from tui.app.context import Desk
from tui.app.dialogs.base import Dialog
from tui.app.session import Wish


class Field(msgspec.Struct, frozen=True):
    """One parameter as a form shows it."""

    name: str
    kind: str
    help: str
    example: str
    required: bool
    value: str


def fields(spec: OperationSpec, given: Mapping[str, Any]) -> list[Field]:
    """Fields of an operation, required ones first."""
    found, wanted = [], commands.lacking(spec, {})
    for name, info in commands.field_names(spec).items():
        kind, help_text, example = _described(info.type)
        default = given.get(name, None if info.default is msgspec.NODEFAULT else info.default)
        needed = info.required or name in wanted
        found.append(Field(name, kind, help_text, example, needed, _shown(default)))
    return sorted(found, key=lambda field: not field.required)


def _described(annotation: Any) -> tuple[str, str, str]:  # noqa: ANN401 - a type as typing gives it
    help_text = example = ""
    if get_origin(annotation) is Annotated:
        annotation, *notes = get_args(annotation)
        for note in notes:
            if isinstance(note, msgspec.Meta):
                help_text = note.description or help_text
                example = str(note.examples[0]) if note.examples else example
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation), help_text, example
    if get_origin(annotation) is tuple:
        return "words", help_text, example
    return getattr(annotation, "__name__", "text"), help_text, example


def _shown(value: Any) -> str:  # noqa: ANN401 - parameters are plain data
    if value is None or value is msgspec.UNSET:
        return ""
    if isinstance(value, tuple | list):
        return shlex.join(str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value.value if isinstance(value, Enum) else value)


def taken(spec: OperationSpec, texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Parameters from what was typed, and what is wrong by field."""
    params: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    undone = bool(texts.get("undo", "").strip())
    for field in fields(spec, {"undo": "given"} if undone else {}):
        text = texts.get(field.name, "").strip()
        if not text and field.required:
            wrong[field.name] = "needed"
        elif text and text != field.value:
            try:
                params[field.name] = _value(field.kind, text)
            except ValueError:
                wrong[field.name] = f"expected {field.kind}"
    if not wrong:
        try:
            msgspec.convert(params, spec.params, strict=False)
        except msgspec.ValidationError as error:
            name = str(error).rpartition("$.")[2].strip("`") if "$." in str(error) else ""
            wrong[name or next(iter(texts), "")] = str(error).partition(" - at")[0]
    return params, wrong


def _value(kind: str, text: str) -> Any:  # noqa: ANN401 - parameters are plain data
    if kind == "words":
        return tuple(shlex.split(text))
    if kind == "bool":
        if text.lower() not in ("yes", "no", "true", "false"):
            raise ValueError(text)
        return text.lower() in ("yes", "true")
    if kind == "int":
        return int(text)
    return float(text) if kind == "float" else text


class Form(Dialog[dict[str, Any]]):
    """Answers with parameters that fit the operation's struct."""

    DEFAULT_CSS = """
    Form .box { width: 76; }
    Form VerticalScroll { height: auto; max-height: 100%; background: $surface; }
    Form Static { background: $surface; }
    Form Input, Form Input:focus { border: none; height: 1; padding: 0 1; background: $background; margin-bottom: 1; }
    """

    def __init__(self, desk: Desk, spec: OperationSpec, wish: Wish) -> None:
        super().__init__(desk, box=True)
        self.spec = spec
        self.wish = wish
        self.fields = fields(spec, wish.params)

    def compose(self) -> ComposeResult:
        """A label and a line for each field."""
        style = self.desk.roles.style
        copies = f"{key_of('dialog.copy', self.desk.keymap)} copies the command"
        with Vertical(classes="box") as box, VerticalScroll(can_focus=False):
            # On the border: it is in sight however far the fields are scrolled.
            box.border_subtitle = f"tab next   enter plans it   {copies}   esc leaves"
            yield Static(Text(f"{self.spec.title}: {self.wish.subject}", style("heading")))
            for field in self.fields:
                yield Static(self._label(field, ""), id=f"label-{field.name}")
                yield Input(
                    value=field.value, placeholder=field.example, compact=True, id=f"field-{field.name}"
                )

    def _label(self, field: Field, wrong: str) -> Text:
        style = self.desk.roles.style
        label = Text(field.name.replace("_", " "), style("key"))
        label.append(
            f"  {field.help or field.kind}{'' if field.required else '  (may stay empty)'}", style("dim")
        )
        if wrong:
            label.append(f"  {wrong}", style("bad"))
        return label

    def on_mount(self) -> None:
        """The first empty field."""
        inputs = list(self.query(Input))
        next((i for i in inputs if not i.value), inputs[0]).focus()

    def _texts(self) -> dict[str, str]:
        return {f.name: self.query_one(f"#field-{f.name}", Input).value for f in self.fields}

    @on(Input.Submitted)
    def _submit(self) -> None:
        params, wrong = taken(self.spec, self._texts())
        for field in self.fields:
            self.query_one(f"#label-{field.name}", Static).update(
                self._label(field, wrong.get(field.name, ""))
            )
        if wrong:
            self.query_one(f"#field-{next(iter(wrong))}", Input).focus()
        else:
            self.dismiss(params)

    def command(self) -> str:
        """The command line with what is typed so far."""
        params, _wrong = taken(self.spec, self._texts())
        wish = Wish(operation=self.spec.name, subject=self.wish.subject, hosts=self.wish.hosts, params=params)
        return commands.shell_line(self.spec, wish)
