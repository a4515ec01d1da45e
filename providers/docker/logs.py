"""Capability `logs` for `docker: NAME`: a container, what runs of a service now, or a service of a swarm."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, OndeckError
from ondeck.inventory.model import Cluster, Host, LogSource, Place
from ondeck.observe.parse import Parser
from ondeck.observe.ports import LAST
from ondeck.observe.records import Health, HistoryCut, LogBatch, LogLine
from ondeck.observe.sources import Pauses, States, words
from ondeck.text import Lines
from providers.docker.client import Client
from providers.docker.deploys.state import ENV, SERVICE, nanoseconds
from providers.docker.engine import SOCKET, engine_of
from providers.docker.frames import Frames, Piece

FURTHEST = 20_000
"""Lines of history that are read at most."""
BATCH = 500


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stands for now.

    Attributes:
        path: Of the API, up to `/logs`.
        key: Another key is another container.
        born: When it was made, ns; 0 when not known.
        ends: It is a container, whose log ends with it.
    """

    path: str
    key: str
    tty: bool
    born: int = 0
    ends: bool = True


async def resolve(engine: Client, name: str, env: str) -> Source:
    """The container of that name; else the newest one that runs of a service of that name; else one of a swarm.

    Raises:
        Missing: Nothing is called so.
    """
    try:
        return _of_container(await engine.ask(lambda api: api.inspect_container(name)))
    except Missing:
        pass
    for labels in ([f"{SERVICE}={name}", f"{ENV}={env}"], [f"com.docker.compose.service={name}"]):
        if newest := await _newest(engine, labels):
            return _of_container(await engine.ask(lambda api, i=newest: api.inspect_container(i)))  # type: ignore[misc]
    info = await engine.ask(lambda api: api.info())
    if (info.get("Swarm") or {}).get("ControlAvailable"):
        try:
            said = await engine.ask(lambda api: api.inspect_service(name))
        except Missing:
            pass
        else:
            inside = said["Spec"]["TaskTemplate"].get("ContainerSpec") or {}
            key = str(said["ID"])
            return Source(path=f"services/{key}", key=key, tty=bool(inside.get("TTY")), ends=False)
    raise Missing(f"there is no container or service {name!r}", where=engine.where)


async def _newest(engine: Client, labels: list[str]) -> str:
    """Id of the newest container with these labels, one that runs before those that do not; empty for none."""
    listed = await engine.ask(lambda api: api.containers(all=True, filters={"label": labels}))
    listed.sort(key=lambda one: (one.get("State") == "running", int(one.get("Created", 0))), reverse=True)
    return str(listed[0]["Id"]) if listed else ""


def _of_container(said: dict[str, Any]) -> Source:
    key = str(said["Id"])
    return Source(
        path=f"containers/{key}",
        key=key,
        tty=bool(said["Config"].get("Tty")),
        born=nanoseconds(str(said.get("Created", ""))),
    )


class DockerLogs:
    """Follows a source, and goes on where it was after its connection, or its container, was lost."""

    async def follow(
        self, place: Place, source: LogSource, bench: Bench, *, since: int = 0, follow: bool = True
    ) -> AsyncGenerator[LogBatch, None]:
        """Lines of a source; see `ondeck.observe.ports.LogReader`.

        Raises:
            BadInput: The source names no container, or the place is none with an engine.
        """
        if not source.docker or not isinstance(place, (Host, Cluster)):
            raise BadInput(f"log source {source.name!r} names no container", where=place.name)
        tail = Tail(place, source, bench, since)
        pauses = Pauses(bench.settings)
        yield LogBatch(state=tail.states.begin())
        while True:
            error: BaseException | None = None
            try:
                async with aclosing(tail.read(follow)) as batches:
                    async for batch in batches:
                        pauses.reset()
                        yield batch
            except (OndeckError, TimeoutError, OSError) as caught:
                error = caught
            if not follow and error is None:
                return
            lost = tail.states.to(Health.LOST, words(error) if error else "the container ended")
            if lost is not None:
                yield LogBatch(state=lost)
            if not follow:
                return
            await pauses.wait(error)


