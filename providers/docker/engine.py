"""The engine of a place: of a host over its own link, or of a cluster as the inventory says where it listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput
from ondeck.inventory.model import Cluster, Host
from ondeck.observe.health import filled
from providers.docker.client import Address, Client

SOCKET = "/var/run/docker.sock"


class Tls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files on the bastion: who signed the engine's certificate, and our own with its key."""

    ca: str = ""
    cert: str = ""
    key: str = ""


class ClusterOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a cluster of kind `docker` or `swarm` says.

    Attributes:
        host: A host of the inventory whose engine it is, reached over its own link; of a swarm a manager.
        socket: Where the engine listens there.
        url: In place of a host: `unix:///path` on the bastion, or `tcp://name:port`.
    """

    host: str = ""
    socket: str = SOCKET
    url: str = ""
    tls: Tls | None = None


def options_of(cluster: Cluster) -> ClusterOptions:
    """The checked options of a cluster.

    Raises:
        BadInput: One is wrong, or it names neither a host nor an address.
    """
    try:
        options = msgspec.convert(cluster.options, ClusterOptions, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"cluster {cluster.name}: {error}") from error
    if bool(options.host) == bool(options.url):
        raise BadInput(f"cluster {cluster.name} names either `host` or `url`, exactly one of them")
    if options.url and not options.url.startswith(("unix:///", "tcp://")):
        raise BadInput(f"cluster {cluster.name}: url {options.url!r} begins with unix:/// or tcp://")
    return options


@asynccontextmanager
async def engine_of(place: Host | Cluster, bench: Bench, socket: str = SOCKET) -> AsyncIterator[Client]:
    """The engine of a place, asked once whether it answers; let go at the end.

    Args:
        place: A host, or a cluster of kind `docker` or `swarm`.
        bench: Opens links.
        socket: Of a host: where its engine listens; `${host}` is filled in.

    Raises:
        BadInput: The inventory says nothing useful.
        Missing: There is no such socket.
        Unreachable, AuthFailed: It could not be asked.
    """
    async with AsyncExitStack() as stack:
        if isinstance(place, Cluster):
            address = await _of_cluster(place, bench, stack)
        else:
            address = await _of_host(place, bench, stack, socket)
        client = Client(place.name, address, bench.settings)
        stack.push_async_callback(client.aclose)
        await client.open()
        yield client


async def _of_cluster(cluster: Cluster, bench: Bench, stack: AsyncExitStack) -> Address:
    options = options_of(cluster)
    if options.host:
        host = bench.inventory.hosts.get(options.host)
        if host is None:
            raise BadInput(f"cluster {cluster.name}: there is no host {options.host!r}")
        return await _of_host(host, bench, stack, options.socket)
    tls = options.tls
    if tls is None:
        return Address(options.url)
    root = bench.inventory.revision.root
    return Address(options.url, *(file_of(root, name) for name in (tls.ca, tls.cert, tls.key)))


def file_of(root: str, name: str) -> str:
    """A file that the inventory names, as a path: a relative one lies beside the inventory; empty for none."""
    return str(Path(root, Path(name).expanduser())) if name else ""


async def _of_host(host: Host, bench: Bench, stack: AsyncExitStack, socket: str) -> Address:
    link = await bench.reach(host.transport).connect(host)
    stack.push_async_callback(link.aclose)
    path = filled(socket, {"host": host.name, "address": host.address or host.name})
    return Address(f"unix://{await stack.enter_async_context(link.forward_socket(path))}")
