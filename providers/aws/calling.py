"""Calls of boto3 from the loop: in this provider's own bounded threads, with errors that ondeck knows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from ondeck.bench import Bench
from ondeck.errors import AuthFailed, OndeckError, RemoteFailed
from ondeck.secret import Secret
from ondeck.settings import Settings
from providers.aws.clients import THREADS, Clients
from providers.aws.options import Aws
from providers.aws.said import THROTTLED, code_of, meant
from providers.aws.threads import DaemonThreads

_T = TypeVar("_T")
_A = TypeVar("_A")
_WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds, before a throttled change is sent again

_lock = threading.Lock()
_made: dict[str, Any] = {}


def _pool() -> DaemonThreads:
    with _lock:
        if "pool" not in _made:
            _made["pool"] = DaemonThreads(THREADS, "aws")
        pool: DaemonThreads = _made["pool"]
        return pool


def clients(settings: Settings) -> Clients:
    """The clients of this process; made when first asked for."""
    with _lock:
        if _made.get("for") != (settings.timescale, settings.actor):
            _made["for"] = (settings.timescale, settings.actor)
            _made["clients"] = Clients(settings)
        found: Clients = _made["clients"]
        return found


class Calls:
    """An account in one process: its calls, each in a thread."""

    def __init__(self, account: Aws, settings: Settings) -> None:
        self.account = account
        self._settings = settings
        self._clients = clients(settings)

    @classmethod
    async def of(cls, account: Aws, bench: Bench) -> Calls:
        """An account's calls, its keys resolved where it names references.

        Raises:
            Missing: A secret is not there.
        """
        calls = cls(account, bench.settings)
        if (keys := account.options.keys) is not None:
            found: dict[str, Secret] = {}
            for name, reference in (("id", keys.id), ("secret", keys.secret), ("token", keys.token)):
                if reference:
                    found[name] = await bench.secret(reference)
            calls._clients.lend(account, found)
        return calls

    def seconds(self, value: float) -> float:
        """A waiting time as it counts in this process."""
        return self._settings.seconds(value)

    def login_again(self) -> None:
        """Read keys and cached roles anew: somebody may have logged in meanwhile."""
        self._clients.forget(self.account)

    async def login(self) -> tuple[str, str]:
        """When the login ends (ISO 8601, empty when it does not) and where it comes from, in botocore's words.

        Raises:
            AuthFailed: There is none.
        """

        def ask(_: Any) -> tuple[str, str]:  # noqa: ANN401 - boto3's own
            return self._clients.expires(self.account), self._clients.method(self.account)

        return await self.run(self.account.options.regions[0], "sts", ask)

    async def read(self, region: str, service: str, method: str, /, **params: Any) -> dict[str, Any]:  # noqa: ANN401
        """One call that changes nothing; tried again by itself.

        Raises:
            OndeckError: It was not answered; see `providers.aws.said`.
        """
        return await self.run(region, service, partial(_call, method, params))

    async def pages(
        self,
        region: str,
        service: str,
        method: str,
        key: str,
        /,
        **params: Any,  # noqa: ANN401
    ) -> list[dict[str, Any]]:
        """Every item of a list that comes in pages.

        Raises:
            OndeckError: It was not answered.
        """

        def all_pages(client: Any) -> list[dict[str, Any]]:  # noqa: ANN401
            found: list[dict[str, Any]] = []
            for page in client.get_paginator(method).paginate(**params):
                found.extend(page.get(key) or ())
            return found

        return await self.run(region, service, all_pages)

    async def run(self, region: str, service: str, work: Callable[[Any], _T]) -> _T:
        """Reading work with a client, in a thread.

        Raises:
            OndeckError: It was not answered.
        """
        return await self._in_thread(region, service, work, once=False)

    async def change(self, region: str, service: str, method: str, /, **params: Any) -> dict[str, Any]:  # noqa: ANN401
        """One call that changes something; sent once, and again only where AWS said that it did nothing.

        Raises:
            LinkLost: It was sent and not answered: its outcome is not known.
            OndeckError: It was not sent, or refused.
        """
        work = partial(_call, method, params)
        for wait in _WAITS:
            try:
                return await self._in_thread(region, service, work, once=True)
            except _Throttled:
                await asyncio.sleep(self._settings.seconds(wait))
        try:
            return await self._in_thread(region, service, work, once=True)
        except _Throttled as error:
            raise RemoteFailed(error.message, where=error.where, hint=error.hint) from error

    async def work(self, region: str, service: str, work: Callable[[Any], _T]) -> _T:
        """Changing work of several requests, such as an upload in parts; nothing of it is tried again.

        Raises:
            LinkLost, OndeckError: As `change`.
        """
        return await self._in_thread(region, service, work, once=True)

    async def _in_thread(self, region: str, service: str, work: Callable[[Any], _T], *, once: bool) -> _T:
        def called() -> _T:
            try:
                return work(self._clients.get(self.account, region, service, once=once))
            except Exception as error:  # every exception of boto3 is told in our words
                told = meant(error, self.account, region, sent=once)
                if isinstance(told, AuthFailed):
                    self._clients.forget(self.account)  # somebody logs in again: the next call reads anew
                if once and code_of(error) in THROTTLED:
                    raise _Throttled(told.message, where=told.where, hint=told.hint) from error
                raise told from error

        future = asyncio.get_running_loop().run_in_executor(_pool(), called)
        if not once:
            return await future
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # What is sent cannot be called back by leaving its thread alone: who was cancelled looks only
            # after the call has ended.
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()
            raise


class _Throttled(RemoteFailed):
    """AWS said that it did nothing because too many asked."""


async def each(
    items: Sequence[_A], ask: Callable[[_A], Awaitable[_T]]
) -> tuple[dict[_A, _T], dict[_A, OndeckError]]:
    """Ask everything at once; what answered, and what did not and why."""
    found = await asyncio.gather(*(ask(item) for item in items), return_exceptions=True)
    good: dict[_A, _T] = {}
    bad: dict[_A, OndeckError] = {}
    for item, what in zip(items, found, strict=True):
        if isinstance(what, OndeckError):
            bad[item] = what
        elif isinstance(what, BaseException):
            raise what
        else:
            good[item] = what
    return good, bad


def _call(method: str, params: dict[str, Any], client: Any) -> dict[str, Any]:  # noqa: ANN401
    answer: dict[str, Any] = getattr(client, method)(**params)
    return answer
