"""Every verb: help, flags from the parameters, the exit code of bad input; and what it must not load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from ondeck.job.spec import OperationSpec, Shortcut
from ondeck.observe.firing import Standing
from ondeck.registry import Manifest, Registry
from tui.cli import flags
from tui.cli.root import Root, main, root

SPECS = [spec for spec, _ in Registry().operations().values()]
VERBS = [spec for spec in SPECS if spec.shortcut]


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


def verbs() -> list[str]:
    import click

    assert isinstance(root, Root)
    return root.list_commands(click.Context(root))


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ops"
    folder.mkdir()
    (folder / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments:\n  lab: {protection: {exec: confirm, put: type-name}}\n  other: {}\n"
        "hosts:\n  here-1: {env: lab, transport: local}\n  here-2: {env: lab, transport: local}\n"
        "  there-1: {env: other, transport: local}\n"
    )
    monkeypatch.setenv("ONDECK_INVENTORY", str(folder))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    return folder


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, verb, "--help")
    assert code == 0
    assert "Usage: ondeck" in out
    words = out.split("\n\n")[1] if "\n\n" in out else ""
    assert len(words.strip()) > 15, f"{verb} says nothing about itself"


def test_the_help_names_every_verb_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--help")
    listed = {line.split()[0] for line in out.splitlines() if line.startswith("  ") and line.split()}
    assert set(verbs()) <= listed
    for word in ("5 outcome unknown", "7 plan is stale", "130 detached"):
        assert word in " ".join(out.split())


@pytest.mark.parametrize("spec", VERBS, ids=lambda spec: spec.name)
def test_flags_come_from_the_parameters(spec: OperationSpec, capsys: pytest.CaptureFixture[str]) -> None:
    assert spec.shortcut is not None
    code, out, _ = run(capsys, *spec.shortcut.verb, "--help")
    assert code == 0
    positional = {word.lower().strip("[].") for word in out.split("\n")[0].split()[3:]}
    hidden = {"source", "path", "argv", "command"}
    for field in flags.fields_of(spec.params):
        assert field.flag in out or field.name in positional or field.name in hidden, (field, out)
    for common in (
        "--reason",
        "--yes",
        "--confirm",
        "--plan",
        "--lock-wait",
        "--timeout",
        "--no-input",
        "--detach",
    ):
        assert common in out or (
            spec.interactive and common in ("--plan", "--lock-wait", "--timeout", "--detach")
        )


def test_an_operation_with_a_verb_of_two_words_is_in_a_group_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks = [
        msgspec.structs.replace(
            SPECS[0], name=f"stack.{word}", title=word, shortcut=Shortcut(("stack", word))
        )
        for word in ("plan", "apply")
    ]
    manifest = Manifest(name="stacks", title="Stacks", operations=tuple(stacks))
    monkeypatch.setattr(Root, "_registry", Registry([manifest]))
    assert "stack plan, apply" in run(capsys, "--help")[1]
    code, out, _ = run(capsys, "stack", "apply", "--help")
    assert code == 0
    assert "Usage: ondeck stack apply" in out
    assert run(capsys, "stack", "nosuch")[0] == 2


@pytest.mark.parametrize(
    "argv",
    [
        ("nosuchverb",),
        ("get", "hosts", "--nosuchflag"),
        ("get", "nosuchkind"),
        ("exec", "-l", "env=lab"),
        ("exec", "--", "true"),
        ("exec", "-l", "env=nosuch", "--", "true"),
        ("exec", "-l", "env=(", "--", "true"),
        ("exec", "-l", "env=lab or env=other", "--", "true"),
        ("rollback", "nosuch@lab"),
        ("rollback", "nosuch"),
        ("attach", "nosuchjob"),
        ("attach", "../../etc"),
        ("cancel", "nosuchjob"),
        ("apply", "nosuchplan"),
        ("plan", "nosuch.operation", "x@lab"),
        ("plan", "host.exec", "-l", "env=lab", "--set", "nosuch=1"),
        ("changes", "--since", "sometime"),
        ("changes", "--since", "25:99"),
        ("logs",),
        ("logs", "nosuch@lab"),
        ("mark",),
        ("settle", "nosuchjob", "here-1", "succeeded"),
        ("with-lock", "nosuch@lab", "--reason", "x", "--", "true"),
        ("trust",),
        ("shell", "nosuch"),
        ("lock", "break", "x@lab", "--confirm", "y@lab", "--reason", "z"),
    ],
    ids=" ".join,
)
def test_bad_input_ends_with_2_and_one_clear_message(
    argv: tuple[str, ...], inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *argv)
    assert code == 2, err
    assert err.strip()
    assert "Traceback" not in err
    assert not list((inventory.parent / "state").glob("jobs/*")), "nothing was started"


def test_a_near_verb_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "rolback", "checkout@prod")
    assert code == 2
    assert "rollback" in err


def test_a_near_operation_and_a_near_selector_word_are_named(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "service.rollback" in run(capsys, "plan", "service.rolback", "x@lab")[2]
    assert "ondeck" in run(capsys, "exec", "-l", "env=la", "--", "true")[2]


def test_without_an_inventory_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "get", "hosts")
    assert code == 2
    assert "ondeck init" in err or "--inventory" in err or "ONDECK_INVENTORY" in err


def test_without_a_verb_and_without_a_terminal_it_shows_the_verbs() -> None:
    done = CliRunner().invoke(root, [], obj=lambda face: 99)
    assert done.exit_code == 2
    assert "rollback" in done.output


@pytest.mark.parametrize(
    "argv", [("--help",), ("--version",), ("exec", "--help"), ("get", "hosts"), ("jobs",), ("now", "--help")]
)
def test_the_command_line_loads_no_widget_and_no_sdk_that_it_does_not_need(
    argv: tuple[str, ...], inventory: Path
) -> None:
    program = (
        "import sys; from tui.cli.root import main\n"
        f"code = main({list(argv)!r}, screen=lambda face: 99)\n"
        "heavy = {'textual', 'rich', 'asyncssh', 'boto3', 'botocore', 'docker', 'keyring', 'lab'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().splitlines()[-1] == "[]"


def data(out: str) -> Any:
    import json

    return json.loads(out)


def test_a_plan_is_applied_exactly_once_looked_at(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("host.exec", "-l", "name=here-1", "--set", "argv=echo 'planned words'")
    code, out, err = run(capsys, "plan", *argv, "-o", "name")
    assert code == 0, err
    plan = out.strip()
    assert plan.isalnum()
    assert err == ""
    refused, _, said = run(capsys, "apply", plan)
    assert refused == 4
    assert "--yes" in said
    code, out, _ = run(capsys, "apply", plan, "--yes")
    assert code == 0
    assert "planned words" in out
    states = data(run(capsys, "jobs", "-o", "json")[1])
    assert [row["outcome"] for row in states] == ["succeeded"]


def test_a_plan_is_data_as_well(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = "echo one\n" * 12
    argv = ("exec", "-l", "name=here-1", "--plan", "--", "sh", "-c", script)
    plan = data(run(capsys, *argv[:3], "-o", "json", *argv[3:])[1])
    assert plan["draft"]["commands"][0]["argv"] == ["sh", "-c", script], "exactly what is run"
    assert plan["request"]["targets"] == ["here-1"]
    _, said, err = run(capsys, *argv)
    assert "echo one ... 12 lines" in said
    assert "--plan -o json" in said
    assert err == ""
    named = run(capsys, "plan", "host.exec", "-l", "name=here-1", "--set", "argv=true", "-o", "json")[1]
    assert run(capsys, "apply", data(named)["id"], "--yes")[0] == 0


@pytest.mark.parametrize(
    "argv",
    [
        ("exec", "-l", "name=here-1", "--plan", "--", "true"),
        ("plan", "host.exec", "-l", "name=here-1", "--set", "argv=true"),
    ],
    ids=lambda argv: argv[0],
)
def test_a_plan_that_was_asked_for_is_data_with_the_command_that_starts_it(
    argv: tuple[str, ...], inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *argv)
    assert code == 0
    assert "Run a command on hosts" in out
    assert err == "", "there is nothing to narrate"
    start = next(line for line in out.splitlines() if "ondeck apply" in line)
    words = start.partition("ondeck ")[2].split()
    assert run(capsys, *words, "--yes")[0] == 0


def test_a_plan_that_is_shown_before_its_job_is_narration(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "exec", "-l", "name=here-1", "--yes", "--", "echo", "words")
    assert code == 0
    assert out == "words\n"
    assert "Run a command on hosts" in err
    named = run(capsys, "exec", "-l", "name=here-1", "--yes", "-o", "name", "--", "echo", "words")
    assert named[0] == 0
    assert run(capsys, "jobs", named[1].strip())[0] == 0


def test_exit_code_says_whether_changes_are_pending(
    inventory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("exec", "-l", "name=here-1", "--plan", "--exit-code", "--", "touch", "/nonexistent/x")
    assert run(capsys, *argv)[0] == 10
    assert run(capsys, *(word for word in argv if word != "--exit-code"))[0] == 0


def test_consent_is_what_the_rules_ask_for(
    inventory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "file"
    source.write_text("content\n")
    put = ("put", str(source), f"here-1:{tmp_path}/there")
    code, _, err = run(capsys, *put)
    assert code == 4
    assert "--confirm" in err
    assert run(capsys, *put, "--yes")[0] == 4, "a yes is less than a typed name"
    assert run(capsys, *put, "--confirm", "wrong")[0] == 4
    assert not (tmp_path / "there").exists()
    assert run(capsys, *put, "--confirm", "here-1")[0] == 0
    assert (tmp_path / "there").read_text() == "content\n"


def test_read_only_refuses_every_change_and_reads_on(
    inventory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(
        capsys, "--read-only", "exec", "-l", "name=here-1", "--yes", "--", "touch", f"{tmp_path}/x"
    )
    assert code == 4
    assert "read-only" in err
    assert not (tmp_path / "x").exists()
    assert run(capsys, "--read-only", "get", "hosts", "-o", "name")[1].split() == [
        "here-1",
        "here-2",
        "there-1",
    ]


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 1), ("kill -9 $$", 1)])
def test_the_exit_code_of_one_target_is_its_outcome(
    inventory: Path, capsys: pytest.CaptureFixture[str], script: str, code: int
) -> None:
    assert run(capsys, "exec", "-l", "name=here-1", "--yes", "--", "sh", "-c", script)[0] == code


def test_logs_say_where_a_cut_history_begins_on_standard_error_and_as_json(
    inventory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.log").write_text("2025-11-24T03:12:11Z INFO one\n2025-11-24T03:12:12Z INFO two\n")
    argv = ("logs", "here-1", "--source", f"{tmp_path}/app.log", "-o", "json", "--since")
    code, out, err = run(capsys, *argv, "2025-11-24T03:00:00")
    assert code == 0
    assert f"here-1/app.log HISTORY BEGINS 2025-11-24T03:12:11Z: {tmp_path}/app.log has nothing older" in err
    first, *lines = [json.loads(line) for line in out.splitlines()]
    assert first["history_cut"]["time"] == 1763953931 * 10**9
    assert [line["message"] for line in lines] == ["one", "two"]
    code, out, err = run(capsys, *argv, "2025-11-24T03:12:12")
    assert (len(out.splitlines()), "HISTORY" in err) == (1, False)


def test_now_counts_and_names_services_that_were_not_asked_and_is_no_quiet_success(
    inventory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(*_: Any, **__: Any) -> list[Standing]:
        return [
            Standing(subject="shop@lab", env="lab", hosts=("here-1",), error="x", asked=False),
            Standing(subject="cart@lab", env="lab", hosts=("here-1",), checked=False),
        ]

    monkeypatch.setattr("ondeck.observe.firing.standings", late)
    code, out, err = run(capsys, "now")
    assert code == 3
    assert "NOT ASKED 1 of 2 services, time was up: shop@lab" in out
    assert "NOT ASKED 1 of 2 services" in err
    assert json.loads(run(capsys, "now", "-o", "json")[1])["not_asked"] == ["shop@lab"]
    assert "shop@lab,?,check" in run(capsys, "now", "-o", "csv")[1]
