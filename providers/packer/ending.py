"""How a build ended: from its exit status and what it told of each builder; and what it made, remembered."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.reach.command import signal_of
from ondeck.reach.detached import Look, Stage
from ondeck.text import safe_line
from providers.packer.program import Ready
from providers.packer.shelf import Made
from providers.packer.stream import Artifact, Reader


class ManifestBuild(msgspec.Struct, kw_only=True):
    """One entry of what the `manifest` post-processor writes."""

    name: str
    builder_type: str = ""
    artifact_id: str = ""
    files: list[dict[str, str | int]] | None = None
    packer_run_uuid: str = ""


class Manifest(msgspec.Struct, kw_only=True):
    """The file of the `manifest` post-processor."""

    builds: list[ManifestBuild] = []
    last_run_uuid: str = ""


def ended(look: Look, reader: Reader, builders: tuple[str, ...]) -> Finding:
    """The outcome of a run that is over, with its evidence."""
    if look.stage is not Stage.ENDED or look.status is None:
        found = look.finding()
        said = f"{found.evidence}; what its builders left is not known"
        return msgspec.structs.replace(found, evidence=said)
    status = look.status
    if status == 0:
        missing = [name for name in builders if name not in reader.finished]
        if reader.error_count or reader.errors or missing:
            why = (
                "; ".join(f"{name}: {text}" for name, text in reader.errors.items())
                or f"not finished: {missing}"
            )
            return Finding(outcome=Outcome.UNKNOWN, evidence=safe_line(f"exit 0, but {why}"), status=0)
        return Finding(
            outcome=Outcome.SUCCEEDED, evidence=f"exit 0, {len(reader.finished)} finished", status=0
        )
    if reader.cancelled:
        whole = not reader.artifacts and not reader.finished
        text = (
            f"interrupted, exit {status}: it says that it cleaned up; {len(reader.finished)} finished before"
        )
        return Finding(outcome=Outcome.CANCELLED if whole else Outcome.FAILED, evidence=text, status=status)
    if name := signal_of(status):
        text = f"exit {status} (SIG{name}); what its builders left is not known"
        return Finding(outcome=Outcome.UNKNOWN, evidence=text, status=status)
    why = (
        "; ".join(f"{name}: {text}" for name, text in reader.errors.items())
        or reader.last
        or "it told no reason"
    )
    text = f"exit {status}: {why}; {len(reader.finished)} finished"
    return Finding(outcome=Outcome.FAILED, evidence=safe_line(text), status=status)


def remember(ready: Ready, job: str, reader: Reader) -> list[Made]:
    """Put what was made on the shelf: what the manifest says of this run, else what the lines told."""
    now = time.time_ns()
    told = [_of_lines(ready, one, job, now) for one in reader.artifacts]
    known = {one.builder: one for one in told}
    for one in _of_manifest(ready, job, now):
        if one.builder in known:
            known[one.builder] = one
    made = list(known.values())
    if made:
        ready.shelf.add(made)
    return made


def _of_lines(ready: Ready, one: Artifact, job: str, now: int) -> Made:
    files = tuple(str(ready.folder / file) for file in one.files)
    name = _named(ready, one.id, one.files) or one.said
    return Made(
        id=name, builder=one.builder, at=now, job=job, commit=ready.pinned.commit, said=one.said, files=files
    )


def _named(ready: Ready, name: str, files: list[str]) -> str:
    """The id; the file builder calls every artifact `File`, so that commit and path say which one it is."""
    return f"{ready.pinned.commit[:7]}:{files[0]}" if name in ("File", "") and files else name


def _of_manifest(ready: Ready, job: str, now: int) -> list[Made]:
    if not ready.options.manifest:
        return []
    try:
        raw = (ready.folder / ready.options.manifest).read_bytes()
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (OSError, msgspec.DecodeError):
        return []
    return [
        _of_entry(ready, one, job, now)
        for one in manifest.builds
        if one.packer_run_uuid == manifest.last_run_uuid and (one.files or one.artifact_id)
    ]


def _of_entry(ready: Ready, one: ManifestBuild, job: str, now: int) -> Made:
    files = tuple(str(ready.folder / Path(str(file.get("name", "")))) for file in one.files or ())
    name = _named(ready, one.artifact_id, [str(file.get("name", "")) for file in one.files or ()])
    return Made(
        id=safe_line(name),
        builder=safe_line(f"{one.builder_type}.{one.name}"),
        at=now,
        job=job,
        commit=ready.pinned.commit,
        files=tuple(map(safe_line, files)),
    )
