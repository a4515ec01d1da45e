"""Archives on the bastion: found, summed and looked through before a byte of them goes anywhere."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from ondeck.errors import BadInput, Missing
from ondeck.text import safe_line
from providers.release.options import VERSION

_PIECE = 4 << 20
_MOST_ENTRIES = 500_000


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """An archive that was checked.

    Attributes:
        size: Bytes of the file.
        unpacked: Bytes of its content.
        entries: Files, folders and links in it.
    """

    path: str
    sha256: str
    size: int
    unpacked: int
    entries: int


def available(pattern: Path) -> list[str]:
    """Versions whose archive is there, newest file first.

    Raises:
        Missing: The folder is not there.
    """
    if not pattern.parent.is_dir():
        raise Missing(
            f"the folder of the archives is not there: {pattern.parent}",
            hint="see deploy.archives of the service",
        )
    before, _, after = pattern.name.partition("${version}")
    found: list[tuple[float, str]] = []
    for entry in pattern.parent.iterdir():
        name = entry.name
        version = name[len(before) : len(name) - len(after)]
        if (
            name.startswith(before)
            and name.endswith(after)
            and VERSION.fullmatch(version)
            and entry.is_file()
        ):
            found.append((entry.stat().st_mtime, version))
    return [version for _, version in sorted(found, reverse=True)]


def find(pattern: Path, version: str) -> Path | None:
    """The archive of a version, None when it is not there."""
    path = pattern.with_name(pattern.name.replace("${version}", version))
    return path if path.is_file() else None


def inspect(path: Path) -> Archive:
    """Compare its checksum with the file beside it and refuse what would leave its own folder.

    Raises:
        BadInput: No checksum beside it, another one, or an entry that is refused.
    """
    wanted = _recorded(path)
    digest = hashlib.sha256()
    for piece in pieces(path):
        digest.update(piece)
    if digest.hexdigest() != wanted:
        raise BadInput(
            f"checksum of {path.name} is {digest.hexdigest()[:12]}, but {path.name}.sha256 says {wanted[:12]}",
            where=str(path),
            hint="it was changed or copied half; build or fetch it again",
        )
    unpacked, entries = _look_through(path)
    return Archive(
        path=str(path), sha256=wanted, size=path.stat().st_size, unpacked=unpacked, entries=entries
    )


def pieces(path: Path) -> Iterator[bytes]:
    """The file in pieces of 4 MiB."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _recorded(path: Path) -> str:
    beside = path.with_name(path.name + ".sha256")
    try:
        text = beside.read_text("ascii", errors="replace").split()
    except OSError as error:
        raise BadInput(
            f"there is no checksum beside {path.name}",
            where=str(path),
            hint=f"write it with: sha256sum {path.name} > {beside.name}",
        ) from error
    value = text[0].lower() if text else ""
    if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise BadInput("this is not a sha256 as sha256sum writes it", where=str(beside))
    return value


def _look_through(path: Path) -> tuple[int, int]:
    size = count = 0
    links: set[PurePosixPath] = set()
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                refused = _refused(member, links)
                if refused:
                    raise BadInput(f"{safe_line(member.name)[:200]} {refused}: refused", where=str(path))
                size += member.size
                count += 1
                if count > _MOST_ENTRIES:
                    raise BadInput(f"more than {_MOST_ENTRIES} entries", where=str(path))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadInput(f"it cannot be read as a tar archive: {error}", where=str(path)) from error
    if not count:
        raise BadInput("the archive is empty", where=str(path))
    return size, count


def _refused(member: tarfile.TarInfo, links: set[PurePosixPath]) -> str:
    """Why an entry must not be unpacked; empty when it may. Remembers the links that it saw."""
    name = PurePosixPath(member.name)
    if name.is_absolute():
        return "is an absolute path"
    if ".." in name.parts:
        return "leaves its folder"
    if name.parts[:1] == (".ondeck",):
        return "is ondeck's own name"
    if not links.isdisjoint(name.parents):
        return "would be unpacked through a link"
    if member.issym() or member.islnk():
        links.add(name)
        return _link_refused(member, name)
    if not (member.isfile() or member.isdir()):
        return "is not a file, folder or link"
    if member.mode & 0o6000:
        return "has a set-user or set-group bit"
    return ""


def _link_refused(member: tarfile.TarInfo, name: PurePosixPath) -> str:
    target = PurePosixPath(member.linkname)
    if target.is_absolute():
        return f"links to the absolute path {safe_line(member.linkname)[:100]}"
    up = 0
    while up < len(target.parts) and target.parts[up] == "..":
        up += 1
    depth = len(name.parts) - 1 if member.issym() else 0
    # A `..` behind a name is refused too: that name may be a link itself.
    if up > depth or ".." in target.parts[up:]:
        return f"links out of its folder to {safe_line(member.linkname)[:100]}"
    return ""
