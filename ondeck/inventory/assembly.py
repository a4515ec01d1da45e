"""Entries of all files put together: names expanded, given once, each a typed record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ondeck.inventory import values
from ondeck.inventory.events import Plain
from ondeck.inventory.fields import MISSING
from ondeck.inventory.model import (
    Account,
    Backup,
    Build,
    Channel,
    Cluster,
    Environment,
    Host,
    Person,
    SecretSource,
    Service,
    Stack,
)
from ondeck.inventory.patterns import expand, is_pattern
from ondeck.inventory.problems import Bad, Complaints, Path, listed, nearest, shown
from ondeck.inventory.tables import HOST, NAMED, SINGLE

BUILD: dict[str, Callable[..., Any]] = {
    "environments": Environment,
    "clusters": Cluster,
    "accounts": Account,
    "services": Service,
    "stacks": Stack,
    "backups": Backup,
    "builds": Build,
    "people": Person,
    "notify": Channel,
    "secrets": SecretSource,
}
PLACEHOLDER = "${name}"


class Assembly:
    """What the files say so far, and what is wrong with it."""

    def __init__(self) -> None:
        self.out = Complaints()
        self.hosts: dict[str, Host] = {}
        self.named: dict[str, dict[str, Any]] = {section: {} for section in BUILD}
        self.single: dict[str, Any] = {}
        self.files: dict[tuple[str, str], str] = {}
        self.pattern_of: dict[str, str] = {}
        self.folded: dict[str, str] = {}
        self.unread: frozenset[str] = frozenset()
        """Sections of which a part may stand in a file that could not be read."""

    def entry(self, section: str, name: str | None, value: Plain, line: int) -> None:
        """Take one entry of the file that is being read (`self.out.file`)."""
        if name is not None and section == "hosts":
            self._host(name, value, line)
        elif section in SINGLE:
            self._single(section, name, value)
        elif section in NAMED:
            self._named(section, name, value)
        elif ("", section) not in self.files:
            self.files["", section] = self.out.file
            known = [*SINGLE, *NAMED]
            self.out.add(
                (section,), "unknown section", nearest(section, known) or listed(known, 20), at_key=True
            )

    def file_of(self, section: str, name: str) -> tuple[str, Path]:
        """File and path of an entry, for a complaint that is found later."""
        if section == "hosts":
            file = self.hosts[name].origin.rpartition(":")[0]
            return file, ("hosts", self.pattern_of.get(name, name))
        return self.files.get((section, name), ""), (section, name)

    def _single(self, section: str, name: str | None, value: Plain) -> None:
        path: Path = (section,)
        field = SINGLE[section]
        if name is not None:
            # The stream hands a mapping over entry by entry; here it is one value again.
            held = self.single.setdefault(section, {})
            if (
                isinstance(held, dict)
                and self.files.setdefault(("", section), self.out.file) == self.out.file
            ):
                held[name] = value
                return
        if self._twice("", section, path):
            return
        self.single[section] = value
        if name is None and not isinstance(value, dict):
            self._convert(field.key, value, path)

    def finish_file(self) -> None:
        """Turn the sections with one value that this file gave as mappings into records."""
        for section, value in self.single.items():
            if isinstance(value, dict) and self.files["", section] == self.out.file:
                self._convert(section, value, (section,))

    def _convert(self, section: str, value: Plain, path: Path) -> None:
        try:
            self.single[section] = SINGLE[section].kind.read(value, path, self.out)
        except Bad as bad:
            self.single[section] = MISSING
            self.out.add(path, bad.message, bad.hint)

    def _named(self, section: str, name: str | None, value: Plain) -> None:
        if name is None:
            if value not in (None, {}):
                self.out.add((section,), f"expected a mapping of names, found {shown(value)}")
            return
        path: Path = (section, name)
        try:
            values.identifier(name)
        except Bad as bad:
            self.out.add(path, bad.message, bad.hint, at_key=True)
            return
        if self._twice(section, name, path):
            return
        try:
            attributes = NAMED[section].read(value, path, self.out)
        except Bad as bad:
            self.out.add(path, bad.message, bad.hint)
            return
        if attributes is not None:
            self.named[section][name] = BUILD[section](name=name, **attributes)

    def _twice(self, section: str, name: str, path: Path) -> bool:
        first = self.files.setdefault((section, name), self.out.file)
        if first == self.out.file and (section or name not in self.single):
            return False
        self.out.add(path, "this name is given twice", f"first in {first}", at_key=True)
        return True

    def _host(self, name: str, value: Plain, line: int) -> None:
        out = self.out
        try:
            if is_pattern(name):
                self._pattern(name, value, line)
                return
            values.identifier(name)
        except Bad as bad:
            out.add(("hosts", name), bad.message, bad.hint, at_key=True)
            return
        attributes = self._attributes(name, value)
        if attributes is None:
            return
        address = attributes.get("address")
        if address is None:
            attributes["address"] = name
        else:
            try:
                if "$" in address:
                    _fill(attributes, name)
                values.address(attributes["address"])
            except Bad as bad:
                out.add(("hosts", name, "address"), bad.message, bad.hint)
                return
        self._add(Host(name=name, origin=f"{out.file}:{line}", **attributes), name)

    def _attributes(self, name: str, value: Plain) -> dict[str, Any] | None:
        try:
            return HOST.read(value, ("hosts", name), self.out)
        except Bad as bad:
            self.out.add(("hosts", name), bad.message, bad.hint)
            return None

    def _pattern(self, pattern: str, value: Plain, line: int) -> None:
        names = expand(pattern)
        for name in names:
            values.identifier(name)
        attributes = self._attributes(pattern, value)
        if attributes is None:
            return
        address = attributes.get("address", PLACEHOLDER)
        try:
            addresses = expand(address) if is_pattern(address) else [address] * len(names)
            if len(addresses) != len(names):
                raise Bad(f"expected {len(names)} addresses for {len(names)} names, found {len(addresses)}")
            if len(names) > 1 and not is_pattern(address) and PLACEHOLDER not in address:
                raise Bad(
                    f"expected an address for each of {len(names)} hosts, found one for all",
                    "use ${name} or a range such as 10.0.0.[11:12]",
                )
            for name, one in zip(names, addresses, strict=True):
                filled = {**attributes, "address": one}
                _fill(filled, name)
                values.address(filled["address"])
                self.pattern_of[name] = pattern
                self._add(Host(name=name, origin=f"{self.out.file}:{line}", **filled), pattern)
        except Bad as bad:
            self.out.add(("hosts", pattern, "address"), bad.message, bad.hint)

    def _add(self, host: Host, key: str) -> None:
        name = host.name
        folded = name.lower()
        held = self.folded.setdefault(folded, name)
        if held != name:
            self.out.add(("hosts", key), f"host {name!r} and host {held!r} differ only in case", at_key=True)
        elif name in self.hosts:
            where = self.hosts[name].origin
            self.out.add(("hosts", key), f"host {name!r} is named twice", f"first at {where}", at_key=True)
        else:
            self.hosts[name] = host


def _fill(attributes: dict[str, Any], name: str) -> None:
    for key in ("address", "via"):
        if key in attributes:
            attributes[key] = _filled(attributes[key], name)
    if "labels" in attributes and any("${" in text for text in attributes["labels"].values()):
        attributes["labels"] = {key: _filled(text, name) for key, text in attributes["labels"].items()}


def _filled(text: str, name: str) -> str:
    if "${" not in text:
        return text
    filled = text.replace(PLACEHOLDER, name)
    if "${" in filled:
        raise Bad(f"expected no placeholder but ${{name}}, found {shown(text)}")
    return filled
