from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory import kinds, revision
from ondeck.inventory.checking import check
from ondeck.inventory.find import find_root
from ondeck.inventory.loader import load
from ondeck.inventory.schema import json_schema
from ondeck.registry import Registry
from ondeck.settings import Settings

SAMPLE = Path(__file__).parents[2] / "sample-inventory"


def settings(tmp_path: Path, named: Path | None = None) -> Settings:
    return Settings(state=tmp_path / "s", cache=tmp_path / "c", config=tmp_path / "config", inventory=named)


def test_the_named_folder_wins_then_the_nearest_above_then_the_users_own(tmp_path: Path) -> None:
    ops = tmp_path / "ops"
    below = ops / "a" / "b"
    below.mkdir(parents=True)
    (ops / "ondeck.yml").write_text("ondeck: 1\n")
    own = tmp_path / "config" / "inventory"
    own.parent.mkdir()
    own.symlink_to(ops)
    other = tmp_path / "other"
    other.mkdir()
    assert find_root(settings(tmp_path, other), below) == other
    assert find_root(settings(tmp_path, ops / "ondeck.yml"), other) == ops
    assert find_root(settings(tmp_path), below) == ops
    assert find_root(settings(tmp_path), other) == ops
    own.unlink()
    with pytest.raises(BadInput, match="no inventory") as caught:
        find_root(settings(tmp_path), other)
    assert "ondeck init" in caught.value.hint
    assert "ondeck demo" in caught.value.hint
    with pytest.raises(BadInput, match="no such folder"):
        find_root(settings(tmp_path, tmp_path / "gone"), other)


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_kind_has_a_cell_for_each_column_and_plain_data(kind: str) -> None:
    found = kinds.rows(load(SAMPLE), kind)
    assert found.rows
    for row in found.rows:
        assert len(row.cells) == len(found.columns)
        assert all(type(cell) is str for cell in row.cells)
        assert json.loads(json.dumps(row.data))["name"] == row.name


def test_kinds_are_chosen_by_name_and_by_selector() -> None:
    inventory = load(SAMPLE)
    assert [row.name for row in kinds.rows(inventory, "host", ["lb-1", "web-2"]).rows] == ["lb-1", "web-2"]
    assert [row.name for row in kinds.rows(inventory, "hosts", selectors=["env=staging"]).rows] == ["stg-1"]
    assert [row.name for row in kinds.rows(inventory, "services", selectors=["db-1"]).rows] == ["orders-db"]
    assert kinds.rows(inventory, "service", ["checkout@prod"]).rows[0].data["on"] == {"prod": "group=web"}
    with pytest.raises(NoMatch, match="no hosts named") as caught:
        kinds.rows(inventory, "hosts", ["web1"])
    assert "web-1" in caught.value.hint
    with pytest.raises(NoMatch, match="not in 'test'"):
        kinds.rows(inventory, "services", ["checkout@test"])
    with pytest.raises(BadInput, match="no kind"):
        kinds.rows(inventory, "hots")
    with pytest.raises(BadInput, match="have no hosts"):
        kinds.rows(inventory, "people", selectors=["env=prod"])


def test_the_schema_describes_every_key_that_the_loader_takes() -> None:
    schema = json_schema("inventory")
    json.dumps(schema)
    host = schema["properties"]["hosts"]["additionalProperties"]
    assert host["required"] == ["env"]
    assert host["additionalProperties"] is False
    assert host["properties"]["port"]["maximum"] == 65535
    assert all(field["description"] for field in host["properties"].values())
    deploy = schema["properties"]["services"]["additionalProperties"]["properties"]["deploy"]
    assert "additionalProperties" not in deploy
    with pytest.raises(BadInput, match="no schema"):
        json_schema("inventry")


def findings(folder: Path, text: str) -> str:
    (folder / "ondeck.yml").write_text("ondeck: 1\n" + text)
    return "\n".join(str(finding) for finding in check(load(folder), Registry().serves()))


