"""Reads Ansible inventories, INI and YAML, without Ansible: hosts, groups and the variables of a connection.

Nothing is run: no plug-ins, no templates, no vault. A value that holds a template (`{{ ... }}`) is left out
and said so. Formats: "How to build your inventory" of the Ansible documentation.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from ondeck.errors import BadInput
from ondeck.inventory.patterns import expand
from ondeck.inventory.problems import Bad
from ondeck.inventory.sources import Found, Source

_SECTION = re.compile(r"\[([^\]:\s]+)(?::(children|vars|hosts))?\]\s*(?:[#;].*)?")
_ALPHA = re.compile(r"\[([a-zA-Z]):([a-zA-Z])\]")
_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_USER = ("ansible_user", "ansible_ssh_user")
_TAKEN = (*_ADDRESS, *_PORT, *_USER)
_DEPTH = 50

Vars = dict[str, str]


def read(path: Path) -> Source:
    """The hosts of one inventory file.

    Raises:
        BadInput: It cannot be read or is neither form.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except IsADirectoryError:
        raise BadInput("this is a folder; name its inventory file", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the Ansible inventory cannot be read: {error}", where=str(path)) from error
    groups = _Groups(Source(name=f"ansible:{path.name}"))
    if path.suffix in (".yml", ".yaml", ".json"):
        _yaml(text, path, groups)
    else:
        _ini(text, path, groups)
    return groups.source()


class _Groups:
    """Groups with their hosts, children and variables, as they are read."""

    def __init__(self, source: Source) -> None:
        self.result = source
        self.hosts: dict[str, Vars] = {}
        self.members: dict[str, list[str]] = {}
        self.children: dict[str, list[str]] = {}
        self.vars: dict[str, Vars] = {}

    def host(self, name: str, group: str, found: Vars) -> None:
        held = self.hosts.setdefault(name, {})
        for key, value in found.items():
            first = held.setdefault(key, value)
            if first != value and key in _TAKEN:
                self.result.notes.append(f"{name}: {key} is {first} and then {value}; took the first")
        self.members.setdefault(group, []).append(name)

    def source(self) -> Source:
        groups_of: dict[str, list[str]] = {name: [] for name in self.hosts}
        inherited: dict[str, Vars] = {name: {} for name in self.hosts}
        for group in sorted({*self.members, *self.children, *self.vars}, key=self._height, reverse=True):
            for name in self._all(group, 0):
                inherited[name].update(self.vars.get(group, {}))
                if group not in ("all", "ungrouped"):
                    groups_of[name].append(group)
        for name, own in self.hosts.items():
            found = {**inherited[name], **own}
            self.result.hosts.append(self._found(name, found, groups_of[name]))
        return self.result

    def _height(self, group: str) -> int:
        # A parent's variables are set first, so that those of a child win, as in Ansible.
        if group == "all":
            return _DEPTH + 1
        return self._levels(group, 0)

    def _levels(self, group: str, depth: int) -> int:
        if depth > _DEPTH:
            return depth
        return 1 + max((self._levels(child, depth + 1) for child in self.children.get(group, ())), default=0)

    def _all(self, group: str, depth: int) -> list[str]:
        if group == "all":
            return list(self.hosts)
        found = list(self.members.get(group, ()))
        if depth <= _DEPTH:
            for child in self.children.get(group, ()):
                found += self._all(child, depth + 1)
        return list(dict.fromkeys(found))

    def _found(self, name: str, found: Vars, groups: list[str]) -> Found:
        return Found(
            name=name,
            address=self._one(name, found, _ADDRESS),
            port=self._one(name, found, _PORT),
            user=self._one(name, found, _USER),
            local=found.get("ansible_connection") == "local",
            groups=tuple(dict.fromkeys(groups)),
            source=self.result.name,
        )

    def _one(self, name: str, found: Vars, keys: tuple[str, ...]) -> str:
        for key in keys:
            if key in found:
                if "{{" in found[key]:
                    self.result.notes.append(f"{name}: {key} is a template and was left out")
                    return ""
                return found[key]
        return ""


def _ranges(pattern: str) -> list[str]:
    found = [pattern]
    while any(_ALPHA.search(one) for one in found) and len(found) < 1000:
        found = [
            one[: match.start()] + chr(code) + one[match.end() :] if match else one
            for one in found
            for match in [_ALPHA.search(one)]
            for code in (range(ord(match[1]), ord(match[2]) + 1) if match else [0])
        ]
    return [name for one in found for name in expand(one)]


def _ini(text: str, path: Path, groups: _Groups) -> None:
    section, kind = "ungrouped", "hosts"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        where = f"{path}:{number}"
        if line.startswith("[") and (match := _SECTION.fullmatch(line)):
            section, kind = match[1], match[2] or "hosts"
            continue
        try:
            _ini_line(line, section, kind, groups)
        except (ValueError, Bad) as error:
            raise BadInput(f"not a line of an Ansible inventory: {error}", where=where) from error


def _ini_line(line: str, section: str, kind: str, groups: _Groups) -> None:
    if kind == "vars":
        key, _, value = line.partition("=")
        groups.vars.setdefault(section, {})[key.strip()] = value.strip().strip("\"'")
        return
    words = shlex.split(line, comments=True)
    if kind == "children":
        groups.children.setdefault(section, []).extend(words[:1])
        return
    name, colon, port = words[0].partition(":") if "[" not in words[0] else (words[0], "", "")
    found = {"ansible_port": port} if colon and port.isdigit() else {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"expected KEY=VALUE, found {word!r}")
        found[key] = value
    for one in _ranges(name):
        groups.host(one, section, found)


class _Loader(CSafeLoader):
    """A safe loader that reads past tags of Ansible such as !vault and keeps nothing of them.

    Of a key that stands twice in one mapping it keeps the first, as (key, line counted from 1).
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.twice: list[tuple[str, int]] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: ANN401 - PyYAML's own types
        """As PyYAML does, with the first of two equal keys."""
        first: dict[str, Any] = {}
        for pair in node.value if isinstance(node, yaml.MappingNode) else ():
            word = str(pair[0].value)
            if word in first:
                self.twice.append((word, pair[0].start_mark.line + 1))
            else:
                first[word] = pair
        if first:
            node.value = list(first.values())
        return super().construct_mapping(node, deep=deep)


def _skip(loader: Any, suffix: str, node: Any) -> None:  # noqa: ANN401 - PyYAML's own types
    return None


_Loader.add_multi_constructor("!", _skip)


def _yaml(text: str, path: Path, groups: _Groups) -> None:
    try:
        loader = _Loader(text)
        data = loader.get_single_data()
    except yaml.YAMLError as error:
        raise BadInput(f"not YAML: {str(error).splitlines()[0]}", where=str(path)) from error
    groups.result.notes += [
        f"{word} stands twice, in line {line} again with other values; took the first"
        for word, line in loader.twice
    ]
    if not isinstance(data, dict):
        raise BadInput("expected a mapping of groups, as `all:` with hosts and children", where=str(path))
    try:
        for name, body in data.items():
            _yaml_group(str(name), body, groups, 0)
    except Bad as bad:
        raise BadInput(bad.message, where=str(path)) from bad


def _yaml_group(name: str, body: Any, groups: _Groups, depth: int) -> None:  # noqa: ANN401 - any YAML
    if not isinstance(body, dict) or depth > _DEPTH:
        groups.members.setdefault(name, [])
        return
    groups.vars.setdefault(name, {}).update(_texts(body.get("vars")))
    for pattern, found in (body.get("hosts") or {}).items():
        for one in _ranges(str(pattern)):
            groups.host(one, name, _texts(found))
    for child, inner in (body.get("children") or {}).items():
        groups.children.setdefault(name, []).append(str(child))
        _yaml_group(str(child), inner, groups, depth + 1)


def _texts(found: Any) -> Vars:  # noqa: ANN401 - any YAML
    if not isinstance(found, dict):
        return {}
    return {str(key): str(value) for key, value in found.items() if isinstance(value, str | int | float)}
