"""What is known without any other system, without loading it."""

from __future__ import annotations

from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="secrets",
    title="Secrets from variables, private files and named commands",
    kinds={"secret.scheme": ("env", "file", "command")},
    capabilities={"secrets": "providers.secrets.reader:PlainSecrets"},
)
