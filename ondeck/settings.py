"""Where ondeck keeps its own things, and the few numbers a user or a test may turn."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one process.

    Attributes:
        state: Folder of jobs, audit, plans, locks and facts; 0700, of the user alone.
        cache: Folder of what can be made again (parsed inventories).
        config: Folder of the user's own settings: keys, themes.
        inventory: The inventory's folder; empty when none was named or found.
        policy_floor: Root-owned file that can only tighten the inventory's rules.
        policy_more: A second such file (ONDECK_POLICY), laid over the first: it adds and takes nothing away.
        timescale: Every timeout and waiting time is multiplied by it; tests use 0.02 to 0.1.
        actor: Who acts: login name, from the system.
        read_only: Refuse every change.
        banner: What a face shows all the time: the demo says that its hosts are this machine.
    """

    state: Path
    cache: Path
    config: Path
    inventory: Path | None = None
    policy_floor: Path = Path("/etc/ondeck/policy.yml")
    policy_more: Path | None = None
    timescale: float = 1.0
    actor: str = "?"
    read_only: bool = False
    banner: str = ""

    @property
    def rules_from(self) -> str:
        """For the audit: that rules came from more than the inventory and the floor; empty when they did not."""
        return f"rules also from {self.policy_more} (ONDECK_POLICY)" if self.policy_more else ""

    def seconds(self, value: float) -> float:
        """A waiting time in seconds as it counts in this process."""
        return value * self.timescale


def _xdg(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "ondeck"


def _login() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def load(*, inventory: Path | None = None, read_only: bool = False) -> Settings:
    """Settings from the environment: XDG folders, ONDECK_STATE, ONDECK_INVENTORY, ...

    No variable moves the policy floor: what root wrote on this machine holds for whoever sets one.

    Args:
        inventory: Folder named on the command line; wins over ONDECK_INVENTORY.
        read_only: From the command line; ONDECK_READ_ONLY=1 means the same.

    Raises:
        BadInput: ONDECK_TIMESCALE is not a positive number.
    """
    from ondeck.errors import BadInput

    raw = os.environ.get("ONDECK_TIMESCALE", "1")
    try:
        timescale = float(raw)
    except ValueError:
        timescale = 0.0
    if not 0 < timescale <= 100:
        raise BadInput(f"ONDECK_TIMESCALE is {raw!r}, expected a number above 0 and up to 100")
    named = os.environ.get("ONDECK_INVENTORY")
    state = os.environ.get("ONDECK_STATE")
    more = os.environ.get("ONDECK_POLICY")
    return Settings(
        state=Path(state) if state else _xdg("XDG_STATE_HOME", ".local/state"),
        cache=_xdg("XDG_CACHE_HOME", ".cache"),
        config=_xdg("XDG_CONFIG_HOME", ".config"),
        inventory=inventory or (Path(named) if named else None),
        policy_more=Path(more) if more else None,
        timescale=timescale,
        actor=_login(),
        banner=os.environ.get("ONDECK_BANNER", ""),
        read_only=read_only or os.environ.get("ONDECK_READ_ONLY", "") not in ("", "0"),
    )
