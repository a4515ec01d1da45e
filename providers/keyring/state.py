"""Whether the keyring is there and open, as a credential of who runs ondeck."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory import secretrefs
from ondeck.inventory.secretrefs import Reference
from ondeck.observe.credentials import Credential, CredentialState
from ondeck.operate.ports import SecretQuestion
from ondeck.secret import Secret
from providers.keyring.backends import PASSWORD_FILE, Locked
from providers.keyring.reader import KeyringSecrets, password_reference


class KeyringState:
    """Capability `credentials`: one row where the inventory uses the keyring."""

    async def credentials(self, bench: Bench) -> Sequence[Credential]:
        """How the keyring is now; reads no secret."""
        used = [use for use in secretrefs.uses(bench.inventory) if use.reference.scheme == "keyring"]
        source = bench.inventory.secrets.get("keyring")
        if not used and source is None:
            return ()
        password = await _password(bench)
        options: dict[str, Any] = source.options if source is not None else {}
        question = SecretQuestion(
            reference=Reference("keyring", "none"),
            options=options,
            root=bench.inventory.revision.root,
            environ=os.environ,
            settings=bench.settings,
            inner=lambda text: password,
        )
        return (await asyncio.to_thread(_row, question),)


async def _password(bench: Bench) -> Secret:
    """That of the encrypted file; an empty one opens none."""
    named = os.environ.get(PASSWORD_FILE)
    try:
        return await bench.secret(password_reference(named)) if named else Secret("")
    except OndeckError:
        return Secret("")


def _row(question: SecretQuestion) -> Credential:
    what = "keyring"
    try:
        where = KeyringSecrets().where(question)
    except Locked as error:
        return Credential(what=what, state=CredentialState.LOCKED, text=error.message, renew=error.hint)
    except OndeckError as error:
        return Credential(
            what=what, state=CredentialState.UNKNOWN, text=error.message, renew=error.hint.partition("\n")[0]
        )
    return Credential(what=what, state=CredentialState.GOOD, text=where)
