"""What a registry holds of one repository: tags, digests, sizes, platforms. Asked over its HTTP API from here.

Source: the OCI distribution specification 1.1, and Docker's token authentication for registries.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import msgspec

from ondeck.errors import AuthFailed, BadInput, Missing, RemoteFailed, Unreachable
from ondeck.settings import Settings
from ondeck.text import safe_line
from providers.docker.auth import Login
from providers.docker.client import words

if TYPE_CHECKING:
    import aiohttp

_PATIENCE = 20.0
_AT_LEAST = 5.0
_AT_ONCE = 8
_PAGES = 20
_MOST = 16 << 20
"""Bytes of an answer. Registries take manifests of up to 4 MiB; a list of tags may come in one piece."""

_NEWEST = 40
"""Tags whose age is asked for; the rest follows by its name."""

_INDEX = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFEST = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CHALLENGE = re.compile(r'([a-z]+)="([^"]*)"')
_NAME = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_HUB = "registry-1.docker.io"


class Repository(msgspec.Struct, frozen=True):
    """Where images of a service lie: `registry.example.net` and `shop/checkout`."""

    registry: str
    path: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind a tag.

    Attributes:
        digest: Of the manifest or the index, `sha256:...`: what is pulled.
        size: Bytes to fetch for one platform; 0 when not known.
        platforms: `linux/amd64`, one for each that it is built for.
        created: When it was built, ns; 0 when not known.
    """

    digest: str
    size: int = 0
    platforms: tuple[str, ...] = ()
    created: int = 0


def repository(image: str) -> Repository:
    """An image's name without a tag, taken apart as Docker does.

    Raises:
        BadInput: It is no such name.
    """
    if "@" in image or ":" in image.rpartition("/")[2]:
        raise BadInput(f"image {image!r} names a version already", hint="the version comes with the deploy")
    first, slash, rest = image.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost"):
        first, rest = "docker.io", image if slash else f"library/{image}"
    if not _NAME.fullmatch(rest):
        raise BadInput(f"{image!r} is not an image's name")
    return Repository(first, rest)


def _is_loopback(registry: str) -> bool:
    name = registry.rpartition(":")[0] if ":" in registry else registry
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"


