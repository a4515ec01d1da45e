"""References to secrets: how they are written, where the inventory uses them, and how their section is checked."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import BadInput
from ondeck.inventory.loader import load
from ondeck.inventory.problems import InventoryProblems
from ondeck.inventory.schema import json_schema
from ondeck.inventory.secretrefs import Reference, is_reference, known, parse, uses
from ondeck.secret import Secret
from tui.cli.root import main

HEAD = "ondeck: 1\nenvironments: {lab: {}}\nhosts: {web-1: {env: lab, transport: local}}\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("env:NAME", Reference("env", "NAME")),
        ("secret://env/NAME", Reference("env", "NAME")),
        ("file:/etc/a#b", Reference("file", "/etc/a#b")),
        ("secret://file//etc/a", Reference("file", "/etc/a")),
        ("vault:kv/a/b#key", Reference("vault", "kv/a/b", "key")),
        ("secret://vault/kv/a/b#key", Reference("vault", "kv/a/b", "key")),
        ("vault:kv/a#b#key", Reference("vault", "kv/a#b", "key")),
        ("keyring:a service#a name", Reference("keyring", "a service", "a name")),
        ("mine:whatever", Reference("mine", "whatever")),
    ],
)
def test_both_ways_of_writing_are_taken_apart_alike(text: str, wanted: Reference) -> None:
    assert parse(text) == wanted
    assert parse(str(wanted)) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "hunter2", "env:", ":x", "Vault:x", "vault:#key", "vault:kv/x#", "https://x/y", "secret://vault",
     "secret:///x", "env:a\nb", "env:a\x1b[0m", "s3://bucket/x", "-:x"],
)  # fmt: skip
def test_what_is_no_reference_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(BadInput) as told:
        parse(text)
    assert not text or text in ("env:", "vault:kv/x#") or text not in str(told.value)
    assert not is_reference(text)


@given(st.text(max_size=60))
def test_any_text_is_a_reference_or_is_refused(text: str) -> None:
    try:
        found = parse(text)
    except BadInput:
        return
    assert parse(str(found)) == found


def test_an_address_or_an_unknown_scheme_is_no_reference() -> None:
    for text in ("file:///srv/backup", "vault://x/y", "s3:https://x/y", "sftp:backup@host:/x"):
        assert not is_reference(text)
    with pytest.raises(BadInput, match="nobody here knows"):
        known("valt:kv/x", ("vault", "env"))


def test_every_use_is_found_with_its_place_and_a_label_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {notify: ops}}\n"
        "hosts: {web-1: {env: lab, labels: {where: 'env:prod'}}}\n"
        "notify: {ops: {webhook: env:HOOK}}\n"
        "accounts: {a: {kind: aws, env: lab, keys: [{secret: 'file:/k'}]}}\n"
        "stacks: {s: {kind: terraform, env: lab, vars: {db: 'secret://vault/kv/db#pw', n: '5'}}}\n"
        "backups: {b: {engine: restic, env: lab, repo: {url: 's3:https://x', password: 'vault:kv/b#pw'}}}\n"
        "services: {c: {on: {lab: name=web-1}, deploy: {kind: docker, registry: {password: 'keyring:r'}}}}\n"
        "metrics: {p: {kind: prometheus, token: command:t}}\n"
        "secrets: {vault: {url: 'http://x', token: env:TOK}, command: {t: [echo, 'env:no']}}\n"
    )
    found = {use.where: str(use.reference) for use in uses(load(tmp_path))}
    assert found == {
        "services.c.deploy.registry.password": "keyring:r",
        "accounts.a.keys[0].secret": "file:/k",
        "stacks.s.vars.db": "vault:kv/db#pw",
        "backups.b.repo.password": "vault:kv/b#pw",
        "notify.ops.webhook": "env:HOOK",
        "secrets.vault.token": "env:TOK",
        "metrics.p.token": "command:t",
    }


@pytest.mark.parametrize(
    ("section", "place", "said"),
    [
        ("vault: {url: 'http://u:p@x'}", "4:24: secrets.vault.url", "without a login in it"),
        ("vault: {url: x}", "4:24: secrets.vault.url", "expected an http or https address"),
        ("vault: {token: s.abcdef}", "4:26: secrets.vault.token", "expected a reference"),
        ("vault: {token: 'vault:kv/x#y'}", "4:26: secrets.vault.token", "expected a reference"),
        ("vault: {auth: approle, role_id: x}", "secrets.vault", "expected secret_id"),
        ("vault: {secret_id: env:X}", "secrets.vault", "belongs to auth: approle"),
        ("vault: {auth: ldap}", "secrets.vault.auth", "token or approle"),
        ("vault: {adress: x}", "4:19: secrets.vault.adress", "unknown key"),
        ("command: {x: echo hi}", "4:24: secrets.command.x", "a list of a program"),
        ("keyring: {backend: plaintext}", "secrets.keyring.backend", "secret-service or cryptfile"),
        ("env: {x: y}", "secrets.env.x", "unknown key"),
    ],
)
def test_the_section_is_checked_with_the_place_of_every_mistake(
    tmp_path: Path, section: str, place: str, said: str
) -> None:
    (tmp_path / "a.yml").write_text(f"{HEAD}secrets: {{{section}}}\n")
    with pytest.raises(InventoryProblems) as told:
        load(tmp_path)
    assert place in str(told.value)
    assert said in str(told.value)
    assert "s.abcdef" not in str(told.value)
    assert "u:p" not in str(told.value)


def test_a_scheme_of_others_keeps_its_keys_and_the_schema_knows_ours(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(f"{HEAD}secrets: {{mine: {{a: {{b: [c]}}}}, vault: }}\n")
    found = load(tmp_path).secrets
    assert found["mine"].options == {"a": {"b": ["c"]}}
    assert found["vault"].options == {}
    schema = json_schema("inventory")["properties"]["secrets"]
    assert "secret_id" in schema["properties"]["vault"]["properties"]
    assert "env:NAME" in json.dumps(schema) or "reference" in json.dumps(schema)


def test_a_secret_tells_when_it_ends_and_nothing_else() -> None:
    secret = Secret("hunter2", ends=5)
    assert secret.ends == 5
    assert Secret("x").ends == 0
    assert "hunter2" not in f"{secret!r}{secret}{[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_value_where_a_reference_belongs_is_a_finding_and_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    (tmp_path / "a.yml").write_text(
        f"{HEAD}backups: {{b: {{engine: restic, env: lab, repo: {{password: hunter2}}}},\n"
        "  c: {engine: restic, env: lab, repo: {password: 'vault:kv/b#pw', password_file: x, token: /etc/token}}}\n"
        "secrets: {valt: {}}\n"
    )
    main(["-i", str(tmp_path), "check", "-o", "json"], screen=lambda face: 99)
    said = capsys.readouterr()
    found = {row["where"]: row for row in json.loads(said.out)}
    assert "hunter2" not in said.out + said.err
    assert "backups.b.repo.password" in found
    assert "backups.c.repo.password" not in found
    assert "backups.c.repo.token" not in found
    assert "vault" in str(found["secrets.valt"])
