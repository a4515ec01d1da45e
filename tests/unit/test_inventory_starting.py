from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import BadInput
from ondeck.inventory import starting
from ondeck.inventory.loader import load

INI = """\
# a usual one
mail.example.com ansible_user=root

[web]
web-[01:03].example.com http_port=80
w4 ansible_host=10.0.0.9 ansible_ssh_port=2222

[db:children]
pg

[pg]
db-[a:b] ansible_host=10.0.1.1
secretive ansible_host="{{ lookup('pipe', 'id') }}"

[prod:children]
web
db

[prod:vars]
ansible_user=deploy
"""
YAML = """\
all:
  vars: {ansible_user: base}
  hosts:
    lonely:
  children:
    staging:
      vars:
        ansible_user: stage
      children:
        web:
          hosts:
            stg-[1:2]:
            stg-9: {ansible_host: 10.9.9.9, ansible_port: 2200, secret: !vault abc}
"""
SSH = """\
Host bastion
  HostName 192.0.2.1
  Port 2022
Host web4 alias4
  HostName=10.0.0.9
  Port 2222
  ProxyJump bastion
Host *.internal !x.internal
  User wild
Match exec "touch {mark}"
  User evil
Host *
  User anna
"""


def start(folder: Path, *sources: str) -> tuple[starting.Report, Path]:
    target = folder / "ops"
    return starting.write(target, sources), target


