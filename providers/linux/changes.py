"""Capability `changes`: unit restarts, packages and reboots of a host, each with its own answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory.model import Host
from ondeck.observe.records import Asked, Change
from ondeck.observe.sources import words
from ondeck.reach.ports import Become, Completed, Link
from ondeck.text import decode, safe_line
from providers.linux.asking import linked, why
from providers.linux.journal import field, no_journal

NS = 1_000_000_000
# Message ids of systemd's own entries: systemd, src/systemd/sd-messages.h.
MESSAGES = {
    "39f53479d3a045ac8e11786248231fbf": "started",
    "9d1aaa27d60140bd96365438aad20286": "stopped",
    "be02cf6855d2428ba40df7e9d022f03d": "failed to start",
    "d9b373ed55a64feb8242e02dbe79a49c": "failed",
    "5eb03494b6584870a536b337290809b3": "restarts by itself",
}
TOGETHER = 60 * NS
# What is taken of an answer: entries of the journal, lines of the package history, bytes.
MOST_ENTRIES = 5000
MOST_PACKAGES = 2000
LIMIT = 4 << 20

PACKAGES = r"""
LC_ALL=C; export LC_ALL
if [ -r /var/log/dpkg.log ]; then
  echo "dpkg $(date +%z)"
  cat /var/log/dpkg.log.1 /var/log/dpkg.log 2>/dev/null |
    grep -E '^[^ ]+ [^ ]+ (install|upgrade|remove|purge) ' | tail -n "$1"
  echo @history
  cat /var/log/apt/history.log 2>/dev/null |
    grep -E '^(Start-Date|End-Date|Commandline|Requested-By):' | tail -n 1000
elif command -v rpm >/dev/null; then
  echo rpm
  rpm -qa --qf '%{INSTALLTIME} %{NAME} %{VERSION}-%{RELEASE}\n' | sort -n | tail -n "$1"
else
  echo 'neither /var/log/dpkg.log can be read nor rpm is there' >&2; exit 1
fi
"""
BOOTS = r"""
LC_ALL=C; export LC_ALL
grep '^btime' /proc/stat || exit
if boots=$(last -x --time-format=iso reboot 2>/dev/null); then
  printf '%s\n' "$boots" | grep '^reboot' | head -n 50
else
  echo forgotten
fi
exit 0
"""


class LinuxChanges:
    """Asks journal, package history and boot times; what could not be asked is named in the error."""

    async def changes(self, host: Host, bench: Bench, *, since: int) -> Asked:
        """Changes since a time (ns), oldest first.

        With `error` set the list is what the other parts answered; nothing follows from its gaps.
        """
        try:
            async with linked(host, bench) as link:
                parts = await asyncio.gather(
                    _units(link, host, since), _packages(link, host, since), _boots(link, host, since)
                )
        except (OndeckError, TimeoutError, OSError) as error:
            return Asked(source=host.name, error=words(error))
        errors = [error for _, error in parts if error]
        found = [change for changes, _ in parts for change in changes if change.time >= since]
        found.sort(key=lambda change: change.time)
        partly = 0 < len(errors) < len(parts)
        return Asked(source=host.name, error="; ".join(errors), partly=partly, changes=tuple(found))


async def _run(link: Link, argv: list[str], host: Host) -> Completed:
    """As root where the inventory says that the host has sudo: the journal and logs are often closed."""
    # `sudo` names the tool, not a user.
    become = (Become() if host.become == "sudo" else Become(host.become)) if host.become else None
    return await link.run(argv, become=become, timeout=20.0, limit=LIMIT)


async def _units(link: Link, host: Host, since: int) -> tuple[list[Change], str]:
    argv = ["env", "LC_ALL=C", "journalctl", "--no-pager", "--output=json", "_PID=1"]
    fields = "--output-fields=MESSAGE_ID,UNIT,JOB_RESULT"
    done = await _run(link, [*argv, fields, f"--since=@{since // NS}", f"--lines={MOST_ENTRIES}"], host)
    if not done.ok:
        return [], f"journal: {why(done)}"
    found = unit_changes(host, done.stdout)
    # The newest entries stand last: what is cut off at the limit is the newest, what --lines leaves out the oldest.
    if done.dropped:
        return found, f"journal: there is more than {LIMIT >> 20} MiB of it since then; the newest is missing"
    if done.stdout.count(b"\n") >= MOST_ENTRIES:
        said = f"journal: there are more than {MOST_ENTRIES - 1} entries since then; the oldest are missing"
        return found, said
    closed = no_journal(done)
    if not closed and not done.stdout:
        # Nothing since then, or nothing at all? A journal that nobody writes says nothing of restarts.
        any_entry = await _run(link, [*argv, fields, "--lines=1"], host)
        closed = "" if any_entry.stdout else "it has no entry of systemd at all"
    return found, f"journal: {closed}" if closed else ""


def unit_changes(host: Host, data: bytes) -> list[Change]:
    """Changes of units by systemd's own messages; stopped and started within a minute is restarted."""
    found: list[Change] = []
    latest: dict[str, int] = {}
    for raw in data.splitlines():
        try:
            fields = msgspec.json.decode(raw, type=dict[str, object])
            at = int(str(fields["__REALTIME_TIMESTAMP"])) * 1000
        except (msgspec.DecodeError, RecursionError, KeyError, ValueError):
            continue
        text = MESSAGES.get(field(fields.get("MESSAGE_ID")), "")
        unit = safe_line(field(fields.get("UNIT")))
        if not text or not unit.endswith(".service"):
            continue
        unit = unit.removesuffix(".service")
        before = latest.get(unit)
        stopped = found[before] if before is not None and found[before].text == "stopped" else None
        if text == "started" and before is not None and stopped is not None and at - stopped.time < TOGETHER:
            found[before] = msgspec.structs.replace(stopped, time=at, text="restarted")
            continue
        latest[unit] = len(found)
        found.append(Change(time=at, env=host.env, kind="restart", subject=unit, text=text, host=host.name))
    return found


