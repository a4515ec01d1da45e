"""Two names of this machine and one of nobody, over a real transport; a program on them can be held."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from ondeck.inventory.model import Environment, Host, Inventory, Revision, Service, SshDefaults
from ondeck.operate.bench import WorkBench
from ondeck.record.store import Record
from ondeck.registry import Registry
from tests.contract.programs import program
from tests.contract.sshd import Sshd, serving, settings

TRANSPORTS = ("local", "ssh")
_T = TypeVar("_T")


class Twins:
    """What the readers are tried on.

    Attributes:
        programs: The first folder of PATH on both hosts.
    """

    def __init__(self, folder: Path, transport: str, sshd: Sshd | None) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self._hold = folder / "hold"
        self._sshd = sshd
        more = {"address": sshd.address, "port": sshd.port, "user": sshd.user} if sshd else {}
        self.hosts = tuple(
            Host(name=name, env="prod", groups=("web",), transport=transport, **more)  # type: ignore[arg-type]
            for name in ("web-1", "web-2")
        )
        self.nobody = Host(name="web-3", env="prod", groups=("web",), address="127.0.0.1", port=1)
        home = sshd.folder if sshd else folder
        self.inventory = Inventory(
            revision=Revision(root=str(folder)),
            ssh=SshDefaults(known_hosts=str(home / "known_hosts"), config=str(home / "ssh_config")),
            environments={"prod": Environment(name="prod")},
            hosts={host.name: host for host in (*self.hosts, self.nobody)},
        )
        self.settings = settings(folder)
        self.bench = self._bench()

    def serve(self, services: Mapping[str, Service]) -> None:
        """Put services on the hosts."""
        self.inventory = msgspec.structs.replace(self.inventory, services=dict(services))
        self.bench = self._bench()

    def _bench(self) -> WorkBench:
        return WorkBench(self.inventory, Registry(), Record(self.settings), self.settings, {})

    def held(self, then: str) -> str:
        """Text of a program that waits while it is held, and says so, before it goes on."""
        hold = self._hold
        return (
            f'#!/bin/sh\nif [ -d "{hold}" ]; then : >"{hold}/$$"\n'
            f'while [ -d "{hold}" ]; do sleep 0.05; done; fi\n{then}\n'
        )

    def hold_program(self, name: str) -> None:
        """Put a program of the machine under hold."""
        program(self.programs, name, self.held(f'exec {shutil.which(name)} "$@"'))

    async def lose_during(self, asking: Awaitable[_T], programs: int = 1) -> _T:
        """Await, and lose every connection while so many programs are held."""
        self._hold.mkdir()
        answer = asyncio.ensure_future(asking)
        try:
            while len(list(self._hold.iterdir())) < programs:
                assert not answer.done(), "it never asked"
                await asyncio.sleep(0.02)
            if self._sshd is not None:
                self._sshd.kill_sessions()
            else:
                await self.bench.reach("local").aclose()
            return await answer
        finally:
            shutil.rmtree(self._hold)


@asynccontextmanager
async def twins(transport: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Twins]:
    """The hosts, with their server where they have one."""
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    async with AsyncExitStack() as stack:
        sshd = None
        if transport == "ssh":
            sshd = stack.enter_context(serving(folder / "sshd", path=path))
        else:
            monkeypatch.setenv("PATH", path)
        hosts = Twins(folder, transport, sshd)
        hosts.programs.mkdir()
        try:
            yield hosts
        finally:
            await hosts.bench.aclose()
