from __future__ import annotations

from pathlib import Path

import pytest

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
    "source", ["aws:prod", "ansible", "ansible:/nowhere", "ssh_config:/nowhere", "puppet:x"]
)
def test_a_source_that_cannot_be_read_writes_nothing(tmp_path: Path, source: str) -> None:
    with pytest.raises(BadInput):
        start(tmp_path, source)
    assert not (tmp_path / "ops").exists()


def test_a_malformed_line_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("[web]\nweb-1 what is this\n")
    with pytest.raises(BadInput, match=r"hosts\.ini:2"):
        start(tmp_path, f"ansible:{tmp_path}/hosts.ini")