def test_an_ansible_ini_becomes_hosts_that_load(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(INI)
    report, target = start(tmp_path, f"ansible:{tmp_path}/hosts.ini")
    hosts = load(target).hosts
    assert set(hosts) == {
        "mail.example.com", "w4", "db-a", "secretive",
        "web-01.example.com", "web-02.example.com", "web-03.example.com",
    }  # fmt: skip
    w4 = hosts["w4"]
    assert (w4.address, w4.port, w4.user, w4.env) == ("10.0.0.9", 2222, "deploy", "prod")
    assert set(hosts["db-a"].groups) == {"prod", "db", "pg"}
    assert hosts["mail.example.com"].user == "root"
    assert hosts["secretive"].address == "secretive"
    assert any("template" in note for note in report.notes)
    assert any("db-b" in line and "db-a" in line for line in report.joined)


def test_an_ansible_yaml_is_read_past_its_tags_and_children_win(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(YAML)
    _, target = start(tmp_path, f"ansible:{tmp_path}/hosts.yml")
    hosts = load(target).hosts
    assert set(hosts) == {"lonely", "stg-1", "stg-2", "stg-9"}
    assert (hosts["stg-9"].address, hosts["stg-9"].port, hosts["stg-9"].user) == ("10.9.9.9", 2200, "stage")
    assert hosts["lonely"].user == "base"
    assert hosts["stg-1"].env == "staging"


def test_an_ssh_config_is_read_and_nothing_of_it_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "config").write_text(SSH.replace("{mark}", str(mark)))
    report, target = start(tmp_path, f"ssh_config:{tmp_path}/config")
    hosts = load(target).hosts
    assert set(hosts) == {"bastion", "web4"}
    assert (hosts["web4"].address, hosts["web4"].port, hosts["web4"].via) == ("10.0.0.9", 2222, "bastion")
    assert hosts["web4"].user == "anna"
    assert not mark.exists()
    assert any("Match" in note for note in report.notes)
    assert any("alias4" in line for line in report.joined)


def test_one_machine_in_two_sources_becomes_one_host(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(INI)
    (tmp_path / "config").write_text(SSH)
    report, target = start(tmp_path, f"ansible:{tmp_path}/hosts.ini", f"ssh_config:{tmp_path}/config")
    hosts = load(target).hosts
    assert "web4" not in hosts
    assert hosts["w4"].via == "bastion"
    assert any("web4" in line and "w4" in line and "10.0.0.9" in line for line in report.joined)
    assert any("user is deploy" in note and "anna" in note for note in report.notes)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    _, target = start(tmp_path)
    before = {path.name: path.read_text() for path in target.iterdir()}
    (target / "hosts.yml").unlink()
    with pytest.raises(BadInput, match="already there"):
        starting.write(target, ())
    assert not (target / "hosts.yml").exists()
    assert (target / "ondeck.yml").read_text() == before["ondeck.yml"]


def test_without_sources_it_writes_what_loads_and_can_be_filled_in(tmp_path: Path) -> None:
    report, target = start(tmp_path)
    assert report.hosts == 0
    assert set(load(target).environments) == {"staging", "prod"}
    assert "# services:" in (target / "services.yml").read_text()


def test_hostile_names_and_addresses_are_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text(
        "'-oProxyCommand=x' ansible_host=10.0.0.1\nok ansible_host='$(id)' ansible_user='a b' ansible_port=99999\n"
    )
    report, target = start(tmp_path, f"ansible:{tmp_path}/hosts.ini")
    hosts = load(target).hosts
    assert set(hosts) == {"ok"}
    assert (hosts["ok"].address, hosts["ok"].user, hosts["ok"].port) == ("ok", "", 0)
    assert len(report.notes) == 4


@pytest.mark.parametrize(
    "source", ["azure:prod", "ansible", "ansible:/nowhere", "ssh_config:/nowhere", "puppet:x"]
)
def test_a_source_that_cannot_be_read_writes_nothing(tmp_path: Path, source: str) -> None:
    with pytest.raises(BadInput):
        start(tmp_path, source)
    assert not (tmp_path / "ops").exists()


def test_a_malformed_line_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("[web]\nweb-1 what is this\n")
    with pytest.raises(BadInput, match=r"hosts\.ini:2"):
        start(tmp_path, f"ansible:{tmp_path}/hosts.ini")


def test_names_that_differ_only_in_case_become_one_host_or_the_second_is_left_out_and_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "config").write_text(
        "Host web-1\n HostName 10.0.0.1\nHost WEB-1\n HostName 10.0.0.2\nHost pg\nHost PG\n User anna\n"
    )
    report, target = start(tmp_path, f"ssh_config:{tmp_path}/config")
    hosts = load(target).hosts
    assert set(hosts) == {"web-1", "pg"}
    assert hosts["pg"].user == "anna"
    assert any("PG" in line and "pg" in line for line in report.joined)
    assert any("WEB-1" in note and "10.0.0.2" in note and "left out" in note for note in report.notes)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts.ini", "[a]\ndb-1 ansible_host=10.0.0.1\n[b]\ndb-1 ansible_host=10.0.0.2 ansible_user=x\n"),
        ("hosts.yml", "a: {hosts: {db-1: {ansible_host: 10.0.0.1}}}\nb: {hosts: {db-1: {ansible_host: 10.0.0.2}}}\n"),
        ("hosts.yaml", "a:\n  hosts:\n    db-1: {ansible_host: 10.0.0.1}\n    db-1: {ansible_host: 10.0.0.2}\n"),
    ],
)  # fmt: skip
def test_a_host_that_one_file_names_twice_keeps_its_first_address_and_the_report_says(
    name: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    report, target = start(tmp_path, f"ansible:{tmp_path}/{name}")
    assert load(target).hosts["db-1"].address == "10.0.0.1"
    again = ("10.0.0.2", "line 4")
    assert any("db-1" in note and any(word in note for word in again) for note in report.notes)


def test_a_jump_host_that_is_no_host_is_kept_as_a_dns_name(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host web-1\n HostName 10.0.0.1\n ProxyJump bastion\n")
    report, target = start(tmp_path, f"ssh_config:{tmp_path}/config")
    assert load(target).hosts["web-1"].via == "bastion:22"
    assert any("bastion" in note and "DNS" in note for note in report.notes)


def test_a_report_says_a_thing_once(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "Host a\n HostName 10.0.0.1\n User anna\nHost b\n HostName 10.0.0.1\n User bob\n"
        "Host c\n HostName 10.0.0.1\n User bob\n"
    )
    report, _ = start(tmp_path, f"ssh_config:{tmp_path}/config")
    said = [*report.joined, *report.notes]
    assert len(said) == len(set(said))


def test_a_pattern_of_an_ssh_config_that_names_no_host_is_said(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host web-1\nHost db-* *.internal\n User x\nHost *\n User y\n")
    report, _ = start(tmp_path, f"ssh_config:{tmp_path}/config")
    assert any("db-*" in note and "*.internal" in note for note in report.notes)


def test_jump_hosts_in_a_circle_are_cut_where_they_close(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host a\n ProxyJump b\nHost b\n ProxyJump c\nHost c\n ProxyJump a\n")
    report, target = start(tmp_path, f"ssh_config:{tmp_path}/config")
    assert sum(bool(host.via) for host in load(target).hosts.values()) == 2
    assert any("circle" in note for note in report.notes)


def test_beside_files_that_make_it_not_load_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host web-1\n")
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops/more.yml").write_text("hosts:\n  web-1: {env: main}\n")
    with pytest.raises(BadInput, match="nothing was written") as refused:
        start(tmp_path, f"ssh_config:{tmp_path}/config")
    assert "web-1" in refused.value.hint
    assert [path.name for path in (tmp_path / "ops").iterdir()] == ["more.yml"]


_WORDS = st.sampled_from(
    [
        "web-1",
        "WEB-1",
        "a",
        "A",
        "null",
        "true",
        "1",
        "::1",
        "10.0.0.1",
        "db-*",
        "x y",
        "é",
        "prod",
        "-x",
        "~",
    ]
)
_LINES = st.one_of(
    st.builds("Host {}".format, _WORDS),
    st.builds("  HostName {}".format, _WORDS),
    st.builds("  ProxyJump {}".format, st.one_of(_WORDS, st.builds("{}@{}:{}".format, _WORDS, _WORDS, _WORDS))),
    st.builds("  User {}".format, _WORDS),
    st.builds("  Port {}".format, st.sampled_from(["22", "022", "0", "x", "70000"])),
)  # fmt: skip


@given(st.lists(_LINES, max_size=30))
def test_what_is_written_always_loads(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config").write_text("\n".join(lines))
        _, target = start(Path(folder), f"ssh_config:{folder}/config")
        load(target)
