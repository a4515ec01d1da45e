"""The promises of a check on members: certificates over real TLS on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ondeck.inventory.model import Check
from ondeck.testing.checks_suite import CheckCase, CheckReaderSuite
from tests.certificates import NAME, Authority, serving

FINE, OTHER, STRANGER, PLAIN, NOBODY = (f"127.0.0.{n}" for n in (41, 42, 43, 44, 45))


def chatter(server: socket.socket) -> None:
    """Says something that is no TLS to whoever comes."""
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        client.sendall(b"220 mail.example.com ESMTP\r\n")
        client.close()


class TestCertificates(CheckReaderSuite):
    provider = "tls"

    @pytest.fixture
    def checks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CheckCase]:
        for name in ("own", "strange"):
            (tmp_path / name).mkdir()
        own, strange = Authority(tmp_path / "own"), Authority(tmp_path / "strange")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own/ca.pem"))
        contexts = {
            FINE: own.context(timedelta(days=61)),
            OTHER: own.context(timedelta(days=61), "other.example.com"),
            STRANGER: strange.context(timedelta(days=61)),
        }
        ends = max(_ends(path) for path in (tmp_path / "own").glob("[0-9]*.pem") if NAME in _names(path))
        bench: Any = None
        with serving(contexts) as port, socket.create_server((PLAIN, port)) as plain:
            threading.Thread(target=chatter, args=(plain,), daemon=True).start()
            yield CheckCase(
                check=Check(kind="tls", target=f"{NAME}:{port}"), bench=bench, fine=FINE, ends=ends,
                wrong=(OTHER, STRANGER), mute=(PLAIN, NOBODY),
            )  # fmt: skip
            plain.shutdown(socket.SHUT_RDWR)


def _certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _names(path: Path) -> list[str]:
    found = _certificate(path).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return found.value.get_values_for_type(x509.DNSName)


def _ends(path: Path) -> int:
    end: datetime = _certificate(path).not_valid_after_utc.astimezone(UTC)
    return int(end.timestamp()) * 10**9
