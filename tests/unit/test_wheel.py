from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ENVIRON = dict(os.environ)  # read now: tests run with a home of their own
OFFLINE = ("No matching distribution", "Failed to fetch", "error sending request", "Could not find a version")
PROBE = """
import sys
sys.path.insert(0, sys.argv[1])
import ondeck, lab.embedded.demo
from pathlib import Path
from ondeck import resources
from tui.app import theming
assert Path(ondeck.__file__).is_relative_to(sys.argv[1]), ondeck.__file__
assert Path(lab.embedded.demo.__file__).is_relative_to(sys.argv[1])
print(resources.themes())
print(resources.sample_inventory())
print(" ".join(theming.load().names()))
"""


@pytest.fixture(scope="module")
def unzipped(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    if subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
    ).returncode:
        argv = ["uv", "build", "--wheel", "-q", str(checkout), "--python", sys.executable, "-o", str(folder)]
    else:
        argv = [sys.executable, "-m", "pip", "wheel", str(checkout), "--no-deps", "-q", "-w", str(folder)]
    # The build fetches hatchling: with the settings of whoever runs the tests, not with those of a test's home.
    try:
        built = subprocess.run(argv, capture_output=True, text=True, check=False, env=ENVIRON)
    except FileNotFoundError:
        pytest.skip("neither pip nor uv is here to build a wheel")
    if built.returncode and not list(folder.glob("*.whl")) and any(word in built.stderr for word in OFFLINE):
        pytest.skip("hatchling, which builds the wheel, could not be fetched")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


@pytest.mark.slow
def test_a_wheel_carries_all_that_is_not_code(unzipped: Path, checkout: Path) -> None:
    for name in ("themes", "sample-inventory"):
        ours = {p.relative_to(checkout / name) for p in (checkout / name).rglob("*") if p.is_file()}
        theirs = {p.relative_to(unzipped / "ondeck/_data" / name)
                  for p in (unzipped / "ondeck/_data" / name).rglob("*") if p.is_file()}  # fmt: skip
        assert ours == theirs
    lab = checkout / "lab" / "embedded"
    wanted = {p.relative_to(lab) for p in lab.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert wanted <= {
        p.relative_to(unzipped / "lab/embedded") for p in (unzipped / "lab/embedded").rglob("*")
    }


@pytest.mark.slow
def test_an_installed_wheel_finds_themes_and_sample_inventory_in_itself(
    unzipped: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROBE, str(unzipped)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    themes, inventory, names = done.stdout.splitlines()
    assert Path(themes) == unzipped / "ondeck/_data/themes"
    assert Path(inventory) == unzipped / "ondeck/_data/sample-inventory"
    assert "dark" in names.split()
