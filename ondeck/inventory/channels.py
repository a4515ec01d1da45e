"""What a channel of `notify:` may say: a webhook or a local command, and nothing else."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ondeck.inventory.model import Channel
from ondeck.inventory.secretrefs import is_reference

SCHEMES = ("http", "https")


def problem(channel: Channel) -> str:
    """What is wrong with a channel as it is written; empty when nothing is."""
    webhook, command = channel.options.get("webhook"), channel.options.get("command")
    if strange := sorted(set(channel.options) - {"webhook", "command"}):
        return f"{strange[0]!r} means nothing here: write webhook or command"
    if (webhook is None) is (command is None):
        return "it needs exactly one of webhook and command"
    if command is not None:
        return "" if _is_argv(command) else "command is a list of a program and its arguments"
    if isinstance(webhook, str) and (is_reference(webhook) or not address_problem(webhook)):
        return ""
    return "webhook is a reference such as env:OPS_WEBHOOK"


def address_problem(address: str) -> str:
    """Why this is no address to post to, without a word of the address itself; empty when it is one."""
    try:
        parts = urlsplit(address)
        fine = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not address.isascii() or any(c <= " " for c in address):
        return "the webhook's address is no http or https address"
    return ""


def _is_argv(value: Any) -> bool:  # noqa: ANN401 - free data of the inventory
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(v, str) and v for v in value)
