"""Load of containers from one-shot figures: two of them make a share, and the first is kept for the next look."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

import msgspec

from ondeck.counting import size
from ondeck.errors import Missing, OndeckError
from providers.docker.client import Client

_APART = 0.25
"""Seconds between the two samples of a first look."""
_AT_ONCE = 8
_KEPT = 5000
_ONE_SHOT = (1, 41)


class Sample(msgspec.Struct, frozen=True):
    """Nanoseconds of CPU that a container and its whole machine had used; bytes of memory."""

    used: int
    machine: int
    cpus: int
    memory: int


class Usage(msgspec.Struct, frozen=True):
    """Load of one container; None where there are no two samples."""

    cpu: float | None
    memory: int | None

    @property
    def cpu_text(self) -> str:
        """`12%`; `?` when not known."""
        return "?" if self.cpu is None else f"{self.cpu:.0f}%"

    @property
    def memory_text(self) -> str:
        """`34.5 MiB`."""
        return "?" if self.memory is None else size(self.memory)


class Stats:
    """Remembers the last sample of each container."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, Sample] = OrderedDict()

    async def of(self, engine: Client, ids: list[str]) -> dict[str, Usage]:
        """Load of these containers, by id; those that ended meanwhile are not in it."""
        if not ids:
            return {}
        before = {one: self._last[one] for one in ids if one in self._last}
        if len(before) < len(ids):
            before |= await self._samples(engine, [one for one in ids if one not in before])
            await asyncio.sleep(_APART)
        now = await self._samples(engine, ids)
        for one, sample in now.items():
            self._last[one] = sample
            self._last.move_to_end(one)
        while len(self._last) > _KEPT:
            self._last.popitem(last=False)
        return {one: Usage(_share(before.get(one), sample), sample.memory) for one, sample in now.items()}

    async def _samples(self, engine: Client, ids: list[str]) -> dict[str, Sample]:
        gate = asyncio.Semaphore(_AT_ONCE)
        # An older engine samples for a whole second by itself when it is not told that one is enough.
        once = tuple(int(part) for part in engine.version.split(".")) >= _ONE_SHOT

        async def one(name: str) -> tuple[str, Sample | None]:
            async with gate:
                try:
                    said = await engine.ask(lambda api: api.stats(name, stream=False, one_shot=once or None))
                except (Missing, OndeckError):
                    return name, None
                return name, _sample(said)

        return {name: s for name, s in await asyncio.gather(*(one(i) for i in ids)) if s is not None}


def _sample(said: dict[str, Any]) -> Sample | None:
    cpu, memory = said.get("cpu_stats") or {}, said.get("memory_stats") or {}
    if "system_cpu_usage" not in cpu:
        return None  # it ended meanwhile
    # As `docker stats` does: what the kernel can drop at any time is not used.
    inside = memory.get("stats") or {}
    cache = inside.get("total_inactive_file", inside.get("inactive_file", 0))
    cpus = cpu.get("online_cpus") or len((cpu.get("cpu_usage") or {}).get("percpu_usage") or ()) or 1
    return Sample(
        used=int((cpu.get("cpu_usage") or {}).get("total_usage", 0)),
        machine=int(cpu["system_cpu_usage"]),
        cpus=int(cpus),
        memory=max(0, int(memory.get("usage", 0)) - int(cache)),
    )


def _share(before: Sample | None, now: Sample) -> float | None:
    """Percent of one CPU."""
    if before is None or now.machine <= before.machine or now.used < before.used:
        return None
    return (now.used - before.used) / (now.machine - before.machine) * now.cpus * 100
