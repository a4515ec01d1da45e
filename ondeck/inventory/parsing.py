"""Contents of files to records: fast and without positions, or once more and slowly to say what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ondeck.inventory import events, positions, references
from ondeck.inventory.assembly import Assembly
from ondeck.inventory.model import Inventory, Revision
from ondeck.inventory.problems import Complaint, InventoryProblems, Problem, dotted
from ondeck.inventory.problems import Path as ProblemPath
from ondeck.inventory.tables import NAMED, SINGLE

_SECTION = re.compile(rb"([a-z_]+)[\"']?[ \t]*:")


def parse(files: list[tuple[str, bytes]], digest: str, root: Path) -> Inventory:
    """The records of all files; its revision has only the digest yet.

    Args:
        files: Names and contents, in order.
        digest: Of the files.
        root: Their folder, for messages.

    Raises:
        InventoryProblems: Something is wrong; the files are then read again for the places of everything.
    """
    assembly = Assembly()
    try:
        for name, data in files:
            data.decode("utf-8")
            assembly.out.file = name
            events.read(data, assembly.entry)
            assembly.finish_file()
    except (events.Irregular, events.YamlError, UnicodeDecodeError):
        raise _everything_wrong(files, root) from None
    references.check(assembly)
    if assembly.out.found:
        raise _complained(files, root, assembly.out.found)
    single: dict[str, Any] = {key: value for key, value in assembly.single.items() if key != "ondeck"}
    named: dict[str, Any] = assembly.named
    return Inventory(revision=Revision(root="", digest=digest), hosts=assembly.hosts, **named, **single)


def _everything_wrong(files: list[tuple[str, bytes]], root: Path) -> InventoryProblems:
    assembly = Assembly()
    reads: dict[str, positions.Read] = {}
    problems: list[Problem] = []
    for name, data in files:
        assembly.out.file = name
        wrong = _not_utf8(name, data)
        if wrong is not None:
            reads[name] = positions.Read(problems=[wrong], broken=True)
        else:
            reads[name] = positions.read(name, data)
            _feed(assembly, reads[name])
        problems += reads[name].problems
    assembly.unread = _unread(data for name, data in files if reads[name].broken)
    references.check(assembly)
    problems += _with_places(assembly.out.found, reads, {(one.file, one.key) for one in problems if one.key})
    return _told(problems, root)


def _unread(broken: Iterable[bytes]) -> frozenset[str]:
    """Sections that these files may hold: every one that they name, or all where they name none."""
    found: set[str] = set()
    known = {*SINGLE, *NAMED}
    for data in broken:
        named = known.intersection(word.decode() for word in _SECTION.findall(data))
        found |= named if named or not data.strip() else known
    return frozenset(found)


def _complained(files: list[tuple[str, bytes]], root: Path, found: list[Complaint]) -> InventoryProblems:
    """The YAML is plain and every complaint is known: only their places are missing."""
    entries: dict[str, set[ProblemPath]] = {}
    for complaint in found:
        entries.setdefault(complaint.file, set()).add(complaint.path[:2])
    reads = {name: positions.read(name, data, entries[name]) for name, data in files if name in entries}
    return _told(_with_places(found, reads, set()), root)


def _with_places(
    found: list[Complaint], reads: dict[str, positions.Read], structural: set[tuple[str, str]]
) -> list[Problem]:
    problems = []
    for complaint in found:
        key = dotted(complaint.path)
        if any(file == complaint.file and wrong.startswith(key) for file, wrong in structural):
            continue  # only the consequence of what is already told
        line, column = reads[complaint.file].place(complaint.path, at_key=complaint.at_key)
        problems.append(
            Problem(
                file=complaint.file,
                line=line,
                column=column,
                key=key,
                message=complaint.message,
                hint=complaint.hint,
            )
        )
    return problems


def _told(problems: list[Problem], root: Path) -> InventoryProblems:
    problems.sort(key=lambda problem: (problem.file, problem.line, problem.column))
    return InventoryProblems(dict.fromkeys(problems), root=str(root))


def _feed(assembly: Assembly, read: positions.Read) -> None:
    data: Any = read.data
    if not isinstance(data, dict):
        return
    for section, value in data.items():
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                line, _ = read.place((section, name), at_key=True)
                assembly.entry(section, name, inner, line)
        else:
            assembly.entry(section, None, value, read.place((section,), at_key=True)[0])
    assembly.finish_file()


def _not_utf8(name: str, data: bytes) -> Problem | None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        return Problem(
            file=name,
            line=before.count(b"\n") + 1,
            column=len(before) - (before.rfind(b"\n") + 1) + 1,
            message=f"expected UTF-8, found byte 0x{data[error.start]:02x}",
            hint="save the file as UTF-8",
        )
    return None
