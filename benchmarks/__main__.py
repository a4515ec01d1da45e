"""Measure, compare with targets.toml, print a table. `python -m benchmarks [MODULE ...]`."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Measured = list[tuple[str, float, str]]
"""(name below the module's table in targets.toml, figure, note)."""


def _targets() -> dict[str, dict[str, dict[str, Any]]]:
    with (Path(__file__).parent / "targets.toml").open("rb") as file:
        return tomllib.load(file)


def _measure(module: str) -> Measured | str:
    """What a module measured, or why it could not."""
    try:
        measure: Callable[[], Measured] = importlib.import_module(f"benchmarks.{module}").measure
        return measure()
    except (ImportError, OSError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"


def _rows(module: str, targets: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str, str, str]]:
    found = _measure(module)
    figures = {} if isinstance(found, str) else {name: (figure, note) for name, figure, note in found}
    for name, target in targets.items():
        if name not in figures:
            why = found if isinstance(found, str) else ""
            yield f"{module}.{name}", "not measured", str(target["limit"]), target["unit"], why
            continue
        figure, note = figures.pop(name)
        verdict = (
            "met" if figure <= target["limit"] else f"NOT MET: {target.get('reason', 'no reason known')}"
        )
        yield f"{module}.{name}", f"{figure:.4g}", str(target["limit"]), target["unit"], f"{verdict}  {note}"
    if figures:
        raise RuntimeError(f"benchmarks.{module} measured what has no target: {', '.join(figures)}")


def main(wanted: list[str]) -> int:
    """Print one line a target; a missed one is printed, not failed: figures inform, tests decide."""
    for module, targets in _targets().items():
        if wanted and module not in wanted:
            continue
        for name, figure, limit, unit, note in _rows(module, targets):
            print(f"{name:28} {figure:>14}  target {limit:>6} {unit:24} {note}", flush=True)
    return 0


sys.exit(main(sys.argv[1:]))
