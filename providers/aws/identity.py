"""Who AWS says we are."""

from __future__ import annotations

from providers.aws.calling import Calls
from providers.aws.rows import text


async def caller_of(calls: Calls) -> str:
    """Account number and user or role, without the name of the session, which is another one each time.

    Raises:
        Unreachable: AWS could not be asked, or does not know us.
    """
    said = await calls.read(calls.account.options.regions[0], "sts", "get_caller_identity")
    parts = str(said.get("Arn", "")).rpartition(":")[2].split("/")
    if parts[0] == "assumed-role":
        parts = parts[:2]
    return text(f"{said.get('Account', '?')} {'/'.join(parts)}")
