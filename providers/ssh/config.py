"""ssh_config read once into our own table, so that a lookup costs microseconds and starts no process.

Understood: Host, Match (host, originalhost, user, localuser, all, final and canonical as never),
Include, and the options that `Options` names. As in OpenSSH the first value wins, and IdentityFile
and CertificateFile add up. `Match exec` would run a program for each host: such a block is left out,
with a finding. ForwardAgent is never followed. Source: ssh_config(5) of OpenSSH 9.2.
"""

from __future__ import annotations

import fnmatch
import getpass
import re
import shlex
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

_MANY = frozenset({"identityfile", "certificatefile"})
_KNOWN = _MANY | {
    "hostname",
    "user",
    "port",
    "identitiesonly",
    "identityagent",
    "proxyjump",
    "proxycommand",
    "userknownhostsfile",
    "hostkeyalias",
    "kexalgorithms",
    "ciphers",
    "connecttimeout",
    "serveraliveinterval",
    "serveralivecountmax",
}
_DEPTH = 16
_LARGEST = 4 << 20


class Finding(msgspec.Struct, frozen=True):
    """Something in an ssh_config that we do not follow."""

    where: str
    text: str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What ssh_config says of one host; empty or 0 where it says nothing.

    Attributes:
        identity_files: Tokens and `~` expanded, in the order they are tried.
        proxy_command: Set means that only the system's ssh can reach it.
    """

    hostname: str = ""
    user: str = ""
    port: int = 0
    identity_files: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    identities_only: bool = False
    identity_agent: str = ""
    proxy_jump: str = ""
    proxy_command: str = ""
    known_hosts: tuple[str, ...] = ()
    host_key_alias: str = ""
    kex: str = ""
    ciphers: str = ""
    connect_timeout: float = 0
    alive_interval: float = 0
    alive_count: int = 0


def _expression(patterns: Sequence[str]) -> re.Pattern[str]:
    wanted = [fnmatch.translate(p.lower().replace("[", "[[]")) for p in patterns if not p.startswith("!")]
    refused = [fnmatch.translate(p[1:].lower().replace("[", "[[]")) for p in patterns if p.startswith("!")]
    guard = "".join(f"(?!{one})" for one in refused)
    return re.compile(f"{guard}(?:{'|'.join(wanted) or '(?!)'})")


class _Asked(msgspec.Struct):
    """The host that is looked up, as far as it is known while reading on."""

    original: str
    name: str
    user: str
    local: str


_Test = Callable[[_Asked], bool]


class _Block:
    __slots__ = ("lines", "test")

    def __init__(self, test: _Test) -> None:
        self.test = test
        self.lines: list[tuple[str, str]] = []


def _host_test(patterns: Sequence[str]) -> _Test:
    if not any(sign in pattern for pattern in patterns for sign in "*?!"):
        names = frozenset(pattern.lower() for pattern in patterns)
        return lambda asked: asked.original in names
    match = _expression(patterns).match
    return lambda asked: match(asked.original) is not None


def _always(asked: _Asked) -> bool:
    return True


def _never(asked: _Asked) -> bool:
    return False


def _refusing(test: _Test) -> _Test:
    return lambda asked: not test(asked)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()


class SshConfig:
    """A table of blocks, asked host by host."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._cache: dict[tuple[str, str], Options] = {}
        self.findings: list[Finding] = []
        try:
            self._local = getpass.getuser()
        except (KeyError, OSError):
            self._local = ""

    def load(self, path: Path) -> None:
        """Add a file after those that are there; one that is not there adds nothing."""
        self._load(path, [_always], 0)
        self._cache.clear()

    def _load(self, path: Path, outer: Sequence[_Test], depth: int) -> None:
        if depth > _DEPTH:
            self.findings.append(Finding(str(path), "Include is nested too deep and is left out"))
            return
        text = self._text(path)
        if text is None:
            return
        tests = list(outer)
        block = self._block(tests)
        for number, line in enumerate(text.splitlines(), 1):
            keyword, value = _split(line)
            where = f"{path}:{number}"
            if keyword == "host":
                tests = [*outer, _host_test(_words(value))]
                block = self._block(tests)
            elif keyword == "match":
                tests = [*outer, self._match(value, where)]
                block = self._block(tests)
            elif keyword == "include":
                for found in self._included(value, path):
                    self._load(found, tests, depth + 1)
                block = self._block(tests)
            elif keyword in _KNOWN:
                block.lines.append((keyword, value))

    def _text(self, path: Path) -> str | None:
        """What a file says; None when it is not there or says nothing that can be read: a finding then."""
        try:
            about = path.stat()
            if stat.S_ISREG(about.st_mode) and about.st_size <= _LARGEST:
                return path.read_text(errors="replace")
            self.findings.append(Finding(str(path), "is no regular file of up to 4 MiB and is left out"))
        except FileNotFoundError:
            return None
        except OSError as error:
            self.findings.append(Finding(str(path), f"cannot be read: {error.strerror}"))
        return None

    def _block(self, tests: Sequence[_Test]) -> _Block:
        real = [test for test in tests if test is not _always]
        if len(real) == 1:
            block = _Block(real[0])
        else:
            block = _Block((lambda asked: all(test(asked) for test in real)) if real else _always)
        self._blocks.append(block)
        return block

    def _included(self, value: str, path: Path) -> Iterator[Path]:
        base = path.parent
        for pattern in _words(value):
            expanded = Path(pattern).expanduser()
            full = expanded if expanded.is_absolute() else base / expanded
            yield from sorted(Path(full.anchor).glob(str(full.relative_to(full.anchor))))

    def _match(self, value: str, where: str) -> _Test:
        words = _words(value)
        tests: list[_Test] = []
        while words:
            word = words.pop(0).lower()
            refuse = word.startswith("!")
            kind = word.lstrip("!")
            if kind == "all":
                continue
            if kind in ("canonical", "final"):
                test: _Test = _never
            elif kind in ("host", "originalhost", "user", "localuser") and words:
                test = _criterion(kind, words.pop(0))
            else:
                said = "runs a program for each host" if kind == "exec" else "is not understood"
                self.findings.append(Finding(where, f"`Match {kind}` {said}: the block is left out"))
                return _never
            tests.append(_refusing(test) if refuse else test)
        return lambda asked: all(test(asked) for test in tests)

    def lookup(self, name: str, user: str = "") -> Options:
        """What the files say of a host, by the name it is called on the command line.

        Args:
            name: The name that Host patterns are matched against.
            user: Login that is already decided, for `Match user` and `%r`.
        """
        key = (name, user)
        if key not in self._cache:
            self._cache[key] = self._lookup(name, user)
        return self._cache[key]

    def _lookup(self, name: str, user: str) -> Options:
        asked = _Asked(name.lower(), name, user or self._local, self._local)
        single: dict[str, str] = {}
        many: dict[str, list[str]] = {"identityfile": [], "certificatefile": []}
        for block in self._blocks:
            if not block.lines or not block.test(asked):
                continue
            for keyword, value in block.lines:
                if keyword in _MANY:
                    many[keyword].append(value)
                elif keyword not in single:
                    single[keyword] = value
                    if keyword == "hostname":
                        asked.name = value.replace("%h", name).replace("%%", "%")
                    elif keyword == "user" and not user:
                        asked.user = value
        return _options(name, asked, single, many)


