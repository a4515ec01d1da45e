"""The lid closes: the forwarded agent goes away in the middle of a rollout. Hosts are not blamed for it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.playing import Player, eventually

WEB = ("web-1", "web-2", "web-3")
pytestmark = pytest.mark.skipif(not shutil.which("ssh-agent"), reason="no ssh-agent here")


@contextmanager
def agent(folder: Path, name: str, key: Path) -> Iterator[tuple[str, int]]:
    """An agent of its own with one key; ended by its process id."""
    socket = str(folder / name)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: Path(socket).exists())
        subprocess.run(
            ["ssh-add", "-q", str(key)], env={**os.environ, "SSH_AUTH_SOCK": socket}, check=True, timeout=10
        )
        yield socket, process.pid
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def key(own_player: Player, tmp_path: Path) -> Path:
    """The only key of the hosts; ondeck finds it in no file from now on, so only an agent can offer it."""
    demo = own_player.demo
    config = demo.base / "ssh_config"
    found = [line.split()[1] for line in config.read_text().splitlines() if "IdentityFile" in line]
    kept = [line for line in config.read_text().splitlines() if "Identit" not in line]
    without = demo.base / "ssh_config_without_keys"
    without.write_text("\n".join(kept) + "\n")
    main = demo.inventory / "ondeck.yml"
    main.write_text(main.read_text().replace(str(config), str(without)))
    return Path(found[0])


def test_a_dead_agent_stops_nothing_that_is_connected(own_player: Player, key: Path, tmp_path: Path) -> None:
    player = own_player
    with agent(tmp_path, "one", key) as (socket, pid):
        mine = player.env(SSH_AUTH_SOCK=socket)
        job = mine.run(
            "exec",
            "-l",
            "env=prod,group=web",
            "--yes",
            "--detach",
            "--",
            "sh",
            "-c",
            "echo on; sleep 2",
            code=0,
        ).out.strip()
        eventually(
            lambda: [
                log for log in player.demo.base.rglob(f"{job}/events.log") if b'"opened"' in log.read_bytes()
            ]
        )
        os.kill(pid, signal.SIGTERM)
    done = player.run("attach", job, timeout=60)
    assert done.code == 0, done


def test_a_job_without_credentials_waits_blames_no_host_and_goes_on_with_lent_ones(
    own_player: Player, key: Path, tmp_path: Path
) -> None:
    player = own_player
    with agent(tmp_path, "one", key) as (socket, pid):
        mine = player.env(SSH_AUTH_SOCK=socket)
        face = mine.start("deploy", "checkout@prod", "2.16.0", "--confirm", "prod", "--reason", "a test")
        # In the first batch (one host) the key goes, and with it the connection of a host of the second.
        first = eventually(lambda: player.ssh("lb-1", "ls /srv/lb/drained"), pause=0.02)
        later = next(host for host in WEB if host != first)
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not Path(f"/proc/{pid}/fd").exists() or not Path(socket).exists())
        os.kill(player.demo.server(later), signal.SIGKILL)
        face.communicate(timeout=60)
    job = player.newest()
    view = player.job(job)
    assert view["state"] == "waiting", view
    assert face.returncode == 4
    assert view["targets"][later]["outcome"] is None, "nobody blames the host"
    assert "credentials" in player.run("now").out
    with agent(tmp_path, "two", key) as (socket, _):
        done = player.env(SSH_AUTH_SOCK=socket).run("attach", job, timeout=60)
        assert done.code == 0, done
        assert "lent it the agent" in done.err
        outcomes = {name: row["outcome"] for name, row in player.job(job)["targets"].items()}
    assert outcomes == dict.fromkeys(WEB, "succeeded")
