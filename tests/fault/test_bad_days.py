"""What can be wrong with a host, a file or a terminal: one clear message, the right exit code, nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.playing import ONDECK, Done, Player, eventually
from tests.terminal import Terminal

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")


def one_clear_message(done: Done) -> None:
    assert "Traceback" not in done.err, done
    assert done.err.strip(), "it says why"


def on_hosts(player: Player, *more: str) -> Done:
    return player.run("exec", *more, "--yes", "--", "sh", "-c", "echo ran >> ran", timeout=60)


def add_host(player: Player, name: str, address: str, port: int) -> None:
    (player.demo.inventory / f"more-{name}.yml").write_text(
        f"hosts:\n  {name}: {{env: staging, group: [more], address: {address}, port: {port}, user: ops}}\n"
    )


@contextmanager
def listening() -> Iterator[int]:
    """A port that takes connections and never says a word: a black hole with a door."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_host_that_is_down_is_unreachable(player: Player) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    add_host(player, "down-1", "127.0.0.1", port)
    done = on_hosts(player, "-l", "name=down-1")
    assert done.code == 6, done
    assert "refused" in done.err
    one_clear_message(done)


def test_a_black_hole_does_not_hold_up_the_others(player: Player) -> None:
    with listening() as port:
        add_host(player, "hole-1", "127.0.0.1", port)
        done = on_hosts(player, "-l", "name in (hole-1,stg-1)")
    assert done.code in (3, 6), done
    rows = player.job(player.newest())["targets"]
    assert rows["hole-1"]["outcome"] == "unreachable", rows
    assert "time" in rows["hole-1"]["evidence"].lower() or "answer" in rows["hole-1"]["evidence"].lower()
    one_clear_message(done)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("unknown", ("unknown", "trust")), ("changed", ("CHANGED",))],
    ids=["unknown", "changed"],
)
def test_unknown_and_changed_keys_are_told_apart_and_never_logged_in_to(
    own_player: Player, kind: str, words: tuple[str, ...]
) -> None:
    player = own_player
    known = player.demo.inventory / "known_hosts"
    mine, others = player.demo.hosts["web-1"], player.demo.hosts["web-2"]
    lines = known.read_text().splitlines()
    kept = [line for line in lines if mine not in line.split()[0]]
    if kind == "changed":
        wrong = next(line for line in lines if others in line.split()[0]).split(maxsplit=1)[1]
        kept.append(f"[{mine}]:2222 {wrong}")
    known.write_text("\n".join(kept) + "\n")
    done = on_hosts(player, "-l", "name=web-1")
    assert done.code == 6, done
    assert all(word in done.err for word in words), done
    one_clear_message(done)


def test_sudo_that_wants_a_password_ends_at_once_and_says_so(player: Player) -> None:
    done = player.run("exec", "-l", "name=web-1", "--yes", "--become", "root", "--", "id", timeout=60)
    assert done.code in (1, 6), done
    assert "sudo" in done.err
    one_clear_message(done)


@pytest.mark.parametrize(
    "script",
    [
        r"printf '\377\376 \303( \0 end\n'",
        r"printf '\033]0;owned\007\033[2J\033[31mred\033[0m \033[?1049h \033P1$r\033\\ end\n'",
        r"printf '\033]52;c;AAAA'; printf '\302'; printf '\233 31m end\n'",
    ],
    ids=["not utf-8", "escapes", "never ended"],
)
def test_output_never_reaches_the_terminal_raw(player: Player, script: str) -> None:
    done = player.run("exec", "-l", "name=web-2", "--yes", "--", "sh", "-c", script, code=0)
    assert b"end" in done.raw
    shown = done.raw.decode("utf-8")
    assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cf") and char != "\n"]


def test_a_line_of_ten_megabytes_ends_well(player: Player) -> None:
    script = "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after"
    done = player.run("exec", "-l", "name=web-3", "--yes", "--", "sh", "-c", script, timeout=90)
    assert done.code == 0, done.err[-2000:]
    assert "after" in done.out[-200:]


