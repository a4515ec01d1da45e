"""What every verb of the command line works with: settings, deck, the two output streams, exits."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

import click
import msgspec
from click.core import ParameterSource

from ondeck import settings as settings_module
from ondeck import text
from ondeck.errors import ExitCode, OndeckError
from ondeck.registry import Registry
from ondeck.settings import Settings
from tui.cli.out import Format, Rows, fitted, render

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ondeck.deck import Deck


class Globals(msgspec.Struct, frozen=True):
    """Flags that stand before the verb."""

    inventory: Path | None = None
    read_only: bool = False


class Face:
    """The command line as a face: data to standard output, narration to standard error."""

    def __init__(self, flags: Globals) -> None:
        self.flags = flags

    @cached_property
    def settings(self) -> Settings:
        """Settings of this process."""
        return settings_module.load(inventory=self.flags.inventory, read_only=self.flags.read_only)

    @cached_property
    def deck(self) -> Deck:
        """Inventory, registry and record; opened when a verb first needs them.

        Raises:
            OndeckError: The inventory or our own state cannot be read.
        """
        from ondeck.deck import open_deck

        return open_deck(self.settings)

    @cached_property
    def registry(self) -> Registry:
        """Installed providers; needs no inventory."""
        return Registry()

    def data(self, value: str) -> None:
        """Write to standard output; a closed pipe ends quietly."""
        _write(sys.stdout, value)

    def lines(self, lines: Iterable[str]) -> None:
        """Text for people on standard output: whatever stands in it, an item stays one line."""
        self.data("".join(f"{text.safe_line(line)}\n" for line in lines))

    def say(self, line: str) -> None:
        """One line of narration on standard error, whatever stands in it."""
        _write(sys.stderr, f"{text.safe_line(line)}\n")

    def rows(self, rows: Rows, form: str) -> None:
        """A table in the asked form; an empty one says so on standard error.

        On a terminal it is fitted to the width, unless the form was asked for: then it is whole.
        """
        if not rows.rows and form == Format.TABLE:
            self.say("nothing to show")
        if form != Format.TABLE or not rows.rows or not sys.stdout.isatty() or _asked_for("form"):
            self.data(render(rows, Format(form)))
            return
        said, cut = fitted(rows, shutil.get_terminal_size().columns)
        self.data(said)
        if cut:
            self.say("-- cut to the width of this terminal; whole: -o table")

    @property
    def may_ask(self) -> bool:
        """True when a person sits at both ends."""
        return sys.stdin.isatty() and sys.stderr.isatty()


def _asked_for(name: str) -> bool:
    """Whether a flag of the verb was given rather than left at its default."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _write(stream: TextIO, value: str) -> None:
    # The last door: what a pipe may get as it is (CSV, Markdown with odd letters) a terminal would obey.
    if stream.isatty() and not text.is_safe(value):
        value = text.safe(value)
    try:
        stream.write(value)
        stream.flush()
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing is left to tell, and Python must not try again at exit.
        _let_go(stream)
        raise SystemExit(ExitCode.OK) from None
    except OSError as error:
        _let_go(stream)
        raise OndeckError(f"the output cannot be written: {error.strerror}") from error


def _let_go(stream: TextIO) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def report(error: OndeckError) -> int:
    """Say an error the one way: what, where, what to do; and its exit code."""
    head = f"{error.where}: {error.message}" if error.where else error.message
    lines = [f"ondeck: {text.safe_line(head)}"]
    if error.hint:
        lines.extend(f"  {line}" for line in text.safe(error.hint).splitlines())
    _write(sys.stderr, "\n".join(lines) + "\n")
    return int(error.exit_code)


pass_face = click.make_pass_decorator(Face)


selector_option = click.option(
    "-l",
    "--selector",
    "selectors",
    multiple=True,
    metavar="SELECTOR",
    help="Which hosts, e.g. env=prod,group=web; several are and.",
)
form_option = click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice([str(f.value) for f in Format]),
    default="table",
    show_default=True,
    help="How to print.",
)
