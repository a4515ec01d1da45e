"""Reads hosts out of an ssh_config, for `ondeck init`. Nothing is run: `Match` blocks are left out.

Only what can become a host of an inventory is taken: `Host` lines without wildcards, with HostName, User,
Port and ProxyJump. First value wins, and blocks with wildcards give their values to the hosts that they
match, as ssh_config(5) says.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from ondeck.errors import BadInput
from ondeck.inventory.sources import Found, Source

_LINE = re.compile(r"\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*?)\s*")
_TAKEN = frozenset({"hostname", "user", "port", "proxyjump"})
_INCLUDES = 16


def read(path: Path) -> Source:
    """The hosts of one ssh_config and the files that it includes.

    Raises:
        BadInput: It cannot be read.
    """
    source = Source(name=f"ssh_config:{path.name}")
    blocks = list(_blocks(path, source, 0, path.parent))
    names = list(
        dict.fromkeys(word for patterns, _ in blocks for word in patterns if not set(word) & set("*?!"))
    )
    words = [word for patterns, _ in blocks for word in patterns]
    wild = dict.fromkeys(word for word in words if set(word) & set("*?") and word[0] != "!" and word != "*")
    if wild:
        source.notes.append(f"these patterns name no host and became none: {', '.join(wild)}")
    for name in names:
        source.hosts.append(_host(name, blocks, source))
    return source


_Block = tuple[list[str], dict[str, str]]


def _host(name: str, blocks: list[_Block], source: Source) -> Found:
    found: dict[str, str] = {}
    for patterns, options in blocks:
        if _fits(name, patterns):
            for key, value in options.items():
                found.setdefault(key, value)
    via = found.get("proxyjump", "")
    if via.lower() == "none":
        via = ""
    if "," in via:
        source.notes.append(f"{name}: a chain of jump hosts, only the last one was taken: {via}")
        via = via.rpartition(",")[2]
    address = found.get("hostname", "").replace("%h", name).replace("%%", "%")
    return Found(
        name=name,
        source=source.name,
        address=address,
        port=found.get("port", ""),
        user=found.get("user", ""),
        via=via,
    )


def _fits(name: str, patterns: list[str]) -> bool:
    if any(word.startswith("!") and fnmatchcase(name, word[1:]) for word in patterns):
        return False
    return any(not word.startswith("!") and fnmatchcase(name, word) for word in patterns)


def _blocks(path: Path, source: Source, depth: int, folder: Path) -> Iterator[_Block]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        if depth:
            source.notes.append(f"{path} is included and cannot be read: {error.strerror}")
            return
        raise BadInput(f"the ssh_config cannot be read: {error.strerror}", where=str(path)) from error
    current: _Block = (["*"], {})
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#") or not (match := _LINE.fullmatch(line)):
            continue
        key, value = match[1].lower(), match[2]
        if key == "host":
            yield current
            current = (_words(value), {})
        elif key == "match":
            yield current
            current = ([], {})
            source.notes.append(f"{path.name}:{number}: a Match block was left out")
        elif key == "include":
            yield current
            current = (current[0], {})
            yield from _included(value, source, depth, folder)
        elif key in _TAKEN and current[0]:
            current[1].setdefault(key, value.strip('"'))
    yield current


def _included(value: str, source: Source, depth: int, folder: Path) -> Iterator[_Block]:
    if depth >= _INCLUDES:
        source.notes.append("includes are nested too deeply, the rest was left out")
        return
    for word in _words(value):
        place = Path(word).expanduser()
        if place.is_absolute():
            anchor, pattern = Path(place.anchor), str(place.relative_to(place.anchor))
        else:
            anchor, pattern = folder, word
        for path in sorted(anchor.glob(pattern)):
            yield from _blocks(path, source, depth + 1, folder)


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()
