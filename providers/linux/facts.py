"""Capability `facts`: one small shell loop a host, over one stream that ends with its connection."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ondeck.bench import Bench
from ondeck.errors import LinkLost, OndeckError
from ondeck.inventory.model import Host
from ondeck.observe.records import FactsBatch, Health
from ondeck.observe.sources import Pauses, States, words
from ondeck.reach.ports import Link
from providers.linux.asking import Following, linked
from providers.linux.facts_parse import Samples

# A sample that is later than so many periods makes the source slow.
SLOW_AFTER = 3
# Seconds without a sample after which the stream is given up and opened again.
GIVE_UP = 30.0

# Every echo is a builtin that fails when nobody reads: the loop cannot outlive its connection.
SCRIPT = r"""
LC_ALL=C; export LC_ALL
echo @kernel; uname -sr; echo @os; cat /etc/os-release 2>/dev/null
echo @cores; grep -c '^cpu[0-9]' /proc/stat
round=0
while :; do
  echo @time || exit; date +%s.%N
  echo @boot || exit; cat /proc/sys/kernel/random/boot_id
  echo @stat || exit; head -n 1 /proc/stat
  echo @memory || exit; head -n 30 /proc/meminfo
  echo @load || exit; cat /proc/loadavg
  echo @uptime || exit; cat /proc/uptime
  echo @network || exit; cat /proc/net/dev
  if [ $((round % 15)) -eq 0 ]; then
    echo @space || exit; timeout 5 df -P -k -l 2>/dev/null
    echo @inodes || exit; timeout 5 df -P -i -l 2>/dev/null
  fi
  echo @end || exit
  round=$((round + 1))
  sleep "$1" || exit
done
"""


class LinuxFacts:
    """Reads /proc and df. A figure that cannot be read is None, never zero."""

    async def watch(
        self, host: Host, bench: Bench, *, every: float = 2.0
    ) -> AsyncGenerator[FactsBatch, None]:
        """Figures every so many seconds; see `ondeck.observe.ports.FactsReader`."""
        states = States(host.name)
        pauses = Pauses(bench.settings)
        yield FactsBatch(state=states.begin())
        while True:
            error: BaseException | None = None
            try:
                async with linked(host, bench) as link:
                    period = max(0.02, bench.settings.seconds(every))
                    give_up = max(bench.settings.seconds(GIVE_UP), 10 * period)
                    async with aclosing(_sampled(link, host.name, states, period, give_up)) as batches:
                        async for batch in batches:
                            pauses.reset()
                            yield batch
            except (OndeckError, TimeoutError, OSError) as caught:
                error = caught
            lost = states.to(Health.LOST, words(error) if error else "the sampling command ended")
            if lost is not None:
                yield FactsBatch(state=lost)
            await pauses.wait(error)


async def _sampled(
    link: Link, host: str, states: States, period: float, give_up: float
) -> AsyncGenerator[FactsBatch, None]:
    samples = Samples(host)
    heard = time.monotonic()
    async with link.stream(["sh", "-c", SCRIPT, "sh", f"{period:.3f}"]) as stream:
        following = Following(stream)
        async with aclosing(following.chunks(period * SLOW_AFTER)) as chunks:
            async for chunk in chunks:
                for facts in samples.feed(chunk or b"", time.time_ns()):
                    heard = time.monotonic()
                    states.saw()
                    yield FactsBatch(facts, states.to(Health.OK))
                silent = time.monotonic() - heard
                if silent > give_up:
                    raise LinkLost(f"no sample for {silent:.0f} s", where=host)
                if silent > period * SLOW_AFTER and states.health is Health.OK:
                    yield FactsBatch(state=states.to(Health.SLOW, "samples come late"))
        if following.errors:
            raise LinkLost(following.errors, where=host)
