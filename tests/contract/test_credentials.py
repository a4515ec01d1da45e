"""Every reader of credentials keeps the promises of its port, against the real thing."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.aws import proxy, site
from lab.aws.site import AwsSite
from lab.real.gnome_keyring import gnome_keyring
from lab.real.openbao import openbao
from ondeck.bench import Bench
from ondeck.deck import Deck
from ondeck.errors import Missing
from ondeck.inventory.model import Backup, Host, Inventory, Revision, SecretSource
from ondeck.observe.credentials import CredentialState
from ondeck.operate.bench import FaceBench
from ondeck.record.store import Record
from ondeck.registry import Registry
from ondeck.testing.credentials_suite import CredentialsSuite, Stand
from tests.aws_place import account
from tests.contract.sshd import settings
from tests.required import cannot


def using(folder: Path, reference: str = "", **sources: dict[str, Any]) -> Inventory:
    backup = Backup(name="b", engine="restic", options={"password": reference} if reference else {})
    return Inventory(
        revision=Revision(root=str(folder)),
        backups={"b": backup},
        secrets={name: SecretSource(name=name, options=options) for name, options in sources.items()},
    )


def bench_over(folder: Path) -> Any:
    def make(inventory: Inventory) -> Bench:
        own = settings(folder, 0.2)
        return FaceBench(Deck(inventory=inventory, registry=Registry(), record=Record(own), settings=own))

    return make


class TestSsh(CredentialsSuite):
    provider = "ssh"

    @pytest.fixture
    def stand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
        socket = tmp_path / "agent"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                time.sleep(0.01)
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            for name in ("ca", "id"):
                subprocess.run(
                    ["ssh-keygen", "-q", "-N", "", "-C", f"the {name}", "-f", str(tmp_path / name)],
                    check=True,
                )
            sign = ["ssh-keygen", "-q", "-s", str(tmp_path / "ca"), "-I", "anna@bastion", "-n", "anna,ops"]
            subprocess.run([*sign, "-V", "+2h", str(tmp_path / "id.pub")], check=True)
            subprocess.run(["ssh-add", "-q", str(tmp_path / "id")], check=True)

            def breaks() -> None:
                agent.kill()
                agent.wait()

            host = Host(name="web-1", env="lab")
            inventory = Inventory(revision=Revision(root=str(tmp_path)), hosts={"web-1": host})
            private = (tmp_path / "id").read_text().splitlines()[2]
            yield Stand(
                inventory=inventory,
                bench=bench_over(tmp_path),
                values=(private,),
                breaks=breaks,
                at_hand=True,
            )
        finally:
            agent.kill()
            agent.wait()

    def test_a_certificate_says_who_it_is_for_and_when_it_ends(self, provided: Any, stand: Stand) -> None:
        rows = {row.what: row for row in self._rows(provided, stand, stand.inventory)}
        assert set(rows) == {"ssh key the id", "ssh certificate anna@bastion"}
        found = rows["ssh certificate anna@bastion"]
        left = (found.expires - time.time_ns()) / 60e9
        assert 115 < left < 121
        assert "anna, ops" in found.text
        assert rows["ssh key the id"].expires == 0

    def test_a_certificate_beside_a_key_that_has_ended_says_so(
        self, provided: Any, stand: Stand, tmp_path: Path
    ) -> None:
        home = Path(os.environ["HOME"], ".ssh")
        home.mkdir(mode=0o700)
        sign = ["ssh-keygen", "-q", "-s", str(tmp_path / "ca"), "-I", "old", "-n", "anna"]
        subprocess.run([*sign, "-V", "20200101:20200102", str(tmp_path / "id.pub")], check=True)
        (tmp_path / "id-cert.pub").rename(home / "id-cert.pub")
        (home / "torn-cert.pub").write_text("ssh-ed25519-cert-v01@openssh.com AAAA\n")
        rows = {row.what: row.state for row in self._rows(provided, stand, stand.inventory)}
        assert rows["ssh certificate old"] is CredentialState.ENDED
        assert rows["ssh certificate torn-cert.pub"] is CredentialState.UNKNOWN


class TestKeyring(CredentialsSuite):
    provider = "keyring"

    @pytest.fixture
    def stand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
        try:
            context = gnome_keyring(tmp_path / "keyring")
            keyring = context.__enter__()
        except Missing as error:
            cannot(error.message)
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keyring.environ["DBUS_SESSION_BUS_ADDRESS"])

        def breaks() -> None:
            os.kill(keyring.daemon.pid, signal.SIGSTOP)

        yield Stand(
            inventory=using(tmp_path, "keyring:x"), bench=bench_over(tmp_path), values=(), breaks=breaks
        )
        context.__exit__(None, None, None)


class TestVault(CredentialsSuite):
    provider = "vault"

    @pytest.fixture
    def stand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
        try:
            context = openbao(tmp_path / "bao")
            bao = context.__enter__()
        except Missing as error:
            cannot(error.message)
        token = bao.token("default", "10m")
        monkeypatch.setenv("OWN_TOKEN", token)

        def breaks() -> None:
            bao.process.kill()

        yield Stand(
            inventory=using(tmp_path, "vault:kv/x#y", vault={"url": bao.url, "token": "env:OWN_TOKEN"}),
            bench=bench_over(tmp_path),
            values=(token,),
            breaks=breaks,
        )
        context.__exit__(None, None, None)

    def test_its_end_and_its_policies_are_told(self, provided: Any, stand: Stand) -> None:
        (row,) = self._rows(provided, stand, stand.inventory)
        assert (row.what, row.state) == ("vault token", CredentialState.ENDING)
        assert 9 < (row.expires - time.time_ns()) / 60e9 < 10.1
        assert "default" in row.text


class TestAws(CredentialsSuite):
    provider = "aws"

    @pytest.fixture
    def stand(self, aws: AwsSite, tmp_path: Path) -> Stand:
        def breaks() -> None:
            aws.proxy.rules.append(proxy.cuts("GetCallerIdentity", late=False, times=1000))

        place = account(aws.proxy.url, role="arn:aws:iam::123456789012:role/ops")
        return Stand(
            inventory=Inventory(revision=Revision(root=str(tmp_path)), accounts={"acme": place}),
            bench=bench_over(tmp_path),
            values=(site.SECRET,),
            breaks=breaks,
        )

    def test_a_role_that_is_assumed_says_who_and_until_when(self, provided: Any, stand: Stand) -> None:
        (row,) = self._rows(provided, stand, stand.inventory)
        assert row.text.startswith("123456789012 assumed-role/ops")
        assert row.expires > time.time_ns()

    def test_an_expired_token_is_ended_and_says_what_to_do(
        self, provided: Any, stand: Stand, aws: AwsSite
    ) -> None:
        aws.proxy.rules.append(proxy.refuses("ExpiredToken", "expired", action="GetCallerIdentity"))
        (row,) = self._rows(provided, stand, stand.inventory)
        assert row.state is CredentialState.ENDED
        assert "aws sso login --profile acme-lab" in row.text
