"""What other tools know of hosts, before it is joined and written as an inventory."""

from __future__ import annotations

import msgspec


class Found(msgspec.Struct, kw_only=True):
    """A host as one source names it; empty where it says nothing.

    Attributes:
        part: Which part of the source knows it, where parts are asked side by side: a region of AWS.
    """

    name: str
    source: str
    address: str = ""
    port: str = ""
    user: str = ""
    via: str = ""
    local: bool = False
    groups: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    part: str = ""


class Source(msgspec.Struct):
    """One source: its hosts, and what it could not take over."""

    name: str
    hosts: list[Found] = []
    notes: list[str] = []
