from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws_place import aws, moto_session
from tests.contract.release_site import Make, Site

__all__ = ["aws", "make", "moto_session"]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    sites: list[Site] = []

    def build(**more: Any) -> Site:
        sites.append(Site(tmp_path / f"site{len(sites)}", **more))
        return sites[-1]

    yield build
    for site in sites:
        site.close()
