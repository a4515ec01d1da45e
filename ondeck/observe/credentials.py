"""Who we are to the systems outside, and until when: keys, certificates, tokens. Never a value."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class CredentialState(StrEnum):
    """How a credential is; `UNKNOWN` is what could not be asked, and never green."""

    GOOD = "good"
    ENDING = "ending"
    ENDED = "ended"
    LOCKED = "locked"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that we show who we are with. Texts are safe to show and hold no part of a value.

    Attributes:
        what: What it is: `ssh certificate anna@bastion`, `vault token`, `aws session`.
        of: What it opens: `account acme-prod`, `https://vault.example.net:8200`; empty where anything.
        expires: When it ends, ns since 1970; 0 when it does not end or that is not known.
        text: One line about it: why it is not good, who it is for.
        renew: How it is had again: `vault login`, `aws sso login --profile acme-prod`; empty when not needed.
    """

    what: str
    state: CredentialState
    of: str = ""
    expires: int = 0
    text: str = ""
    renew: str = ""


_SOON = 15 * 60 * 1_000_000_000


def state_at(expires: int, now: int, soon: int = _SOON) -> CredentialState:
    """The state of a credential that is there and ends at a time (ns, 0 for never), seen now."""
    if not expires:
        return CredentialState.GOOD
    if expires <= now:
        return CredentialState.ENDED
    return CredentialState.ENDING if expires - now <= soon else CredentialState.GOOD
