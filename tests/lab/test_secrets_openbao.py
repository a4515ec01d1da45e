"""Secrets of a real OpenBao: a job that needs one, `ondeck creds`, the page; and what is said on every bad day."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lab.real.openbao import ROOT, OpenBao, openbao
from lab.real.postgres import PASSWORD as PG_PASSWORD
from lab.real.postgres import postgres
from ondeck.deck import Deck
from ondeck.errors import AuthFailed, Missing, OndeckError, Unreachable
from ondeck.operate.creds import references as references_of
from ondeck.operate.secrets import resolve
from tests.required import cannot
from tests.secret_site import deck, holding, spent
from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app.live.parts import Parts
from tui.cli.root import main

PATH = "secret/backup/orders"
PASSWORD, USER = f"vault:{PATH}#password", f"secret://vault/{PATH}#user"


@pytest.fixture
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    try:
        context = openbao(tmp_path_factory.mktemp("bao"), tls=True)
        started = context.__enter__()
    except Missing as error:
        cannot(error.message)
    rule = f'path "secret/data/{PATH.removeprefix("secret/")}" {{capabilities=["read"]}}'
    started.ask("PUT", "sys/policies/acl/backup", {"policy": rule})
    yield started
    context.__exit__(None, None, None)


def put(bao: OpenBao, **values: Any) -> None:
    bao.ask("POST", "secret/data/backup/orders", {"data": values})


def vault(bao: OpenBao, **more: str) -> dict[str, Any]:
    return {"url": bao.url, "ca": bao.ca, **(more or {"token": "env:OWN_TOKEN"})}


@pytest.fixture
def on(bao: OpenBao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deck:
    """A deck with a token that may read one path."""
    monkeypatch.setenv("OWN_TOKEN", bao.token("backup"))
    return deck(tmp_path, (PASSWORD, USER), vault=vault(bao))


def refused(on: Deck, reference: str = PASSWORD) -> OndeckError:
    with pytest.raises(OndeckError) as told:
        resolve(on, [reference])
    assert reference in str(told.value)
    return told.value


def test_a_job_gets_what_it_needs_and_leaves_none_of_it(bao: OpenBao, on: Deck, tmp_path: Path) -> None:
    password = f'canary {uuid4().hex} it\'s "$(id)"\nsecond line'
    put(bao, password=password, user=f"user-{uuid4().hex}", other="x")
    user = resolve(on, [USER])[USER].reveal()
    spent(tmp_path, on, (PASSWORD, USER), (password, user))
    assert holding(on.record.root, os.environ["OWN_TOKEN"]) == []


def test_a_value_of_60_kb_reaches_the_command_too(bao: OpenBao, on: Deck, tmp_path: Path) -> None:
    value = uuid4().hex * 1900
    put(bao, password=value, user="u")
    spent(tmp_path, on, (PASSWORD,), (value,))


def test_an_ended_token_is_told_from_a_missing_policy(
    bao: OpenBao, on: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bao, password="x", user="y")
    assert "may not read secret/other" in refused(on, "vault:secret/other#x").message
    assert "backup" in refused(on, "vault:secret/other#x").message
    assert "may not read nowhere/at/all" in refused(on, "vault:nowhere/at/all#x").message
    monkeypatch.setenv("OWN_TOKEN", bao.token("backup", "1s", renewable=False))
    assert resolve(on, [PASSWORD])[PASSWORD].reveal() == "x"
    time.sleep(1.5)
    error = refused(on)
    assert "has ended" in error.message
    assert error.hint == "vault login"
    monkeypatch.setenv("OWN_TOKEN", "s.of.nobody")
    assert "has ended, was revoked or is none of this server" in refused(on).message
    monkeypatch.delenv("OWN_TOKEN")
    assert "the variable is not set" in refused(on).message


def test_a_token_is_renewed_before_it_ends(bao: OpenBao, on: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bao, password="x", user="y")
    monkeypatch.setenv("OWN_TOKEN", bao.token("backup", "3s"))
    until = time.monotonic() + 5
    while time.monotonic() < until:
        assert resolve(on, [PASSWORD])[PASSWORD].reveal() == "x"
        time.sleep(0.2)
    time.sleep(5)  # nobody asks for longer than it is good for
    assert resolve(on, [PASSWORD])[PASSWORD].reveal() == "x"
    os.kill(bao.process.pid, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(bao.process.pid, signal.SIGCONT)
    time.sleep(4)
    assert resolve(on, [PASSWORD])[PASSWORD].reveal() == "x"


def test_an_approle_logs_in_once_and_again_when_its_token_has_ended(
    bao: OpenBao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bao, password="x", user="y")
    bao.ask("POST", "sys/auth/approle", {"type": "approle"})
    role = {"token_policies": "backup", "token_ttl": "2s", "token_max_ttl": "2s"}
    bao.ask("POST", "auth/approle/role/ondeck", role)
    role_id = bao.ask("GET", "auth/approle/role/ondeck/role-id")["data"]["role_id"]
    made = bao.ask("POST", "auth/approle/role/ondeck/secret-id", {})["data"]
    monkeypatch.setenv("SECRET_ID", made["secret_id"])
    own = vault(bao, auth="approle", role_id=role_id, secret_id="env:SECRET_ID")
    on = deck(tmp_path, (PASSWORD,), vault=own)
    for _ in range(2):
        assert resolve(on, [PASSWORD])[PASSWORD].reveal() == "x"
        time.sleep(2.5)
    assert "may not read" in refused(on, "vault:secret/other#x").message
    monkeypatch.setenv("SECRET_ID", "none")
    time.sleep(2.5)
    assert isinstance(refused(on), AuthFailed | Missing)
    assert "refused the AppRole" in refused(on).message


def test_a_sealed_server_says_so_and_is_asked_again_once_it_is_open(bao: OpenBao, on: Deck) -> None:
    put(bao, password="x", user="y")
    assert resolve(on, [PASSWORD])
    bao.ask("PUT", "sys/seal")
    error = refused(on)
    assert isinstance(error, Unreachable)
    assert "it is sealed" in error.message
    bao.ask("PUT", "sys/unseal", {"key": bao.unseal})
    for _ in range(100):
        try:
            assert resolve(on, [PASSWORD])[PASSWORD].reveal() == "x"
            break
        except Unreachable:
            time.sleep(0.05)
    else:
        raise AssertionError("it was never open again")


def test_a_server_that_is_gone_or_hangs_is_unreachable(bao: OpenBao, on: Deck) -> None:
    os.kill(bao.process.pid, signal.SIGSTOP)
    error = refused(on)
    assert isinstance(error, Unreachable)
    assert "did not answer in time" in error.message
    bao.process.kill()
    bao.process.wait()
    error = refused(on)
    assert isinstance(error, Unreachable)
    assert "no connection" in error.message


def test_a_server_whose_certificate_nobody_signed_is_not_asked(
    bao: OpenBao, tmp_path: Path, on: Deck
) -> None:
    put(bao, password="x", user="y")
    strange = deck(tmp_path, (PASSWORD,), vault={"url": bao.url, "token": "env:OWN_TOKEN"})
    assert "certificate is not trusted" in refused(strange).message
    plain = deck(
        tmp_path, (PASSWORD,), vault={"url": bao.url.replace("https", "http"), "token": "env:OWN_TOKEN"}
    )
    assert isinstance(refused(plain), OndeckError)
    gone = deck(tmp_path, (PASSWORD,), vault={"url": bao.url, "ca": "./none.pem", "token": "env:OWN_TOKEN"})
    assert "none.pem is not there" in refused(gone).message


def test_a_key_that_is_not_there_names_those_that_are(bao: OpenBao, on: Deck) -> None:
    put(bao, password="x", user="y", mapping={"a": "b"}, number=5)
    assert "there are: mapping, number, password, user" in refused(on, f"vault:{PATH}#pass").message
    assert "holds no text" in refused(on, f"vault:{PATH}#mapping").message
    assert resolve(on, [f"vault:{PATH}#number"])[f"vault:{PATH}#number"].reveal() == "5"
    assert "a key is missing" in refused(on, f"vault:{PATH}").message
    bao.ask("DELETE", "secret/data/backup/orders")
    assert "nothing is there" in refused(on).message


def written(folder: Path, bao: OpenBao) -> None:
    folder.mkdir()
    (folder / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {}}\nhosts: {web-1: {env: lab, transport: local}}\n"
        f"secrets: {{vault: {{url: {json.dumps(bao.url)}, ca: {json.dumps(bao.ca)}, token: env:OWN_TOKEN}}}}\n"
        f"backups: {{orders-db: {{engine: restic, host: web-1, password: {PASSWORD!r}}}}}\n"
    )


def creds(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any], str]:
    code = main(["creds", "-o", "json", *argv], screen=lambda face: 99)
    said = capsys.readouterr()
    return code, {row["name"]: row for row in json.loads(said.out)}, said.out + said.err


def test_creds_says_what_can_be_had_and_when_the_token_ends(
    bao: OpenBao, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    value, token = f"canary-{uuid4().hex}", bao.token("backup", "2h")
    put(bao, password=value, user="y")
    written(tmp_path / "ops", bao)
    monkeypatch.setenv("OWN_TOKEN", token)
    monkeypatch.setenv("ONDECK_INVENTORY", str(tmp_path / "ops"))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    code, rows, said = creds(capsys)
    assert rows["backups.orders-db.password"]["state"] == "not asked"
    assert (rows["vault token"]["state"], code) == ("good", 0)
    code, rows, said = creds(capsys, "--check")
    assert (rows["backups.orders-db.password"]["state"], code) == ("yes", 0)
    assert rows["vault token"]["ends"] > "20"
    assert value not in said
    assert token not in said
    bao.ask("POST", "auth/token/revoke", {"token": token})
    code, rows, said = creds(capsys, "--check")
    assert (rows["backups.orders-db.password"]["state"], code) == ("no", 1)
    assert rows["vault token"]["state"] == "ended"
    bao.process.kill()
    code, rows, said = creds(capsys)
    assert (rows["vault token"]["state"], code) == (None, 3)
    assert holding(tmp_path / "state", value) == holding(tmp_path / "state", token) == []


async def test_the_page_shows_what_can_be_had(bao: OpenBao, on: Deck) -> None:
    value = f"canary-{uuid4().hex}"
    put(bao, password=value, user="y")
    parts = Parts(on, lambda what, command, result: None)
    session = FakeSession()
    session.creds = parts.creds.look  # type: ignore[method-assign]
    parts.engine.start()
    async with playing(session) as play:
        await play.press(":", *"creds", "space", *"check", "enter")
        for _ in range(1500):
            if parts.creds.drain():
                break
            await asyncio.sleep(0.01)
        session.dirty = True
        shown = await play.until("vault token")
        assert "good" in next(line for line in shown.splitlines() if "vault token" in line)
        assert " yes " in next(line for line in shown.splitlines() if "#password" in line)
        assert value not in shown
    await asyncio.to_thread(parts.engine.stop, 5.0)


def test_a_lease_is_one_account_for_all_its_keys_and_its_end_is_remembered(
    bao: OpenBao, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        context = postgres()
        database = context.__enter__()
    except Missing as error:
        cannot(error.message)
    monkeypatch.setenv("OWN_TOKEN", ROOT)
    bao.ask("POST", "sys/mounts/database", {"type": "database"})
    address = (
        f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{database.port}/postgres?sslmode=disable"
    )
    own = {"plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": address}
    bao.ask("POST", "database/config/orders", {**own, "username": "lab", "password": PG_PASSWORD})
    made = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
    bao.ask(
        "POST", "database/roles/app", {"db_name": "orders", "creation_statements": made, "default_ttl": "90s"}
    )
    references = ("vault:database/creds/app#username", "vault:database/creds/app#password")
    on = deck(tmp_path, references, vault=vault(bao))
    found = resolve(on, references)
    user, password = (found[reference].reveal() for reference in references)
    environ = {**database.environ, "PGUSER": user, "PGPASSWORD": password}
    said = subprocess.run(
        ["psql", "-tAc", "select current_user"], env=environ, capture_output=True, check=True
    )
    assert said.stdout.decode().strip() == user
    assert {60 < (one.ends - time.time_ns()) / 1e9 < 91 for one in found.values()} == {True}
    assert resolve(on, references[:1])[references[0]].reveal() == user
    looks = {look.reference: look for look in references_of(on, ask=True)}
    assert looks[references[1]].ends == found[references[1]].ends
    spent(tmp_path, on, references, (user, password))
    assert [note for note in on.record.jobs()[0].notes if "database/creds/app#password ends 20" in note]
    context.__exit__(None, None, None)
