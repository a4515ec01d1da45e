"""asyncssh, loaded without the programs that its import would run.

It looks for liboqs and nettle through `ctypes.util.find_library`, which starts ldconfig, gcc and ld as
PATH finds them: a quarter of a worker's start, for algorithms that we do not offer. Its X.509
certificates, which we do not trust either, load as much again. It takes all of them as not installed.
"""

from __future__ import annotations

import ctypes.util
import sys

__all__ = ["asyncssh"]

_LEFT_OUT = ("nettle", "libnettle", "libnettle-6", "oqs", "liboqs")
_CERTIFICATES = "asyncssh.crypto.x509"

_find = ctypes.util.find_library


def _find_all_but_these(name: str) -> str | None:
    return None if name in _LEFT_OUT else _find(name)


if "asyncssh" not in sys.modules:
    ctypes.util.find_library = _find_all_but_these
    sys.modules[_CERTIFICATES] = None  # type: ignore[assignment]
    try:
        import asyncssh
    finally:
        ctypes.util.find_library = _find
        del sys.modules[_CERTIFICATES]
else:
    import asyncssh