async def _packages(link: Link, host: Host, since: int) -> tuple[list[Change], str]:
    done = await _run(link, ["sh", "-c", PACKAGES, "sh", str(MOST_PACKAGES)], host)
    if not done.ok:
        return [], f"packages: {why(done)}"
    found = package_changes(host, decode(done.stdout))
    oldest = min((change.time for change in found), default=since)
    if len(found) >= MOST_PACKAGES and oldest > since:
        return found, f"packages: there are more than {MOST_PACKAGES - 1} since then; the oldest are missing"
    return found, ""


def package_changes(host: Host, text: str) -> list[Change]:
    """Changes of packages from dpkg's log (in the host's zone) or rpm's install times."""
    first, _, rest = text.partition("\n")
    if first == "rpm":
        return [
            _package(host, int(time) * NS, name, f"installed {version}", "")
            for time, name, version in (
                line.split(" ", 2) for line in rest.splitlines() if line[:1].isdigit()
            )
        ]
    zone = first.removeprefix("dpkg ").strip() or "+0000"
    log, _, history = rest.partition("@history\n")
    people = _people(history, zone)
    found = []
    for line in log.splitlines():
        parts = line.split()
        at = _moment(" ".join(parts[:2]), zone)
        if at is None or len(parts) < 6:
            continue
        action, name, old, new = parts[2:6]
        says = {"install": f"installed {new}", "upgrade": f"{old} -> {new}"}.get(
            action, action.removesuffix("e") + f"ed {old}"
        )
        who = next((who for start, end, who in people if start <= at <= end), "")
        found.append(_package(host, at, name.partition(":")[0], says, who))
    return found


def _package(host: Host, time: int, name: str, text: str, who: str) -> Change:
    return Change(
        time=time,
        env=host.env,
        kind="package",
        subject=safe_line(name),
        text=safe_line(text),
        host=host.name,
        who=safe_line(who),
    )


def _people(history: str, zone: str) -> list[tuple[int, int, str]]:
    """Who ran apt, by the stretch of time: its history names a person or a command line."""
    found: list[tuple[int, int, str]] = []
    start: int | None = None
    who = ""
    for line in history.splitlines():
        name, _, value = line.partition(": ")
        if name == "Start-Date":
            start, who = _moment(value.replace("  ", " "), zone), ""
        elif name == "Requested-By":
            who = value.partition(" ")[0]
        elif name == "Commandline" and not who:
            program = value.partition(" ")[0].rpartition("/")[2]
            who = program if program == "unattended-upgrade" else ""
        elif name == "End-Date" and start is not None:
            end = _moment(value.replace("  ", " "), zone)
            found.append((start, end or start, who))
    return found


def _moment(text: str, zone: str) -> int | None:
    try:
        return int(datetime.strptime(f"{text} {zone}", "%Y-%m-%d %H:%M:%S %z").timestamp()) * NS
    except ValueError:
        return None


async def _boots(link: Link, host: Host, since: int) -> tuple[list[Change], str]:
    done = await link.run(["sh", "-c", BOOTS], timeout=20.0)
    if not done.ok:
        return [], f"boots: {why(done)}"
    text = decode(done.stdout)
    found = boot_changes(host, text)
    known = found[0].time if found else 0
    if "forgotten" in text.splitlines() and since < known:
        when = datetime.fromtimestamp(known // NS, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return found, f"boots: those before {when} are not known: `last` cannot tell them"
    return found, ""


def boot_changes(host: Host, text: str) -> list[Change]:
    """Boots: the kernel's own boot time, and those before it that wtmp remembers."""
    times: list[int] = []
    for line in text.splitlines():
        parts = line.split()
        if parts[:1] == ["btime"] and parts[1:2] and parts[1].isdigit():
            times.append(int(parts[1]) * NS)
        elif len(parts) > 4:
            stamp = next((part for part in parts if part[:4].isdigit() and "T" in part), "")
            try:
                at = int(datetime.fromisoformat(stamp).timestamp()) * NS
            except ValueError:
                continue
            # wtmp is written a little after the kernel counts its boot.
            if all(abs(at - known) > 300 * NS for known in times):
                times.append(at)
    return [
        Change(time=at, env=host.env, kind="reboot", subject=host.name, text="booted", host=host.name)
        for at in sorted(times)
    ]
