from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ondeck.errors import BadInput, Missing
from providers.release.archive import available, inspect


def member(name: str, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(info, key, value)
    return info


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(b"x" * info.size) if info.isfile() else None)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")
    return path


def link(name: str, to: str, *, hard: bool = False) -> tarfile.TarInfo:
    return member(name, type=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, linkname=to)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([member("/etc/passwd")], "absolute"),
        ([member("../out")], "leaves its folder"),
        ([member("a/../../out")], "leaves its folder"),
        ([link("l", "/etc")], "absolute path"),
        ([link("l", "../out")], "out of its folder"),
        ([link("a/l", "../../out")], "out of its folder"),
        ([link("l", "a/../../out")], "out of its folder"),
        ([link("d", "."), link("d/l", "x")], "through a link"),
        ([link("d", "sub"), member("d/file", size=1)], "through a link"),
        ([link("h", "../etc/passwd", hard=True)], "out of its folder"),
        ([member("dev", type=tarfile.CHRTYPE)], "not a file"),
        ([member("fifo", type=tarfile.FIFOTYPE)], "not a file"),
        ([member("su", mode=0o4755)], "set-user"),
        ([member(".ondeck/release.json")], "own name"),
        ([], "empty"),
    ],
)
def test_an_archive_that_would_leave_its_folder_is_refused(
    tmp_path: Path, members: list[tarfile.TarInfo], why: str
) -> None:
    with pytest.raises(BadInput, match=why):
        inspect(archive(tmp_path / "a.tar.gz", *members))


def test_a_link_inside_the_release_is_fine(tmp_path: Path) -> None:
    found = inspect(
        archive(tmp_path / "a.tar.gz", member("a/f", size=3), link("b/l", "../a/f"), link("m", "a"))
    )
    assert (found.unpacked, found.entries) == (3, 3)


part = st.sampled_from(["a", "b", "..", ".", "l", "m"])
paths = st.lists(part, min_size=1, max_size=4).map("/".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(paths, st.one_of(st.none(), paths)), min_size=1, max_size=5))
def test_whatever_is_accepted_stays_in_its_folder(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str | None]]
) -> None:
    base = tmp_path_factory.mktemp("tar")
    path = archive(
        base / "a.tar.gz", *(member(n, size=1) if to is None else link(n, to) for n, to in entries)
    )
    try:
        inspect(path)
    except BadInput:
        return
    inside = base / "in"
    inside.mkdir()
    subprocess.run(["tar", "-xf", path, "-C", inside, "-o"], capture_output=True, check=False)
    assert sorted(p.name for p in base.iterdir()) == ["a.tar.gz", "a.tar.gz.sha256", "in"]
    for found in inside.rglob("*"):
        real = Path(str(found.resolve(strict=False))) if not _loops(found) else inside
        assert real == inside.resolve() or inside.resolve() in real.parents


def _loops(path: Path) -> bool:
    try:
        path.resolve()
    except (OSError, RuntimeError):
        return True
    return False


def test_a_missing_or_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", member("f", size=1))
    beside = tmp_path / "a.tar.gz.sha256"
    beside.write_text("0" * 64)
    with pytest.raises(BadInput, match="checksum"):
        inspect(path)
    beside.write_text("nonsense")
    with pytest.raises(BadInput, match="not a sha256"):
        inspect(path)
    beside.unlink()
    with pytest.raises(BadInput, match="no checksum"):
        inspect(path)


def test_a_cut_off_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.tar.gz", member("f", size=100000))
    path.write_bytes(path.read_bytes()[:-40])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "a.tar.gz.sha256").write_text(digest)
    with pytest.raises(BadInput, match="cannot be read"):
        inspect(path)


def test_an_absent_folder_is_not_an_empty_list(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        available(tmp_path / "nowhere" / "shop-${version}.tar.gz")