class Registry:
    """One registry with one login."""

    def __init__(self, name: str, login: Login | None, settings: Settings) -> None:
        """Name it; nothing is asked yet.

        Args:
            name: Host and port.
            login: Who we are there; None for anybody.
            settings: For waiting times.
        """
        self._name = name
        host = _HUB if name == "docker.io" else name
        # As Docker has it: without TLS only where no network is between.
        self._base = f"{'http' if _is_loopback(name) else 'https'}://{host}"
        self._login = login
        self._seconds = max(settings.seconds(_PATIENCE), _AT_LEAST)
        self._session: aiohttp.ClientSession | None = None
        self._allowed = ""

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[Registry]:
        """Hold its connections while it is asked."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=self._seconds)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            yield self
        self._session = None

    async def tags(self, path: str) -> list[str]:
        """Every tag of a repository, in the registry's order.

        Raises:
            Missing: There is no such repository.
            Unreachable, AuthFailed, RemoteFailed: It cannot be asked.
        """
        found: list[str] = []
        url = f"{self._base}/v2/{path}/tags/list?n=1000"
        for _ in range(_PAGES):
            headers, body = await self._get(url, path)
            found += [tag for tag in body.get("tags") or () if isinstance(tag, str) and TAG.fullmatch(tag)]
            link = re.search(r'<([^>]+)>;\s*rel="?next', headers.get("Link", ""))
            if link is None:
                break
            url = urljoin(url, link[1])
        return found

    async def look(self, path: str, reference: str) -> Found:
        """What stands behind a tag or digest.

        Raises:
            Missing: Nothing does.
            Unreachable, AuthFailed, RemoteFailed: It cannot be asked.
        """
        url = f"{self._base}/v2/{path}/manifests/{reference}"
        headers, body = await self._get(url, path, accept=(*_INDEX, *_MANIFEST))
        digest = headers.get("Docker-Content-Digest", "")
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise RemoteFailed("it gives no digest for an image", where=self._name)
        if body.get("mediaType") in _INDEX or "manifests" in body:
            return await self._of_index(path, digest, body)
        config = await self._config(path, body)
        platform = f"{config.get('os', '')}/{config.get('architecture', '')}"
        return Found(
            digest=digest,
            size=_size(body),
            platforms=(platform,),
            created=_ns(str(config.get("created", ""))),
        )

    async def _of_index(self, path: str, digest: str, index: dict[str, Any]) -> Found:
        entries = [e for e in index.get("manifests", ()) if isinstance(e, dict)]
        named = [(e, e.get("platform") or {}) for e in entries]
        real = [(e, p) for e, p in named if p.get("os") not in ("", "unknown", None)]
        platforms = tuple(dict.fromkeys(f"{p['os']}/{p.get('architecture', '')}" for _, p in real))
        size = created = 0
        if real:
            _, body = await self._get(
                f"{self._base}/v2/{path}/manifests/{real[0][0].get('digest')}", path, accept=_MANIFEST
            )
            size = _size(body)
            created = _ns(str((await self._config(path, body)).get("created", "")))
        return Found(digest=digest, size=size, platforms=platforms, created=created)

    async def _config(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        digest = (manifest.get("config") or {}).get("digest", "")
        return (await self._get(f"{self._base}/v2/{path}/blobs/{digest}", path))[1] if digest else {}

    async def newest(self, path: str) -> list[str]:
        """Tags that can be deployed, newest first; the age is asked of those that come first by name.

        Raises:
            As `tags`.
        """
        by_name = sorted((tag for tag in await self.tags(path) if tag != "latest"), key=natural, reverse=True)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def age(tag: str) -> int:
            async with gate:
                try:
                    return (await self.look(path, tag)).created
                except Missing:
                    return 0  # removed meanwhile, or a manifest of another kind

        first = by_name[:_NEWEST]
        ages = dict(zip(first, await asyncio.gather(*(age(tag) for tag in first)), strict=True))
        return sorted(first, key=lambda tag: ages[tag], reverse=True) + by_name[_NEWEST:]

    async def _get(
        self, url: str, path: str, accept: Sequence[str] = ()
    ) -> tuple[dict[str, str], dict[str, Any]]:
        import aiohttp

        assert self._session is not None
        try:
            for again in (False, True):
                headers = {"Accept": ", ".join(accept)} if accept else {}
                if self._allowed and url.startswith(self._base):
                    headers["Authorization"] = self._allowed
                async with self._session.get(url, headers=headers) as answer:
                    if answer.status == 401 and not again:
                        await self._log_in(answer.headers.get("WWW-Authenticate", ""), path)
                        continue
                    return dict(answer.headers), await self._body(answer, path)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"the registry cannot be asked: {words(error)}", where=self._name) from error
        raise AssertionError("the second answer is final")

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        """The body, as it is once it is unpacked, and no more of it than makes sense."""
        data = bytearray()
        async for piece in answer.content.iter_any():
            data += piece
            if len(data) > _MOST:
                raise RemoteFailed(f"its answer is longer than {_MOST >> 20} MiB: not read", where=self._name)
        return bytes(data)

    async def _body(self, answer: aiohttp.ClientResponse, path: str) -> dict[str, Any]:
        data = await self._read(answer)
        if answer.status in (401, 403):
            who = f"as {self._login.user or 'a token'}" if self._login else "without a login"
            raise AuthFailed(
                f"it gives nothing of {path} {who}",
                hint="log in: `docker login`, or name `registry: {user, password}` in the service's deploy",
                where=self._name,
            )
        try:
            said = msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.DecodeError:
            said = {}
        if answer.status == 404:
            raise Missing(f"there is no such image or repository: {path}", where=self._name)
        if answer.status != 200:
            errors = said.get("errors") or [{}]
            text = safe_line(str(errors[0].get("message", "")))[:200] if isinstance(errors[0], dict) else ""
            raise RemoteFailed(f"http {answer.status} {text}".strip(), where=self._name)
        return said

    async def _log_in(self, challenge: str, path: str) -> None:
        kind, _, rest = challenge.partition(" ")
        said = dict(_CHALLENGE.findall(rest))
        if kind.lower() == "basic":
            self._allowed = self._login.basic() if self._login else ""
            return
        realm = said.get("realm", "")
        if kind.lower() != "bearer" or not realm.startswith(("https://", "http://")):
            raise RemoteFailed(
                f"it wants a login of a kind that is not known: {safe_line(kind)}", where=self._name
            )
        if realm.startswith("http://") and not self._base.startswith("http://"):
            raise AuthFailed("it wants the password to go without TLS: refused", where=self._name)
        assert self._session is not None
        query = {"scope": said.get("scope") or f"repository:{path}:pull"}
        if "service" in said:
            query["service"] = said["service"]
        headers = {"Authorization": self._login.basic()} if self._login and self._login.user else {}
        async with self._session.get(realm, params=query, headers=headers) as answer:
            body = await self._body(answer, path)
        token = body.get("token") or body.get("access_token")
        self._allowed = f"Bearer {token}" if token else ""


def _size(manifest: dict[str, Any]) -> int:
    return sum(int(e.get("size", 0)) for e in manifest.get("layers") or () if isinstance(e, dict))


def _ns(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1e9)
    except ValueError:
        # More digits of a second than microseconds, as Go writes them.
        cut = re.sub(r"(\.\d{6})\d+", r"\1", text)
        try:
            return int(datetime.fromisoformat(cut).timestamp() * 1e9)
        except ValueError:
            return 0


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which 2.10.0 comes after 2.9.0."""
    parts = re.findall(r"\d+|[^\d]+", text)
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)
