"""The engine's thread: starts, runs and really ends coroutines and streams for a face."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, TypeVar

from ondeck.bench import Bench
from ondeck.engine.mailbox import Mailbox
from ondeck.errors import OndeckError
from ondeck.text import safe_line

T = TypeVar("T")
P = ParamSpec("P")

# Seconds between two beats of the heart that `lag` is read from.
BEAT = 0.1
# Seconds that a full mailbox holds its stream back before lines are dropped.
PATIENCE = 2.0


class StreamState(StrEnum):
    """What became of a stream."""

    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"
    CLOSED = "closed"


class Handle:
    """A running stream, as a face sees it; every attribute may be read from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._done: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._closing = False
        self.state = StreamState.RUNNING
        self.error = ""

    def close(self) -> concurrent.futures.Future[None]:
        """Cancel the stream; the future is done when its iterator has been closed for real."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and every stream with it
            self._loop.call_soon_threadsafe(self._cancel)
        return self._done

    def wait(self, seconds: float | None = None) -> StreamState:
        """Wait in another thread until it has ended.

        Raises:
            TimeoutError: It still runs.
        """
        self._done.result(seconds)
        return self.state

    def _cancel(self) -> None:
        self._closing = True
        if self._task is not None:
            self._task.cancel()

    def _begin(self, task: asyncio.Task[None]) -> None:
        self._task = task
        if self._closing:
            task.cancel()

    def _finish(self, state: StreamState, error: str = "") -> None:
        if self._done.done():
            return
        self.error = error
        self.state = state
        self._done.set_result(None)


def _words(error: BaseException) -> str:
    if isinstance(error, OndeckError):
        return safe_line(f"{error.where}: {error.message}" if error.where else error.message)
    return safe_line(f"{type(error).__name__}: {error}")


class Engine:
    """One thread with one loop.

    Whatever is given to `call` and `stream` is called in the engine's thread with the bench first, so
    that connections never leave it. Signals are left to the face.

    Args:
        bench_factory: Makes the bench, inside the engine's thread, when the engine starts.
    """

    def __init__(self, bench_factory: Callable[[], Bench]) -> None:
        self._bench_factory = bench_factory
        self._bench: Bench | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._beat = 0.0
        self._handles: set[Handle] = set()
        self._calls: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Start the thread; returns when its loop runs.

        Raises:
            OndeckError: What the bench factory raised.
        """
        assert self._thread is None, "an engine starts once"
        self._thread = threading.Thread(target=self._run, name="ondeck-engine", daemon=True)
        self._thread.start()
        self._ready.result()

    def stop(self, within: float = 5.0) -> bool:
        """Close every stream and call; True when all had ended within so many seconds.

        What hangs longer is left behind in its daemon thread: leaving the face never waits for a host.
        """
        if self._thread is None or self._loop is None or self._stopping is None:
            return True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(within)
        return not self._thread.is_alive()

    @property
    def lag(self) -> float:
        """Seconds since the engine's loop last turned; above a second it is stuck."""
        return max(0.0, time.monotonic() - self._beat) if self._beat else 0.0

    @property
    def running(self) -> bool:
        """True between start and stop."""
        return self._thread is not None and self._thread.is_alive() and self._ready.done()

    def call(
        self, fn: Callable[Concatenate[Bench, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> concurrent.futures.Future[T]:
        """Run `await fn(bench, *args)` in the engine; cancelling the future cancels the coroutine."""
        loop, bench = self._parts()

        async def run() -> T:
            task = asyncio.current_task()
            assert task is not None
            self._calls.add(task)
            try:
                return await fn(bench, *args, **kwargs)
            finally:
                self._calls.discard(task)

        return asyncio.run_coroutine_threadsafe(run(), loop)

    def stream(
        self, make_iterator: Callable[[Bench], AsyncIterator[T]], mailbox: Mailbox[T], *, name: str = "stream"
    ) -> Handle:
        """Put everything that `make_iterator(bench)` yields into a mailbox until the handle is closed.

        A full mailbox first holds the iterator back; when nobody drains it for a while it takes
        everything again and drops the oldest. An exception ends in `handle.state` and
        `handle.error`, and the mailbox's reader is woken to see it.
        """
        loop, bench = self._parts()
        handle = Handle(loop)

        def begin() -> None:
            self._handles.add(handle)
            task = loop.create_task(self._pump(make_iterator, bench, mailbox, handle), name=name)
            task.add_done_callback(lambda _: self._ended(handle, mailbox))
            handle._begin(task)

        loop.call_soon_threadsafe(begin)
        return handle

    def _parts(self) -> tuple[asyncio.AbstractEventLoop, Bench]:
        if self._loop is None or self._bench is None:
            raise RuntimeError("the engine has not been started")
        return self._loop, self._bench

    async def _pump(
        self,
        make_iterator: Callable[[Bench], AsyncIterator[T]],
        bench: Bench,
        mailbox: Mailbox[T],
        handle: Handle,
    ) -> None:
        state, error = StreamState.ENDED, ""
        try:
            iterator = make_iterator(bench)
            try:
                await _carry(iterator, mailbox, bench.settings.seconds(PATIENCE))
            finally:
                close = getattr(iterator, "aclose", None)
                if close is not None:
                    await close()
        except asyncio.CancelledError:
            state = StreamState.CLOSED
        except Exception as caught:  # noqa: BLE001 - recorded in the handle, shown by the face
            state, error = StreamState.FAILED, _words(caught)
        finally:
            handle._finish(state, error)

    def _ended(self, handle: Handle, mailbox: Mailbox[T]) -> None:
        """Also for a stream that was closed before its first step, which never came into its pump."""
        self._handles.discard(handle)
        handle._finish(StreamState.CLOSED)
        mailbox.poke()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            else:
                raise

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._bench = self._bench_factory()
        self._beat = time.monotonic()
        self._ready.set_result(None)
        heart = asyncio.create_task(self._live())
        await self._stopping.wait()
        heart.cancel()
        for handle in list(self._handles):
            handle._cancel()
        for task in list(self._calls):
            task.cancel()
        waiting = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _live(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(BEAT)


async def _carry(iterator: AsyncIterator[T], mailbox: Mailbox[T], patience: float) -> None:
    """Items into the mailbox: back-pressure while somebody drains it, then drops with a count."""
    abandoned = -1
    async for item in iterator:
        if mailbox.full and mailbox.drains != abandoned:
            abandoned = await _held_back(mailbox, patience)
        mailbox.put(item)


async def _held_back(mailbox: Mailbox[T], patience: float) -> int:
    """Wait for room; -1 when there is some, else the count of drains at which we stopped waiting."""
    seen = mailbox.drains
    until = time.monotonic() + patience
    while mailbox.full:
        if time.monotonic() >= until:
            return seen
        await asyncio.sleep(min(0.02, patience / 4))
    return -1
