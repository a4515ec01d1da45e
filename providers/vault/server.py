"""One server, asked through its library: every answer is data or one of our errors, and none shows a value."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hvac
import msgspec
import requests
from hvac import exceptions

from ondeck.errors import AuthFailed, BadInput, Missing, OndeckError, Unreachable
from ondeck.operate.ports import SecretQuestion

SECONDS = 10.0
"""Of one answer, before timescale."""

_LEAST = 2.0


class Place(msgspec.Struct, frozen=True):
    """Which server, and as whom it is asked: what tells one login from another."""

    url: str
    namespace: str = ""
    verify: str = ""
    auth: str = "token"
    mount: str = "approle"
    token: str = ""
    role_id: str = ""
    secret_id: str = ""


def place_of(question: SecretQuestion) -> Place:
    """Where the inventory, or the variables of Vault's own tools, say that it is.

    Raises:
        BadInput: Nobody says where.
    """
    given, environ = question.options, question.environ
    url = str(given.get("url") or environ.get("VAULT_ADDR") or environ.get("BAO_ADDR") or "")
    if not url:
        raise BadInput("nobody says where Vault is", hint="write: secrets: {vault: {url: https://...}}")
    if "@" in url or not url.startswith(("http://", "https://")):
        raise BadInput("VAULT_ADDR is no http or https address without a login in it")
    ca = given.get("ca")
    return Place(
        url=url.rstrip("/"),
        namespace=str(given.get("namespace") or environ.get("VAULT_NAMESPACE") or ""),
        verify=os.path.join(question.root, os.path.expanduser(ca))  # noqa: PTH111, PTH118 - as text
        if ca
        else environ.get("VAULT_CACERT", ""),
        auth=str(given.get("auth", "token")),
        mount=str(given.get("approle", "approle")),
        token=str(given.get("token", "")),
        role_id=str(given.get("role_id", "")),
        secret_id=str(given.get("secret_id", "")),
    )


class Denied(Missing):
    """403: the token has ended, or its policies do not allow it; the server says the same for both."""


class Server:
    """Requests to one server with one token; blocks, so it is used in threads."""

    def __init__(self, place: Place, token: str, timescale: float) -> None:
        if place.verify and not Path(place.verify).is_file():
            raise Missing(f"the file of certificates {place.verify} is not there")
        self._client = hvac.Client(
            url=place.url,
            token=token,
            namespace=place.namespace or None,
            verify=place.verify or True,
            timeout=max(SECONDS * timescale, _LEAST),
        )
        self._url = place.url

    def read(self, path: str) -> Mapping[str, Any] | None:
        """What a GET of a path says; None when nothing is there.

        Raises:
            Denied: 403.
            Missing: It said no in another way.
            Unreachable: It did not answer, is sealed, or cannot be trusted.
        """
        return self._asked(lambda: self._client.read(quote(path, safe="/")))

    def renew(self) -> Mapping[str, Any]:
        """Renew the token; what its login says now. Raises as `read` does."""
        return self._asked(self._client.auth.token.renew_self) or {}

    def login(self, mount: str, role_id: str, secret_id: str) -> Mapping[str, Any]:
        """Log in by AppRole; what the login says, with the token in it.

        Raises:
            AuthFailed: It refused.
            Unreachable: As of `read`.
        """

        def login() -> Any:  # noqa: ANN401 - of an untyped library
            return self._client.auth.approle.login(role_id, secret_id, use_token=False, mount_point=mount)

        try:
            return self._asked(login) or {}
        except Missing:
            hint = "is secret_id used up or ended? a new one: vault write -f auth/approle/role/ROLE/secret-id"
            raise AuthFailed("it refused the AppRole", where=self._url, hint=hint) from None

    def sealed(self) -> bool:
        """Whether it is sealed; needs no token. Raises as `read` does."""
        return bool((self.read("sys/seal-status") or {}).get("sealed"))

    def _asked(self, call: Callable[[], Any]) -> Mapping[str, Any] | None:
        try:
            found = call()
        except OndeckError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary to a library: nothing of its text is told
            raise self._told(error) from None
        if found is not None and not isinstance(found, dict):
            raise Unreachable("what answers there is no Vault", where=self._url)
        return found

    def _told(self, error: Exception) -> OndeckError:
        at = self._url
        match error:
            case exceptions.Forbidden() | exceptions.Unauthorized():
                return Denied("it refuses")
            case exceptions.VaultDown() | exceptions.VaultNotInitialized():
                sealed = any("seal" in str(one) for one in error.errors or ())
                said = "it is sealed" if sealed else "it is down or not set up yet"
                return Unreachable(said, where=at, hint="somebody has to unseal it" if sealed else "")
            case exceptions.InvalidPath():
                return Missing("nothing is there")
            case exceptions.InvalidRequest():
                return Missing("it says that this request makes no sense")
            case exceptions.VaultError():
                return Unreachable(f"it has trouble: {type(error).__name__}", where=at)
            case requests.exceptions.SSLError():
                hint = "name its authority: secrets: {vault: {ca: FILE}}"
                return Unreachable("its certificate is not trusted, or it speaks no TLS", where=at, hint=hint)
            case requests.exceptions.Timeout():
                return Unreachable("it did not answer in time", where=at)
            case requests.exceptions.RequestException() | OSError():
                return Unreachable("no connection to it", where=at)
            case _:
                return Unreachable(f"what answers there is no Vault: {type(error).__name__}", where=at)