class Tail:
    """One source: keeps its place between connections and containers."""

    def __init__(self, place: Host | Cluster, source: LogSource, bench: Bench, since: int) -> None:
        self.states = States(f"{place.name}/{source.name}")
        self._place = place
        self._source = source
        self._bench = bench
        self._since = since
        self._parser = Parser(f"{place.name}/{source.name}", source.format)
        self._begun = False
        self._key = ""
        # Time of the last line, and the lines of just that time: what is read again is not told again.
        self._last = 0
        self._at_last: Counter[bytes] = Counter()

    async def read(self, follow: bool) -> AsyncGenerator[LogBatch, None]:
        """History the first time, then what comes, over one connection.

        Raises:
            LinkLost: The connection ended.
            Missing: There is no such container.
            RemoteFailed: Its log cannot be read.
        """
        socket = _socket_of(self._bench, self._source, self._place)
        async with engine_of(self._place, self._bench, socket) as engine:
            found = await resolve(engine, self._source.docker, self._place.env)
            if not self._begun:
                async with aclosing(self._history(engine, found)) as batches:
                    async for batch in batches:
                        yield batch
                self._begun = True
                yield LogBatch(caught_up=True)
            if follow:
                async with aclosing(self._follow(engine, found)) as batches:
                    async for batch in batches:
                        yield batch

    async def _history(self, engine: Client, found: Source) -> AsyncGenerator[LogBatch, None]:
        wanted = FURTHEST if self._since else LAST
        params = {"tail": str(wanted)} | ({"since": _stamp(self._since)} if self._since else {})
        pieces: list[Piece] = []
        async with engine.stream(f"{found.path}/logs", params={**_BOTH, **params}) as answer:
            frames = Frames(found.tty)
            async for chunk in engine.chunks(answer):
                pieces += frames.feed(chunk)
            pieces += frames.flush()
        pieces = [piece for piece in pieces if piece[0] >= self._since]
        pieces.sort(key=lambda piece: piece[0])
        self._key = found.key
        self.states.saw()
        yield LogBatch(state=self.states.begun(self._cut(found, pieces, wanted)))
        for at in range(0, len(pieces), BATCH):
            yield LogBatch(tuple(self._lines(pieces[at : at + BATCH], backlog=True)))

    def _cut(self, found: Source, pieces: list[Piece], wanted: int) -> HistoryCut | None:
        """Whether something older was asked for than the container has, or more than is read."""
        first = pieces[0][0] if pieces else 0
        if not self._since:
            return None if len(pieces) >= wanted else HistoryCut(first, "the log has nothing older")
        if len(pieces) >= wanted:
            return HistoryCut(first, f"only the last {wanted} lines are read")
        if found.ends and found.born > self._since:
            return HistoryCut(first or found.born, "the container was made after that: it has nothing older")
        return None

    async def _follow(self, engine: Client, found: Source) -> AsyncGenerator[LogBatch, None]:
        other, last, again = found.key != self._key, self._last, Counter(self._at_last)
        self._key = found.key
        since = found.born if other and found.born else last or self._since
        params = {"follow": "1", **({"since": _stamp(since)} if since else {"tail": "0"})}
        async with engine.stream(f"{found.path}/logs", params={**_BOTH, **params}) as answer:
            frames = Frames(found.tty)
            checked = other or not last
            yield LogBatch(state=self.states.to(Health.OK))
            async for chunk in engine.chunks(answer):
                pieces = frames.feed(chunk)
                if pieces and not checked:
                    checked = True
                    if gap := self._gap(pieces[0], last):
                        yield LogBatch(state=self.states.begun(gap))
                fresh = [piece for piece in pieces if not _known(piece, last, again)]
                if fresh:
                    self.states.saw()
                    yield LogBatch(tuple(self._lines(fresh)), self.states.to(Health.OK))
            rest = [piece for piece in frames.flush() if not _known(piece, last, again)]
            if rest:
                yield LogBatch(tuple(self._lines(rest)))

    def _gap(self, first: Piece, last: int) -> HistoryCut | None:
        """The last line that we have has to come again: where it does not, it was rotated away with others."""
        if first[0] <= last:
            return None
        return HistoryCut(
            first[0], "lines before this may be missing: rotated away while the connection was lost"
        )

    def _lines(self, pieces: list[Piece], *, backlog: bool = False) -> list[LogLine]:
        made = []
        for when, data in pieces:
            if when > self._last:
                self._last, self._at_last = when, Counter()
            if when == self._last:
                self._at_last[data] += 1
            reader = Lines()
            fed = [*reader.feed(data), *(reader.flush() if not data.endswith(b"\n") else ())]
            at = when or time.time_ns()
            # The engine's time is when it was written: it is kept, whatever the text says of its own.
            parsed = self._parser.parse(fed, at, backlog=backlog)
            made += [msgspec.structs.replace(line, time=at) for line in parsed]
        return made


_BOTH = {"stdout": "1", "stderr": "1", "timestamps": "1"}


def _stamp(ns: int) -> str:
    return f"{ns // 10**9}.{ns % 10**9:09d}"


def _known(piece: Piece, last: int, again: Counter[bytes]) -> bool:
    """Whether a line was told before the connection was lost."""
    when, data = piece
    if not last or when > last:
        return False
    if when == last:
        if again[data] > 0:
            again[data] -= 1
            return True
        return False
    return True


def _socket_of(bench: Bench, source: LogSource, place: Place) -> str:
    """Where the engine of a host listens: as the service that names this source says for its deploys."""
    for service in bench.inventory.services.values():
        deploy = service.deploy
        if deploy is not None and deploy.kind == "docker" and source in service.logs:
            return str(deploy.options.get("socket", SOCKET))
    return SOCKET
