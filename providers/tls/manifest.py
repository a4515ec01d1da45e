"""What the certificate check is, without loading what parses certificates."""

from __future__ import annotations

from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="tls",
    title="Certificates: what every member serves, until when, and whether it is trusted",
    kinds={"check.kind": ("tls",)},
    capabilities={"checks": "providers.tls.served:ServedCertificates"},
    needs=("python:cryptography",),
)
