"""The two keyrings that may be asked, each made by name: what the library chooses by itself may ask on a terminal.

With its other backends installed, `keyring` picks one that calls getpass in the middle of a screen, or one
that keeps plain text. Neither can happen here. Nobody is asked to unlock anything either: a prompt of the
desktop may stand on a screen that nobody sees, and we would wait for it.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from ondeck.errors import BadInput, Missing
from ondeck.secret import Secret

PASSWORD_FILE = "ONDECK_KEYRING_PASSWORD_FILE"


class Backend(Protocol):
    """A keyring that is open."""

    @property
    def where(self) -> str:
        """Which one, for a person."""
        ...

    def get(self, service: str, name: str) -> str | None:
        """A value; None when there is none of that name."""
        ...

    def set(self, service: str, name: str, value: str) -> None:
        """Keep a value."""
        ...

    def delete(self, service: str, name: str) -> bool:
        """Forget a value; False when there is none of that name."""
        ...


class NoService(Missing):
    """There is no Secret Service here at all."""


class Locked(Missing):
    """It is there and locked."""


class SecretService:
    """The keyring of the desktop: GNOME's, KDE's, or whoever else answers as `org.freedesktop.secrets`."""

    where = "the Secret Service of this session"

    def __init__(self) -> None:
        """Look whether it is there and open.

        Raises:
            NoService: No session bus, or nobody on it who keeps secrets.
            Locked: It is locked.
        """
        with closing(self._collection().connection):
            pass

    def _collection(self) -> Any:  # noqa: ANN401 - of an untyped library
        import secretstorage
        from secretstorage.exceptions import ItemNotFoundException, SecretStorageException

        if not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
            raise NoService("there is no session bus (DBUS_SESSION_BUS_ADDRESS is not set)")
        try:
            bus = secretstorage.dbus_init()
        except (SecretStorageException, OSError, ValueError, KeyError) as error:
            raise NoService(f"the session bus does not answer: {type(error).__name__}") from None
        try:
            if not secretstorage.check_service_availability(bus):
                raise NoService("nobody on the session bus keeps secrets (org.freedesktop.secrets)")
            # Not `get_default_collection`: where there is none it would make one and ask for its password.
            collection = secretstorage.Collection(bus)
            if collection.is_locked():
                hint = "unlock it in your session; ondeck never asks for it behind a screen"
                raise Locked("the keyring is locked", hint=hint)
        except ItemNotFoundException:
            bus.close()
            raise Missing(
                "the keyring has no default collection yet", hint="make one in your session"
            ) from None
        except BaseException:
            bus.close()
            raise
        return collection

    def _items(self, collection: Any, service: str, name: str) -> list[Any]:  # noqa: ANN401
        items = list(collection.search_items(_attributes(service, name)))
        if any(item.is_locked() for item in items):
            raise Locked("this entry of the keyring is locked", hint="unlock it in your session")
        return items

    def get(self, service: str, name: str) -> str | None:
        """See `Backend`."""
        collection = self._collection()
        with closing(collection.connection):
            items = self._items(collection, service, name)
            newest = max(items, key=lambda item: item.get_modified(), default=None)
            return _text(newest.get_secret()) if newest is not None else None

    def set(self, service: str, name: str, value: str) -> None:
        """See `Backend`."""
        collection = self._collection()
        with closing(collection.connection):
            # Replaced is what has the same attributes, so they are all the library's: one entry, whoever wrote it.
            attributes = {**_attributes(service, name), "application": "Python keyring library"}
            kept = collection.create_item(f"{name} of {service}", attributes, value.encode(), replace=True)
            for item in self._items(collection, service, name):
                if item.item_path != kept.item_path:
                    item.delete()

    def delete(self, service: str, name: str) -> bool:
        """See `Backend`."""
        collection = self._collection()
        with closing(collection.connection):
            items = self._items(collection, service, name)
            for item in items:
                item.delete()
            return bool(items)


def _attributes(service: str, name: str) -> dict[str, str]:
    """As the `keyring` library names them, so that `keyring set SERVICE NAME` and ondeck see the same."""
    return {"service": service, "username": name}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Missing("it is not UTF-8") from None


class CryptFile:
    """One encrypted file (Argon2 and AES-GCM), opened with its password; half a second for every look."""

    def __init__(self, path: Path, password: Secret, *, make: bool = False) -> None:
        """Open it.

        Args:
            path: The file.
            password: What it was made with.
            make: Make it when it is not there.

        Raises:
            Missing: It is not there, or does not open with that password, or its library is not there.
        """
        try:
            from keyrings.cryptfile.cryptfile import CryptFileKeyring
        except ImportError:
            hint = "pip install 'ondeck[keyring-file]'"
            raise Missing("the encrypted keyring needs keyrings.cryptfile", hint=hint) from None
        if not password.reveal().strip():
            raise Missing("the password of the encrypted keyring is empty")
        self.path = path
        self.where = f"the encrypted file {path}"
        if not make and not path.exists():
            raise Missing(f"nothing is kept in {path} yet", hint="ondeck creds set keyring:NAME")
        self._make_folder()
        self._library = CryptFileKeyring()
        self._library.file_path = str(path)
        self._read: dict[tuple[str, str], str] = {}
        try:
            # With a key at hand it never asks for one.
            self._library.keyring_key = password.reveal()
        except (ValueError, KeyError, AssertionError):
            raise Missing(f"{path} does not open with this password") from None
        except OSError as error:
            raise Missing(f"{path} cannot be used: {error.strerror}") from None
        self._at = self._version()

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_mode & 0o077:
                raise Missing(f"others may read {self.path}", hint=f"chmod 0600 {self.path}")
        except OSError as error:
            raise Missing(f"{self.path} cannot be used: {error.strerror}") from None

    def _version(self) -> tuple[int, int, int]:
        try:
            facts = self.path.stat()
        except OSError as error:
            raise Missing(f"{self.path} cannot be read: {error.strerror}") from None
        return (facts.st_ino, facts.st_mtime_ns, facts.st_size)

    def get(self, service: str, name: str) -> str | None:
        """See `Backend`; what was read once is remembered until the file changes."""
        now = self._version()
        if now != self._at:
            self._read.clear()
            self._at = now
        if (service, name) not in self._read:
            try:
                found = self._library.get_password(service, name)
            except (ValueError, KeyError):
                raise Missing(f"{self.path} was written with another password, or is damaged") from None
            if found is None:
                return None
            self._read[service, name] = found
        return self._read[service, name]

    def set(self, service: str, name: str, value: str) -> None:
        """See `Backend`."""
        if service == "keyring-setting":
            raise BadInput("the keyring needs that name for itself")
        try:
            self._library.set_password(service, name, value)
        except OSError as error:
            raise Missing(f"{self.path} cannot be written: {error.strerror}") from None
        self._read.clear()
        self._at = self._version()

    def delete(self, service: str, name: str) -> bool:
        """See `Backend`."""
        from keyring.errors import PasswordDeleteError

        try:
            self._library.delete_password(service, name)
        except PasswordDeleteError:
            return False
        self._read.clear()
        return True
