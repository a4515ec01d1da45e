"""Entry points of what is installed, read without `importlib.metadata`.

That module loads the standard library's e-mail, zip and csv readers: 40 ms of processor at every command and
every worker, to read a few lines of plain text.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

_FOLDERS = (".dist-info", ".egg-info")


def entry_points(group: str) -> dict[str, str]:
    """Name -> `package.module:attribute`; as with imports, what stands first on sys.path wins."""
    found: dict[str, str] = {}
    for folder in sys.path:
        for text in _declarations(Path(folder)):
            for name, target in _of_group(text, group):
                found.setdefault(name, target)
    return found or _of_other_finders(group)


def _declarations(folder: Path) -> Iterator[str]:
    try:
        found = sorted(path for path in folder.iterdir() if path.name.endswith(_FOLDERS))
    except OSError:
        return
    for path in found:
        try:
            yield (path / "entry_points.txt").read_text(encoding="utf-8")
        except OSError:
            continue


def _of_group(text: str, group: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == group and line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            # Extras behind the target, `module:attribute [extra]`, say what it needs, not where it is.
            yield name.strip(), target.partition("[")[0].strip()


def _of_other_finders(group: str) -> dict[str, str]:
    """Where distributions are no folders, as in a zip application, only the standard library knows."""
    from importlib.metadata import entry_points as all_of

    return {entry.name: entry.value for entry in all_of(group=group)}