def test_check_warns_of_what_hurts_at_night(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("")
    text = """\
environments:
  prod-eu: {}
  live: {protection: none}
  other: {protection: {rolback: type-name, deploy: two-person}}
hosts:
  a: {env: prod-eu, address: 10.0.0.1}
  b: {env: prod-eu, address: 10.0.0.1}
services:
  checkout:
    on: {prod-eu: "rol=web", live: group=web}
    deploy: {kind: command, drian: [x], undrain: [y], batches: [100%]}
"""
    (tmp_path / "ondeck.yml").touch(mode=0o644)
    found = findings(tmp_path, text)
    for expected in (
        "environments.prod-eu: looks like production and has no protection",
        "environments.live: looks like production and every protection is none",
        "environments.other.protection.rolback: no operation here",
        "did you mean rollback",
        "nobody who may pass them alone",
        "hosts.a: same address as b",
        "services.checkout.on.prod-eu: no host has a label 'rol'",
        "services.checkout.on.live: no host of live matches",
        "services.checkout: no health check",
        "services.checkout.deploy.drian: close to a field",
        "drain and undrain belong together",
        "old.yaml: only *.yml is read",
        "hosts: no service, backup or jump uses a, b",
    ):
        assert expected in found


def test_a_kind_that_is_nearly_one_that_is_served_is_a_warning_and_a_planned_system_a_note(
    tmp_path: Path,
) -> None:
    text = """\
environments: {lab: {}}
hosts: {a: {env: lab}}
services:
  one: {on: {lab: name=a}, deploy: {kind: relese-dir, path: /srv/one}}
  two: {on: {lab: name=a}, deploy: {kind: kubernetes}}
"""
    found = findings(tmp_path, text).splitlines()
    assert any(
        "warning: services.one.deploy" in line and "did you mean release-dir?" in line for line in found
    )
    assert any("note: services.two.deploy: nothing here works with kubernetes yet" in line for line in found)


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("{}", "exactly one of webhook and command"),
        ("{webhook: env:X, command: [a]}", "exactly one of webhook and command"),
        ("{webhok: env:X}", "'webhok' means nothing here"),
        ("{webhook: OPS_WEBHOOK}", "a reference such as env:OPS_WEBHOOK"),
        ("{webhook: 'ftp://ops.example.net/'}", "a reference such as env:OPS_WEBHOOK"),
        ("{command: page-oncall}", "a list of a program and its arguments"),
        ("{webhook: 'https://ops.example.net/services/1'}", "who reads this file can post there"),
        ("{webhook: env:X}", "no environment tells this channel"),
    ],
)
def test_check_says_when_a_channel_would_tell_nobody(tmp_path: Path, channel: str, said: str) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "ondeck.yml").write_text(
        f"ondeck: 1\nenvironments: {{prod: {{protection: confirm}}}}\nnotify: {{ops: {channel}}}\n"
    )
    found = [str(finding) for finding in check(load(tmp_path), Registry().serves())]
    assert any(said in text for text in found), found
    assert any("nobody is told when a job needs a person" in text for text in found)


def test_check_names_what_nothing_here_reaches(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        "environments: {prod: {protection: {evaporate: confirm, rollback: confirm, destroy: confirm}}}\n"
        "hosts: {a: {env: prod, transport: carrier-pigeon}, b: {env: prod}, c: {env: prod, transport: local}}\n"
        "clusters: {k: {kind: kubernetes, env: prod}}\n"
        "services: {shop: {on: {prod: host=b}, deploy: {kind: by-hand}}}\n",
    )
    for expected in (
        "environments.prod.protection.evaporate: no operation here has this name",
        "hosts.a.transport: no provider carries 'carrier-pigeon'",
        "clusters.k: nothing here works with kubernetes yet",
        "services.shop.deploy: nothing here works with by-hand yet",
    ):
        assert expected in found
    for fine in ("protection.rollback", "protection.destroy", "hosts.b.transport", "hosts.c.transport"):
        assert fine not in found


def test_check_names_files_that_anybody_may_change(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("hosts: {}\n")
    (tmp_path / "hosts.yml").chmod(0o666)
    assert "hosts.yml: anybody on this machine may change it" in findings(tmp_path, "")


def git(folder: Path, *words: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.net", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, env=environment)


def test_the_revision_is_read_from_git_without_running_its_hooks(tmp_path: Path) -> None:
    ops = tmp_path / "repo" / "ops"
    ops.mkdir(parents=True)
    (ops / "ondeck.yml").write_text("ondeck: 1\n")
    git(tmp_path / "repo", "init")
    assert revision.commit(ops) == ""
    git(tmp_path / "repo", "add", ".")
    git(tmp_path / "repo", "commit", "-m", "one")
    ran = tmp_path / "ran"
    git(tmp_path / "repo", "config", "core.fsmonitor", f"touch {ran}; false")
    head = subprocess.check_output(["git", "rev-parse", "--short=7", "HEAD"], cwd=ops, text=True).strip()
    assert revision.commit(ops) == head
    assert load(ops).revision.commit == head
    clean = revision.read(ops, digest="d")
    assert (clean.commit, clean.dirty, clean.behind, clean.digest) == (head, False, -1, "d")
    (ops / "ondeck.yml").write_text("ondeck: 1\n# changed\n")
    assert revision.read(ops).dirty
    assert not ran.exists()
    git(tmp_path / "repo", "config", "--unset", "core.fsmonitor")
    git(tmp_path / "repo", "pack-refs", "--all")
    assert revision.commit(ops) == head
    git(tmp_path / "repo", "checkout", "--detach")
    assert revision.commit(ops) == head


def test_behind_counts_what_the_upstream_had_at_the_last_fetch(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init")
    (origin / "ondeck.yml").write_text("ondeck: 1\n")
    git(origin, "add", ".")
    git(origin, "commit", "-m", "one")
    git(tmp_path, "clone", str(origin), "clone")
    git(origin, "commit", "--allow-empty", "-m", "two")
    assert revision.read(tmp_path / "clone").behind == 0
    git(tmp_path / "clone", "fetch")
    assert revision.read(tmp_path / "clone").behind == 1


def test_a_folder_outside_git_has_no_commit(tmp_path: Path) -> None:
    found = revision.read(tmp_path)
    assert (found.commit, found.dirty, found.behind) == ("", False, -1)


@pytest.mark.parametrize("head", ["ref: refs/../../etc/passwd", "ref: /etc/passwd", "garbage", ""])
def test_a_hostile_head_names_nothing(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head + "\n")
    assert revision.commit(tmp_path) == ""


def test_a_circle_of_symlinked_git_files_or_a_huge_head_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: .git\n")
    assert revision.commit(tmp_path) == ""
    (tmp_path / ".git").write_text("x" * 100_000)
    assert revision.commit(tmp_path) == ""
