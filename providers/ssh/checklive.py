"""Capability `live_check`: is a host as a night will need it? Reads only."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ondeck import text
from ondeck.errors import OndeckError, Reason, Unreachable
from ondeck.inventory.model import Host
from ondeck.reach.ports import Become, Checked, Link, Reach

OFFSET = 2.0
"""Seconds that a clock may be off before logs of several hosts sort wrongly."""

ROOM = 64 << 20
"""Bytes that must be free where job folders go."""

_ASK = r"""date +%s.%N
d=$HOME/.local/state; while [ ! -d "$d" ]; do d=${d%/*}; [ -n "$d" ] || d=/; done
[ -w "$d" ] && echo yes || echo no
df -Pk -- "$d" | tail -n 1
for t in setsid sha256sum mktemp stat head; do command -v $t; done | wc -l
"""


class SshLiveCheck:
    """Asks one host; errors are rows."""

    async def check(self, host: Host, reach: Reach) -> Sequence[Checked]:
        """Rows for reachable, sudo, clock, room and tools; never raises for a host."""
        try:
            link = await reach.connect(host)
        except OndeckError as error:
            reason = error.reason.value if isinstance(error, Unreachable) else "not reachable"
            said = f"{reason}: {error.message}" + (f" ({error.hint})" if error.hint else "")
            return [Checked(host=host.name, what="reachable", ok=False, text=said)]
        try:
            rows = [Checked(host=host.name, what="reachable", ok=True, text="logged in")]
            rows += await self._facts(host, link)
            if host.become:
                rows.append(await self._sudo(host, link))
            return rows
        finally:
            await link.aclose()

    async def _sudo(self, host: Host, link: Link) -> Checked:
        user = "root" if host.become in ("sudo", "") else host.become
        try:
            done = await link.run(["true"], become=Become(user), timeout=15)
        except (OndeckError, TimeoutError) as error:
            refused = isinstance(error, Unreachable) and error.reason is Reason.BECOME
            return Checked(host=host.name, what="sudo", ok=False if refused else None, text=_said(error))
        return Checked(host=host.name, what="sudo", ok=done.ok, text=f"{user} without a password")

    async def _facts(self, host: Host, link: Link) -> list[Checked]:
        sent = time.time()
        try:
            done = await link.run(["sh", "-c", _ASK], timeout=15)
        except (OndeckError, TimeoutError) as error:
            return [Checked(host=host.name, what="commands", ok=None, text=_said(error))]
        lines = text.decode(done.stdout).splitlines()
        if not done.ok or len(lines) < 4:
            said = f"exit {done.status}: {text.safe_line(text.decode(done.stderr))[:200]}"
            return [Checked(host=host.name, what="commands", ok=False, text=said)]
        return [
            _clock(host.name, lines[0], (sent + time.time()) / 2),
            _room(host.name, lines[1], lines[2]),
            Checked(
                host=host.name,
                what="tools",
                ok=lines[3].strip() == "5",
                text=f"{lines[3].strip()} of 5: setsid sha256sum mktemp stat head",
            ),
        ]


def _said(error: OndeckError | TimeoutError) -> str:
    return text.safe_line(error.message if isinstance(error, OndeckError) else str(error) or "timed out")


def _clock(host: str, line: str, ours: float) -> Checked:
    try:
        # busybox counts whole seconds and leaves %N as it is.
        offset = float(line.removesuffix("%N")) - ours
    except ValueError:
        return Checked(host=host, what="clock", ok=None, text="its date cannot be read")
    return Checked(host=host, what="clock", ok=abs(offset) <= OFFSET, text=f"{offset:+.1f} s from ours")


def _room(host: str, writable: str, line: str) -> Checked:
    words = line.split()
    if len(words) < 6 or not words[3].isdigit():
        return Checked(host=host, what="state folder", ok=None, text="df cannot be read")
    free = int(words[3]) << 10
    said = f"{free >> 20} MiB free on {words[5]}" + ("" if writable == "yes" else ", not writable")
    return Checked(host=host, what="state folder", ok=writable == "yes" and free >= ROOM, text=said)
