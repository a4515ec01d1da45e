"""What is known of hosts now, as far as selectors and thresholds ask for it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

STATES = ("ok", "warn", "bad", "lost", "unknown")
"""The words of a host's state, in every face and in selectors."""


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one host at one moment. None means not known, never zero.

    Attributes:
        cpu: Busy share of all cores since the sample before, 0 to 1.
        memory: Used share, 0 to 1 (1 - available/total).
        disks: Mount point -> (used share of space, used share of inodes, bytes free).
        load1: Load average over one minute.
        network: Bytes per second (received, sent) over all interfaces but lo.
        boot_id: The kernel's boot id; a new one means a reboot.
        uptime: Seconds since boot.
        clock_offset: Host clock minus ours, seconds.
    """

    host: str
    time: int
    cpu: float | None = None
    cores: int | None = None
    memory: float | None = None
    memory_total: int | None = None
    swap: float | None = None
    disks: dict[str, tuple[float, float, int]] = {}
    load1: float | None = None
    network: tuple[float, float] | None = None
    boot_id: str = ""
    uptime: float | None = None
    clock_offset: float | None = None
    kernel: str = ""
    os: str = ""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of hosts now, as selectors ask for it; a host that is not in it is not known.

    Attributes:
        facts: Figures of now by host.
        states: One of `STATES` by host.
        versions: By host, what runs of each service: `none` where nothing does, empty where it is not known.
    """

    facts: Mapping[str, HostFacts] = {}
    states: Mapping[str, str] = {}
    versions: Mapping[str, Mapping[str, str]] = {}
