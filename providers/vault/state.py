"""The token for Vault as a credential: until when it is good, and how it is had again."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ondeck.bench import Bench
from ondeck.errors import Missing, OndeckError
from ondeck.inventory import secretrefs
from ondeck.inventory.secretrefs import Reference
from ondeck.observe.credentials import Credential, CredentialState, state_at
from ondeck.operate.ports import SecretQuestion
from ondeck.secret import Secret
from providers.vault.login import Login, login_of
from providers.vault.server import Denied


class VaultState:
    """Capability `credentials`: one row where the inventory uses Vault."""

    async def credentials(self, bench: Bench) -> Sequence[Credential]:
        """How the token is now; logs in nowhere and reads no secret but the token."""
        source = bench.inventory.secrets.get("vault")
        used = any(use.reference.scheme == "vault" for use in secretrefs.uses(bench.inventory))
        if not used and source is None:
            return ()
        options: Mapping[str, Any] = source.options if source is not None else {}
        token = str(options.get("token", ""))
        known: dict[str, Secret] = {}
        if token:
            try:
                known[token] = await bench.secret(token)
            except OndeckError as error:
                text = f"its token: {error.message}"
                return (
                    Credential(
                        what=_WHAT, of=str(options.get("url", "")), state=CredentialState.ABSENT, text=text
                    ),
                )

        def inner(text: str) -> Secret:
            if text not in known:
                raise Missing("not asked for")
            return known[text]

        question = SecretQuestion(
            reference=Reference("vault", "none/none"),
            options=options,
            root=bench.inventory.revision.root,
            environ=os.environ,
            settings=bench.settings,
            inner=inner,
        )
        return (await asyncio.to_thread(_row, question),)


_WHAT = "vault token"


def _row(question: SecretQuestion) -> Credential:
    try:
        login = login_of(question)
    except OndeckError as error:
        return Credential(what=_WHAT, state=CredentialState.UNKNOWN, text=error.message, renew=error.hint)
    url = login.place.url
    if login.place.auth == "approle" and login.token is None:
        text = "not logged in yet: by AppRole, when a secret is needed"
        return Credential(what=_WHAT, of=url, state=CredentialState.UNKNOWN, text=text)
    renew = "by itself" if login.place.auth == "approle" else "vault login"
    try:
        return _known(login, question, renew)
    except Denied:
        text = "it has ended, was revoked or is none of this server"
        return Credential(what=_WHAT, of=url, state=CredentialState.ENDED, text=text, renew=renew)
    except Missing as error:
        return Credential(what=_WHAT, of=url, state=CredentialState.ABSENT, text=error.message, renew=renew)
    except OndeckError as error:
        return Credential(
            what=_WHAT, of=url, state=CredentialState.UNKNOWN, text=error.message, renew=error.hint
        )


def _known(login: Login, question: SecretQuestion, renew: str) -> Credential:
    token = login.look(question)
    text = f"policies {', '.join(token.policies) or 'none'}" + (", renewable" if token.renewable else "")
    return Credential(
        what=_WHAT,
        of=login.place.url,
        state=state_at(token.ends, time.time_ns()),
        expires=token.ends,
        text=text,
        renew=renew if token.ends else "",
    )
