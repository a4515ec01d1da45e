"""The section `secrets:`: what each scheme has to be told, checked with the place of every mistake."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from ondeck.errors import BadInput
from ondeck.inventory import secretrefs, values
from ondeck.inventory.fields import Field, Fields, ListOf, MapOf, Scalar
from ondeck.inventory.problems import Bad, Complaints, Path

_FILLED = Scalar(values.filled, minLength=1)
_ARGV = ListOf(
    Scalar(values.filled, type=["string", "number"]), about="a list of a program and its arguments", least=1
)


def _reference(text: str) -> str:
    """A reference that needs no other secret first; what was found is not shown, for it may be one."""
    try:
        secretrefs.known(text, secretrefs.BOOTSTRAP)
    except BadInput:
        hint = "a secret does not stand in the inventory; write a reference such as env:NAME or file:PATH"
        raise Bad(f"expected a reference of {', '.join(secretrefs.BOOTSTRAP)}", hint) from None
    return text


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or "@" in text or not text.isascii():
        raise Bad("expected an http or https address without a login in it")
    return text.rstrip("/")


def _vault(attributes: dict[str, Any]) -> None:
    approle = attributes.get("auth") == "approle"
    for key in ("role_id", "secret_id"):
        if approle and not attributes.get(key):
            raise Bad(f"expected {key} beside auth: approle")
        if not approle and attributes.get(key):
            raise Bad(f"{key} belongs to auth: approle")
    if approle and attributes.get("token"):
        raise Bad("token belongs to auth: token")


_REFERENCE = Scalar(_reference, "a reference such as env:NAME")
_ROLE = Scalar(lambda text: _reference(text) if secretrefs.is_reference(text) else values.filled(text))

VAULT = Fields(
    Field("url", Scalar(_address, "an address"), "where it answers; VAULT_ADDR when absent"),
    Field(
        "auth",
        Scalar(values.OneWord("token", "approle"), "token or approle", enum=["token", "approle"]),
        "how ondeck logs in; token when absent",
    ),
    Field("token", _REFERENCE, "where the token is; VAULT_TOKEN, then ~/.vault-token when absent"),
    Field("role_id", _ROLE, "of the AppRole; a text or a reference"),
    Field("secret_id", _REFERENCE, "of the AppRole; a reference"),
    Field("approle", Scalar(values.identifier), "where the AppRole method is mounted; approle when absent"),
    Field("namespace", _FILLED, "namespace of the server"),
    Field("ca", _FILLED, "file of certificates to trust, relative to this folder"),
    check=_vault,
    about="A Vault or OpenBao server.",
)
KEYRING = Fields(
    Field(
        "backend",
        Scalar(
            values.OneWord("secret-service", "cryptfile"),
            "secret-service or cryptfile",
            enum=["secret-service", "cryptfile"],
        ),
        "which keyring; the desktop's where there is one, else the encrypted file, when absent",
    ),
    Field("service", _FILLED, "service that names without one belong to; ondeck when absent"),
    Field("file", _FILLED, "the encrypted file; of your own data folder when absent"),
    about="The keyring of who runs ondeck.",
)
_NOTHING = Fields(about="It needs to be told nothing.")
_OTHER = Fields(rest="options", about="Every key belongs to the provider of the scheme.")


class Schemes(Fields):
    """A mapping whose keys depend on its own name: the scheme."""

    def __init__(self) -> None:
        super().__init__(about="How secrets are had, by scheme.")
        self.by_scheme: dict[str, Fields] = {
            "vault": VAULT,
            "keyring": KEYRING,
            "env": _NOTHING,
            "file": _NOTHING,
        }
        self.commands = MapOf(_ARGV, about="a mapping of names to commands")

    def read(self, value: Any, path: Path, out: Complaints) -> dict[str, Any] | None:  # noqa: ANN401
        """The options of one scheme; None when something was wrong and has been complained of."""
        scheme = str(path[-1])
        before = len(out.found)
        if scheme == "command":
            found: dict[str, Any] | None = self.commands.read(value or {}, path, out)
        elif scheme in self.by_scheme:
            found = self.by_scheme[scheme].read(value, path, out)
        else:
            found = (_OTHER.read(value, path, out) or {}).get("options", {})
        return {"options": found} if found is not None and len(out.found) == before else None

    def schemes_schema(self) -> dict[str, Any]:
        """Each scheme's own keys as JSON Schema."""
        named = {scheme: fields.schema() for scheme, fields in self.by_scheme.items()}
        return {**named, "command": {**self.commands.schema(), "description": "Commands by name; no shell."}}

    def schema(self) -> dict[str, Any]:
        """Of a scheme that is not ours."""
        return _OTHER.schema()
