from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ondeck.errors import BadInput
from ondeck.inventory import cache as kept
from ondeck.inventory import events, members
from ondeck.inventory.checking import check
from ondeck.inventory.loader import load
from ondeck.inventory.model import Inventory, Nature, Protection
from ondeck.inventory.problems import InventoryProblems
from ondeck.registry import Registry

BROKEN = Path(__file__).parent / "inventory" / "broken"
SAMPLE = Path(__file__).parents[2] / "sample-inventory"
HEAD = "ondeck: 1\nenvironments:\n  prod: {protection: confirm}\n"


def write(folder: Path, text: str, name: str = "ondeck.yml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder


def hosts(folder: Path, text: str) -> Inventory:
    return load(write(folder, HEAD + "hosts:\n" + text))


@pytest.mark.parametrize("folder", sorted(BROKEN.iterdir()), ids=lambda folder: folder.name)
def test_a_broken_inventory_names_every_problem_with_its_place(folder: Path) -> None:
    with pytest.raises(InventoryProblems) as caught:
        load(folder)
    found = "".join(f"{problem}\n" for problem in caught.value.problems)
    assert found == (folder / "expected.txt").read_text()
    assert found


def test_the_sample_loads_and_its_hosts_are_the_demo_ones() -> None:
    inventory = load(SAMPLE)
    addresses = {name: (host.address, host.port, host.user) for name, host in inventory.hosts.items()}
    assert addresses == {
        "web-1": ("127.77.0.11", 2222, "ops"),
        "web-2": ("127.77.0.12", 2222, "ops"),
        "web-3": ("127.77.0.13", 2222, "ops"),
        "lb-1": ("127.77.0.21", 2222, "ops"),
        "db-1": ("127.77.0.31", 2222, "ops"),
        "stg-1": ("127.77.0.41", 2222, "ops"),
    }
    checkout = inventory.services["checkout"]
    assert [host.name for host in members.hosts_of(inventory, checkout, "prod")] == [
        "web-1",
        "web-2",
        "web-3",
    ]
    assert [host.name for host in members.hosts_of(inventory, checkout, "staging")] == ["stg-1"]
    assert inventory.environments["prod"].protection["rollback"] is Protection.TYPE_NAME
    assert inventory.environments["prod"].protection["exec"] is Protection.CONFIRM
    assert inventory.ssh.known_hosts == str(SAMPLE / "known_hosts")


def test_the_sample_has_no_warnings() -> None:
    assert [
        finding for finding in check(load(SAMPLE), Registry().serves()) if finding.severity == "warning"
    ] == []


def test_patterns_count_in_step_and_keep_their_zeros(tmp_path: Path) -> None:
    found = hosts(
        tmp_path,
        '  lb-[1:2]: {env: prod, address: "10.0.0.[11:12]", labels: {cert: "${name}.pem"}}\n'
        '  web-[08:10]: {env: prod, address: "${name}.example.net"}\n'
        "  rack[1:2]-[a]x: {env: prod}\n".replace("-[a]x", "-[1:2]"),
    ).hosts
    assert {name: host.address for name, host in found.items()} == {
        "lb-1": "10.0.0.11",
        "lb-2": "10.0.0.12",
        "web-08": "web-08.example.net",
        "web-09": "web-09.example.net",
        "web-10": "web-10.example.net",
        "rack1-1": "rack1-1",
        "rack1-2": "rack1-2",
        "rack2-1": "rack2-1",
        "rack2-2": "rack2-2",
    }
    assert found["lb-2"].labels == {"cert": "lb-2.pem"}


def test_scalars_stay_text_until_their_field_says_what_they_are(tmp_path: Path) -> None:
    found = hosts(
        tmp_path,
        "  web-1: {env: prod, nature: pet, never_together: yes, thresholds: {disk: 70/85}, "
        "labels: {version: 1.10, country: no, when: 2026-01-01, octal: 010, empty: ''}}\n",
    ).hosts["web-1"]
    assert found.labels == {
        "version": "1.10",
        "country": "no",
        "when": "2026-01-01",
        "octal": "010",
        "empty": "",
    }
    assert found.nature is Nature.PET
    assert found.never_together is True
    assert (found.thresholds["disk"].warn, found.thresholds["disk"].bad) == (70, 85)


def test_a_host_knows_the_line_that_names_it(tmp_path: Path) -> None:
    assert hosts(tmp_path, "  a: {env: prod}\n  b: {env: prod}\n").hosts["b"].origin == "ondeck.yml:6"


def test_all_files_of_the_folder_are_one_inventory(tmp_path: Path) -> None:
    write(tmp_path, "hosts: {a: {env: prod}}\nzone: Europe/Paris\n", "more.yml")
    write(tmp_path, "hosts: [broken\n", "notes.yaml")
    write(tmp_path, "hosts: [broken\n", ".hidden.yml")
    inventory = hosts(tmp_path, "  b: {env: prod}\n")
    assert set(inventory.hosts) == {"a", "b"}
    assert inventory.zone == "Europe/Paris"


def test_a_section_with_one_value_is_taken_from_one_file_only(tmp_path: Path) -> None:
    write(tmp_path, "ssh: {user: a}\n", "a.yml")
    write(tmp_path, "ssh: {become: sudo}\n", "b.yml")
    write(tmp_path, HEAD)
    with pytest.raises(InventoryProblems, match="given twice"):
        load(tmp_path)


def test_the_cache_gives_the_same_inventory_and_the_key_is_the_content(tmp_path: Path) -> None:
    root, cache = tmp_path / "ops", tmp_path / "cache"
    first = load(write(root, HEAD + "hosts: {a: {env: prod}}\n"), cache=cache)
    (file,) = cache.glob("inventory-*")
    assert file.stat().st_mode & 0o777 == 0o600
    assert load(root, cache=cache) == first
    changed = load(write(root, HEAD + "hosts: {b: {env: prod}}\n"), cache=cache)
    assert set(changed.hosts) == {"b"}
    assert changed.revision.digest != first.revision.digest


def test_a_cached_inventory_moves_with_its_folder(tmp_path: Path) -> None:
    text = HEAD + "ssh: {known_hosts: ./known_hosts}\n"
    load(write(tmp_path / "one", text), cache=tmp_path / "cache")
    moved = load(write(tmp_path / "two", text), cache=tmp_path / "cache")
    assert moved.ssh.known_hosts == str(tmp_path / "two" / "known_hosts")
    assert moved.revision.root == str(tmp_path / "two")


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"not msgpack", b"\x80"])
def test_a_broken_cache_is_ignored_and_written_again(tmp_path: Path, damage: bytes) -> None:
    root, cache = write(tmp_path / "ops", HEAD), tmp_path / "cache"
    first = load(root, cache=cache)
    (file,) = cache.glob("inventory-*")
    file.write_bytes(damage)
    assert load(root, cache=cache) == first
    assert kept.read(cache, first.revision.digest) is not None


