"""A real registry (Debian's docker-registry) on loopback, and images put into it byte by byte."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.client
import io
import json
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ondeck.errors import Missing

_UP = 15.0
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_APPLETS = ("sh", "httpd", "sleep", "cat", "echo", "kill", "wget", "env", "ls", "ps", "touch")

APP = """#!/bin/sh
echo "$NAME $VERSION listening on 8080"
trap 'echo "$NAME $VERSION stops"; kill $p; exit 0' TERM INT
httpd -f -v -p 8080 -h /www & p=$!
if [ -n "$DIES" ]; then
  sleep "$DIES" & wait $!
  echo "FATAL connection pool exhausted" >&2
  exit 3
fi
wait $p
"""
"""What an image of the lab runs: busybox's web server, which may die after so many seconds."""


@dataclass(slots=True)
class Registry:
    """A running registry.

    Attributes:
        port: On 127.0.0.1, where it speaks plain HTTP as engines allow it for loopback.
        user: Whom it wants to log in; empty when anybody may.
    """

    port: int
    folder: Path
    user: str = ""
    password: str = field(default="", repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _count: int = 0

    @property
    def name(self) -> str:
        """How images name it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            Missing: It does not.
        """
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self.folder / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + _UP
        while time.monotonic() < until:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._ask("GET", "/v2/", (200, 401))
                return
            time.sleep(0.05)
        raise Missing(f"the registry did not come up: {(self.folder / 'log').read_text()[-400:]}")

    def stop(self) -> None:
        """End it; what it holds stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it with everything that it holds."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def put(
        self,
        version: str,
        repository: str = "shop/checkout",
        *,
        dies: str = "",
        sick: bool = False,
        architecture: str = "amd64",
        files: Mapping[str, bytes] | None = None,
    ) -> str:
        """Make an image and put it under its version; a later one is younger.

        Args:
            version: Its tag.
            repository: Its name without the registry.
            dies: Seconds after which its process ends with 3; empty means never.
            sick: It has no `/healthz`, so that its health is 404.
            architecture: What its configuration says that it is for.
            files: More content, by path.

        Returns:
            Its digest, `sha256:...`.
        """
        self._count += 1
        created = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=self._count)
        own = {"www/version": version.encode(), **(files or {})}
        if not sick:
            own["www/healthz"] = b"ok\n"
        layers = [_layer(_base()), _layer({name: (data, 0o644) for name, data in own.items()})]
        config = {
            "architecture": architecture,
            "os": "linux",
            "created": created.isoformat().replace("+00:00", "Z"),
            "config": {
                "Cmd": ["/app"],
                "Env": [
                    "PATH=/bin",
                    f"VERSION={version}",
                    f"NAME={repository.rpartition('/')[2]}",
                    f"DIES={dies}",
                ],
                "ExposedPorts": {"8080/tcp": {}},
            },
            "rootfs": {"type": "layers", "diff_ids": [plain for _, plain in layers]},
            "history": [{"created": created.isoformat(), "created_by": "lab"}] * len(layers),
        }
        described = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob(repository, described, _CONFIG),
            "layers": [self._blob(repository, data, _LAYER) for data, _ in layers],
        }
        body = json.dumps(manifest).encode()
        self._ask("PUT", f"/v2/{repository}/manifests/{version}", (201,), body, {"Content-Type": _MANIFEST})
        return _digest(body)

    def _blob(self, repository: str, data: bytes, kind: str) -> dict[str, object]:
        digest = _digest(data)
        where = self._ask("POST", f"/v2/{repository}/blobs/uploads/", (202,)).headers["Location"]
        path = where[where.index("/v2/") :]
        mark = "&" if "?" in path else "?"
        self._ask(
            "PUT", f"{path}{mark}digest={digest}", (201,), data, {"Content-Type": "application/octet-stream"}
        )
        return {"mediaType": kind, "size": len(data), "digest": digest}

    def forget(self, digest: str, repository: str = "shop/checkout") -> None:
        """Delete a manifest: its image cannot be pulled any more."""
        self._ask("DELETE", f"/v2/{repository}/manifests/{digest}", (202,))

    def _ask(
        self,
        method: str,
        path: str,
        good: tuple[int, ...],
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Content-Length": str(len(body)), **(headers or {})}
        if self.user:
            sent["Authorization"] = (
                f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"
            )
        line.request(method, path, body, sent)
        answer = line.getresponse()
        said = answer.read()
        line.close()
        if answer.status not in good:
            raise OSError(f"{method} {path}: {answer.status} {said[:300]!r}")
        return answer


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _base() -> dict[str, tuple[bytes, int]]:
    busybox = shutil.which("busybox") or "/bin/busybox"
    return {"bin/busybox": (Path(busybox).read_bytes(), 0o755), "app": (APP.encode(), 0o755)}


def _layer(files: Mapping[str, tuple[bytes, int]]) -> tuple[bytes, str]:
    """The bytes of a layer, and the digest of what they unpack to; the same files are the same bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, (data, mode) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
        if "bin/busybox" in files:
            for applet in _APPLETS:
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
            tmp = tarfile.TarInfo("tmp")
            tmp.type, tmp.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(tmp)
    return gzip.compress(plain.getvalue(), mtime=0), _digest(plain.getvalue())


def lacking() -> str:
    """Why no registry can be started here; empty when one can."""
    gone = [tool for tool in ("docker-registry", "busybox") if shutil.which(tool) is None]
    return f"{', '.join(gone)} not installed (Debian: docker-registry, busybox-static)" if gone else ""


@contextmanager
def registry(*, user: str = "", password: str = "") -> Iterator[Registry]:
    """A registry that answers, for the time of a `with`; with a user it wants that login.

    Raises:
        Missing: It cannot be had here.
    """
    if why := lacking():
        raise Missing(why)
    folder = Path(tempfile.mkdtemp(prefix="ondeck-registry-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "lab"},
    }
    if user:
        (folder / "users").write_text(f"{user}:{_bcrypt(password)}\n")
        config["auth"] = {"htpasswd": {"realm": "lab", "path": str(folder / "users")}}
    (folder / "config.yml").write_text(json.dumps(config))
    running = Registry(port, folder, user, password)
    try:
        running.start()
        yield running
    finally:
        running.close()


def _bcrypt(password: str) -> str:
    """The only kind of hash that the registry reads; perl's crypt is the C library's, which makes it."""
    script = "chomp(my $p = <STDIN>); print crypt($p, q($2y$05$ondeckondeckondeckonde))"
    done = subprocess.run(["perl", "-e", script], input=password, capture_output=True, text=True, check=True)
    return done.stdout
