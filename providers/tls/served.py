"""Capability `checks` for kind `tls`: the certificate that one member serves for a name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from datetime import UTC

from cryptography import x509
from cryptography.x509.oid import NameOID

from ondeck.bench import Bench
from ondeck.errors import Unreachable
from ondeck.inventory.model import Check
from ondeck.observe.checks import Served
from ondeck.text import safe_line

NS = 1_000_000_000


class ServedCertificates:
    """Asks the member by its own address, with the name in SNI; what it serves is what counts, not a file."""

    async def ask(self, check: Check, address: str, bench: Bench) -> Served:
        """See `ondeck.observe.ports.CheckReader`."""
        del bench
        name, port = place(check.target)
        where = address or name
        problem = ""
        try:
            found = await _handshake(where, port, name, ssl.create_default_context())
        except ssl.SSLCertVerificationError as error:
            problem = safe_line(error.verify_message or str(error))
            found = await _handshake(where, port, name, _trusting())
        return _read(found, problem)


def place(target: str) -> tuple[str, int]:
    """Name and port of `checkout.example.com:443`; 443 when it names none."""
    name, colon, port = target.rpartition(":")
    return (name, int(port)) if colon and port.isdigit() else (target, 443)


def _trusting() -> ssl.SSLContext:
    """To see a certificate that is not trusted; what is wrong with it is told beside it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _handshake(address: str, port: int, name: str, context: ssl.SSLContext) -> bytes:
    """The served certificate, DER.

    Raises:
        Unreachable: Nobody answers, or not with TLS.
        ssl.SSLCertVerificationError: It is not trusted for the name.
    """
    try:
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(_words(error), where=f"{address}:{port}") from error
    try:
        found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
    if not found:
        raise Unreachable("it served no certificate", where=f"{address}:{port}")
    return found


def _words(error: OSError) -> str:
    plain = error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError)
    return safe_line(os.strerror(error.errno or 0).lower() if plain else str(error) or type(error).__name__)


def _read(der: bytes, problem: str) -> Served:
    certificate = x509.load_der_x509_certificate(der)
    end = certificate.not_valid_after_utc.astimezone(UTC).timestamp()
    return Served(
        ends=int(end) * NS, serial=f"{certificate.serial_number:x}", issuer=_common(certificate.issuer), problem=problem
    )  # fmt: skip


def _common(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME) or name.get_attributes_for_oid(
        NameOID.ORGANIZATION_NAME
    )
    return safe_line(str(found[0].value)) if found else "?"
