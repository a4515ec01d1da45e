"""A deploy to twenty containers on a real engine, beside the same calls of the bare SDK in as many threads."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_CONTAINERS = 20
_ROUNDS = 3


async def _ours(sites: list[Any], version: str) -> float:
    """Seconds to apply plans that are made and opened: twenty services, each with one host."""
    from contextlib import AsyncExitStack

    from tests.contract.release_site import Log

    async with AsyncExitStack() as stack:
        opened = []
        for site in sites:
            plan = await site.plan("deploy", version=version)
            opened.append((site, await stack.enter_async_context(site.operator.open(plan, site.bench))))
        began = time.perf_counter()
        found = await asyncio.gather(*(a.apply(s.attempt("web-1"), Log()) for s, a in opened))
        took = time.perf_counter() - began
    if bad := [one.evidence for one in found if one.outcome != "succeeded"]:
        raise RuntimeError(f"a deploy did not succeed: {bad[0]}")
    return took


def _bare(api: Any, site: Any, image: str, number: int) -> None:
    """What a deploy has to ask of an engine, and no more."""
    wanted = {"label": [f"ondeck.service={site.name}"]}
    old = [one["Id"] for one in api.containers(filters=wanted)]
    api.inspect_image(image)
    host = api.create_host_config(port_bindings={8080: (site.addresses["web-1"], 8080)})
    labels = {"ondeck.service": site.name, "ondeck.env": "bare", "ondeck.version": "bare"}
    made = api.create_container(
        image, name=f"{site.name}.bare{number}", ports=[8080], labels=labels, host_config=host
    )
    for one in old:
        api.update_container(one, restart_policy={"Name": "no"})
        api.stop(one, timeout=2)
    api.start(made["Id"])
    api.inspect_container(made["Id"])


def _theirs(api: Any, sites: list[Any], digests: list[str], number: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(12) as pool:
        jobs = [
            pool.submit(_bare, api, site, f"{site.image}@sha256:{digest}", number)
            for site, digest in zip(sites, digests, strict=True)
        ]
        for job in jobs:
            job.result()
    return time.perf_counter() - began


def _clear(api: Any, sites: list[Any]) -> None:
    for site in sites:
        for one in api.containers(all=True, filters={"label": f"ondeck.service={site.name}"}):
            api.remove_container(one["Id"], force=True)


def _measured(lab: Any, make: Callable[[int], Any]) -> tuple[float, float]:
    sites = [make(number) for number in range(_CONTAINERS)]
    digests = []
    for site in sites:
        digests.append(site.put("1"))
        site.pulled("1")
        for number in range(_ROUNDS):
            site.put(f"2.{number}")
            site.pulled(f"2.{number}")
    api = lab.api()
    ours, theirs = [], []
    try:
        for number in range(_ROUNDS):
            # Both begin with nothing of theirs on the engine.
            theirs.append(_theirs(api, sites, digests, number))
            _clear(api, sites)
            ours.append(asyncio.run(_ours(sites, f"2.{number}")))
            _clear(api, sites)
    finally:
        api.close()
        for site in sites:
            site.close()
    return statistics.median(ours), statistics.median(theirs)


def measure() -> list[tuple[str, float, str]]:
    """The ratio, in the same run on the same engine."""
    from ondeck.errors import Missing
    from tests.contract.docker_site import DockerSite, docker_lab

    with tempfile.TemporaryDirectory() as folder:
        try:
            with docker_lab() as lab:
                ours, theirs = _measured(
                    lab,
                    lambda number: DockerSite(
                        lab, Path(folder, str(number)), health=None, options={"lives": "0s"}
                    ),
                )
        except Missing as error:
            raise RuntimeError(error.message) from error
    return [("deploy_20", ours / theirs, f"ours {ours:.2f} s, bare SDK {theirs:.2f} s")]
