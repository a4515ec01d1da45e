"""The house stays as it was built: rooms, arrows, sizes, and nothing of the machine it was written on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

_ROOMS = ("ondeck", "providers", "tui", "lab", "tests", "benchmarks")
_LIMIT = 500
_BARRED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
# Spelt so that this file does not find itself.
_FORBIDDEN = re.compile(
    "|".join(["/wor" + "k/", "/root/" + r"\.", "artifact-" + "registry", "TO" + "DO", "FIX" + "ME"])
)
_HEAVY = (
    "textual",
    "rich",
    "asyncssh",
    "boto3",
    "botocore",
    "docker",
    "keyring",
    "secretstorage",
    "hvac",
    "requests",
)


def _tracked(checkout: Path) -> list[Path]:
    if not (checkout / ".git").exists():
        pytest.skip("this is no checkout of git")
    listed = subprocess.run(
        ["git", "-C", str(checkout), "-c", f"safe.directory={checkout}", "ls-files", "-z"],
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return [checkout / name for name in names if name and (checkout / name).is_file()]


def test_imports_go_one_way(checkout: Path) -> None:
    tool = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert tool, "import-linter is a development dependency"
    done = subprocess.run([tool, "--no-cache"], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_file_is_too_long_to_hold_in_the_head(checkout: Path) -> None:
    long = {
        str(path.relative_to(checkout)): lines
        for path in _tracked(checkout)
        if path.suffix == ".py" and (lines := path.read_text().count("\n")) > _LIMIT
    }
    assert not long


def test_modules_are_named_for_what_they_are(checkout: Path) -> None:
    named = [
        str(path.relative_to(checkout))
        for path in _tracked(checkout)
        if path.suffix == ".py" and _BARRED_NAMES & {path.stem, path.parent.name}
    ]
    assert not named


def test_no_file_tells_about_the_machine_it_was_written_on(checkout: Path) -> None:
    found = []
    for path in _tracked(checkout):
        text = path.read_bytes().decode(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if _FORBIDDEN.search(line):
                found.append(f"{path.relative_to(checkout)}:{number}: {line.strip()[:100]}")
    assert not found


def _loads(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print('MODULES', *sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    words = done.stdout.rpartition("MODULES")[2].split()
    return {name.partition(".")[0] for name in words}


@pytest.mark.skipif(find_spec("tui.main") is None, reason="there is no tui.main yet")
def test_help_loads_nothing() -> None:
    program = (
        "import sys\nsys.argv = ['ondeck', '--help']\nfrom tui.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code"
    )
    assert _loads(program).isdisjoint(_HEAVY)


def test_manifests_load_no_sdk(checkout: Path) -> None:
    names = [path.parent.name for path in (checkout / "providers").glob("*/manifest.py")]
    assert names
    program = "\n".join(f"import providers.{name}.manifest" for name in names)
    assert _loads(program).isdisjoint(_HEAVY)


def test_starting_the_demo_from_a_face_loads_no_ssh_library() -> None:
    assert "asyncssh" not in _loads("import lab.embedded.demo")


def test_every_room_is_a_package(checkout: Path) -> None:
    for room in _ROOMS[:4]:
        for path in (checkout / room).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path
