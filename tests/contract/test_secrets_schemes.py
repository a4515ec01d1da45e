"""Every scheme of secrets keeps the promises of its port, against the real place where it keeps them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from lab.real.gnome_keyring import Keyring, gnome_keyring
from lab.real.openbao import ROOT, OpenBao, openbao
from ondeck.errors import Missing
from ondeck.inventory import secretrefs
from ondeck.inventory.model import Inventory, Revision, SecretSource
from ondeck.operate import secrets
from ondeck.registry import Registry
from ondeck.secret import Secret
from ondeck.settings import Settings
from ondeck.testing.secrets_suite import Safe, SecretsSuite, SecretStoreSuite
from tests.contract.sshd import settings
from tests.required import cannot

_numbers = itertools.count()


def inventory(folder: Path, **sources: dict[str, Any]) -> Inventory:
    return Inventory(
        revision=Revision(root=str(folder)),
        secrets={name: SecretSource(name=name, options=options) for name, options in sources.items()},
    )


class TestVariables(SecretsSuite):
    provider = "secrets"

    @pytest.fixture
    def safe(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Safe:
        def put(value: str) -> str:
            name = f"SAFE_{next(_numbers)}"
            monkeypatch.setenv(name, value)
            return f"env:{name}"

        return Safe(
            inventory=inventory(tmp_path),
            settings=settings(tmp_path),
            put=put,
            absent="env:SAFE_NONE",
            nul=False,
        )


class TestFiles(SecretsSuite):
    provider = "secrets"

    @pytest.fixture
    def safe(self, tmp_path: Path) -> Safe:
        def put(value: str) -> str:
            path = tmp_path / f"a b#{next(_numbers)}"
            path.touch(0o600)
            path.write_bytes(value.encode() + b"\n")
            return f"file:{path.name}"

        return Safe(inventory=inventory(tmp_path), settings=settings(tmp_path), put=put, absent="file:none")


class TestCommands(SecretsSuite):
    provider = "secrets"

    @pytest.fixture
    def safe(self, tmp_path: Path) -> Safe:
        commands: dict[str, Any] = {"none": ["false"]}

        def put(value: str) -> str:
            path = tmp_path / f"file{next(_numbers)}"
            path.write_bytes(value.encode())
            commands[path.name] = ["cat", str(path)]
            return f"command:{path.name}"

        return Safe(
            inventory=inventory(tmp_path, command=commands),
            settings=settings(tmp_path),
            put=put,
            absent="command:none",
        )


def kept(safe: Inventory, own: Settings) -> Any:
    """Keeps values through the store of the provider, as `ondeck creds set` does."""
    store = Registry().load("keyring", "secret_store")
    at = Safe(inventory=safe, settings=own, put=str, absent="")

    def put(value: str) -> str:
        reference = secretrefs.parse(f"keyring:some service#name {next(_numbers)}")
        store.keep(secrets.question(at, reference), Secret(value))
        return str(reference)

    return put


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyring]:
    try:
        context = gnome_keyring(tmp_path_factory.mktemp("keyring"))
        started = context.__enter__()
    except Missing as error:
        cannot(error.message)
    yield started
    context.__exit__(None, None, None)


class _Service:
    @pytest.fixture
    def safe(self, keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Safe:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keyring.environ["DBUS_SESSION_BUS_ADDRESS"])
        own = inventory(tmp_path)
        return Safe(
            inventory=own,
            settings=settings(tmp_path),
            put=kept(own, settings(tmp_path)),
            absent="keyring:none",
        )


class TestSecretService(_Service, SecretsSuite):
    provider = "keyring"


class TestSecretServiceKeeps(_Service, SecretStoreSuite):
    provider = "keyring"


class _File:
    @pytest.fixture
    def safe(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Safe:
        if find_spec("keyrings.cryptfile") is None:
            cannot("keyrings.cryptfile is not installed")
        password = tmp_path / "password"
        password.touch(0o600)
        password.write_text("of the file\n")
        monkeypatch.setenv("ONDECK_KEYRING_PASSWORD_FILE", str(password))
        own = inventory(tmp_path, keyring={"file": "kept/keyring.cfg"})
        put = kept(own, settings(tmp_path))
        put("something, so that the file is there")
        assert (tmp_path / "kept/keyring.cfg").stat().st_mode & 0o077 == 0
        return Safe(inventory=own, settings=settings(tmp_path), put=put, absent="keyring:none")


class TestEncryptedFile(_File, SecretsSuite):
    provider = "keyring"


class TestEncryptedFileKeeps(_File, SecretStoreSuite):
    provider = "keyring"


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    try:
        context = openbao(tmp_path_factory.mktemp("bao"), tls=True)
        started = context.__enter__()
    except Missing as error:
        cannot(error.message)
    started.ask("POST", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
    started.ask("POST", "sys/mounts/team/kv2", {"type": "kv", "options": {"version": "2"}})
    yield started
    context.__exit__(None, None, None)


class _Vault(SecretsSuite):
    provider = "vault"
    mount = ""

    @pytest.fixture
    def safe(self, bao: OpenBao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Safe:
        monkeypatch.setenv("SAFE_TOKEN", ROOT)

        def put(value: str) -> str:
            name = f"a b/name {next(_numbers)}"
            if self.mount == "kv1":
                bao.ask("POST", f"kv1/{name.replace(' ', '%20')}", {"other": 1, "key": value})
            else:
                data = {"data": {"other": 1, "key": value}}
                bao.ask("POST", f"team/kv2/data/{name.replace(' ', '%20')}", data)
            return f"vault:{self.mount}/{name}#key"

        return Safe(
            inventory=inventory(tmp_path, vault={"url": bao.url, "ca": bao.ca, "token": "env:SAFE_TOKEN"}),
            settings=settings(tmp_path),
            put=put,
            absent=f"vault:{self.mount}/none#key",
        )


class TestKvOne(_Vault):
    mount = "kv1"


class TestKvTwo(_Vault):
    mount = "team/kv2"


def test_the_environment_of_this_test_has_no_keyring_of_its_user() -> None:
    assert "DBUS_SESSION_BUS_ADDRESS" not in os.environ
