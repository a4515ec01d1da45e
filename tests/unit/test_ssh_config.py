"""ssh_config is read as OpenSSH reads it, as far as we follow it, and costs next to nothing."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest

from ondeck.errors import BadInput
from ondeck.inventory.model import Host, Inventory, Revision, SshDefaults
from providers.ssh.config import Options, SshConfig
from providers.ssh.endpoint import Endpoint, Endpoints


def config(folder: Path, text: str) -> SshConfig:
    (folder / "config").write_text(text)
    table = SshConfig()
    table.load(folder / "config")
    return table


def endpoint(folder: Path, text: str, host: Host, *others: Host, **ssh: object) -> Endpoint:
    (folder / "config").write_text(text)
    defaults = SshDefaults(config=str(folder / "config"), **ssh)  # type: ignore[arg-type]
    hosts = {one.name: one for one in (host, *others)}
    return Endpoints(Inventory(revision=Revision(root=""), ssh=defaults, hosts=hosts)).of(host)


def test_the_first_value_wins_and_identity_files_add_up(tmp_path: Path) -> None:
    table = config(
        tmp_path,
        """
        IdentityFile /k/all
        Host web-* !web-9
            User deploy
            Port = 2222
            IdentityFile "/k/%r@%h:%p"
        Host *
            User other
            Port 22
        """,
    )
    found = table.lookup("web-1")
    assert (found.user, found.port) == ("deploy", 2222)
    assert found.identity_files == ("/k/all", "/k/deploy@web-1:2222")
    assert (table.lookup("web-9").user, table.lookup("web-9").port) == ("other", 22)


def test_match_knows_host_original_host_user_and_local_user(tmp_path: Path) -> None:
    table = config(
        tmp_path,
        f"""
        Host short
            HostName %h.example.net
        Match host *.example.net originalhost short
            ConnectTimeout 1m
        Match user anna
            Port 1
        Match !user anna localuser {getpass.getuser()}
            Port 2
        Match all
            ServerAliveInterval 7
        Match canonical
            ServerAliveCountMax 9
        """,
    )
    found = table.lookup("short")
    assert (found.hostname, found.connect_timeout, found.port) == ("short.example.net", 60, 2)
    assert table.lookup("short", "anna").port == 1
    assert (found.alive_interval, found.alive_count) == (7, 0)


def test_match_exec_runs_nothing_and_is_a_finding(tmp_path: Path) -> None:
    table = config(tmp_path, f'Match exec "touch {tmp_path}/ran"\n  User evil\nHost *\n  User good\n')
    assert table.lookup("x").user == "good"
    assert not (tmp_path / "ran").exists()
    assert [finding.where for finding in table.findings] == [f"{tmp_path}/config:1"]


def test_includes_count_where_they_stand_and_only_inside_their_host(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "1.conf").write_text("User inner\nHost b\nPort 5\n")
    table = config(tmp_path, "Host a b\n  Include more/*.conf\n  Port 6\nHost *\n  User outer\n")
    assert (table.lookup("a").user, table.lookup("a").port) == ("inner", 6)
    assert table.lookup("b").port == 5
    assert (table.lookup("c").user, table.lookup("c").port) == ("outer", 0)


def test_a_loop_of_includes_ends_with_a_finding(tmp_path: Path) -> None:
    table = config(tmp_path, "Include config\nUser anna\n")
    assert table.lookup("x").user == "anna"
    assert table.findings


def test_agent_forwarding_is_never_taken_from_a_file(tmp_path: Path) -> None:
    assert config(tmp_path, "ForwardAgent yes\nLocalForward 1 x:2\n").lookup("x") == Options()


@pytest.mark.parametrize(
    "text", ["", "Host\n", "Match\n", "Host *\nPort x\n", 'User "a\n', "=\n", "\0\xff\n"]
)
def test_odd_files_do_not_hurt(tmp_path: Path, text: str) -> None:
    assert config(tmp_path, text).lookup("x").port == 0


def test_the_inventory_wins_over_ssh_config(tmp_path: Path) -> None:
    text = "Host web-1\n  HostName wrong\n  User wrong\n  Port 1\n  ProxyJump wrong\n"
    host = Host(name="web-1", env="e", address="10.0.0.1", port=22, user="right", via="jump-1")
    found = endpoint(tmp_path, text, host, Host(name="jump-1", env="e", address="10.0.0.9"))
    assert found.login == "right@10.0.0.1"
    assert found.jump is not None
    assert found.jump.address == "10.0.0.9"


def test_what_the_inventory_does_not_say_comes_from_ssh_config(tmp_path: Path) -> None:
    text = "Host web-1\n HostName w.example.net\n Port 2222\n ProxyJump anna@j1:22,j2\nHost j2\n User root\n"
    found = endpoint(tmp_path, text, Host(name="web-1", env="e"), user="deploy")
    assert found.login == "deploy@w.example.net:2222"
    assert found.jump is not None
    assert found.jump.jump is not None
    assert (found.jump.address, found.jump.jump.login) == ("j2", "anna@j1")


def test_a_proxy_command_needs_the_system_s_ssh(tmp_path: Path) -> None:
    text = "Host web-*\n  ProxyCommand nc %h %p\n"
    assert "ProxyCommand" in endpoint(tmp_path, text, Host(name="web-1", env="e")).fallback
    web = Host(name="web-1", env="e", via="jump-1")
    assert endpoint(tmp_path, text, web, Host(name="jump-1", env="e")).fallback == ""


def test_jump_hosts_that_lead_back_are_refused(tmp_path: Path) -> None:
    a, b = Host(name="a", env="e", via="b"), Host(name="b", env="e", via="a")
    with pytest.raises(BadInput, match="lead back"):
        endpoint(tmp_path, "", a, b)


@pytest.mark.parametrize("address", ["-oProxyCommand=touch x", "a b", "a\nb"])
def test_an_address_that_ssh_would_read_as_an_option_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadInput):
        endpoint(tmp_path, "", Host(name="web-1", env="e", address=address))


def test_an_include_that_is_no_file_is_left_out_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "config").write_text("Include fifo zero\nHost web\n  Port 2222\n")
    table = SshConfig()
    table.load(tmp_path / "config")
    assert table.lookup("web").port == 2222
    assert [finding.text for finding in table.findings] == [
        "is no regular file of up to 4 MiB and is left out"
    ] * 2
