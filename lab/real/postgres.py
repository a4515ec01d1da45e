"""A real PostgreSQL on loopback with a data folder of its own, run as the user `postgres` where we are root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ondeck.errors import Missing

PASSWORD = "password-of-the-lab"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; its superuser is `lab`, with `PASSWORD`.

    Attributes:
        port: On 127.0.0.1.
        folder: Of its data.
        process: To stop it, or to let it hang.
    """

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def environ(self) -> dict[str, str]:
        """What a client needs."""
        place = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "lab", "PGPASSWORD": PASSWORD}
        return {"PATH": os.environ.get("PATH", ""), "PGDATABASE": "postgres", **place}


def _program(name: str) -> str:
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(beside[-1]) if beside else shutil.which(name)
    if not found:
        raise Missing(f"there is no {name}", hint="apt-get install postgresql")
    return found


def _as_user(argv: Sequence[str]) -> list[str]:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return list(argv)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", *argv]


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A server until the context is left; its data goes with it.

    Raises:
        Missing: A program or the user is not there, or it did not come up.
    """
    initdb, server, client = _program("initdb"), _program("postgres"), _program("psql")
    folder = Path(tempfile.mkdtemp(prefix="ondeck-lab-postgres-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        if os.geteuid() == 0:
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                raise Missing("there is no user postgres", hint="apt-get install postgresql") from None
            os.chown(folder, user.pw_uid, user.pw_gid)
        word = folder / "word"
        word.write_text(PASSWORD)
        word.chmod(0o644)
        made = ["-D", str(folder / "data"), "-U", "lab", f"--pwfile={word}", "-A", "scram-sha-256", "-N"]
        subprocess.run(_as_user([initdb, *made]), check=True, capture_output=True, cwd="/")
        word.unlink()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = folder / "log"
        with log.open("wb") as out:
            given = ["-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-F"]
            process = subprocess.Popen(
                _as_user([server, *given]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                start_new_session=True,
            )
        found = Postgres(port, folder / "data", process)
        _wait(found, client, log)
        yield found
    finally:
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGQUIT)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(found: Postgres, client: str, log: Path) -> None:
    for _ in range(400):
        asked = subprocess.run(
            [client, "-tAc", "select 1"], env=found.environ, capture_output=True, check=False
        )
        if asked.stdout.strip() == b"1":
            return
        if found.process.poll() is not None:
            break
        time.sleep(0.05)
    raise Missing(f"PostgreSQL did not come up: {log.read_text(errors='replace')[-1000:]}")