def test_a_cache_that_others_may_write_is_not_trusted(tmp_path: Path) -> None:
    root, cache = write(tmp_path / "ops", HEAD), tmp_path / "cache"
    digest = load(root, cache=cache).revision.digest
    (file,) = cache.glob("inventory-*")
    file.chmod(0o666)
    assert kept.read(cache, digest) is None


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    assert load(write(tmp_path / "ops", HEAD), cache=tmp_path / "cache").environments


def test_the_collector_is_as_it_was_after_loading(tmp_path: Path) -> None:
    load(write(tmp_path, HEAD))
    assert gc.isenabled()
    with pytest.raises(InventoryProblems):
        load(write(tmp_path, "hosts: ["))
    assert gc.isenabled()
    gc.disable()
    try:
        load(write(tmp_path, HEAD))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_pipe_in_place_of_a_file_does_not_hold_the_start(tmp_path: Path) -> None:
    os.mkfifo(write(tmp_path, HEAD) / "hosts.yml")
    with pytest.raises(InventoryProblems, match="not a regular file"):
        load(tmp_path)


@pytest.mark.parametrize("make", ["missing", "file", "empty"])
def test_what_is_no_inventory_is_said_plainly(tmp_path: Path, make: str) -> None:
    root = tmp_path / "ops"
    if make == "file":
        root.write_text("")
    if make == "empty":
        root.mkdir()
    with pytest.raises(BadInput, match="inventory"):
        load(root)


