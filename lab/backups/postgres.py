"""A real PostgreSQL server of its own: private folder, its own user, one loopback port; gone with its `with`.

It is started by hand, so no service of the machine is touched. Debian's package makes the user `postgres`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.backups.loopback import ADDRESS, free_port, wait_for
from ondeck.errors import Missing

USER = "postgres"
_CONFIG = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
max_connections = 20
shared_buffers = 16MB
dynamic_shared_memory_type = mmap
"""


def programs() -> Path | None:
    """The folder of the newest server's programs; None when none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


def missing() -> str:
    """Why no server can be started here; empty when one can."""
    if programs() is None:
        return "no PostgreSQL server is installed"
    if os.geteuid() != 0:
        return "starting PostgreSQL as its own user needs root"
    return "" if shutil.which("runuser") else "runuser is not installed"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        port: On 127.0.0.1; `trust` for everybody who reaches it, so nothing of worth may lie in it.
        folder: Its own, of the user `postgres`.
    """

    port: int
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """How the programs of PostgreSQL find it."""
        return {"PGHOST": ADDRESS, "PGPORT": str(self.port), "PGUSER": USER}

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL; what it printed.

        Raises:
            CalledProcessError: It said no.
        """
        argv = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text]
        env = {**os.environ, **self.env}
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.strip()


def _as_postgres(argv: Sequence[str]) -> None:
    subprocess.run(["runuser", "-u", USER, "--", *argv], capture_output=True, check=True, cwd="/")


@contextmanager
def server() -> Iterator[Server]:
    """Start one; it is stopped and its folder removed at the end.

    Raises:
        Missing: It cannot run here, or does not come up.
    """
    if reason := missing():
        raise Missing(reason)
    bin_ = programs()
    assert bin_ is not None
    folder = Path(tempfile.mkdtemp(prefix="ondeck-postgres-"))
    account = pwd.getpwnam(USER)
    os.chown(folder, account.pw_uid, account.pw_gid)
    data, port = folder / "data", free_port()
    try:
        _as_postgres([str(bin_ / "initdb"), "-D", str(data), "-A", "trust", "-N", "-E", "UTF8", "--locale=C"])
        with (data / "postgresql.conf").open("a") as file:
            file.write(f"{_CONFIG}port = {port}\n")
        log = str(folder / "log")
        _as_postgres([str(bin_ / "pg_ctl"), "-D", str(data), "-l", log, "-w", "start"])
        try:
            wait_for(port, "PostgreSQL")
            yield Server(port, folder)
        finally:
            _as_postgres([str(bin_ / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop"])
    except subprocess.CalledProcessError as error:
        raise Missing(f"PostgreSQL does not start: {error.stderr!r}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
