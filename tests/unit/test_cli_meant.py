"""What somebody meant who left something out or wrote it as for a shell: the verbs say what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.cli.root import main

SERVICES = """\
services:
  shop:
    on: {lab: group=web}
    logs: {app: {file: /var/log/nothing-here.log}}
    deploy:
      kind: release-dir
      path: /srv/nothing-here
      restart: ["true"]
      archives: ./releases/shop-${version}.tar.gz
"""


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv, screen=lambda face: 99)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture(autouse=True)
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ops"
    (folder / "releases").mkdir(parents=True)
    for version in ("1.0.0", "1.1.0"):
        (folder / f"releases/shop-{version}.tar.gz").write_bytes(b"")
    (folder / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {lab: {read_commands: [df]}}\nhosts:\n"
        "  web-1: {env: lab, group: [web], transport: local}\n"
        "  web-2: {env: lab, group: [web], transport: local}\n"
        "  db-1: {env: lab, transport: local}\n"
    )
    (folder / "services.yml").write_text(SERVICES)
    monkeypatch.setenv("ONDECK_INVENTORY", str(folder))
    monkeypatch.setenv("ONDECK_STATE", str(tmp_path / "state"))
    return folder


def test_a_deploy_without_a_version_names_the_releases_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = run(capsys, "deploy", "shop@lab")
    assert code == 2
    assert "needs a version" in err
    assert "1.0.0" in err
    assert "1.1.0" in err
    assert "Object missing" not in err


def test_a_release_that_is_not_there_is_answered_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = run(capsys, "deploy", "shop@lab", "9.9.9")
    assert code == 2
    assert "9.9.9" in err
    assert "1.1.0" in err
    assert "1.0.0" in err


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("web-1", "ondeck exec -l name=web-1 -- df -h"),
        ("web", "ondeck exec -l group=web -- df -h"),
        ("shop@lab", "ondeck exec -l service=shop,env=lab -- df -h"),
        ("env=lab", "ondeck exec -l env=lab -- df -h"),
    ],
)
def test_a_command_whose_hosts_stand_as_a_word_is_answered_with_what_was_meant(
    named: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "exec", named, "--", "df", "-h")
    assert code == 2
    assert f"did you mean: {meant}" in err


def test_a_command_without_hosts_says_how_hosts_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "exec", "--", "df", "-h")
    assert code == 2
    assert "ondeck exec -l" in err
    assert "-- df -h" in err


@pytest.mark.parametrize(
    "argv",
    [
        ("put", "{file}", "group=web:{there}"),
        ("put", "{file}", "web-*:{there}"),
        ("put", "{file}", "name=web-[1:2]:{there}"),
        ("put", "-l", "group=web", "{file}", ":{there}"),
    ],
    ids=" ".join,
)
def test_a_file_is_put_by_selector(
    argv: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, there = tmp_path / "file", tmp_path / "there"
    file.write_text("content\n")
    words = [word.format(file=file, there=there) for word in argv]
    code, out, err = run(capsys, *words, "--plan")
    assert code == 0, err
    assert f"{there} on 2 hosts" in out + err


def test_a_put_without_a_path_says_the_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    for target in ("web-1", "group=web", "nohost:/tmp/x"):
        code, _, err = run(capsys, "put", str(tmp_path / "file"), target)
        assert code == 2
        assert "nohost" in err or "SELECTOR:/PATH" in err


@pytest.mark.parametrize(
    ("argv", "instead"),
    [
        (("df -h | head -2",), "sh -c 'df -h | head -2'"),
        (("df", "-h", "|", "head", "-2"), "sh -c 'df -h | head -2'"),
        (("true", "&&", "reboot"), "sh -c 'true && reboot'"),
        (("date", ">", "/tmp/x"), "sh -c 'date > /tmp/x'"),
        (("date", "2>/dev/null"), "sh -c 'date 2>/dev/null'"),
        (("echo", "$(hostname)"), "sh -c 'echo $(hostname)'"),
    ],
)
def test_what_only_a_shell_would_read_is_a_warning_of_the_plan(
    argv: tuple[str, ...], instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = run(capsys, "exec", "-l", "name=db-1", "--plan", "--", *argv)
    assert "no shell reads this" in out + err
    assert instead in out + err


@pytest.mark.parametrize(
    "argv",
    [
        ("sh", "-c", "df -h | head -2"),
        ("bash", "-ec", "echo $(hostname) > /tmp/x"),
        ("env", "A=1", "sh", "-c", "true && true"),
        ("find", "/tmp", "-name", "x", "-exec", "ls", "{}", ";"),
        ("grep", "-E", "a|b", "/etc/hostname"),
        ("systemctl", "status", "nginx"),
    ],
    ids=" ".join,
)
def test_a_command_that_needs_no_shell_has_no_such_warning(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = run(capsys, "exec", "-l", "name=db-1", "--plan", "--", *argv)
    assert "no shell" not in out + err


def test_a_read_says_such_a_warning_too(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "exec", "-l", "name=db-1", "--", "df", "|", "head")
    assert "no shell reads this" in err


def test_get_alone_names_the_kinds_with_how_many_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "get")
    assert code == 0
    rows = {line.split()[0]: line.split()[1] for line in out.splitlines()[1:]}
    assert rows["hosts"] == "3"
    assert rows["services"] == "1"
    assert rows["backups"] == "0"


@pytest.mark.parametrize("selector", ["dsk>20", "disc>=20", "cpuu<3"])
def test_a_figure_that_is_misspelt_has_its_near_one(
    selector: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "get", "hosts", "-l", selector)
    assert code == 2
    assert f"did you mean {'cpu' if selector.startswith('c') else 'disk'}" in err


def test_logs_of_nothing_that_is_known_name_hosts_and_services(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "logs", "nope")
    assert code == 2
    assert "shop@lab" in err
    assert "web-1" in err
    assert "did you mean shop@lab" in run(capsys, "logs", "shp")[2]


def test_hosts_that_were_chosen_by_a_figure_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "get", "hosts", "-l", "disk>=0,name=db-1")
    assert code == 0, err
    titles, row = out.splitlines()
    assert "DISK" in titles.split()
    assert row.split()[-1].replace(".", "").isdigit()
