"""The archives of the demo's service, the same bytes wherever and whenever they are built."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

_PAYLOAD = Path(__file__).parent / "payload"
_DATED = 1_760_000_000  # the time inside every archive


@dataclass(frozen=True, slots=True)
class Release:
    """One version and what its notes say; `age` is the archive's age in seconds when a demo starts."""

    version: str
    notes: str
    age: int


RELEASES = (
    Release("2.13.2", "Fix rounding of VAT.", 5 * 86400),
    Release("2.14.0", "Show vouchers in the basket.", 33 * 3600),
    Release("2.15.0", "Bigger pool to orders-db, retry nine times.", 540),
    Release("2.16.0", "Back to the old pool; retry once.", 120),
)
GOOD_BEFORE = "2.14.0"
LIVE = "2.15.0"


def content(release: Release) -> dict[str, tuple[int, bytes]]:
    """Files of a release by their path: mode and bytes."""
    return {
        "VERSION": (0o644, f"{release.version}\n".encode()),
        "NOTES": (0o644, f"{release.version}: {release.notes}\n".encode()),
        "bin/checkout": (0o755, (_PAYLOAD / "checkout.py").read_bytes()),
        "bin/ctl": (0o755, (_PAYLOAD / "ctl").read_bytes()),
        "bin/restart": (0o755, (_PAYLOAD / "restart").read_bytes()),
    }


def archive(release: Release) -> bytes:
    """The release as tar.gz, without a folder around it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("bin")
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, _DATED
        tar.addfile(folder)
        for name, (mode, data) in sorted(content(release).items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), mode, _DATED
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def build(folder: Path, now: float) -> dict[str, str]:
    """Write all archives with their `.sha256` beside them; gives the sha256 by version.

    Args:
        folder: Made when it is not there.
        now: Seconds since 1970; the files are dated from it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums: dict[str, str] = {}
    for release in RELEASES:
        path = folder / f"checkout-{release.version}.tar.gz"
        data = archive(release)
        sums[release.version] = hashlib.sha256(data).hexdigest()
        path.write_bytes(data)
        path.with_name(path.name + ".sha256").write_text(f"{sums[release.version]}  {path.name}\n")
        os.utime(path, (now - release.age, now - release.age))
    return sums
