"""Getting a release onto a host without touching what runs: upload, check, unpack beside, move in place."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ondeck.errors import RemoteFailed
from ondeck.job.finding import Attempt
from ondeck.operate.deploys.claimed import said
from ondeck.operate.ports import Emit
from ondeck.reach.ports import Become, Completed, Link
from providers.release import scripts
from providers.release.archive import pieces
from providers.release.hoststate import release_json
from providers.release.options import ReleaseDir
from providers.release.work import Work

_PIECE_SECONDS = 300.0


async def stage(link: Link, options: ReleaseDir, work: Work, attempt: Attempt, emit: Emit) -> None:
    """Put the plan's release into `releases/`; idempotent, and a failure leaves nothing behind.

    Raises:
        RemoteFailed: No room, another checksum, not unpackable; the host runs what it ran.
        LinkLost: The connection ended; nothing was switched.
    """
    become = options.as_user()
    upload = f"{options.path}/.ondeck/incoming-{attempt.id}.tar"
    try:
        await _must(link, scripts.argv(scripts.PREPARE, options.path), "cannot make the folders", become)
        sent = await _upload(link, Path(work.archive), upload, become)
        emit.step(f"uploaded {sent / 1e6:.1f} MB")
        version = work.release.version
        values = (options.path, version, attempt.id, work.release.sha256, options.user)
        record = release_json(version, work.release.sha256, work.by, attempt.id)
        await _must(
            link,
            scripts.argv(scripts.UNPACK, *values),
            f"cannot unpack {version}",
            become,
            stdin=record,
            timeout=options.seconds(),
        )
        emit.step(f"unpacked {version}, checksum {work.release.sha256[:12]} as planned")
    except RemoteFailed:
        await link.run(["rm", "-f", "--", upload], become=become)
        raise


async def _upload(link: Link, archive: Path, upload: str, become: Become | None) -> int:
    sent = 0
    source = pieces(archive)
    while piece := await asyncio.to_thread(next, source, b""):
        argv = scripts.argv(scripts.PIECE, upload, str(sent))
        await _must(link, argv, "cannot upload", become, stdin=piece, timeout=_PIECE_SECONDS)
        sent += len(piece)
    return sent


async def _must(
    link: Link,
    argv: list[str],
    what: str,
    become: Become | None,
    *,
    stdin: bytes = b"",
    timeout: float = 60.0,
) -> Completed:
    done = await link.run(argv, stdin=stdin, become=become, timeout=timeout, limit=65536)
    if not done.ok:
        raise RemoteFailed(f"{what}: {said(done)}", where=link.host)
    return done
