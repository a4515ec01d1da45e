"""The README's support table: every kind that is served stands in it, and what it calls real is run by the lab."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from ondeck.registry import Registry

_WORDS = ("real", "recorded", "stand-in", "docs only", "-")
_TEST = re.compile(r"`(tests/[a-z_/]+\.py)`")
_KIND = re.compile(r"`([a-z-]+)`")
_STANDS_IN = re.compile(r"^from lab\.aws\b|\bmoto\b", re.MULTILINE)

_SHARED = re.compile(r"\b(real_hosts|trusted|deployed|aws)\b")  # fixtures of the whole folder


class Support(msgspec.Struct, frozen=True):
    """One row of the table."""

    system: str
    works: str
    tested: str

    @property
    def word(self) -> str:
        """How far it was tested: one of `_WORDS`."""
        return next((word for word in _WORDS if re.match(rf"{word}(:|$)", self.tested)), "")

    @property
    def tests(self) -> tuple[str, ...]:
        """Files that it names."""
        return tuple(_TEST.findall(self.tested))


def table(page: str) -> list[Support]:
    """The rows below `| system |`."""
    lines = page[page.index("| system |") :].splitlines()[2:]
    cells = (line.strip("|").split(" | ") for line in lines[: lines.index("")])
    return [Support(*(cell.strip() for cell in row)) for row in cells]


def reach(checkout: Path, test: str, *, shared: bool = True) -> set[str]:
    """A test's file and every file of the tests that it stands on, `shared` fixtures with them."""
    found: set[str] = set()
    todo = [test]
    while todo:
        name = todo.pop()
        if name in found or not (checkout / name).exists():
            continue
        found.add(name)
        text = (checkout / name).read_text()
        imported = re.findall(r"^from (tests\.[\w.]+) import", text, re.MULTILINE)
        todo += [f"{module.replace('.', '/')}.py" for module in imported]
        if shared and _SHARED.search(text):
            todo.append("tests/lab/conftest.py")
    return found - {"tests/required.py"}


@pytest.fixture
def rows(checkout: Path) -> list[Support]:
    return table((checkout / "README.md").read_text())


def test_every_row_says_how_far_it_was_tested(rows: list[Support]) -> None:
    assert len(rows) > 12
    assert [row.system for row in rows if not row.word] == []


def test_every_kind_that_is_served_stands_in_the_table(rows: list[Support]) -> None:
    named = {kind for row in rows if row.word != "-" for kind in _KIND.findall(row.system + row.works)}
    served = {
        kind for manifest in Registry().manifests() for kinds in manifest.kinds.values() for kind in kinds
    }
    assert served - named == set()


def test_what_is_called_real_or_a_stand_in_names_tests_that_are_there(
    rows: list[Support], checkout: Path
) -> None:
    for row in rows:
        if row.word in ("real", "stand-in"):
            assert row.tests, row.system
            for test in row.tests:
                text = (checkout / test).read_text()
                assert re.search(r"^(async )?def test_|^class Test|\(\w+Suite\)", text, re.MULTILINE), test


def test_nothing_that_runs_against_a_stand_in_is_called_real(rows: list[Support], checkout: Path) -> None:
    for row in rows:
        for test in row.tests:
            if test.startswith("tests/lab/"):
                stands_in = any(
                    _STANDS_IN.search((checkout / name).read_text())
                    for name in reach(checkout, test, shared=False)
                )
                assert stands_in is (row.word == "stand-in"), f"{row.system}: {test}"


def test_a_lab_test_of_the_table_fails_in_ci_where_its_system_is_missing(
    rows: list[Support], checkout: Path
) -> None:
    """Each of them says so through `tests.required.cannot`, itself or through its fixtures."""
    asking = {
        path.relative_to(checkout).as_posix()
        for path in (checkout / "tests").rglob("*.py")
        if "cannot(" in path.read_text()
    }
    for row in rows:
        for test in row.tests:
            if test.startswith("tests/lab/"):
                assert reach(checkout, test) & asking, test
