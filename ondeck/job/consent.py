"""What a person gave for a plan to start."""

from __future__ import annotations

import msgspec


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What a face brings back from the person.

    Attributes:
        confirmed: They said yes to the plan.
        typed: What they typed where the rules want a name typed.
        reason: Why, in their words.
        break_glass: They pass a two-person rule alone.
    """

    confirmed: bool = False
    typed: str = ""
    reason: str = ""
    break_glass: bool = False


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """Consent as it is stored beside the plan, for the worker to check again.

    Attributes:
        plan: sha256 of the plan's stored bytes.
        policy: sha256 of the rules that were shown.
        decision: How it was allowed: `read`, `confirmed`, `typed`, `break-glass`.
        lock_wait: Seconds to wait for the lock.
        uid: Who started it, as the kernel says.
        ssh: SSH_CLIENT of who asked; empty when local.
        tty: Terminal of who asked; empty without one.
    """

    plan: str
    policy: str
    actor: str
    consent: Consent
    decision: str
    made: int
    lock_wait: float = 0.0
    uid: int = -1
    ssh: str = ""
    tty: str = ""
