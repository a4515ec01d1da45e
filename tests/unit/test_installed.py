from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from ondeck.installed import entry_points
from ondeck.registry import GROUP


def install(site: Path, name: str, text: str) -> None:
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "entry_points.txt").write_text(text)


def test_they_are_those_of_the_standard_library() -> None:
    for group in (GROUP, "console_scripts", "pytest11"):
        expected = {entry.name: entry.value for entry in metadata.entry_points(group=group)}
        assert entry_points(group) == {
            name: value.partition("[")[0].strip() for name, value in expected.items()
        }


def test_comments_extras_and_other_groups_are_no_entries_and_the_first_on_the_path_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path / "first",
        "mine",
        "[other]\na = x:Y\n\n[ours]\n# a = no\n; b = no\none = m.one:A [extra]\ntwo=m.two:B\n\n[more]\nthree = m:C\n",
    )
    install(tmp_path / "second", "theirs", "[ours]\none = evil:A\nfour = m.four:D\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), "/nowhere", str(tmp_path / "second")])
    assert entry_points("ours") == {"one": "m.one:A", "two": "m.two:B", "four": "m.four:D"}
