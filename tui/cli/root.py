"""The command line's root: verbs in groups, one way of reporting errors, one table of exit codes."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from ondeck import text
from ondeck.errors import BadInput, ExitCode, OndeckError
from ondeck.job.spec import OperationSpec
from ondeck.registry import Registry
from tui.cli.face import Face, Globals, report

# Verb -> (module, attribute, section, one line). Modules are imported when their verb is used.
_VERBS: dict[str, tuple[str, str, str, str]] = {
    "now": ("now", "now", "look", "What needs a person now: checks, jobs, locks, changes"),
    "get": ("inventory", "get", "look", "Hosts, services and every other kind, as rows"),
    "logs": ("logs", "logs", "look", "Logs of hosts and services, merged by time"),
    "top": ("reading", "top", "look", "Figures of hosts, worst first"),
    "changes": ("reading", "changes", "look", "What changed, and which sources did not answer"),
    "certs": ("certs", "certs", "look", "Certificates that members serve, the soonest to end first"),
    "creds": ("creds", "creds", "look", "Who we are where until when; secrets that the inventory refers to"),
    "discover": (
        "discovery",
        "discover",
        "look",
        "Ask the live sources of hosts now: AWS, Ansible, kubeconfig",
    ),
    "plan": ("plans", "plan", "change", "Plan any operation by name, without starting it"),
    "apply": ("plans", "apply", "change", "Start exactly a plan that was made before"),
    "mark": ("notes", "mark", "change", "Note a change that was made elsewhere (CI, by hand)"),
    "with-lock": ("locks", "with_lock", "change", "Run a local command while holding a lock"),
    "jobs": ("jobs", "jobs", "jobs", "Jobs: running, waiting and ended"),
    "attach": ("jobs", "attach", "jobs", "Follow a job to its end; ctrl-c leaves it running"),
    "cancel": ("jobs", "cancel", "jobs", "Cancel a job: nothing new starts; --now stops what runs"),
    "pause": ("jobs", "pause", "jobs", "Pause a job between targets"),
    "continue": ("jobs", "continue_", "jobs", "Let a paused or waiting job go on"),
    "reconcile": ("jobs", "reconcile", "jobs", "Find out with evidence what an unknown job did"),
    "settle": ("jobs", "settle", "jobs", "Set an unknown outcome by hand, with a reason"),
    "left": ("jobs", "left", "jobs", "Targets that a job left behind"),
    "lock": ("locks", "lock", "jobs", "Who holds which lock; break one"),
    "audit": ("records", "audit", "jobs", "Verify or export the audit chain"),
    "report": ("records", "report_", "jobs", "What happened since a time, as Markdown"),
    "handover": ("records", "handover", "jobs", "What the next person on call has to know"),
    "check": ("inventory", "check", "set up", "Is the inventory right; --live: can we log in everywhere"),
    "init": ("inventory", "init", "set up", "Write a first inventory from ssh_config, Ansible or AWS"),
    "trust": ("trust", "trust", "set up", "Enrol host keys into the inventory's known_hosts"),
    "schema": ("inventory", "schema", "set up", "JSON Schema of a file kind, for editors"),
    "doctor": ("doctor", "doctor", "set up", "What this machine has, what is missing"),
    "demo": ("demo", "demo", "set up", "Play on six embedded hosts; everything ends with it"),
}
# Group of operations -> the module whose COMMANDS are verbs of it too: they look and change nothing.
_LOOKS = {"backup": "backups", "stack": "stacks"}
Screen = Callable[[Face], int]
_SECTIONS = ("look", "change", "jobs", "set up")


def _said_of(word: str, specs: Sequence[OperationSpec]) -> str:
    if len(specs) == 1 and specs[0].shortcut and len(specs[0].shortcut.verb) == 1:
        return specs[0].title
    return f"{word} " + ", ".join(spec.shortcut.verb[-1] for spec in specs if spec.shortcut)


class Root(click.Group):
    """Verbs from the table above and, for operations, from the registry of specs."""

    _registry = Registry()

    def _specs(self) -> dict[str, list[OperationSpec]]:
        """Operations by the first word of their verb: one alone, or a group such as `stack plan|apply`."""
        found: dict[str, list[OperationSpec]] = {}
        for spec, _ in self._registry.operations().values():
            if spec.shortcut:
                found.setdefault(spec.shortcut.verb[0], []).append(spec)
        return found

    def _operations(self) -> dict[str, str]:
        return {word: _said_of(word, specs) for word, specs in self._specs().items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, sorted."""
        return sorted({*_VERBS, *self._operations()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module, or make the verb from its operation's spec."""
        if entry := _VERBS.get(cmd_name):
            command = getattr(importlib.import_module(f"tui.cli.{entry[0]}"), entry[1])
            assert isinstance(command, click.Command)
            return command
        specs = self._specs().get(cmd_name, [])
        if not specs:
            return None
        from tui.cli.operation import command_of

        if len(specs[0].shortcut.verb if specs[0].shortcut else ()) == 1:
            return command_of(specs[0])
        commands = [command_of(spec) for spec in specs]
        if module := _LOOKS.get(cmd_name):
            commands.extend(importlib.import_module(f"tui.cli.{module}").COMMANDS)
        return click.Group(cmd_name, commands, help=f"{_said_of(cmd_name, specs)}.")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with near names for a verb that is not there."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(ctx), n=3)
            ctx.fail(f"no verb {name!r}" + (f"; near: {', '.join(near)}" if near else "; see ondeck --help"))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Verbs by section, in the order that a night needs them."""
        for section in _SECTIONS:
            lines = [(name, entry[3]) for name, entry in _VERBS.items() if entry[2] == section]
            if section == "change":
                lines = sorted(self._operations().items()) + lines
            with formatter.section(section):
                formatter.write_dl(lines)


_EXITS = """\b
Exit codes:
   0 ok                  1 failed               2 bad input
   3 some failed         4 refused, or a person is needed
   5 outcome unknown     6 unreachable          7 plan is stale
  10 changes pending    20 cancelled          130 detached, the job goes on"""


@click.group(
    cls=Root,
    epilog=_EXITS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-i", "--inventory", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the inventory."
)
@click.option("--read-only", is_flag=True, help="Refuse every change.")
@click.version_option(package_name="ondeck", prog_name="ondeck")
@click.pass_context
def root(ctx: click.Context, inventory: Path | None, read_only: bool) -> None:
    """The terminal an on-call engineer opens on the bastion.

    Without a verb it opens the full screen. Data goes to standard output, narration to standard error.
    """
    screen: Screen = ctx.obj
    face = ctx.obj = Face(Globals(inventory, read_only))
    if ctx.invoked_subcommand is not None:
        banner = os.environ.get("ONDECK_BANNER")
        if banner:
            face.say(banner)
        return
    if sys.stdin.isatty() and sys.stdout.isatty():
        ctx.exit(screen(face))
    face.say("ondeck: the full screen needs a terminal; here are the verbs:")
    face.data(ctx.get_help() + "\n")
    ctx.exit(int(ExitCode.BAD_INPUT))


def _utf8(word: str) -> str:
    """An argument as the UTF-8 that it is, whatever the locale says.

    Raises:
        BadInput: It is not UTF-8.
    """
    raw = os.fsencode(word)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        shown = raw.decode(errors="backslashreplace")
        raise BadInput(f"the argument {shown!r} is not UTF-8") from error


def main(argv: Sequence[str], *, screen: Screen) -> int:
    """Run one verb; returns the exit code.

    Args:
        argv: Arguments without the program's name.
        screen: Opens the full screen; called when no verb was given on a terminal.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale that lacks a letter loses no line
    try:
        words = [_utf8(word) for word in argv]
        result = root.main(args=words, prog_name="ondeck", standalone_mode=False, obj=screen)
    except OndeckError as error:
        return report(error)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        sys.stderr.write(text.safe(said.getvalue()))
        return int(ExitCode.BAD_INPUT)
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("\nondeck: interrupted; nothing was started\n")
        return int(ExitCode.CANCELLED)
    except Exception as error:  # noqa: BLE001 - the last boundary: one line for the person, the stack in a file
        return _broke(error)
    return result if isinstance(result, int) else int(ExitCode.OK)


def _broke(error: Exception) -> int:
    """Something nobody foresaw; what it did not undo by itself is in the record."""
    from ondeck import settings
    from tui import crash

    try:
        folder: Path | None = settings.load().state / "crashes"
    except OndeckError:
        folder = None
    said = crash.report(folder, error)
    sys.stderr.write(f"{text.safe(said)}\n  a job that was started goes on: ondeck jobs\n")
    return int(ExitCode.FAILED)
