"""Telling people that a job needs one: the channel of an environment, its message, and how it is sent.

A channel is a webhook or a local command. Telling never fails a job: what goes wrong is a note of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping

import msgspec

from ondeck.errors import OndeckError
from ondeck.inventory import channels
from ondeck.inventory.secretrefs import is_reference
from ondeck.operate.secrets import Standing, resolve


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How people are told, with its secret resolved: it travels in the handshake and stands nowhere.

    Attributes:
        channel: Name under `notify:`.
        webhook: Address that takes a POST of JSON; it is a secret.
        command: argv of a local program that reads the message from its standard input.
        trouble: Why nobody can be told; empty when somebody can.
    """

    channel: str
    webhook: str = ""
    command: tuple[str, ...] = ()
    trouble: str = ""

    def __repr__(self) -> str:
        return f"Route({self.channel!r})"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is told; `text` is for people and says it all, the rest is for programs."""

    text: str
    job: str
    subject: str
    env: str
    state: str
    actor: str


def route_of(at: Standing, env: str, environ: Mapping[str, str] | None = None) -> Route | None:
    """The route of an environment, or None when it names no channel. Never raises: trouble is in it."""
    inventory = at.inventory
    own = inventory.environments.get(env)
    if own is None or not own.notify:
        return None
    channel = inventory.notify.get(own.notify)
    if channel is None:
        return Route(channel=own.notify, trouble="the inventory has no such channel")
    if wrong := channels.problem(channel):
        return Route(channel=channel.name, trouble=wrong)
    if command := channel.options.get("command"):
        return Route(channel=channel.name, command=tuple(command))
    return _webhook(at, channel.name, channel.options["webhook"], environ)


def _webhook(at: Standing, name: str, value: str, environ: Mapping[str, str] | None) -> Route:
    if is_reference(value):
        try:
            value = resolve(at, [value], environ)[value].reveal()
        except OndeckError as error:
            return Route(channel=name, trouble=error.message)
    trouble = channels.address_problem(value)
    return Route(channel=name, webhook="" if trouble else value, trouble=trouble)


def send(route: Route, message: Message, seconds: float) -> str:
    """Tell it now, in this thread; empty when it was taken, else why not, without any secret."""
    body = msgspec.json.encode(message)
    if route.trouble:
        return route.trouble
    return _run(route.command, body, seconds) if route.command else _post(route.webhook, body, seconds)


def _post(address: str, body: bytes, seconds: float) -> str:
    import urllib.error
    import urllib.request

    # Only these handlers: no redirect is followed, no other scheme is known, no proxy is taken from outside.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    head = {"Content-Type": "application/json", "User-Agent": "ondeck"}
    try:
        request = urllib.request.Request(address, data=body, headers=head, method="POST")
        opener.open(request, timeout=seconds).close()
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except urllib.error.URLError as error:
        return _plain(error.reason)
    except Exception as error:  # noqa: BLE001 - a boundary: said in a note, without its text
        return _plain(error)
    return ""


def _plain(error: object) -> str:
    """An error without its text, which may name the address."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    reason = error.strerror if isinstance(error, OSError) else ""
    return reason or type(error).__name__


def _run(argv: tuple[str, ...], body: bytes, seconds: float) -> str:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        return f"{argv[0]} cannot be started: {error.strerror}"
    try:
        process.communicate(body, timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"{argv[0]} did not end within {seconds:.0f} s"
    return f"{argv[0]} ended with {process.returncode}" if process.returncode else ""
