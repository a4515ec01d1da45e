"""Sessions and clients of boto3: one session for each login made under a lock, clients kept and shared.

Clients are thread-safe, sessions and the making of clients are not (boto/boto3#1592, boto/botocore#2985), and
a session of its own costs 31 MB. So each is made once, under one lock, and kept.
"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from boto3.session import Session
from botocore import credentials as logins
from botocore.config import Config
from botocore.utils import JSONFileCache

from ondeck.errors import AuthFailed, Reason
from ondeck.secret import Secret
from ondeck.settings import Settings
from providers.aws.options import Aws
from providers.aws.said import wants_code

THREADS = 12
"""Calls at once of a process; as many connections are kept for each client."""
_CONNECT, _READ, _CHANGE = 5.0, 20.0, 60.0  # seconds
_READ_TRIES = 3

Key = tuple[str, str, str, bool]


class _Borrowed(JSONFileCache):  # type: ignore[misc]
    """Role sessions that the AWS command line has made, with its MFA prompt; ours stay in memory."""

    def __init__(self) -> None:
        super().__init__(str(Path.home() / ".aws" / "cli" / "cache"))
        self._own: dict[str, Any] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._own or bool(super().__contains__(key))

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - botocore's own type
        return self._own[key] if key in self._own else super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:  # noqa: ANN401 - botocore's own type
        self._own[key] = value


class Clients:
    """Every client of one process; its methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._clients: dict[Key, Any] = {}
        self._keys: dict[str, dict[str, Secret]] = {}

    def lend(self, account: Aws, keys: dict[str, Secret]) -> None:
        """Keys of an account that names references instead of a profile; others than before log in anew."""
        with self._lock:
            held = self._keys.get(account.name)
            if held is None or {k: v.reveal() for k, v in held.items()} != {
                k: v.reveal() for k, v in keys.items()
            }:
                self._keys[account.name] = keys
                self._drop(account)

    def forget(self, account: Aws) -> None:
        """Log in anew at the next call: keys and cached roles are read again."""
        with self._lock:
            self._drop(account)

    def _drop(self, account: Aws) -> None:
        login = _login(account)
        self._sessions.pop(login, None)
        for key in [key for key in self._clients if key[0] == login]:
            del self._clients[key]

    def get(self, account: Aws, region: str, service: str, *, once: bool = False) -> Any:  # noqa: ANN401 - boto3
        """A client. With `once` nothing is tried again by itself: for calls that change something.

        Raises:
            AuthFailed: The profile wants a code that only a person has.
            botocore.exceptions.BotoCoreError: There is no such profile, region or service.
        """
        key = (_login(account), region, service, once)
        found = self._clients.get(key)
        if found is None:
            with self._lock:
                found = self._clients.get(key)
                if found is None:
                    found = self._clients[key] = self._made(account, region, service, once=once)
        return found

    def expires(self, account: Aws) -> str:
        """When what we log in with ends, ISO 8601; empty when it does not or nobody knows."""
        with self._lock:
            found = self._session(account).get_credentials()
        if found is None:
            return ""
        found.get_frozen_credentials()
        ends = getattr(found, "_expiry_time", None)
        return ends.isoformat(timespec="seconds") if ends is not None else ""

    def method(self, account: Aws) -> str:
        """Where the keys come from, in botocore's words: `sso`, `assume-role`, `shared-credentials-file`."""
        with self._lock:
            found = self._session(account).get_credentials()
        return str(found.method) if found is not None else ""

    def _made(self, account: Aws, region: str, service: str, *, once: bool) -> Any:  # noqa: ANN401 - boto3
        endpoint = account.endpoint(service)
        return self._session(account).client(
            service, region_name=region, endpoint_url=endpoint, config=self._config(endpoint, once=once)
        )

    def _config(self, endpoint: str | None, *, once: bool) -> Config:
        more: dict[str, Any] = {}
        if endpoint is not None:
            # A host name of our own carries neither prefixes nor buckets.
            more = {"inject_host_prefix": False, "s3": {"addressing_style": "path"}}
        return Config(
            retries={"mode": "standard", "total_max_attempts": 1 if once else _READ_TRIES},
            connect_timeout=max(1.0, self._settings.seconds(_CONNECT)),
            read_timeout=max(2.0, self._settings.seconds(_CHANGE if once else _READ)),
            max_pool_connections=THREADS,
            user_agent_extra="ondeck",
            **more,
        )

    def _session(self, account: Aws) -> Session:
        """Called with the lock held."""
        login = _login(account)
        if login not in self._sessions:
            self._sessions[login] = self._logged_in(account)
        return self._sessions[login]

    def _logged_in(self, account: Aws) -> Session:
        if account.options.keys is not None:
            session = self._with_keys(account)
        else:
            session = Session(profile_name=account.options.profile or None)
            _resolve(session, account)
        return self._assumed(session, account) if account.options.role else session

    def _with_keys(self, account: Aws) -> Session:
        keys = self._keys.get(account.name)
        if keys is None:
            raise AuthFailed("its keys were not resolved", where=account.name, reason=Reason.CREDENTIALS)
        return Session(
            aws_access_key_id=keys["id"].reveal(),
            aws_secret_access_key=keys["secret"].reveal(),
            aws_session_token=keys["token"].reveal() if "token" in keys else None,
        )

    def _assumed(self, source: Session, account: Aws) -> Session:
        """A session that takes a role and renews it by itself."""
        endpoint = account.endpoint("sts")
        region = account.options.regions[0]
        create = partial(
            source._session.create_client,
            region_name=region,
            endpoint_url=endpoint,
            config=self._config(endpoint, once=False),
        )
        fetcher = logins.AssumeRoleCredentialFetcher(
            client_creator=lambda service, **more: create(service, **{**more, "region_name": region}),
            source_credentials=source.get_credentials(),
            role_arn=account.options.role,
            extra_args={"RoleSessionName": f"ondeck-{self._settings.actor}"[:64]},
            mfa_prompter=partial(_no_code, account),
        )
        session = Session()
        session._session._credentials = logins.DeferredRefreshableCredentials(
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
        return session


def _login(account: Aws) -> str:
    """Accounts that log in alike share a session."""
    if account.options.keys is not None:
        return f"keys {account.name} {account.options.role}"
    sts = (account.endpoint("sts") or "") if account.options.role else ""
    return f"{account.options.profile} {account.options.role} {sts} {account.endpoint('') or ''}"


def _resolve(session: Session, account: Aws) -> None:
    """What is in the environment of one process is not in that of a job: only files and the machine's role count.

    botocore asks for an MFA code with `getpass`, behind the screen; nothing may prompt there.
    """
    chain = session._session.get_component("credential_provider")
    chain.providers[:] = [one for one in chain.providers if one.METHOD != "env"]
    for one in chain.providers:
        if one.METHOD == "assume-role":
            one._prompter = partial(_no_code, account)
            one.cache = _Borrowed()


def _no_code(account: Aws, prompt: str) -> NoReturn:
    raise wants_code(account)
