"""What builds made, as it was seen when they ended: newest first, kept beside the work of each build."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

_KEPT = 50


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact; at in ns, texts are safe.

    Attributes:
        id: What the builder calls it: an image's id; of a file the commit and its path, `1a2b3c4:out/x.img`.
        commit: That it was built from.
        files: Absolute paths of files on this machine.
    """

    id: str
    builder: str
    at: int
    job: str
    commit: str
    said: str = ""
    files: tuple[str, ...] = ()


class Shelf:
    """The artifacts of one build."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self._file = work / "artifacts.json"

    @property
    def trees(self) -> Path:
        """Checkouts."""
        path = self.work / "trees"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def vars(self) -> Path:
        """Variables of the inventory, as the program reads them."""
        path = self.work / "vars"
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def made(self) -> list[Made]:
        """All that is remembered, newest first.

        Raises:
            msgspec.DecodeError: The file is damaged.
        """
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[Made])
        except FileNotFoundError:
            return []

    def add(self, found: list[Made]) -> None:
        """Remember these, each once."""
        new = {(one.job, one.builder, one.id) for one in found}
        kept = [one for one in self.made() if (one.job, one.builder, one.id) not in new]
        write_private(self._file, msgspec.json.encode([*found, *kept][:_KEPT]))

    def holds(self, tree: Path) -> bool:
        """A checkout holds files that a build made."""
        return any(Path(file).is_relative_to(tree) for one in self.made() for file in one.files)


def write_private(file: Path, data: bytes) -> None:
    """Write beside and rename over, for our eyes only."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(data)
    beside.replace(file)
