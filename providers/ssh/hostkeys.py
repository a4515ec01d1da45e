"""known_hosts files parsed once into an index, and what an offered host key is against them.

asyncssh parses the file again for each connection (1 s at 100,000 lines) and says the same of an
unknown and of a changed key, so both are done here. Only the line is split at load; a key is decoded
when its host is asked for.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hmac
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from ondeck.errors import StateBroken
from providers.ssh.library import asyncssh

_HASHES = 2000


class Verdict(StrEnum):
    """What a host's key is against what is recorded."""

    SAME = "same"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line: marker is empty, `@cert-authority` or `@revoked`; where is `file:line`."""

    marker: str
    algorithm: str
    data: str
    where: str


class Recorded(msgspec.Struct, frozen=True):
    """What is recorded for one host."""

    keys: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()
    where: str = ""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Signature algorithms that fit the recorded keys, in their order."""
        found: dict[str, None] = {}
        for key in self.keys:
            for name in key.sig_algorithms:
                found[name.decode()] = None
        return tuple(found)

    def judge(self, key: asyncssh.SSHKey) -> Verdict:
        """What the offered key is; a host that is known by its authority only is unknown by a bare key."""
        if key in self.revoked:
            return Verdict.REVOKED
        if key in self.keys:
            return Verdict.SAME
        return Verdict.CHANGED if self.keys else Verdict.UNKNOWN

    def judge_authority(self, key: asyncssh.SSHKey) -> Verdict:
        """What the signer of an offered host certificate is."""
        if key in self.revoked:
            return Verdict.REVOKED
        if key in self.authorities:
            return Verdict.SAME
        return Verdict.CHANGED if self.keys or self.authorities else Verdict.UNKNOWN


class _Hashed(msgspec.Struct, frozen=True, gc=False):
    salt: bytes
    digest: bytes
    entry: Entry


def _name(address: str, port: int) -> str:
    return address if port == 22 else f"[{address}]:{port}"


def _pattern(patterns: str) -> re.Pattern[str]:
    """A comma list with wildcards and `!` as one expression."""
    wanted: list[str] = []
    refused: list[str] = []
    for one in patterns.lower().split(","):
        translated = fnmatch.translate(one.lstrip("!").replace("[", "[[]"))
        (refused if one.startswith("!") else wanted).append(translated)
    guard = "".join(f"(?!{one})" for one in refused)
    return re.compile(f"{guard}(?:{'|'.join(wanted) or '(?!)'})")


def _hashed(pattern: str, entry: Entry) -> _Hashed | None:
    try:
        _, kind, salt, digest = pattern.split("|")
        if kind != "1":
            return None
        return _Hashed(base64.b64decode(salt), base64.b64decode(digest), entry)
    except (ValueError, binascii.Error):
        return None


