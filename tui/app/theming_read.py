"""Reading a theme file: strict about names and colours, forgiving about everything it can do without."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from textual.color import Color, ColorParseError

from tui.app.theming_file import ATTRIBUTES, BANDS, FOREGROUNDS, PLANES, Role, RoleSpec, ThemeFile

_LIMIT = 64 * 1024


def parse_role(text: str) -> RoleSpec:
    """A role from its text: `[attributes] [colour] [on colour]`.

    Raises:
        ValueError: A word is neither an attribute nor a colour; the message names it.
    """
    attributes: list[str] = []
    colours = {"front": "", "back": ""}
    side = "front"
    for word in text.split():
        if word in ATTRIBUTES:
            attributes.append(word)
        elif word == "on":
            side = "back"
        elif colours[side]:
            raise ValueError(f"{word!r} is a second colour; write COLOUR on COLOUR")
        else:
            colours[side] = _colour(word)
    return RoleSpec(colour=colours["front"], background=colours["back"], attributes=" ".join(attributes))


def _colour(word: str) -> str:
    if word == "default":
        return "ansi_default"
    try:
        parsed = Color.parse(word)
    except ColorParseError:
        raise ValueError(f"{word!r} is no colour; write #rrggbb, ansi_red, ... or default") from None
    return word if parsed.ansi is not None else parsed.hex


class _Reader:
    """Collects what is wrong in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[str] = []

    def wrong(self, node: yaml.Node | None, key: str, what: str) -> None:
        place = f"{self.path}:{node.start_mark.line + 1}" if node is not None else str(self.path)
        self.problems.append(f"{place}: {key}: {what}" if key else f"{place}: {what}")

    def root(self) -> yaml.MappingNode | None:
        try:
            if self.path.stat().st_size > _LIMIT:
                self.wrong(None, "", f"is larger than {_LIMIT // 1024} KiB, which is no theme")
                return None
            text = self.path.read_text("utf-8")
            if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
                self.wrong(None, "", "uses a YAML alias, which themes do not need")
                return None
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError) as error:
            self.wrong(None, "", f"cannot be read: {error}")
            return None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.append(f"{self.path}:{line}: is not YAML: {error.problem}")
            return None
        except (yaml.YAMLError, RecursionError) as error:
            self.wrong(None, "", f"is not YAML: {error}")
            return None
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, "", "expected `name:` and `roles:`")
            return None
        return node

    def pairs(self, node: yaml.MappingNode) -> dict[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            if name in found:
                self.wrong(key, name, "stands twice; the first one counts")
                continue
            found[name] = value
        return found

    def flag(self, node: yaml.Node | None, key: str, default: bool) -> bool:
        if node is None:
            return default
        if isinstance(node, yaml.ScalarNode) and node.value in ("true", "false"):
            return bool(node.value == "true")
        self.wrong(node, key, "expected true or false")
        return default

    def roles(self, node: yaml.Node | None) -> dict[Role, RoleSpec]:
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, "roles", "expected a mapping of role to colour")
            return {}
        known = {*PLANES, *FOREGROUNDS, *BANDS}
        found: dict[Role, RoleSpec] = {}
        for name, value in self.pairs(node).items():
            if name not in known:
                self.wrong(value, f"roles.{name}", "is no role; the list is in themes/README.md")
            elif not isinstance(value, yaml.ScalarNode):
                self.wrong(value, f"roles.{name}", "expected text such as '#ffffff on #203040'")
            else:
                try:
                    found[name] = parse_role(value.value)
                except ValueError as error:
                    self.wrong(value, f"roles.{name}", str(error))
        return found


def read(path: Path, bases: Mapping[str, ThemeFile]) -> tuple[ThemeFile | None, list[str]]:
    """A theme from a file, and what is wrong with it; roles it leaves out come from `dark` or `light`."""
    reader = _Reader(path)
    root = reader.root()
    if root is None:
        return None, reader.problems
    pairs = reader.pairs(root)
    for key in sorted(set(pairs) - {"name", "title", "dark", "ansi", "roles"}):
        reader.wrong(pairs[key], key, "is not known; a theme has name, title, dark, ansi and roles")
    name_node = pairs.get("name")
    name = str(name_node.value) if isinstance(name_node, yaml.ScalarNode) else path.stem
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        reader.wrong(name_node, "name", "expected letters, digits, - and _")
        return None, reader.problems
    dark = reader.flag(pairs.get("dark"), "dark", True)
    ansi = reader.flag(pairs.get("ansi"), "ansi", False)
    own = reader.roles(pairs.get("roles"))
    base = bases.get("ansi16" if ansi else "dark" if dark else "light")
    title_node = pairs.get("title")
    theme = ThemeFile(
        name=name,
        dark=dark,
        ansi=ansi,
        title=str(title_node.value) if isinstance(title_node, yaml.ScalarNode) else name,
        roles={**(base.roles if base is not None else {}), **own},
        path=str(path),
    )
    return theme, reader.problems
