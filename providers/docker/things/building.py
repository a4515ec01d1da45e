"""`image.build`: a folder of a git commit as the context, built by the engine, tagged, and pushed when asked to."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from ondeck.bench import Bench
from ondeck.counting import size
from ondeck.errors import BadInput, Missing, Refused, RemoteFailed
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Action, Change, Command, Draft, Plan, Precondition, Request
from ondeck.job.spec import Risk
from ondeck.operate.deploys.drafting import params_of
from ondeck.operate.ports import Emit
from ondeck.text import decode, safe_line
from providers.docker.auth import login_of
from providers.docker.client import Client
from providers.docker.deploys.state import ATTEMPT
from providers.docker.engine import engine_of
from providers.docker.registry import Registry, repository
from providers.docker.things import deeds
from providers.docker.things.params import BuildParams

FACT = "commit"
_COMMIT = "ondeck.commit"
_MOST = 1 << 30
_CHUNK = 1 << 16


class Building(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's part of a plan."""

    repository: str
    ref: str
    commit: str
    context: str
    dockerfile: str
    name: str
    tag: str
    push: bool

    @property
    def image(self) -> str:
        """`registry.example.net/shop/checkout:2.15.0`."""
        return f"{self.name}:{self.tag}"


async def _git(folder: str, *words: str, into: IO[bytes] | None = None) -> bytes:
    """What git says; into a file when it is much.

    Raises:
        Missing: There is no git here.
        BadInput: Git says no.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *("git", "-C", folder, *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=into if into is not None else asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise Missing(f"cannot run git: {error.strerror}") from error
    out, err = await process.communicate()
    if process.returncode != 0:
        lines = decode(err).strip().splitlines()
        raise BadInput(f"git {words[0]}: {safe_line(lines[-1]) if lines else process.returncode}")
    return out or b""


async def plan(request: Request, bench: Bench) -> Draft:
    """Find the commit, look that its file is there, and that the tag is not another image's.

    Raises:
        BadInput: There is no such commit or file, or the name is none.
        Refused: The registry has that tag already and it shall be pushed.
    """
    params = params_of(request, BuildParams)
    folder = str(Path(bench.inventory.revision.root, Path(params.repository).expanduser()))  # noqa: ASYNC240
    name, colon, tag = params.tag.rpartition(":")
    if not colon or "/" in tag:
        raise BadInput(f"tag {params.tag!r}: write NAME:TAG")
    where = repository(name)
    for part in (params.context, params.dockerfile):
        if part.startswith("/") or ".." in PurePosixPath(part).parts:
            raise BadInput(f"{part!r} is a path inside the repository")
    ref = f"{params.ref}^{{commit}}"
    commit = decode(await _git(folder, "rev-parse", "--verify", "--end-of-options", ref)).strip()
    path = str(PurePosixPath(params.context) / params.dockerfile)
    await _git(folder, "cat-file", "-e", f"{commit}:{path}")
    if params.push:
        await _refuse_taken(params.tag, tag, bench)
    target = request.targets[0]
    async with engine_of(deeds.cluster_of(bench, request.targets), bench):
        pass  # it answers
    building = Building(
        repository=folder,
        ref=params.ref,
        commit=commit,
        context=params.context,
        dockerfile=params.dockerfile,
        name=name,
        tag=tag,
        push=params.push,
    )
    commands: list[tuple[str, ...]] = [
        ("docker", "build", f"--tag={params.tag}", f"--file={params.dockerfile}", "-")
    ]
    if params.push:
        commands.append(("docker", "push", params.tag))
    return Draft(
        summary=f"build {params.tag} from {params.ref} ({commit[:12]})"
        + (f", push to {where.registry}" * params.push),
        risk=Risk.CHANGE,
        changes=(
            Change(action=Action.CREATE, target=target, address=f"image {params.tag}", after=commit[:12]),
        ),
        commands=tuple(Command(target=target, argv=argv, note="over the engine's API") for argv in commands),
        preconditions=(Precondition(target=target, fact=FACT, expected=f"{params.ref} is {commit[:12]}"),),
        rollout=deeds.one_by_one(request.targets),
        lock_key=params.tag,
        undo="" if params.push else f"ondeck plan image.prune {target}",
        data=msgspec.to_builtins(building),
    )


async def _refuse_taken(image: str, tag: str, bench: Bench) -> None:
    where = repository(image.rpartition(":")[0])
    async with Registry(where.registry, await login_of(where.registry), bench.settings).asked() as registry:
        try:
            found = await registry.look(where.path, tag)
        except Missing:
            return
    raise Refused(
        f"{image} is in the registry already as {found.digest[:19]}: a version is never another image",
        hint="give the build a version of its own",
    )


class BuildDeed:
    """See `deeds.Deed`."""

    fact = FACT

    def __init__(self, building: Building, bench: Bench) -> None:
        self._building = building
        self._bench = bench

    async def state(self, engine: Client, target: str) -> str:
        """Which commit the ref names now."""
        one = self._building
        ref = f"{one.ref}^{{commit}}"
        commit = decode(await _git(one.repository, "rev-parse", "--verify", "--end-of-options", ref)).strip()
        return f"{one.ref} is {commit[:12]}"

    async def do(self, engine: Client, attempt: Attempt, emit: Emit) -> Finding:
        """Pack, build, look, push, look."""
        one = self._building
        if await self._built(engine, attempt) is not None:
            raise Refused(f"attempt {attempt.id} was built before")
        async with self._packed() as (context, length):
            emit.step(f"context of {one.commit[:12]}: {size(length)}")
            await self._build(engine, attempt, context, emit)
        if await self._built(engine, attempt) is None:
            raise RemoteFailed("the build ended, and there is no image of it")
        emit.step(f"built {one.image}")
        if one.push:
            await self._push(engine, emit)
        return await self.found(engine, attempt)

    @asynccontextmanager
    async def _packed(self) -> AsyncIterator[tuple[IO[bytes], int]]:
        one = self._building
        folder = self._bench.work_folder("image-build")
        tree = f"{one.commit}:{one.context}" if one.context else one.commit
        with tempfile.TemporaryFile(dir=folder) as file:
            await _git(one.repository, "archive", "--format=tar", tree, into=file)
            length = file.seek(0, 2)
            if length > _MOST:
                raise BadInput(f"the context is {size(length)}: more than {size(_MOST)} is not sent")
            file.seek(0)
            yield file, length

    async def _build(self, engine: Client, attempt: Attempt, context: IO[bytes], emit: Emit) -> None:
        one = self._building
        labels = msgspec.json.encode({ATTEMPT: attempt.id, _COMMIT: one.commit}).decode()
        params = {"t": one.image, "dockerfile": one.dockerfile, "labels": labels, "rm": "1", "forcerm": "1"}
        headers = {"Content-Type": "application/x-tar"}
        async with engine.stream(
            "build", method="POST", params=params, data=_read(context), headers=headers
        ) as answer:
            async for said in engine.lines(answer):
                if text := said.get("stream") or said.get("status"):
                    emit.output(str(text).encode())

    async def _push(self, engine: Client, emit: Emit) -> None:
        one = self._building
        where = repository(one.name)
        login = await login_of(where.registry)
        # The engine refuses a push without this header, whoever we are.
        headers = {"X-Registry-Auth": login.header(where.registry) if login else "e30="}
        path = f"images/{one.name}/push"
        moved: dict[str, tuple[int, int]] = {}
        async with engine.stream(path, method="POST", params={"tag": one.tag}, headers=headers) as answer:
            async for said in engine.lines(answer):
                detail: dict[str, Any] = said.get("progressDetail") or {}
                if detail.get("total"):
                    moved[str(said.get("id"))] = int(detail.get("current", 0)), int(detail["total"])
                    emit.moved(sum(d for d, _ in moved.values()), sum(t for _, t in moved.values()), "B")
        emit.step(f"pushed {one.image}")

    async def _built(self, engine: Client, attempt: Attempt) -> dict[str, Any] | None:
        """The image of an attempt, by its label."""
        wanted = {"label": [f"{ATTEMPT}={attempt.id}"]}
        found = await engine.ask(lambda api: api.images(filters=wanted))
        return dict(found[0]) if found else None

    async def found(self, engine: Client, attempt: Attempt) -> Finding:
        """The image by its label, and in the registry the digest that the engine knows it by."""
        one = self._building
        built = await self._built(engine, attempt)
        if built is None:
            return Finding(outcome=Outcome.NOT_STARTED, evidence="there is no image of the attempt")
        text = f"built {one.image}, id {str(built['Id']).removeprefix('sha256:')[:12]}"
        if not one.push:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=text)
        where = repository(one.name)
        async with Registry(
            where.registry, await login_of(where.registry), self._bench.settings
        ).asked() as registry:
            try:
                there = await registry.look(where.path, one.tag)
            except Missing:
                return Finding(outcome=Outcome.FAILED, evidence=f"{text}, not in the registry")
        mine = {str(name).partition("@")[2] for name in built.get("RepoDigests") or ()}
        if there.digest not in mine:
            return Finding(
                outcome=Outcome.FAILED, evidence=f"{text}; the registry has another: {there.digest[:19]}"
            )
        return Finding(outcome=Outcome.SUCCEEDED, evidence=f"{text}, in the registry as {there.digest[:19]}")


async def _read(file: IO[bytes]) -> AsyncIterator[bytes]:
    while data := await asyncio.to_thread(file.read, _CHUNK):
        yield data


def deed(plan: Plan, bench: Bench) -> BuildDeed:
    """The deed of a plan."""
    return BuildDeed(msgspec.convert(plan.draft.data, Building), bench)
