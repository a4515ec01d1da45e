"""Secrets on bad days: named all at once, never half, never waited for, and never in what a crash leaves behind."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from ondeck.errors import BadInput, Missing, OndeckError, Unreachable
from ondeck.inventory.secretrefs import parse
from ondeck.job.outcome import Outcome
from ondeck.operate.secrets import question, resolve
from ondeck.secret import Secret
from tests import road as on_road
from tests.secret_site import deck, holding, watching


def private(path: Path, data: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(data)
    return path


def test_all_that_is_missing_is_named_before_anything_begins(tmp_path: Path) -> None:
    references = (
        "env:NOT_SET",
        "file:/none",
        "command:unnamed",
        "vault:kv/x#y",
        "keyring:z",
        "other:x",
        "s3cr3t",
    )
    on = deck(tmp_path, references[:5])
    with pytest.raises(Missing) as told:
        on_road.start(on, tmp_path, secrets=references)
    for reference in references[:5]:
        assert reference in told.value.message
    assert "7 secrets cannot be had" in told.value.message
    assert "s3cr3t" not in str(told.value)
    assert on.record.jobs() == []
    assert on_road.effects(tmp_path) == {}


def test_a_value_that_no_environment_can_hold_fails_its_target_and_is_not_shown(tmp_path: Path) -> None:
    value = uuid4().hex
    path = private(tmp_path / "secret", f"{value}\0rest".encode())
    on = deck(tmp_path, (f"file:{path}",))
    with watching(value):
        view = on_road.over(on, on_road.start(on, tmp_path, secrets=(f"file:{path}",)))
    assert view.outcome is not Outcome.SUCCEEDED
    assert any("NUL" in row.text for row in view.targets.values())
    assert holding(on.record.root, value) == []


@pytest.mark.parametrize(
    "script", [("web-1=broken",), ("finish=broken",), ("ready=broken",), ("web-1=slow",)]
)
def test_a_crash_leaves_no_secret_behind(tmp_path: Path, script: tuple[str, ...]) -> None:
    value = uuid4().hex
    path = private(tmp_path / "secret", value.encode())
    on = deck(tmp_path, (f"file:{path}",))
    with watching(value):
        job = on_road.start(on, tmp_path, secrets=(f"file:{path}",), script=script)
        if script == ("web-1=slow",):
            on_road.wait_for(on, job, lambda view: (tmp_path / "effects" / "web-1.sums").exists())
            _kill_worker(on.record.folder(job).path)
        on_road.over(on, job)
    assert holding(on.record.root, value) == []
    assert holding(Path.home() / ".local", value) == []


def _kill_worker(folder: Path) -> None:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"ondeck.operate.worker" in words and os.fsencode(folder) in words:
            os.kill(int(path.parent.name), 9)
            return
    raise AssertionError("there is no worker to kill")


def test_a_secret_that_is_asked_for_again_by_who_reconciles_must_be_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN", "value")
    on = deck(tmp_path, ("env:OWN",))
    job = on_road.start(on, tmp_path, secrets=("env:OWN",), script=("web-1=lost",), max_failures=3)
    assert on_road.over(on, job).outcome is not Outcome.SUCCEEDED
    monkeypatch.delenv("OWN")
    with pytest.raises(Missing, match="env:OWN"):
        on_road.reconciled(on, job)
    monkeypatch.setenv("OWN", "value")
    assert on_road.reconciled(on, job).targets["web-1"].outcome is not None


def test_a_command_is_an_argv_and_no_shell(tmp_path: Path) -> None:
    argv = ["printf", "[%s]", "$HOME", "`id`", ";touch x", "a b"]
    on = deck(
        tmp_path,
        (),
        command={"odd": argv, "fails": ["sh", "-c", "echo s3cr3t >&2; exit 3"], "none": ["/none"]},
    )
    assert resolve(on, ["command:odd"])["command:odd"].reveal() == "[$HOME][`id`][;touch x][a b]"
    for name, said in (
        ("fails", "ended with 3"),
        ("none", "cannot be started"),
        ("true", "names no command"),
    ):
        with pytest.raises((Missing, BadInput), match=said) as told:
            resolve(on, [f"command:{name}"])
        assert "s3cr3t" not in str(told.value)


def test_a_command_that_asks_on_a_terminal_or_never_ends_holds_nobody(tmp_path: Path) -> None:
    asks = ["sh", "-c", "echo password: >/dev/tty; read x </dev/tty; echo $x"]
    on = deck(tmp_path, (), command={"asks": asks, "reads": ["cat"], "hangs": ["sleep", "3600"]})
    for name, error in (("asks", Missing), ("reads", Missing), ("hangs", Unreachable)):
        with pytest.raises(error):
            resolve(on, [f"command:{name}"])


def test_a_file_that_is_none_of_ours_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    on = deck(tmp_path, ())
    os.mkfifo(tmp_path / "pipe", 0o600)
    private(tmp_path / "open", b"x").chmod(0o644)
    private(tmp_path / "empty", b"\n")
    private(tmp_path / "bytes", b"\xff\xfe")
    private(tmp_path / "large", b"x" * ((1 << 20) + 1))
    (tmp_path / "folder").mkdir()
    said = {
        "pipe": "not a regular file", "open": "others may read", "bytes": "not UTF-8", "large": "longer than",
        "folder": "Is a directory", "none": "No such file", "empty": "it is empty",
    }  # fmt: skip
    for name, words in said.items():
        with pytest.raises(Missing, match=words):
            resolve(on, [f"file:{tmp_path / name}"])


def test_a_question_to_a_provider_does_not_show_the_variables_of_this_process(tmp_path: Path) -> None:
    asked = question(deck(tmp_path, ()), parse("keyring:orders"), {"OWN": "s3cr3t"})
    assert repr(asked) == "SecretQuestion('keyring:orders')"


def test_one_scheme_that_hangs_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERE", "x")
    on = deck(tmp_path, (), command={"hangs": ["sleep", "3600"]})
    with pytest.raises(OndeckError) as told:
        resolve(on, ["env:THERE", "command:hangs", "env:NOT_THERE"])
    assert "2 secrets cannot be had" in told.value.message
    assert "THERE" in told.value.message


def test_the_encrypted_keyring_opens_with_its_password_alone_and_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    own = {"backend": "cryptfile", "file": str(tmp_path / "keyring.cfg")}
    on = deck(tmp_path, (), keyring=own)
    store, asked = on.registry.load("keyring", "secret_store"), question(on, parse("keyring:orders"))
    with pytest.raises(Missing, match="no keyring is open"):
        store.keep(asked, Secret("value"))
    assert store.wants(asked) == f"password of {tmp_path / 'keyring.cfg'}"
    monkeypatch.setenv("ONDECK_KEYRING_PASSWORD_FILE", str(private(tmp_path / "password", b"right\n")))
    store.keep(asked, Secret("value"))
    assert b"value" not in (tmp_path / "keyring.cfg").read_bytes()
    assert resolve(on, ["keyring:orders"])["keyring:orders"].reveal() == "value"
    other = tmp_path / "copy.cfg"
    other.write_bytes((tmp_path / "keyring.cfg").read_bytes())
    other.chmod(0o600)
    wrong = deck(tmp_path, (), keyring={**own, "file": str(other)})
    monkeypatch.setenv("ONDECK_KEYRING_PASSWORD_FILE", str(private(tmp_path / "wrong", b"wrong\n")))
    with pytest.raises(Missing, match="does not open with this password"):
        resolve(wrong, ["keyring:orders"])
    (tmp_path / "wrong").chmod(0o644)
    with pytest.raises(Missing, match="others may read"):
        resolve(wrong, ["keyring:orders"])
