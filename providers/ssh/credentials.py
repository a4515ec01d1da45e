"""Keys of the SSH agent, and certificates there and beside the keys of ~/.ssh: what they are and when they end."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ondeck.bench import Bench
from ondeck.observe.credentials import Credential, CredentialState, state_at
from ondeck.text import decode, safe_line
from providers.ssh.library import asyncssh

SECONDS = 5.0
"""Of the agent's answer, before timescale."""

_FOREVER = (1 << 64) - 1
_RENEW = "log in again with ssh -A, or ssh-add"

# How many strings stand between nonce and serial, by kind of key (OpenSSH's PROTOCOL.certkeys).
_FIELDS = {
    b"ssh-rsa": 2,
    b"ssh-dss": 4,
    b"ecdsa-sha2-nistp256": 2,
    b"ecdsa-sha2-nistp384": 2,
    b"ecdsa-sha2-nistp521": 2,
    b"ssh-ed25519": 1,
    b"sk-ecdsa-sha2-nistp256": 3,
    b"sk-ssh-ed25519": 2,
}
_CERTIFICATE = b"-cert-v01@openssh.com"


class Certificate(msgspec.Struct, frozen=True):
    """What a certificate says of itself; `ends` in ns, 0 when it never does."""

    key_id: str
    principals: tuple[str, ...]
    ends: int


class SshCredentials:
    """Capability `credentials`."""

    async def credentials(self, bench: Bench) -> Sequence[Credential]:
        """The agent's keys, else why there are none; and certificates beside keys."""
        rows: list[Credential] = []
        if any(host.transport == "ssh" for host in bench.inventory.hosts.values()):
            rows += await _of_agent(bench.settings.seconds(SECONDS))
        rows += await asyncio.to_thread(_beside_keys)
        return rows


async def _of_agent(seconds: float) -> list[Credential]:
    path = os.environ.get("SSH_AUTH_SOCK", "")
    if not path:
        text = "SSH_AUTH_SOCK is not set"
        return [Credential(what="ssh agent", state=CredentialState.ABSENT, text=text, renew=_RENEW)]
    try:
        async with asyncio.timeout(max(seconds, 1.0)):
            client = await asyncssh.connect_agent(path)
            try:
                keys = await client.get_keys()
            finally:
                client.close()
    except (OSError, ValueError, TimeoutError, asyncssh.Error) as error:
        said = "it does not answer" if isinstance(error, TimeoutError) else "SSH_AUTH_SOCK points nowhere"
        return [Credential(what="ssh agent", state=CredentialState.UNKNOWN, text=said, renew=_RENEW)]
    if not keys:
        text = "it holds no key, or is locked"
        return [Credential(what="ssh agent", state=CredentialState.ABSENT, text=text, renew="ssh-add")]
    return [_row(key.public_data, key.get_comment() or "", "in the agent") for key in keys]


def _beside_keys() -> list[Credential]:
    rows = []
    home = os.environ.get("HOME", "")
    for path in sorted(Path(home, ".ssh").glob("*-cert.pub")) if home else ():
        try:
            data = base64.b64decode(path.read_bytes().split()[1])
        except (OSError, IndexError, binascii.Error):
            text = "it cannot be read as a certificate"
            rows.append(
                Credential(
                    what="ssh certificate", of=safe_line(str(path)), state=CredentialState.UNKNOWN, text=text
                )
            )
            continue
        rows.append(_certificate_row(data, safe_line(path.name), f"in {path}"))
    return rows


def _row(data: bytes, comment: str, where: str) -> Credential:
    name = safe_line(comment) or "no comment"
    algorithm = _first(data)
    if algorithm.endswith(_CERTIFICATE):
        return _certificate_row(data, name, where)
    if not algorithm:
        text = f"it is no key that is known, {where}"
        return Credential(what=f"ssh key {name}", state=CredentialState.UNKNOWN, text=text)
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    kind = safe_line(algorithm.decode("ascii", "replace"))
    text = f"{kind} SHA256:{digest}, {where}"
    return Credential(what=f"ssh key {name}", state=CredentialState.GOOD, text=text)


def _certificate_row(data: bytes, name: str, where: str) -> Credential:
    try:
        found = certificate(data)
    except ValueError as error:
        text = f"{error}, {where}"
        return Credential(what=f"ssh certificate {name}", state=CredentialState.UNKNOWN, text=text)
    who = ", ".join(found.principals) or "anybody"
    return Credential(
        what=f"ssh certificate {found.key_id or name}",
        state=state_at(found.ends, time.time_ns()),
        expires=found.ends,
        text=safe_line(f"for {who}, {where}"),
        renew="a new one from who signs them" if found.ends else "",
    )


def _first(data: bytes) -> bytes:
    try:
        return next(_strings(data))
    except (struct.error, StopIteration):
        return b""


def _strings(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def certificate(data: bytes) -> Certificate:
    """What an OpenSSH certificate says, from its public bytes.

    Raises:
        ValueError: It is none that we know.
    """
    kind = _first(data).removesuffix(_CERTIFICATE)
    if kind not in _FIELDS:
        raise ValueError("a certificate of a kind that is not known")
    try:
        at = 0
        for _ in range(2 + _FIELDS[kind]):
            (length,) = struct.unpack_from(">I", data, at)
            at += 4 + length
        at += 8 + 4
        (length,) = struct.unpack_from(">I", data, at)
        key_id = data[at + 4 : at + 4 + length]
        at += 4 + length
        (length,) = struct.unpack_from(">I", data, at)
        principals = tuple(safe_line(decode(one)) for one in _strings(data[at + 4 : at + 4 + length]))
        _, before = struct.unpack_from(">QQ", data, at + 4 + length)
    except struct.error:
        raise ValueError("a certificate that is cut short") from None
    ends = 0 if before == _FOREVER else min(before * 1_000_000_000, (1 << 63) - 1)
    return Certificate(safe_line(decode(key_id)), principals, ends)
