"""The sampling loop's output into `HostFacts`. Formats: proc(5), df(1) -P."""

from __future__ import annotations

from ondeck.inventory.live import HostFacts
from ondeck.text import decode, safe_line

# Filesystems that nobody fills: they would only make the disk column longer.
_NO_DISK = ("tmpfs", "devtmpfs", "udev", "shm", "squashfs", "efivarfs", "none")
_LONGEST = 1 << 20
NS = 1_000_000_000


class Samples:
    """Takes chunks of one host's stream and gives a `HostFacts` for each complete sample."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._pending = b""
        self._section = ""
        self._texts: dict[str, list[str]] = {}
        self._once: dict[str, str] = {}
        self._disks: dict[str, tuple[float, float, int]] = {}
        self._cpu: tuple[int, int] | None = None
        self._network: tuple[float, int, int] | None = None

    def feed(self, chunk: bytes, arrival: int) -> list[HostFacts]:
        """Samples that this chunk completes; arrival in ns."""
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        self._pending = self._pending[-_LONGEST:]
        found = []
        for raw in lines:
            line = decode(raw)
            if line == "@end":
                found.append(self._facts(arrival))
                self._texts = {}
            elif line.startswith("@"):
                self._section = line[1:]
                self._texts[self._section] = []
            elif len(self._texts.get(self._section, ())) < 10_000:
                self._texts.setdefault(self._section, []).append(line)
        return found

    def _first(self, section: str) -> str:
        lines = self._texts.get(section) or [""]
        return lines[0].strip()

    def _facts(self, arrival: int) -> HostFacts:
        for name in ("kernel", "cores"):
            if self._first(name):
                self._once[name] = safe_line(self._first(name))
        if "os" in self._texts:
            self._once["os"] = _os(self._texts["os"])
        if self._texts.get("space"):
            self._disks = _disks(self._texts["space"], self._texts.get("inodes", []))
        memory = _memory(self._texts.get("memory", []))
        total, available = memory.get("MemTotal"), memory.get("MemAvailable")
        swap, swap_free = memory.get("SwapTotal"), memory.get("SwapFree")
        clock = _number(self._first("time"))
        uptime = _number(self._first("uptime").partition(" ")[0])
        cores = _number(self._once.get("cores", ""))
        return HostFacts(
            host=self._host,
            time=arrival,
            cpu=self._busy(),
            cores=int(cores) if cores else None,
            memory=1 - available / total if total and available is not None else None,
            memory_total=int(total) if total else None,
            swap=1 - swap_free / swap if swap and swap_free is not None else None,
            disks=self._disks,
            load1=_number(self._first("load").partition(" ")[0]),
            network=self._rates(uptime),
            boot_id=safe_line(self._first("boot")),
            uptime=uptime,
            clock_offset=clock - arrival / NS if clock is not None else None,
            kernel=self._once.get("kernel", ""),
            os=self._once.get("os", ""),
        )

    def _busy(self) -> float | None:
        ticks = [int(part) for part in self._first("stat").split()[1:9] if part.isdigit()]
        if len(ticks) < 5:
            return None
        now = (sum(ticks), ticks[3] + ticks[4])
        before, self._cpu = self._cpu, now
        if before is None or now[0] <= before[0]:
            return None
        idle = (now[1] - before[1]) / (now[0] - before[0])
        return min(1.0, max(0.0, 1 - idle))

    def _rates(self, uptime: float | None) -> tuple[float, float] | None:
        received = sent = 0
        for line in self._texts.get("network", []):
            name, colon, rest = line.partition(":")
            parts = rest.split()
            if colon and name.strip() != "lo" and len(parts) >= 9 and parts[0].isdigit():
                received += int(parts[0])
                sent += int(parts[8]) if parts[8].isdigit() else 0
        if uptime is None or "network" not in self._texts:
            return None
        before, self._network = self._network, (uptime, received, sent)
        if before is None or uptime <= before[0] or received < before[1] or sent < before[2]:
            return None
        seconds = uptime - before[0]
        return (received - before[1]) / seconds, (sent - before[2]) / seconds


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _os(lines: list[str]) -> str:
    for line in lines:
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return safe_line(value.strip("\"'"))
    return ""


def _memory(lines: list[str]) -> dict[str, float]:
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        value = _number(rest.split()[0]) if rest.split() else None
        if value is not None:
            found[name] = value * 1024
    return found


def _rows(lines: list[str]) -> dict[str, list[str]]:
    """Rows of `df -P` by mount point; the header has no number in its second field."""
    found = {}
    for line in lines:
        parts = line.split(None, 5)
        if len(parts) == 6 and parts[1].isdigit() and parts[0] not in _NO_DISK:
            found[safe_line(parts[5])] = parts
    return found


def _disks(space: list[str], inodes: list[str]) -> dict[str, tuple[float, float, int]]:
    counted = _rows(inodes)
    found = {}
    for mount, (_, _, used, free, *_rest) in _rows(space).items():
        if not (used.isdigit() and free.isdigit()) or int(used) + int(free) == 0:
            continue
        share = int(used) / (int(used) + int(free))
        row = counted.get(mount)
        total, taken = (int(row[1]), int(row[2])) if row and row[2].isdigit() else (0, 0)
        found[mount] = (share, taken / total if total else 0.0, int(free) * 1024)
    return found
