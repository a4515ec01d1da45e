"""Does the process still live? A dead one fails a deploy at once instead of after the whole wait."""

from __future__ import annotations

from ondeck.inventory.model import Host, Service
from ondeck.observe.health import Alive
from ondeck.operate.deploys.claimed import said
from ondeck.reach.ports import Link
from ondeck.text import decode
from providers.release.options import Options, words

_SHOW = ("ActiveState", "SubState", "NRestarts", "MainPID")


async def unit_state(link: Link, unit: str) -> dict[str, str]:
    """Properties of a systemd unit; empty when the host has no systemd."""
    properties = [word for name in _SHOW for word in ("-p", name)]
    done = await link.run(["systemctl", "show", *properties, "--", unit])
    if not done.ok:
        return {}
    pairs = (line.partition("=") for line in decode(done.stdout).splitlines())
    return {name: value for name, _, value in pairs}


async def watch(link: Link, service: Service, host: Host, options: Options) -> Alive | None:
    """A question that answers why the process is dead; None when nothing to ask is declared."""
    if options.alive:
        argv = words(options.alive, service, host)

        async def by_command() -> str:
            done = await link.run(argv, become=options.as_user())
            return "" if done.ok else f"the process is dead ({said(done)})"

        return by_command
    if not options.unit:
        return None
    unit = options.unit
    restarts = (await unit_state(link, unit)).get("NRestarts", "")

    async def by_unit() -> str:
        return dead(unit, await unit_state(link, unit), restarts)

    return by_unit


def dead(unit: str, now: dict[str, str], restarts: str) -> str:
    """Why a unit counts as dead, compared with its restart count after the change."""
    if now.get("ActiveState") in ("failed", "inactive"):
        return f"{unit} is {now['ActiveState']}"
    if now.get("SubState") == "auto-restart" or now.get("NRestarts", restarts) != restarts:
        return f"{unit} dies and is restarted by systemd (restarts {restarts} -> {now.get('NRestarts', '?')})"
    return ""