def _split(line: str) -> tuple[str, str]:
    line = line.strip()
    if not line or line.startswith("#"):
        return "", ""
    found = re.match(r"([A-Za-z]+)(?:\s*=\s*|\s+)(.*)", line)
    return (found[1].lower(), found[2].strip()) if found else ("", "")


def _criterion(kind: str, patterns: str) -> _Test:
    match = _expression(patterns.split(",")).match
    field = {"host": "name", "originalhost": "original", "user": "user", "localuser": "local"}[kind]
    return lambda asked: match(getattr(asked, field).lower()) is not None


def _number(text: str) -> float:
    """Seconds or a count; `10`, `1m`, `2h`; what is none counts as not said."""
    found = re.fullmatch(r"([0-9]{1,9})([smh]?)", text.strip().lower())
    return int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0


def _plain(value: str) -> str:
    words = _words(value)
    return words[0] if words else ""


def _options(called: str, asked: _Asked, single: dict[str, str], many: dict[str, list[str]]) -> Options:
    port = _number(_plain(single.get("port", "")))
    hostname = asked.name

    def expand(text: str) -> str:
        tokens = {
            "%%": "%",
            "%h": hostname,
            "%n": called,
            "%p": str(int(port) or 22),
            "%r": asked.user,
            "%u": asked.local,
            "%d": str(Path.home()),
        }
        filled = re.sub("%[%hnprud]", lambda m: tokens[m[0]], text)
        return str(Path(filled).expanduser()) if filled.startswith("~") else filled

    def one(keyword: str) -> str:
        value = _plain(single.get(keyword, ""))
        return "" if value.lower() == "none" else value

    command = single.get("proxycommand", "")
    jump_first = "proxyjump" in single and (
        "proxycommand" not in single or list(single).index("proxyjump") < list(single).index("proxycommand")
    )
    return Options(
        hostname=hostname if "hostname" in single else "",
        user=_plain(single.get("user", "")),
        port=int(port),
        identity_files=tuple(expand(_plain(v)) for v in many["identityfile"] if v.lower() != "none"),
        certificate_files=tuple(expand(_plain(v)) for v in many["certificatefile"] if v.lower() != "none"),
        identities_only=_plain(single.get("identitiesonly", "")).lower() == "yes",
        identity_agent=expand(_plain(single.get("identityagent", ""))),
        proxy_jump=one("proxyjump") if jump_first else "",
        proxy_command="" if command.lower() == "none" or jump_first else command,
        known_hosts=tuple(
            expand(v) for v in _words(single.get("userknownhostsfile", "")) if v.lower() != "none"
        ),
        host_key_alias=one("hostkeyalias"),
        kex=one("kexalgorithms"),
        ciphers=one("ciphers"),
        connect_timeout=_number(_plain(single.get("connecttimeout", ""))),
        alive_interval=_number(_plain(single.get("serveraliveinterval", ""))),
        alive_count=int(_number(_plain(single.get("serveralivecountmax", "")))),
    )
