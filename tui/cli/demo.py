"""`ondeck demo`: six embedded hosts to play on; everything it starts ends with it."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--shell", is_flag=True, help="A shell in which `ondeck` works on the demo.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def demo(shell: bool, command: tuple[str, ...]) -> int:
    """Start six embedded hosts with a small web service on a copy of the sample inventory.

    Opens the full screen on them. With `--shell` a shell instead, with `-- COMMAND` that one command.
    """
    from lab.embedded import demo as lab_demo

    return int(lab_demo.run(command=command, shell=shell))
