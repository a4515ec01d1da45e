from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.release_site import Site

Make = Callable[..., Site]


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


async def test_a_good_release_is_unpacked_switched_and_waited_for(make: Make) -> None:
    site = make(hosts=2)
    site.build("1.0")
    found, log = await site.do("deploy", version="1.0")
    assert [f.outcome for f in found.values()] == ["succeeded", "succeeded"]
    assert "http 200" in found["web-1"].evidence
    assert (site.current("web-1"), site.current("web-2")) == ("1.0", "1.0")
    assert site.bench.facts["running shop@prod"].startswith("1.0 sha256:")
