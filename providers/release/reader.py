"""Capability `releases`: what runs where, and what could run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ondeck.bench import Bench
from ondeck.errors import Missing, RemoteFailed
from ondeck.inventory.model import Host, Service
from ondeck.observe.records import ReleaseFacts
from ondeck.operate.deploys.claimed import said
from ondeck.operate.deploys.survey import Seen
from ondeck.text import decode, safe_line
from providers.release.archive import available
from providers.release.options import VERSION, ReleaseDir, archive_pattern, options_of, words
from providers.release.survey import look_at

_NO_PROGRAM = 127
"""What a shell ends with when there is no such program."""


class ReleaseReader:
    """Reads releases from hosts and from the bastion; changes nothing."""

    async def running(self, service: Service, hosts: Sequence[Host], bench: Bench) -> Sequence[ReleaseFacts]:
        """One entry a host, in the order asked; errors are entries.

        Raises:
            BadInput: The service's deploy or health section is wrong.
        """
        _, options = options_of(service)
        seen = await look_at(bench, service, options, hosts)
        return [_facts(service, seen[host.name]) for host in hosts]

    async def available(self, service: Service, env: str, bench: Bench) -> Sequence[str]:
        """Versions that can be deployed, newest first.

        Raises:
            Missing: The archives' folder or the command is not there, or the service names none.
            RemoteFailed: Its own command failed, or did not end in time.
        """
        _, options = options_of(service)
        if isinstance(options, ReleaseDir):
            return await asyncio.to_thread(available, archive_pattern(bench.inventory, options))
        if not options.available:
            raise Missing(f"{service.name} declares no deploy.available command")
        here = Host(name="bastion", env=env, transport="local")
        link = await bench.reach("local").connect(here)
        try:
            done = await link.run(words(options.available, service, here))
        except TimeoutError as error:
            raise RemoteFailed(f"deploy.available of {service.name} did not end in time") from error
        finally:
            await link.aclose()
        if done.status == _NO_PROGRAM:
            raise Missing(f"deploy.available of {service.name}: {said(done)}")
        if not done.ok:
            raise RemoteFailed(f"deploy.available of {service.name}: {said(done)}")
        lines = (safe_line(line.strip()) for line in decode(done.stdout).splitlines())
        return [line for line in lines if VERSION.fullmatch(line)]


def _facts(service: Service, seen: Seen) -> ReleaseFacts:
    state = seen.state
    if state is None:
        return ReleaseFacts(host=seen.host, service=service.name, error=seen.error)
    return ReleaseFacts(
        host=seen.host,
        service=service.name,
        version=state.version,
        digest=state.digest,
        since=state.since,
        healthy=seen.probe.ok,
        health_text=seen.probe.text,
        kept=tuple(kept.version for kept in state.kept),
        kept_at=tuple(kept.when for kept in state.kept),
        drained=None if state.drained is None else bool(state.drained),
    )
