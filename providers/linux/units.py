"""Capability `units`: systemd's services through `systemctl show`, whose output is the same everywhere."""

from __future__ import annotations

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory.model import Host
from ondeck.observe.records import Asked, Unit
from ondeck.observe.sources import words
from ondeck.text import decode, safe_line
from providers.linux.asking import linked, why

PROPERTIES = (
    "Id,Description,LoadState,ActiveState,SubState,MainPID,NRestarts,MemoryCurrent,"
    "StateChangeTimestampMonotonic"
)
# `show` with a pattern also knows units that are not running; JSON output needs systemd 246.
SCRIPT = f"""
LC_ALL=C; export LC_ALL
grep '^btime' /proc/stat
exec systemctl show --no-pager --property={PROPERTIES} '*.service'
"""
_ORDER = {"failed": 0, "activating": 1, "deactivating": 1, "reloading": 1, "active": 2}


class LinuxUnits:
    """Reads what systemd says of every service that it has loaded."""

    async def units(self, host: Host, bench: Bench) -> Asked:
        """Every loaded service, failed first; a host that cannot be asked is an error, not no units."""
        source = f"{host.name}/systemd"
        try:
            async with linked(host, bench) as link:
                done = await link.run(["sh", "-c", SCRIPT], timeout=20.0, limit=4 << 20)
        except (OndeckError, TimeoutError, OSError) as error:
            return Asked(source=source, error=words(error))
        if not done.ok:
            return Asked(source=source, error=why(done))
        units = parse(host.name, decode(done.stdout))
        if not units:
            return Asked(source=source, error="systemctl named no service at all")
        return Asked(source=source, units=tuple(units))


def parse(host: str, text: str) -> list[Unit]:
    """Units of `systemctl show`: blocks of `name=value` in any order, with the boot time before them."""
    first, _, rest = text.partition("\n")
    name, _, btime = first.partition(" ")
    boot = int(btime) if name == "btime" and btime.strip().isdigit() else 0
    units = []
    for block in (rest if boot else text).split("\n\n"):
        fields = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if fields.get("Id", "").endswith(".service") and fields.get("LoadState") != "not-found":
            units.append(_unit(host, fields, boot))
    units.sort(key=lambda unit: (_ORDER.get(unit.active, 3), unit.name))
    return units


def _unit(host: str, fields: dict[str, str], boot: int) -> Unit:
    def number(name: str) -> int | None:
        value = fields.get(name, "")
        return int(value) if value.isdigit() else None

    changed = number("StateChangeTimestampMonotonic")
    memory = number("MemoryCurrent")
    return Unit(
        host=host,
        name=safe_line(fields["Id"].removesuffix(".service")),
        active=safe_line(fields.get("ActiveState", "")),
        sub=safe_line(fields.get("SubState", "")),
        description=safe_line(fields.get("Description", "")),
        since=boot * 1_000_000_000 + changed * 1000 if boot and changed else 0,
        restarts=number("NRestarts") or 0,
        # Not accounted is 2^64-1 on older systemd, `[not set]` on newer ones.
        memory=memory if memory is not None and memory < 1 << 63 else None,
        pid=number("MainPID") or 0,
    )
