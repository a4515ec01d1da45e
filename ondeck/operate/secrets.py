"""References to secrets and what they stand for: `env:NAME`, `file:PATH`. Resolved once, by who starts a job."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ondeck.errors import BadInput, Missing
from ondeck.secret import Secret

_LIMIT = 64 << 10


def resolve(references: Iterable[str], environ: Mapping[str, str]) -> dict[str, Secret]:
    """The secret behind each reference.

    Raises:
        Missing: One is not there; the message names the reference, never a value.
        BadInput: One is of no known kind.
    """
    return {reference: _one(reference, environ) for reference in references}


def _one(reference: str, environ: Mapping[str, str]) -> Secret:
    kind, _, name = reference.partition(":")
    match kind:
        case "env":
            if name not in environ:
                raise Missing(f"secret {reference!r}: the variable is not set", hint=f"export {name}=...")
            return Secret(environ[name])
        case "file":
            return _file(reference, Path(name).expanduser())
    raise BadInput(f"{reference!r} is no reference to a secret", hint="write env:NAME or file:PATH")


def _file(reference: str, path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise Missing(f"secret {reference!r}: others may read the file", hint=f"chmod 0600 {path}")
            return Secret(file.read(_LIMIT).decode().rstrip("\r\n"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Missing(f"secret {reference!r}: {reason}") from None