class KnownHosts:
    """One known_hosts file, indexed: plain names by dict, wildcards and hashes by scan."""

    def __init__(self, text: str = "", source: str = "") -> None:
        self._exact: dict[str, list[Entry]] = {}
        self._patterns: list[tuple[re.Pattern[str], Entry]] = []
        self._hashes: list[_Hashed] = []
        self._found: dict[str, tuple[Entry, ...]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            self._add(line, f"{source}:{number}")

    @property
    def hashes(self) -> int:
        """Hashed lines: each costs a microsecond at every new name."""
        return len(self._hashes)

    def __len__(self) -> int:
        return sum(map(len, self._exact.values())) + len(self._patterns) + len(self._hashes)

    def _add(self, line: str, where: str) -> None:
        words = line.split(None, 4)
        if not words or words[0].startswith("#"):
            return
        marker = words.pop(0) if words[0].startswith("@") else ""
        if len(words) < 3:
            return
        entry = Entry(marker, words[1], words[2], where)
        names = words[0]
        if names.startswith("|"):
            hashed = _hashed(names, entry)
            if hashed is not None:
                self._hashes.append(hashed)
        elif any(sign in names for sign in "*?!"):
            self._patterns.append((_pattern(names), entry))
        else:
            for name in names.lower().split(","):
                self._exact.setdefault(name, []).append(entry)

    def entries(self, name: str) -> tuple[Entry, ...]:
        """Every line for a name as it is written in the file (`host` or `[host]:port`)."""
        name = name.lower()
        if name not in self._found:
            found = list(self._exact.get(name, ()))
            found += [entry for pattern, entry in self._patterns if pattern.match(name)]
            raw = name.encode()
            found += [h.entry for h in self._hashes if hmac.digest(h.salt, raw, "sha1") == h.digest]
            self._found[name] = tuple(found)
        return self._found[name]


def _decoded(entries: Iterable[Entry]) -> tuple[asyncssh.SSHKey, ...]:
    keys = []
    for entry in entries:
        try:
            keys.append(asyncssh.import_public_key(f"{entry.algorithm} {entry.data}"))
        except (asyncssh.KeyImportError, ValueError):
            continue  # a kind of key that this library does not know cannot be matched either
    return tuple(keys)


def read(path: str) -> KnownHosts:
    """A known_hosts file; one that is not there is empty.

    Raises:
        StateBroken: It is there and cannot be read.
    """
    try:
        return KnownHosts(Path(path).expanduser().read_text(errors="replace"), path)
    except FileNotFoundError:
        return KnownHosts()
    except OSError as error:
        raise StateBroken(f"cannot read known hosts: {error.strerror}", where=path) from error


def _seal(path: str) -> tuple[int, ...]:
    """What is another after a file was written or replaced; empty when it is not there."""
    try:
        facts = Path(path).expanduser().stat()
    except OSError:
        return ()
    return (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)


class HostKeys:
    """Several known_hosts files; the first one that knows a host decides, revoked counts from any."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Remember the paths; a file is read when the first host is asked for, and again when it changed."""
        self._paths = tuple(dict.fromkeys(path for path in paths if path))
        self._seals: dict[str, tuple[int, ...]] = {}
        self._files: dict[str, KnownHosts] = {}
        self._recorded: dict[tuple[str, int, tuple[str, ...]], Recorded] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, in the order they are asked."""
        return self._paths

    def quick(self, address: str, port: int, more: Sequence[str] = ()) -> bool:
        """True when a lookup costs no more than microseconds: all read, and few hashes to try."""
        self._forget_changed((*self._paths, *more))
        if (address, port, tuple(more)) in self._recorded:
            return True
        files = [self._files.get(path) for path in (*self._paths, *more)]
        return sum(file.hashes for file in files if file is not None) < _HASHES and None not in files

    def _forget_changed(self, paths: Iterable[str]) -> None:
        """A key that was enrolled or revoked meanwhile counts from the next connection on."""
        for path in paths:
            seal = _seal(path)
            if self._seals.get(path) != seal:
                self._seals[path] = seal
                self._files.pop(path, None)
                self._recorded.clear()

    def _file(self, path: str) -> KnownHosts:
        if path not in self._files:
            self._files[path] = read(path)
        return self._files[path]

    def recorded(self, address: str, port: int, more: Sequence[str] = ()) -> Recorded:
        """What is recorded for an address; the name without port counts when the one with it is unknown.

        Args:
            address: As it is connected to, or its HostKeyAlias.
            port: TCP port.
            more: Further files for this host, from ssh_config.

        Raises:
            StateBroken: A file cannot be read.
        """
        self._forget_changed((*self._paths, *more))
        key = (address, port, tuple(more))
        if key not in self._recorded:
            self._recorded[key] = self._look_up(address, port, (*self._paths, *more))
        return self._recorded[key]

    def _look_up(self, address: str, port: int, paths: Iterable[str]) -> Recorded:
        keys: tuple[Entry, ...] = ()
        authorities: tuple[Entry, ...] = ()
        revoked: list[Entry] = []
        for path in dict.fromkeys(paths):
            known = self._file(path)
            entries = known.entries(_name(address, port))
            if port != 22 and not any(entry.marker != "@revoked" for entry in entries):
                entries += known.entries(address)
            revoked += [entry for entry in entries if entry.marker == "@revoked"]
            if not keys and not authorities:
                keys = tuple(entry for entry in entries if not entry.marker)
                authorities = tuple(entry for entry in entries if entry.marker == "@cert-authority")
        where = (keys or authorities)[0].where if keys or authorities else ""
        return Recorded(_decoded(keys), _decoded(authorities), _decoded(revoked), where)
