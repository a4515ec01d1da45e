"""Who we are for a registry: the files of the docker command line, or a secret that the inventory refers to."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import Missing
from ondeck.secret import Secret
from ondeck.text import decode, safe_line

_HUB = "https://index.docker.io/v1/"
_PATIENCE = 15.0


class Login(msgspec.Struct, frozen=True):
    """A name and a password for a registry; an empty name means that the password is an identity token."""

    user: str
    password: Secret

    def header(self, registry: str) -> str:
        """The value of `X-Registry-Auth`, which is a secret."""
        said: dict[str, str] = {"serveraddress": registry}
        if self.user:
            said |= {"username": self.user, "password": self.password.reveal()}
        else:
            said |= {"identitytoken": self.password.reveal()}
        return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()

    def basic(self) -> str:
        """The value of `Authorization` for HTTP Basic, which is a secret."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode()


def _config() -> dict[str, Any]:
    folder = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    try:
        found = json.loads(Path(folder, "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


async def login_of(registry: str) -> Login | None:
    """The login that `docker login` stored for a registry; None when there is none.

    Raises:
        Missing: A credential helper is named and cannot be asked.
    """
    config = await asyncio.to_thread(_config)
    keys = [registry, f"https://{registry}", f"https://{registry}/v1/", f"https://{registry}/v2/"]
    if registry in ("docker.io", "registry-1.docker.io"):
        keys.append(_HUB)
    helpers = config.get("credHelpers")
    helper = (helpers.get(registry) if isinstance(helpers, dict) else "") or config.get("credsStore")
    if helper:
        return await _helped(str(helper), keys)
    stored = config.get("auths")
    for key in keys:
        entry = stored.get(key) if isinstance(stored, dict) else None
        if isinstance(entry, dict) and (found := _stored(entry)):
            return found
    return None


def _stored(entry: dict[str, Any]) -> Login | None:
    if entry.get("identitytoken"):
        return Login("", Secret(str(entry["identitytoken"])))
    try:
        text = base64.b64decode(str(entry.get("auth", ""))).decode()
    except ValueError:
        return None
    user, colon, password = text.partition(":")
    return Login(user, Secret(password)) if colon else None


async def _helped(helper: str, keys: list[str]) -> Login | None:
    for key in keys:
        try:
            process = await asyncio.create_subprocess_exec(
                f"docker-credential-{helper}",
                "get",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise Missing(
                f"docker's configuration names the credential helper {safe_line(helper)}: {error.strerror}"
            ) from error
        try:
            async with asyncio.timeout(_PATIENCE):
                out, _ = await process.communicate(key.encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Missing(f"the credential helper {safe_line(helper)} did not answer") from None
        if process.returncode != 0:
            continue
        try:
            said = json.loads(decode(out))
        except ValueError:
            continue
        user = str(said.get("Username", ""))
        return Login("" if user == "<token>" else user, Secret(str(said.get("Secret", ""))))
    return None
