"""`s3.copy`: a file to S3 or from there, with progress, size and ETag read back."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import os
import shlex
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, LinkLost, RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from ondeck.text import safe_line
from providers.aws import objects
from providers.aws.calling import Calls
from providers.aws.deed import SETTLES, Deed, Thing, lock_of, preconditions, rollout, thing, under_way
from providers.aws.params import CopyParams
from providers.aws.rows import object_of, size, text

ABSENT = "absent"
FILE, OBJECT = "file here", "object"
_CHUNK = 8 << 20
_META = "ondeck-attempt"


class FileSeen(msgspec.Struct, frozen=True):
    """A file of this machine; bytes is -1 when there is none."""

    bytes: int
    sha256: str = ""
    md5: str = ""

    @property
    def fact(self) -> str:
        """As it stands in a plan."""
        return f"sha256 {self.sha256}" if self.bytes >= 0 else ABSENT


def seen(path: str) -> FileSeen:
    """Size and sums of a file; waits for the disk, so it is not for a loop.

    Raises:
        BadInput: It is no file or cannot be read.
    """
    sha, md5, count = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    try:
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                sha.update(block)
                md5.update(block)
                count += len(block)
    except FileNotFoundError:
        return FileSeen(-1)
    except OSError as error:
        raise BadInput(f"the file cannot be read: {error.strerror}", where=path) from error
    return FileSeen(count, sha.hexdigest(), md5.hexdigest())


async def object_fact(calls: Calls, at: Thing) -> tuple[str, dict[str, Any] | None]:
    """An object as a fact, `ETag SIZE`, and all that S3 says of it."""
    bucket, key, version = object_of(at.name)
    facts = await objects.head(calls, at.region, bucket, key, version)
    return (f"etag {objects.etag(facts)} {facts.get('ContentLength')} bytes" if facts else ABSENT), facts


def _target(request: Request) -> Thing:
    if len(request.targets) != 1:
        raise BadInput("one object at a time", hint="ACCOUNT/REGION/BUCKET/KEY")
    at = thing(request.targets[0])
    _, key, _ = object_of(at.name)
    if not key or key.endswith("/"):
        raise BadInput(f"{at.name!r} names no object", hint="ACCOUNT/REGION/BUCKET/KEY")
    return at


async def plan(request: Request, params: CopyParams, calls: Calls, bench: Bench) -> Draft:
    """Look at both sides.

    Raises:
        BadInput: Neither or both directions, or what is to be copied is not there.
        OndeckError: S3 could not be asked.
    """
    if bool(params.upload) == bool(params.download):
        raise BadInput("which way?", hint="--upload FILE or --download FILE")
    at = _target(request)
    up = bool(params.upload)
    path = absolute(params.upload or params.download)
    here = await asyncio.to_thread(seen, path)
    fact, facts = await object_fact(calls, at)
    if (up and here.bytes < 0) or (not up and facts is None):
        raise BadInput("there is nothing to copy", where=path if up else at.target)
    _, _, version = object_of(at.name)
    if up and version:
        raise BadInput("a version cannot be written, only the object", where=at.target)
    same = facts is not None and _same(here, facts)
    source, goal = (here.fact, fact) if up else (fact, here.fact)
    action = Action.NO_OP if same else Action.CREATE if goal == ABSENT else Action.UPDATE
    count = here.bytes if up else int((facts or {}).get("ContentLength", 0))
    return Draft(
        summary=f"{'upload' if up else 'download'} {safe_line(Path(path).name)}, {size(count)}",
        risk=Risk.CHANGE,
        changes=(
            Change(
                action=action,
                target=at.target,
                address=text(at.name) if up else safe_line(path),
                before=goal,
                after=source,
            ),
        ),
        commands=() if same else (
            Command(target=at.target, argv=("aws", "s3", "cp", *((path, _url(at)) if up else (_url(at), path)))),
        ),
        preconditions=preconditions(at.target, {FILE: here.fact, OBJECT: fact}),
        rollout=rollout(request.targets),
        lock_key=lock_of("s3", request.targets),
        undo=_undo(at, path, up=up, there=goal != ABSENT),
        data={"path": path, "up": up, "bytes": count, "same": same, "md5": here.md5 if up else "", "before": goal},
    )  # fmt: skip


def _undo(at: Thing, path: str, *, up: bool, there: bool) -> str:
    if up:
        return (
            "the version before, where the bucket keeps versions"
            if there
            else f"ondeck s3 delete {shlex.quote(at.target)}"
        )
    return "irreversible: the file before is overwritten" if there else f"remove {safe_line(path)}"


def absolute(path: str) -> str:
    """A path as a job understands it, which stands in another folder."""
    return str(Path(path).expanduser().absolute())


def _url(at: Thing) -> str:
    bucket, key, _ = object_of(at.name)
    return f"s3://{bucket}/{key}"


def _same(here: FileSeen, facts: dict[str, Any]) -> bool:
    """An ETag of one part is the MD5 of the content, unless a key of KMS is in play."""
    return here.bytes == facts.get("ContentLength") and here.md5 == objects.etag(facts)


class _Stopped(Exception):
    """Somebody cancelled while bytes were moving."""


class Copying(Deed):
    """Applies one plan; an object carries the attempt in its metadata."""

    async def facts(self, at: Thing) -> dict[str, str]:
        """The file and the object."""
        here = await asyncio.to_thread(seen, str(self.plan.draft.data["path"]))
        fact, _ = await object_fact(self.calls, at)
        return {FILE: here.fact, OBJECT: fact}

    async def do(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """Move the bytes, then look at what arrived."""
        data = self.plan.draft.data
        if data["same"]:
            return Finding(outcome=Outcome.SUCCEEDED, evidence="it is there already")
        _, there = await object_fact(self.calls, at)
        if there is not None and there.get("Metadata", {}).get(_META) == attempt.id:
            return await self.became(at, attempt)
        total, loop, halt = int(data["bytes"]), asyncio.get_running_loop(), threading.Event()
        moved = [0]

        def progress(count: int) -> None:
            if halt.is_set():
                raise _Stopped
            moved[0] += count
            loop.call_soon_threadsafe(emit.moved, min(moved[0], total), total, "bytes")

        work = self._upload(at, attempt, progress) if data["up"] else self._download(at, progress)
        task = asyncio.ensure_future(self.calls.work(at.region, "s3", work))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            halt.set()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()
            raise
        with under_way(at.target):
            return await self._arrived(at, attempt)

    def _upload(self, at: Thing, attempt: Attempt, progress: Callable[[int], None]) -> Callable[[Any], None]:
        from boto3.s3.transfer import TransferConfig

        bucket, key, _ = object_of(at.name)
        path = str(self.plan.draft.data["path"])
        kind = mimetypes.guess_type(path)[0]
        more = {"Metadata": {_META: attempt.id}, **({"ContentType": kind} if kind else {})}

        def work(client: Any) -> None:  # noqa: ANN401 - boto3's own
            client.upload_file(
                path, bucket, key, ExtraArgs=more, Callback=progress,
                Config=TransferConfig(use_threads=False, multipart_threshold=_CHUNK, multipart_chunksize=_CHUNK),
            )  # fmt: skip

        return work

    def _download(self, at: Thing, progress: Callable[[int], None]) -> Callable[[Any], None]:
        from boto3.s3.transfer import TransferConfig

        bucket, key, version = object_of(at.name)
        path = Path(str(self.plan.draft.data["path"]))
        more = {"VersionId": version} if version else {}

        def work(client: Any) -> None:  # noqa: ANN401 - boto3's own
            try:
                descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            except OSError as error:
                raise RemoteFailed(f"cannot write there: {error.strerror}", where=str(path.parent)) from error
            try:
                with os.fdopen(descriptor, "wb") as file:
                    client.download_fileobj(
                        bucket,
                        key,
                        file,
                        ExtraArgs=more,
                        Callback=progress,
                        Config=TransferConfig(use_threads=False),
                    )
                    file.flush()
                    os.fsync(file.fileno())
                Path(beside).replace(path)
            except BaseException:
                Path(beside).unlink(missing_ok=True)
                raise

        return work

    async def _arrived(self, at: Thing, attempt: Attempt) -> Finding:
        data = self.plan.draft.data
        fact, facts = await object_fact(self.calls, at)
        here = await asyncio.to_thread(seen, str(data["path"]))
        if facts is None:
            return Finding(outcome=Outcome.FAILED, evidence="there is no such object afterwards")
        if here.bytes != facts.get("ContentLength"):
            said = f"{here.bytes} bytes here, {facts.get('ContentLength')} there"
            return Finding(outcome=Outcome.FAILED, evidence=said)
        if _plain(facts) and here.md5 != objects.etag(facts):
            return Finding(outcome=Outcome.FAILED, evidence=f"{fact}, but the file's MD5 is {here.md5}")
        return Finding(outcome=Outcome.SUCCEEDED, evidence=fact)

    async def became(self, at: Thing, attempt: Attempt) -> Finding:
        """Whether both sides are the same now; an upload is known by its attempt, else by its content."""
        data = self.plan.draft.data
        fact, facts = await object_fact(self.calls, at)
        here = await asyncio.to_thread(seen, str(data["path"]))
        goal = fact if data["up"] else here.fact
        if goal == data["before"] and data["up"]:
            await asyncio.sleep(self.settings.seconds(SETTLES / 4))
            fact, facts = await object_fact(self.calls, at)
            goal = fact
        if facts is not None and self._is_ours(facts, here, attempt):
            return Finding(outcome=Outcome.SUCCEEDED, evidence=f"{fact}, as the file here")
        if data["up"] and (parts := await self._unfinished(at)):
            return Finding(outcome=Outcome.FAILED, evidence=f"the object is {goal}, as before, but {parts}")
        if goal == data["before"]:
            return Finding(outcome=Outcome.NOT_STARTED, evidence=f"{goal}, as before")
        return Finding(
            outcome=Outcome.UNKNOWN, evidence=f"{fact}, which is neither as before nor as the file here"
        )

    async def _unfinished(self, at: Thing) -> str:
        """Uploads in parts that were begun for this object and not ended: nobody sees them, and they cost."""
        bucket, key, _ = object_of(at.name)
        answer = await self.calls.read(at.region, "s3", "list_multipart_uploads", Bucket=bucket, Prefix=key)
        left = [str(one["UploadId"]) for one in answer.get("Uploads", ()) if one["Key"] == key]
        return f"an upload in parts was left unfinished: {text(', '.join(left[:3]))}" if left else ""

    def _is_ours(self, facts: dict[str, Any], here: FileSeen, attempt: Attempt) -> bool:
        if here.bytes != facts.get("ContentLength"):
            return False
        return here.md5 == objects.etag(facts) or facts.get("Metadata", {}).get(_META) == attempt.id

    async def stop(self, at: Thing, attempt: Attempt, emit: Emit) -> Finding:
        """The bytes have stopped; what is there is looked at."""
        found = await self.became(at, attempt)
        if found.outcome is Outcome.NOT_STARTED:
            return Finding(outcome=Outcome.CANCELLED, evidence=f"stopped, and {found.evidence}")
        if found.outcome is Outcome.UNKNOWN:
            raise LinkLost(found.evidence, where=at.target)
        return found


def _plain(facts: dict[str, Any]) -> bool:
    """Whether its ETag is an MD5: of one part, and not encrypted with a key of its own."""
    return "-" not in objects.etag(facts) and facts.get("ServerSideEncryption", "AES256") == "AES256"
