"""The contract suite of `inside`: a program inside a thing of a place, on the user's own terminal.

Subclass it in a test module, name the provider, give an `inside` fixture, and pytest runs it.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from ondeck.errors import BadInput
from ondeck.inventory.model import Host, Inventory, Place
from ondeck.reach.ports import Inside, Shell
from ondeck.testing.suite import PortSuite


class InsideCase(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite needs to get into things.

    Attributes:
        place: Reached without another host between.
        thing: A thing of it that runs.
        command: Parameters that run a shell command in it.
        beyond: A place that is reached over a host; None where there is no such thing.
        shell: Gives the shell of a host's transport.
        wrong: Parameters that make no sense.
    """

    inventory: Inventory
    place: Place
    thing: str
    command: Callable[[str], Mapping[str, Any]]
    shell: Callable[[Host], Shell]
    wrong: Mapping[str, Any]
    beyond: Place | None = None

    def argv(self, provided: Inside, script: str, place: Place | None = None) -> list[str]:
        """What the provider would start."""
        where = place or self.place
        return list(provided.inside_argv(self.inventory, where, self.thing, self.command(script), self.shell))


class InsideSuite(PortSuite):
    """Promises of `ondeck.reach.ports.Inside`."""

    capability = "inside"

    def test_a_program_runs_in_the_thing_on_a_terminal(self, provided: Inside, inside: InsideCase) -> None:
        status, said = on_a_terminal(inside.argv(provided, "test -t 0 && test -t 1 && echo it is one"))
        assert (status, "it is one" in said) == (0, True)

    def test_its_exit_status_is_that_of_the_program(self, provided: Inside, inside: InsideCase) -> None:
        assert on_a_terminal(inside.argv(provided, "exit 7"))[0] == 7

    def test_words_arrive_as_they_are(self, provided: Inside, inside: InsideCase) -> None:
        _, said = on_a_terminal(inside.argv(provided, "printf '[%s]' '$HOME' 'a  b' ';id'"))
        assert "[$HOME][a  b][;id]" in said

    def test_a_place_behind_a_host_is_reached_over_its_own_transport(
        self, provided: Inside, inside: InsideCase
    ) -> None:
        if inside.beyond is None:
            pytest.skip("this provider reaches every place from here")
        status, said = on_a_terminal(inside.argv(provided, "echo over the host", inside.beyond))
        assert (status, "over the host" in said) == (0, True)

    def test_parameters_that_make_no_sense_are_refused(self, provided: Inside, inside: InsideCase) -> None:
        with pytest.raises(BadInput):
            provided.inside_argv(inside.inventory, inside.place, inside.thing, inside.wrong, inside.shell)


def on_a_terminal(argv: list[str]) -> tuple[int, str]:
    """Run a program on a terminal of its own; its exit status and what it wrote."""
    master, slave = pty.openpty()
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    said = b""
    try:
        while data := os.read(master, 4096):
            said += data
    except OSError:
        pass  # the last one closed the terminal
    finally:
        os.close(master)
    return process.wait(), said.decode(errors="replace")
