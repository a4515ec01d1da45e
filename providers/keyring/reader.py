"""`keyring:NAME` and `keyring:SERVICE#NAME`: what the keyring of who runs ondeck keeps."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ondeck.errors import BadInput, Missing, OndeckError, Unreachable
from ondeck.operate.ports import SecretQuestion
from ondeck.secret import Secret
from providers.keyring.backends import PASSWORD_FILE, Backend, CryptFile, NoService, SecretService

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds before timescale that a keyring gets: one that does not answer must not hold who asks."""

_DERIVING = 15.0
SERVICE = "ondeck"
_NONE = "in memory only it would be gone with this process, so that is not done"


_lock = threading.Lock()
_open_files: dict[Path, CryptFile] = {}
"""Encrypted files that are open in this process, for every capability alike."""


class KeyringSecrets:
    """Capabilities `secrets` and `secret_store`."""

    def read(self, question: SecretQuestion) -> Secret:
        """The value; see `ondeck.operate.ports.SecretReader`."""
        service, name = _named(question)
        found = self._in_time(question, lambda: self._backend(question).get(service, name))
        if found is None:
            hint = f"ondeck creds set {question.reference}"
            raise Missing(f"the keyring has no {name!r} of {service!r}", hint=hint)
        return Secret(found)

    def keep(self, question: SecretQuestion, value: Secret) -> str:
        """Keep a value; see `ondeck.operate.ports.SecretStore`."""
        service, name = _named(question)

        def keep() -> str:
            backend = self._backend(question, make=True)
            backend.set(service, name, value.reveal())
            return backend.where

        return self._in_time(question, keep)

    def forget(self, question: SecretQuestion) -> str:
        """Forget a value; see `ondeck.operate.ports.SecretStore`."""
        service, name = _named(question)

        def forget() -> str:
            backend = self._backend(question)
            if not backend.delete(service, name):
                raise Missing(f"the keyring has no {name!r} of {service!r}")
            return backend.where

        return self._in_time(question, forget)

    def wants(self, question: SecretQuestion) -> str:
        """The password of the encrypted file, when that is the keyring and nobody gave it yet."""
        if file_of(question) in _open_files or question.environ.get(PASSWORD_FILE):
            return ""
        if question.options.get("backend") == "cryptfile":
            return f"password of {file_of(question)}"
        if question.options.get("backend") == "secret-service":
            return ""
        try:
            self._in_time(question, SecretService)
        except NoService:
            return f"password of {file_of(question)}" if _has_library() else ""
        except OndeckError:
            return ""
        return ""

    def unlock(self, question: SecretQuestion, password: Secret) -> None:
        """Open the encrypted file for this process; one that is not there yet is made."""
        self._in_time(question, lambda: self._open(question, password, make=True))

    def where(self, question: SecretQuestion) -> str:
        """Which keyring answers; raises as `read` does."""
        return self._in_time(question, lambda: self._backend(question).where)

    def _backend(self, question: SecretQuestion, *, make: bool = False) -> Backend:
        """The desktop's keyring, else the encrypted file with its password at hand, else none."""
        wanted = question.options.get("backend", "")
        if wanted != "cryptfile":
            try:
                return SecretService()
            except NoService as error:
                if wanted == "secret-service":
                    raise
                why = error.message
        else:
            why = "the inventory wants the encrypted file"
        if (opened := _open_files.get(file_of(question))) is not None:
            return opened
        named = question.environ.get(PASSWORD_FILE)
        if not named:
            hint = f"name a file of mode 0600 with its password: {PASSWORD_FILE}=PATH\n{_NONE}"
            raise Missing(f"no keyring is open here: {why}", hint=hint)
        return self._open(question, question.inner(password_reference(named)), make=make)

    def _open(self, question: SecretQuestion, password: Secret, *, make: bool) -> CryptFile:
        path = file_of(question)
        _open_files[path] = opened = CryptFile(path, password, make=make)
        return opened

    def _in_time(self, question: SecretQuestion, call: Callable[[], T]) -> T:
        """Call it in a thread that nobody has to wait for, one at a time.

        Raises:
            Unreachable: It did not answer in time.
            Missing: The library broke; its text could hold a value, so only its kind is told.
        """
        told: list[T] = []
        errors: list[OndeckError] = []

        def run() -> None:
            if not _lock.acquire(timeout=seconds):
                return
            try:
                told.append(call())
            except OndeckError as error:
                errors.append(error)
            except Exception as error:  # noqa: BLE001 - the boundary to a library
                errors.append(Missing(f"the keyring broke: {type(error).__name__}"))
            finally:
                _lock.release()

        seconds = _patience(question)
        asking = threading.Thread(target=run, name="keyring", daemon=True)
        asking.start()
        asking.join(seconds)
        if told:
            return told[0]
        raise errors[0] if errors else Unreachable("the keyring does not answer")


def _patience(question: SecretQuestion) -> float:
    """Seconds to wait; deriving the key of the encrypted file takes what it takes at any timescale."""
    with_file = question.options.get("backend") == "cryptfile" or PASSWORD_FILE in question.environ
    return max(question.settings.seconds(PATIENCE), _DERIVING if with_file else 0.0)


def _named(question: SecretQuestion) -> tuple[str, str]:
    """Service and name: `keyring:SERVICE#NAME`, or `keyring:NAME` of our own service."""
    reference = question.reference
    if reference.key:
        return reference.rest, reference.key
    if not reference.rest.strip():
        raise BadInput("a name is missing: keyring:NAME or keyring:SERVICE#NAME")
    return str(question.options.get("service") or SERVICE), reference.rest


def password_reference(named: str) -> str:
    """The reference to the file that holds the password; a relative path begins where we are."""
    return f"file:{Path(named).absolute()}"


def file_of(question: SecretQuestion) -> Path:
    """Where the encrypted file is, or would be."""
    named = question.options.get("file")
    if named:
        return Path(question.root, Path(str(named)).expanduser())
    data = question.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111
    return Path(data) / "ondeck" / "keyring.cfg"


def _has_library() -> bool:
    from importlib.util import find_spec

    try:
        return find_spec("keyrings.cryptfile") is not None
    except ModuleNotFoundError:
        return False
