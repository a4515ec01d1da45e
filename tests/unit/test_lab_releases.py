"""The archives of the demo's shop: the same everywhere, and good enough for the provider that reads them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from lab.embedded.releases import RELEASES, Release, archive, build
from providers.release.archive import available, inspect


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_an_archive_is_the_same_bytes_each_time(release: Release) -> None:
    assert archive(release) == archive(release)


def test_an_archive_has_no_folder_around_it_and_knows_its_version() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(RELEASES[0]))) as tar:
        member = tar.extractfile("VERSION")
        assert member is not None
        assert member.read().decode().strip() == RELEASES[0].version
        assert tar.getmember("bin/restart").mode == 0o755


def test_the_provider_accepts_every_archive_newest_first(tmp_path: Path) -> None:
    sums = build(tmp_path / "releases", 1_800_000_000)
    assert available(tmp_path / "releases/checkout-${version}.tar.gz") == [
        "2.16.0",
        "2.15.0",
        "2.14.0",
        "2.13.2",
    ]
    for version, digest in sums.items():
        path = tmp_path / f"releases/checkout-{version}.tar.gz"
        assert inspect(path).sha256 == digest == hashlib.sha256(path.read_bytes()).hexdigest()
