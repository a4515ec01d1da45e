"""What is asked of an engine, in the words of the docker command line: for who reads a plan."""

from __future__ import annotations

from ondeck.inventory.model import Deploy, Host, Service
from ondeck.observe.health import filled
from providers.docker.deploys.options import DockerOptions
from providers.docker.deploys.state import DockerState
from providers.docker.deploys.work import Work

ATTEMPT = "ATTEMPT"
"""Stands in the plan where the attempt's id comes, which is not known yet."""

_API = "over the engine's API"
_SHORT = 12
Sent = tuple[list[str], str]


def before_argv(service: Service, host: Host, work: Work, name: str) -> list[str]:
    """A command that runs before the deploy; `${image}` is the image with its digest.

    Raises:
        BadInput: A placeholder in it is not known.
    """
    deploy = service.deploy
    assert deploy is not None
    run = next(m.run for m in deploy.before if m.name == name)
    values = {"host": host.name, "address": host.address or host.name, "service": service.name}
    values |= {"env": host.env, "version": work.release.version, "image": work.image}
    return [filled(word, values) for word in run]


def before(service: Service, host: Host, work: Work) -> list[Sent]:
    """What is done while the old release still serves."""
    if not work.image:
        return []
    found: list[Sent] = []
    if host.name not in work.present:
        found.append((["docker", "pull", work.image], _API))
    once = {m.name for m in service.deploy.before if m.on == "one"} if service.deploy else set()
    for name in work.migrations:
        note = f"{name}, once, on the first host" if name in once else name
        found.append((before_argv(service, host, work, name), note))
    return found


def change(service: Service, state: DockerState, host: Host, work: Work) -> list[Sent]:
    """What changes which container runs."""
    way = work.ways[host.name]
    old = [one.name for one in state.live]
    name = f"{service.name}.{ATTEMPT}"
    if work.operation == "service.restart":
        return [
            (["docker", "create", f"--name={name}", "..."], f"the claim of the attempt, {_API}"),
            *((["docker", "restart", one], _API) for one in old),
        ]
    if not work.image:
        return []
    stops: list[Sent] = [
        (["docker", "stop", f"--time={way.spec.stop_grace:g}", one], f"kept for the way back, {_API}")
        for one in old
    ]
    if way.kept:
        make: Sent = (["docker", "rename", way.kept[:_SHORT], name], f"the kept container as it was, {_API}")
    else:
        make = (
            ["docker", "create", f"--name={name}", *way.spec.words(), work.image],
            f"from the compose file, {_API}",
        )
    start: Sent = (["docker", "start", name], _API)
    return [make, *stops, start] if way.stop_first else [make, start, *stops]


def around(deploy: Deploy, work: Work, doors: dict[str, list[str]], between: list[Sent]) -> list[Sent]:
    """Drain, the change, undrain."""
    where = f" on {deploy.drain_on}" if deploy.drain_on else ""
    found: list[Sent] = []
    if work.operation != "service.undrain":
        found.append((doors["drain"], f"drain{where}"))
    if work.operation not in ("service.drain", "service.undrain"):
        found.extend(between)
    if work.operation != "service.drain":
        once = "" if work.operation == "service.undrain" else ", once healthy"
        found.append((doors["undrain"], f"undrain{where}{once}"))
    return found


def pruning(options: DockerOptions, state: DockerState, versions: tuple[str, ...]) -> list[Sent]:
    """What goes at the end: exactly these containers, and their images where nothing else uses them."""
    gone = [one for one in state.containers if one.version in versions and not one.running]
    found: list[Sent] = [
        (["docker", "rm", one.name], f"at the end: {one.version} goes, {_API}") for one in gone
    ]
    digests = dict.fromkeys(one.digest for one in gone if one.digest)
    found += [
        (["docker", "rmi", f"{options.image}@sha256:{d}"], f"at the end, if unused, {_API}") for d in digests
    ]
    return found
