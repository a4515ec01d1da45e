"""Who we are to a server: a token that is there or is had by AppRole, looked up, renewed in time, had again.

An ended token and a missing policy look alike (403), so a token's own end is known from looking it up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import Missing, OndeckError, Unreachable
from ondeck.inventory.secretrefs import is_reference
from ondeck.operate.ports import SecretQuestion
from providers.vault.server import Denied, Place, Server, place_of

SECOND = 1_000_000_000


class Ended(Missing):
    """The token is no good any more."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token beside itself.

    Attributes:
        asked: When it was looked up, ns.
        ends: When it ends, ns; 0 when it does not.
        renewable: Whether it can be renewed.
        policies: Names of its policies.
    """

    asked: int
    ends: int = 0
    renewable: bool = False
    policies: tuple[str, ...] = ()

    def due(self, now: int) -> bool:
        """Two thirds of its time have passed since it was looked up."""
        return bool(self.ends) and now >= self.asked + (self.ends - self.asked) * 2 // 3


class Login:
    """One login of this process; its methods block and may be called from any thread."""

    def __init__(self, place: Place, timescale: float) -> None:
        self.place = place
        self._timescale = timescale
        self._lock = threading.RLock()
        self._value = ""
        self._server: Server | None = None
        self._token: Token | None = None
        self._timer: threading.Timer | None = None

    @property
    def token(self) -> Token | None:
        """What was known of the token last; None before the first login."""
        return self._token

    def server(self, question: SecretQuestion, *, again: bool = False) -> Server:
        """The server with a token that is good as far as we know.

        Args:
            question: Gives what the login needs.
            again: What is there was refused: log in once more, where that can be done.

        Raises:
            Missing: There is no token, or it has ended and there is no way to another one.
            AuthFailed: The login was refused.
            Unreachable: The server did not answer.
        """
        with self._lock:
            if self.place.auth == "approle":
                return self._by_approle(question, again)
            return self._by_token(question)

    def _by_token(self, question: SecretQuestion) -> Server:
        value = token_of(question)
        if value != self._value or self._server is None:
            server = Server(self.place, value, self._timescale)
            token: Token | None = None
            with suppress(Denied):
                token = _looked_up(server)
            self._value, self._server = value, server
            self._take(token)
        self._keep_alive()
        return self._server

    def _by_approle(self, question: SecretQuestion, again: bool) -> Server:
        now = time.time_ns()
        if self._token is not None and not again:
            self._keep_alive()
        ended = self._token is not None and self._token.ends and self._token.ends <= now
        if self._server is None or again or ended:
            self._log_in(question)
        assert self._server is not None
        return self._server

    def _log_in(self, question: SecretQuestion) -> None:
        place = self.place
        role = question.inner(place.role_id).reveal() if is_reference(place.role_id) else place.role_id
        secret = question.inner(place.secret_id).reveal()
        said = Server(place, "", self._timescale).login(place.mount, role, secret)
        auth = said.get("auth") or {}
        self._server = Server(place, str(auth.get("client_token", "")), self._timescale)
        self._take(_of_auth(auth))

    def _take(self, token: Token | None) -> None:
        """Know a token from now on, and renew it in time whether or not somebody asks: a night is long."""
        self._token = token
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.time_ns()
        if token is None or not token.renewable or token.ends <= now:
            return
        due = token.asked + (token.ends - token.asked) * 2 // 3
        # Past that moment it was tried and not answered: again after a third of what is left.
        wait = due - now if due > now else (token.ends - now) // 3
        self._timer = threading.Timer(max(wait / SECOND, 0.2), self._renew_in_time)
        self._timer.daemon = True
        self._timer.start()

    def _renew_in_time(self) -> None:
        with self._lock:
            self._keep_alive()

    def _keep_alive(self) -> None:
        """Renew when it is due; one that cannot be renewed goes on until it ends."""
        token, server = self._token, self._server
        if token is None or server is None or not token.renewable or not token.due(time.time_ns()):
            return
        try:
            self._take(_of_auth(server.renew().get("auth") or {}))
        except Unreachable:
            self._take(token)
        except OndeckError:
            # Not due again for every request: it is looked up when it is refused.
            self._take(msgspec.structs.replace(token, renewable=False))

    def look(self, question: SecretQuestion) -> Token:
        """Look the token up; logs in nowhere.

        Raises:
            Denied: It has ended or was revoked, or may not even look itself up.
            OndeckError: As of `server`.
        """
        with self._lock:
            server = self._server if self.place.auth == "approle" else self._by_token(question)
            if server is None:
                raise Denied("not logged in")
            token = _looked_up(server)
            self._take(token)
            return token


def _looked_up(server: Server) -> Token:
    """What the server says of its token.

    Raises:
        Denied: It is no good, or may not look itself up.
        OndeckError: As of `Server.read`.
    """
    data = (server.read("auth/token/lookup-self") or {}).get("data") or {}
    now = time.time_ns()
    ttl = int(data.get("ttl") or 0)
    return Token(
        asked=now,
        ends=now + ttl * SECOND if ttl else 0,
        renewable=bool(data.get("renewable")),
        policies=tuple(map(str, data.get("policies") or ())),
    )


def _of_auth(auth: Mapping[str, Any]) -> Token:
    now = time.time_ns()
    ttl = int(auth.get("lease_duration") or 0)
    return Token(
        asked=now,
        ends=now + ttl * SECOND if ttl else 0,
        renewable=bool(auth.get("renewable")),
        policies=tuple(map(str, auth.get("policies") or ())),
    )


def token_of(question: SecretQuestion) -> str:
    """The token that is at hand: what the inventory names, VAULT_TOKEN, or what `vault login` left.

    Raises:
        Missing: There is none.
    """
    named = str(question.options.get("token", ""))
    if named:
        try:
            return question.inner(named).reveal().strip()
        except Missing as error:
            raise Missing(f"its token {named!r}: {error.message}", hint=error.hint) from None
    for name in ("VAULT_TOKEN", "BAO_TOKEN"):
        if value := question.environ.get(name, "").strip():
            return value
    home = question.environ.get("HOME", "")
    try:
        if home and (value := Path(home, ".vault-token").read_text("utf-8").strip()):
            return value
    except (OSError, UnicodeDecodeError):
        pass
    raise Missing("there is no token for it", hint="vault login, or export VAULT_TOKEN=...")


_lock = threading.Lock()
_logins: dict[Place, Login] = {}


def login_of(question: SecretQuestion) -> Login:
    """The login of this process for a place; one for every capability and thread.

    Raises:
        BadInput: Nobody says where the server is.
    """
    place = place_of(question)
    with _lock:
        return _logins.setdefault(place, Login(place, question.settings.timescale))


def denied(question: SecretQuestion, login: Login, path: str) -> OndeckError:
    """Which of the two a 403 was: the token ended, or it may not read that."""
    try:
        token = login.look(question)
    except Denied:
        hint = "vault login" if login.place.auth == "token" else ""
        return Ended("the token has ended, was revoked or is none of this server", hint=hint)
    except OndeckError as error:
        return error
    policies = ", ".join(token.policies) or "none"
    return Missing(f"the token is good and may not read {path} (its policies: {policies})")
