"""Capability `credentials`: who AWS says we are in each account, and until when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ondeck.bench import Bench
from ondeck.errors import AuthFailed, OndeckError, Reason, Unreachable
from ondeck.observe.credentials import Credential, CredentialState, state_at
from providers.aws.calling import Calls
from providers.aws.identity import caller_of
from providers.aws.options import Aws, aws_of
from providers.aws.rows import ns, text

_WHAT = "aws login"


class AwsLogins:
    """A row for each account of kind `aws`; STS is asked who we are, which needs no permission."""

    async def credentials(self, bench: Bench) -> Sequence[Credential]:
        """See `ondeck.observe.ports.CredentialReader`."""
        accounts = [account for account in bench.inventory.accounts.values() if account.kind == "aws"]

        async def one(name: str) -> Credential:
            try:
                return await _look(aws_of(bench.inventory.accounts[name]), bench)
            except OndeckError as error:
                return _not_good(name, error)

        return await asyncio.gather(*(one(account.name) for account in accounts))


async def _look(account: Aws, bench: Bench) -> Credential:
    calls = await Calls.of(account, bench)
    calls.login_again()
    who = await caller_of(calls)
    ends, method = await calls.login()
    until = ns(ends)
    return Credential(
        what=_WHAT,
        state=state_at(until, time.time_ns()),
        of=f"account {account.name}",
        expires=until,
        text=text(f"{who}, from {method or 'keys'}"),
        renew=f"aws sso login{account.profile_words}" if until else "",
    )


def _not_good(name: str, error: OndeckError) -> Credential:
    state = CredentialState.UNKNOWN
    if isinstance(error, AuthFailed):
        state = CredentialState.ENDED if error.reason is Reason.CREDENTIALS else CredentialState.ABSENT
    reason = (
        f"{error.reason.value}: "
        if isinstance(error, Unreachable) and state is CredentialState.UNKNOWN
        else ""
    )
    return Credential(what=_WHAT, state=state, of=f"account {name}", text=text(f"{reason}{error.message}"))
