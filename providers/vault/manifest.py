"""What Vault and OpenBao are, without loading their library."""

from __future__ import annotations

from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="vault",
    title="Secrets in Vault and OpenBao",
    kinds={"secret.scheme": ("vault",)},
    capabilities={
        "secrets": "providers.vault.reader:VaultSecrets",
        "credentials": "providers.vault.state:VaultState",
    },
    needs=("python:hvac",),
)