def test_fast_and_slow_reading_see_the_same(tmp_path: Path) -> None:
    from ondeck.inventory import positions

    for file in SAMPLE.glob("*.yml"):
        data = file.read_bytes()
        fast: dict[str, object] = {}

        def take(
            section: str, name: str | None, value: object, line: int, into: dict[str, object] = fast
        ) -> None:
            if name is None:
                into[section] = value
            else:
                held = into.setdefault(section, {})
                assert isinstance(held, dict)
                held[name] = value

        events.read(data, take)
        slow = positions.read(file.name, data)
        assert slow.problems == []
        assert slow.data == fast


def test_a_cached_inventory_is_loaded_without_importing_yaml(tmp_path: Path) -> None:
    load(SAMPLE, cache=tmp_path)
    code = (
        "import sys; from pathlib import Path; from ondeck.inventory.loader import load; "
        "load(Path(sys.argv[1]), cache=Path(sys.argv[2])); "
        "print(sorted({'yaml', 'subprocess', 'difflib', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(SAMPLE), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def problems_of(folder: Path) -> str:
    with pytest.raises(InventoryProblems) as caught:
        load(folder)
    return "\n".join(map(str, caught.value.problems))


def test_errors_of_other_files_come_with_a_syntax_error_of_one(tmp_path: Path) -> None:
    write(tmp_path, HEAD)
    write(tmp_path, "people:\n  anna: {login: [anna\n", "people.yml")
    write(tmp_path, "hosts:\n  web-1: {env: prdo}\n  web-2: {env: prod, via: web-11}\n", "hosts.yml")
    write(
        tmp_path,
        "services:\n  shop:\n    on: {prod: 'group=('}\n    needs: [nosuch]\n"
        "  shop-2:\n    health: {tcp: '1', every: 5}\n",
        "services.yml",
    )
    said = problems_of(tmp_path)
    for place in (
        "people.yml:",
        "hosts.yml:2:16: hosts.web-1.env",
        "hosts.web-2.via",
        "services.shop.on.prod",
        "services.shop.needs[0]",
        "services.shop-2.health.every",
    ):
        assert place in said, said


def test_what_the_broken_file_may_hold_is_not_complained_of(tmp_path: Path) -> None:
    write(tmp_path, "environments:\n  prod: {protection: [confirm\nnotify: {}\n")
    write(tmp_path, "hosts:\n  web-1: {env: prod}\n  web-2: {env: staging, via: jump}\n", "hosts.yml")
    said = problems_of(tmp_path)
    assert "hosts.web-1" not in said, "prod is in the file that cannot be read"
    assert "hosts.web-2.env" not in said, "so may be staging"
    assert "hosts.web-2.via" in said, "no host is in that file"
    assert "expected the schema's version" in said, "nor is the version"


def test_a_broken_file_that_shows_no_section_may_hold_any(tmp_path: Path) -> None:
    write(tmp_path, "{]")
    write(tmp_path, "hosts:\n  web-1: {env: prod, via: jump, nosuch: 1}\n", "hosts.yml")
    said = problems_of(tmp_path)
    assert "hosts.web-1.nosuch" in said
    assert "hosts.web-1.env" not in said
    assert "hosts.web-1.via" not in said
