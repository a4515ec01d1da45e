"""What the keyring is, without loading its library."""

from __future__ import annotations

from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="keyring",
    title="Secrets in the desktop's keyring, or in an encrypted file where there is no desktop",
    kinds={"secret.scheme": ("keyring",)},
    capabilities={
        "secrets": "providers.keyring.reader:KeyringSecrets",
        "secret_store": "providers.keyring.reader:KeyringSecrets",
        "credentials": "providers.keyring.state:KeyringState",
    },
    needs=("python:keyring",),
)
