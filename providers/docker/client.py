"""One engine over its socket: requests by the SDK in threads, streams by aiodocker on the loop.

aiodocker's own readers of streams are not used: they decode what is bytes, and they take a connection that
was lost for the end of what was read, which would make a half pull or a torn log a whole one. Here its client
carries the request, and the answer is read with the difference.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ondeck.errors import AuthFailed, LinkLost, Missing, OndeckError, Reason, RemoteFailed, Unreachable
from ondeck.settings import Settings
from ondeck.text import safe_line
from providers.docker.threads import in_thread

if TYPE_CHECKING:
    import aiohttp
    from aiodocker import Docker
    from docker import APIClient

T = TypeVar("T")

_ANSWER = 60.0
_AT_LEAST = 15.0
"""Seconds that an engine gets for an answer; its own work is not shortened by a timescale below the second."""


_LINE = 4 << 20

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
"""Seconds and tries after which a connection to a machine that has gone without a word ends."""


class Conflict(RemoteFailed):
    """The engine says no because of what is there already: a name that is taken, a thing in use."""


_KINDS: dict[int, type[OndeckError]] = {404: Missing, 409: Conflict}


class Address(msgspec.Struct, frozen=True):
    """Where an engine listens: `unix:///path` or `tcp://host:port`; for TLS the paths of three files."""

    url: str
    ca: str = ""
    cert: str = ""
    key: str = ""


class Client:
    """An engine that answers. It belongs to the loop that opened it."""

    def __init__(self, where: str, address: Address, settings: Settings) -> None:
        """Name it; nothing is asked yet.

        Args:
            where: Host or cluster, for messages.
            address: Where it listens.
            settings: For waiting times.
        """
        self.where = where
        self._address = address
        self._seconds = max(settings.seconds(_ANSWER), _AT_LEAST)
        self._api: APIClient | None = None
        self._streams: Docker | None = None

    async def open(self) -> None:
        """Ask for its version; requests may follow.

        Raises:
            Unreachable: It does not answer.
            AuthFailed: It wants a certificate that we do not have.
            Missing: A file of `tls` is not there.
        """
        try:
            self._api = await in_thread(self._made)
        except Exception as error:
            raise translated(error, self.where, begun=False) from error

    def _made(self) -> APIClient:
        import docker
        from docker.tls import TLSConfig

        at, tls = self._address, None
        if at.ca or at.cert:
            tls = TLSConfig(
                client_cert=(at.cert, at.key) if at.cert else None, ca_cert=at.ca or None, verify=True
            )
        api = docker.APIClient(base_url=at.url, version="auto", timeout=int(self._seconds), tls=tls or False)
        # A proxy of the environment answers for somebody else.
        api.trust_env = False
        return api

    @property
    def version(self) -> str:
        """Of its API, as agreed: `1.41`."""
        assert self._api is not None
        return str(self._api._version)

    async def ask(self, call: Callable[[APIClient], T]) -> T:
        """Make one call of the SDK in a thread.

        Raises:
            Unreachable: It could not be asked: nothing was begun.
            LinkLost: The connection ended while it worked; what came of it is not known.
            Missing: It says that there is no such thing.
            RemoteFailed: It says no.
        """
        api = self._api
        assert api is not None
        try:
            return await in_thread(lambda: call(api))
        except Exception as error:
            raise translated(error, self.where) from error

    @property
    def patience(self) -> float:
        """Seconds that it gets for an answer."""
        return self._seconds

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        method: str = "GET",
        params: Mapping[str, Any] | None = None,
        data: Any = None,  # noqa: ANN401 - what aiohttp takes as a body
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that goes on; leaving ends the work behind it at once.

        It may be silent for as long as it takes, but then the engine is asked whether it is still there.

        Raises:
            Unreachable, Missing, RemoteFailed: As `ask`.
            LinkLost: The engine does not answer any more.
        """
        import aiohttp

        forever = aiohttp.ClientTimeout(total=None, sock_connect=self._seconds)
        try:
            client = self._carrier()
            asked = client._do_query(
                path, method=method, params=dict(params or {}), data=data, headers=headers, timeout=forever
            )
            response = await self._while_it_lives(asked)
        except Exception as error:
            raise translated(error, self.where, begun=method != "GET") from error
        _keep_alive(response)
        try:
            yield response
        finally:
            # Not `release`: that reads on to an end that may never come.
            response.close()

    def _carrier(self) -> Docker:
        if self._streams is None:
            import aiohttp
            from aiodocker import Docker

            at = self._address
            if at.url.startswith("unix://"):
                connector: aiohttp.BaseConnector = aiohttp.UnixConnector(at.url.removeprefix("unix://"))
            else:
                connector = aiohttp.TCPConnector(ssl=_context(at) if at.ca or at.cert else False)
            session = aiohttp.ClientSession(
                connector=connector, trust_env=False, read_bufsize=_LINE, auto_decompress=True
            )
            secure = at.ca or at.cert
            # Over a unix socket the host of the URL is only a word.
            address = at.url.removeprefix("tcp://") if at.url.startswith("tcp://") else "engine"
            url = f"{'https' if secure else 'http'}://{address}"
            self._streams = Docker(
                url=url, session=session, connector=connector, api_version=f"v{self.version}"
            )
        return self._streams

    async def _while_it_lives(self, work: Awaitable[T]) -> T:
        """Wait for something of a stream; an engine that is silent has to answer a ping each time.

        Raises:
            LinkLost: It did not.
        """
        waiting = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({waiting}, timeout=self._seconds))[0]:
                await self._ping()
            return waiting.result()
        finally:
            if not waiting.done():
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    async def _ping(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self.ask(lambda api: api.ping())
        except (OndeckError, TimeoutError) as error:
            raise LinkLost(
                f"the engine went silent and does not answer: {words(error)}", where=self.where
            ) from error

    async def lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
        """The JSON documents of a stream, one a line; it ends only where the engine ended it.

        Raises:
            LinkLost: The connection ended first.
            RemoteFailed: It sent an error, or what is no JSON.
        """
        async for raw in self._pieces(response.content.readline):
            try:
                said = msgspec.json.decode(raw, type=dict[str, Any])
            except msgspec.DecodeError as error:
                if not raw.strip():
                    continue
                raise RemoteFailed(f"not JSON: {safe_line(repr(raw[:80]))}", where=self.where) from error
            if wrong := said.get("error"):
                raise RemoteFailed(safe_line(str(wrong)), where=self.where)
            yield said

    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The bytes of a stream; it ends only where the engine ended it.

        Raises:
            LinkLost: The connection ended first.
        """
        async for piece in self._pieces(response.content.readany):
            yield piece

    async def _pieces(self, read: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
        import aiohttp

        try:
            while piece := await self._while_it_lives(read()):
                yield piece
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: a line longer than our bound.
            raise LinkLost(f"the stream ended early: {words(error)}", where=self.where) from error

    async def aclose(self) -> None:
        """Let it go."""
        api, self._api = self._api, None
        streams, self._streams = self._streams, None
        if streams is not None:
            await streams.session.close()
        if api is not None:
            await in_thread(api.close)


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    """A new connection may reach an engine whose old one was forgotten on the way: let the kernel find out."""
    carrier = response.connection and response.connection.transport
    held = carrier and carrier.get_extra_info("socket")
    if held and held.family != socket.AF_UNIX:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            held.setsockopt(socket.IPPROTO_TCP, option, value)


def _context(at: Address) -> Any:  # noqa: ANN401 - ssl is imported only where it is used
    import ssl

    try:
        context = ssl.create_default_context(cafile=at.ca or None)
        if at.cert:
            context.load_cert_chain(at.cert, at.key or None)
    except (OSError, ssl.SSLError) as error:
        raise Missing(f"a file of its tls cannot be used: {words(error)}") from error
    return context


def words(error: BaseException) -> str:
    """One safe line for an error of a library."""
    if isinstance(error, OndeckError):
        return error.message
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = safe_line(" ".join(str(error).split()))
    return text[:300] if text else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error with what caused it, also where a library carries that as an argument."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [e for e in inner if isinstance(e, BaseException)]


_REFUSED = (ConnectionRefusedError, FileNotFoundError, PermissionError)
_NEVER_SENT = ("NewConnectionError", "ConnectTimeoutError", "gaierror", "ClientConnectorError")
_TOO_LONG = ("ReadTimeout", "ReadTimeoutError", "SocketTimeoutError", "ServerTimeoutError")


def translated(error: Exception, where: str, *, begun: bool = True) -> OndeckError:
    """Our error for one of a library.

    Args:
        error: What it raised.
        where: Host or cluster.
        begun: Whether work may have begun when the connection ended.
    """
    if isinstance(error, OndeckError):
        return error
    status = getattr(error, "status_code", None) or getattr(error, "status", None)
    if isinstance(status, int) and 400 <= status < 600:  # aiodocker's own 900 is none of the engine's
        said = safe_line(" ".join(str(getattr(error, "explanation", "") or _message(error)).split()))[:400]
        return _KINDS.get(status, RemoteFailed)(said or f"the engine says {status}", where=where)
    chain = list(_chain(error))
    names = {type(one).__name__ for one in chain}
    if (
        "SSLError" in names
        or "ClientConnectorCertificateError" in names
        or "SSLCertVerificationError" in names
    ):
        return AuthFailed(f"TLS with the engine failed: {words(error)}", where=where)
    if names & {"TLSParameterError"}:
        return Missing(f"a file of its tls cannot be used: {words(error)}", where=where)
    if any(isinstance(one, _REFUSED) for one in chain) or names & set(_NEVER_SENT):
        cause = next((one for one in chain if isinstance(one, OSError) and one.strerror), error)
        said = safe_line(str(getattr(cause, "strerror", "") or words(cause)))
        reason = Reason.REFUSED if isinstance(cause, ConnectionRefusedError) else None
        return Unreachable(f"the engine cannot be reached: {said}", reason=reason, where=where)
    if names & set(_TOO_LONG):
        said = "the engine did not answer in time"
        return LinkLost(said, where=where) if begun else Unreachable(said, reason=Reason.TIMEOUT, where=where)
    said = f"the connection to the engine ended: {words(error)}"
    return LinkLost(said, where=where) if begun else Unreachable(said, reason=Reason.RESET, where=where)


def _message(error: Exception) -> str:
    said = getattr(error, "message", None)
    return str(said.get("message", said)) if isinstance(said, dict) else str(said or error)