@root_only
def test_a_full_disk_under_our_own_state_refuses_changes_and_reads_on(player: Player, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "256k") as small:
        full = player.env(ONDECK_STATE=str(small / "state"))
        full.run("jobs", code=0)
        (small / "ballast").write_bytes(b"")
        with (small / "ballast").open("ab", buffering=0) as ballast:
            for size in (4096, 1):
                try:
                    while True:
                        ballast.write(b"x" * size)
                except OSError:
                    continue
        done = full.run(
            "exec", "-l", "name=web-1", "--yes", "--", "sh", "-c", "echo ran >> on-full-disk", timeout=60
        )
        assert done.code in (1, 4), done
        assert "space" in done.err
        one_clear_message(done)
        assert player.ssh("web-1", "cat on-full-disk 2>/dev/null") == "", (
            "nothing runs that cannot be recorded"
        )
        assert full.run("get", "hosts", "-o", "name").code == 0
        (small / "ballast").unlink()
        assert full.run("exec", "-l", "name=web-1", "--yes", "--", "true").code == 0


def test_a_host_that_cannot_keep_a_job_folder_does_not_start(own_player: Player) -> None:
    """As on a read-only or full disk: the claim cannot be made, so nothing ran, and it says why."""
    player = own_player
    player.ssh("web-1", "mkdir -p .local; rm -rf .local/state; echo file > .local/state")
    done = player.run(
        "exec", "-l", "name=web-1", "--yes", "--", "sh", "-c", "echo ran > /tmp/ran-here", timeout=60
    )
    assert done.code in (1, 6), done
    one_clear_message(done)
    row = player.job(player.newest())["targets"]["web-1"]
    assert row["outcome"] in ("not_started", "failed"), row
    assert player.ssh("web-1", "cat /tmp/ran-here 2>/dev/null") == ""
    read = player.run("exec", "-l", "name=web-1", "--", "df", "-h", timeout=60)
    assert read.code == 0, "a read still works on exactly this night"


def test_a_full_disk_on_the_host_is_failed_with_its_words(player: Player) -> None:
    done = player.run(
        "exec", "-l", "name=web-1", "--yes", "--", "sh", "-c", "head -c 9 /dev/zero > /dev/full", timeout=60
    )
    assert done.code == 1, done
    assert "No space left" in done.out + done.err


def test_a_stopped_lock_holder_is_named_and_nobody_gets_past_it(own_player: Player) -> None:
    player = own_player
    holder = player.start(
        "with-lock", "checkout@prod", "--reason", "ci#4711", "--", "sh", "-c", "exec sleep 60 >&- 2>&-"
    )
    try:
        eventually(lambda: player.run("lock", "ls", "-o", "name").out)
        holder.send_signal(signal.SIGSTOP)
        done = player.run("rollback", "checkout@prod", "--confirm", "prod", "--reason", "a test", timeout=60)
        assert done.code == 4, done
        assert "ci#4711" in done.err
        assert player.ssh("web-1", "cat /srv/checkout/current/VERSION") == "2.15.0"
    finally:
        holder.send_signal(signal.SIGCONT)
        # The command holds the lock too: killing ondeck alone would not free it.
        for child in Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        holder.kill()
        holder.communicate()
    assert (
        player.run("rollback", "checkout@prod", "--confirm", "prod", "--reason", "free now", timeout=60).code
        == 0
    )


def test_without_a_terminal_it_never_asks(player: Player) -> None:
    for argv in (
        ("exec", "-l", "name=web-1", "--", "touch", "asked"),
        ("rollback", "checkout@staging"),
        ("deploy", "checkout@prod", "2.16.0"),
    ):
        done = player.run(*argv, data=b"y\nprod\ncheckout@prod\nyes\n", timeout=30)
        assert done.code == 4, done
        assert "--yes" in done.err or "--confirm" in done.err
    assert player.ssh("web-1", "ls asked 2>/dev/null") == ""


def test_a_dumb_terminal_still_asks_and_works(player: Player) -> None:
    argv = [ONDECK, "exec", "-l", "name=web-1", "--", "sh", "-c", "echo dumb >> dumb; cat dumb"]
    with Terminal(argv, env={**player.environment, "TERM": "dumb"}) as terminal:
        terminal.wait_for("[y/N]", 20)
        terminal.type("y", "enter")
        terminal.wait_for("succeeded", 30)
        assert terminal.wait() == 0
        assert b"\x1b" not in bytes(terminal.raw)
    with Terminal([ONDECK], env={**player.environment, "TERM": "dumb"}) as terminal:
        assert terminal.wait(20) != 0
        assert "TERM" in terminal.text()


def test_a_closed_pipe_is_no_error(player: Player) -> None:
    head = shutil.which("head")
    assert head
    done = subprocess.run(
        ["sh", "-c", '"$0" logs checkout@prod --since 5m | head -n 1', ONDECK], env=player.environment,
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert b"Broken pipe" not in done.stderr
    assert done.stdout.count(b"\n") == 1
