from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ondeck.inventory.loader import load
from ondeck.inventory.problems import InventoryProblems, Problem
from ondeck.text import is_safe

SAMPLE = Path(__file__).parents[2] / "sample-inventory"
LINES = [
    line for file in sorted(SAMPLE.glob("*.yml")) for line in file.read_text().splitlines() if line.strip()
]
ODD = [
    "---", "...", "%YAML 1.2", "&a x: *a", "<<: *a", "? [a]", "!!set {a}", "- a", "a: b: c", "\thosts:", "hosts: {}",
    "  ? x", "  '': y", "ondeck: 1",
    "ondeck: {a: b}", "zone: [UTC]", "ssh: text", "metrics: 1", "discover: {a: b}",
    "  web-[1:3]: {env: prod}", "  web-[3:1]: x", "{", "]", "'", '"\\x1b"', '  "\\0": {}', "  ~: ~", "  null:", "#",
    "hosts: {a: {env: prod, via: a}}",
    "services: {x: {on: {prod: 'service=x'}}}", "notify: {a: }", "people: {a: {login: }}",
]  # fmt: skip


def outcome(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "ondeck.yml").write_bytes(data)
        problems = problems_of(Path(name))
    assert problems is None or problems
    assert all(is_safe(str(problem)) and "\n" not in str(problem) for problem in problems or ())


def problems_of(root: Path) -> tuple[Problem, ...] | None:
    try:
        load(root)
    except InventoryProblems as caught:
        return caught.problems
    return None


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.sampled_from(LINES + ODD * 3), max_size=12))
def test_any_mix_of_lines_loads_or_is_told_what_is_wrong(lines: list[str]) -> None:
    outcome("\n".join(lines).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_told_what_is_wrong(data: bytes) -> None:
    outcome(data)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_a_sample_with_one_line_changed_loads_or_is_told_what_is_wrong(data: st.DataObject) -> None:
    text = (SAMPLE / "services.yml").read_text().splitlines() + (
        SAMPLE / "ondeck.yml"
    ).read_text().splitlines()
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.sampled_from(LINES + ODD) | st.text(max_size=30))
    outcome("\n".join(text).encode("utf-8", "surrogatepass"))
