"""`host.put`: a file onto hosts, with difference, kept old file, atomic write, check, and way back."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ondeck import text
from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, OndeckError, RemoteFailed, Unreachable
from ondeck.job.finding import Attempt, Finding, Gate
from ondeck.job.outcome import Outcome
from ondeck.job.plan import JOB, Action, Change, Command, Draft, Plan, Precondition, Preflight, Request
from ondeck.job.spec import Risk
from ondeck.operate.ports import Emit
from ondeck.reach.detached import begun
from ondeck.reach.ports import Become, FileFacts, Link
from providers.host.content import LARGEST, difference, pin, read_source, sha, unpin
from providers.host.execute import rollout
from providers.host.links import Links, become_of
from providers.host.params import PutParams

ABSENT = "absent"
_DIFF_LIMIT = 1 << 20
_JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\Z")

# $1 job, $2 path, $3 name of the copy. A second try finds the copy of the first one and keeps that.
_KEEP = """umask 077
k=$HOME/.local/state/ondeck/kept/$1
mkdir -p "$k" || exit 1
[ -e "$k/$3" ] || [ -e "$k/$3.absent" ] || {
if [ -e "$2" ]; then cp -p -- "$2" "$k/$3.tmp" && mv -- "$k/$3.tmp" "$k/$3"; else : >"$k/$3.absent"; fi
} || exit
[ ! -e "$k/$3" ] || echo kept
"""

_KEPT = """k=$HOME/.local/state/ondeck/kept/$1/$2
if [ -e "$k" ]; then stat -c '%a %U:%G' -- "$k" && sha256sum <"$k"
elif [ -e "$k.absent" ]; then echo absent
else exit 44; fi
"""

_RESOLVE = """readlink -f -- "$1" """

_REMOVE = """rm -f -- "$1" && [ ! -e "$1" ]"""


class Seen(msgspec.Struct, frozen=True):
    """One host at plan time: what is there, and what it is to become.

    Attributes:
        path: The file itself, behind every link on the way to it.
    """

    path: str
    facts: FileFacts | None
    old: bytes | None
    new: bytes | None
    mode: int
    owner: str

    @property
    def before(self) -> str:
        """Its checksum, or `absent`."""
        return self.facts.sha256 if self.facts is not None else ABSENT

    @property
    def after(self) -> str:
        """The checksum to come, or `absent`."""
        return sha(self.new) if self.new is not None else ABSENT

    @property
    def same(self) -> bool:
        """True when there is nothing to do."""
        if self.before != self.after:
            return False
        return self.facts is None or self.facts.mode == self.mode


def _checked(request: Request, params: PutParams) -> PutParams:
    subject, colon, tail = request.subject.partition(":")
    if not params.path and colon and subject in request.targets:
        params = msgspec.structs.replace(params, path=tail)
    if not params.path.startswith("/") or params.path.endswith("/"):
        raise BadInput(
            f"{params.path!r} is not an absolute path of a file", hint="ondeck put FILE HOST:/PATH"
        )
    if params.source == "-":
        params = msgspec.structs.replace(params, source="")
    if bool(params.source) == bool(params.undo):
        raise BadInput("name a file, or a job to undo", hint="ondeck put FILE HOST:/PATH")
    if params.undo and not _JOB.match(params.undo):
        raise BadInput(f"{params.undo!r} is not a job")
    if params.mode and not re.fullmatch("[0-7]{3,4}", params.mode):
        raise BadInput(f"mode {params.mode!r} is not octal", hint="for example 0644")
    return params


def lock_of(hosts: tuple[str, ...], path: str) -> str:
    """The key of a put: host and path, or a digest of the hosts when there are more than one."""
    names = ",".join(sorted(hosts))
    if len(hosts) > 1:
        names = f"{len(hosts)}-hosts-{sha(names.encode())[:12]}"
    return f"host.put@{names}:{path}"


def _name(path: str) -> str:
    """The path as one file name."""
    return path.replace("%", "%25").replace("/", "%2F")


async def _look(link: Link, params: PutParams, source: bytes | None, become: Become | None) -> Seen:
    facts = await link.stat(params.path, digest=True, become=become)
    path = await _resolved(link, params.path, become)
    old = None
    if facts is not None and facts.size <= _DIFF_LIMIT:
        old = await link.read_file(path, limit=_DIFF_LIMIT, become=become)
    elif facts is not None:
        old = f"[{facts.size} bytes, too large to compare]\0".encode()
    mode, owner = (facts.mode if facts else 0o644), params.owner
    new = source
    if params.undo:
        new, mode, owner = await _kept(link, params.undo, path, become, mode)
    elif params.mode:
        mode = int(params.mode, 8)
    return Seen(path, facts, old, new, mode, owner)


async def _resolved(link: Link, path: str, become: Become | None) -> str:
    """The path of the file itself, behind links; as asked when it leads into no folder."""
    done = await link.run(["sh", "-c", _RESOLVE, "sh", path], become=become)
    found = done.stdout.removesuffix(b"\n")
    if not done.ok or not found.startswith(b"/"):
        return path
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise RemoteFailed(f"{path} leads to {text.safe_line(text.decode(found))}, not UTF-8") from error


async def _kept(
    link: Link, job: str, path: str, become: Become | None, mode: int
) -> tuple[bytes | None, int, str]:
    """What a job replaced on a host: content, mode, owner."""
    name = _name(path)
    done = await link.run(["sh", "-c", _KEPT, "sh", job, name], become=become)
    if done.status == 44:
        raise Missing(f"job {job} kept nothing of {path}", where=link.host)
    lines = text.decode(done.stdout).splitlines()
    if not done.ok or not lines:
        raise RemoteFailed(f"cannot read what job {job} kept", where=link.host)
    if lines[0] == ABSENT:
        return None, mode, ""
    bits, owner = lines[0].split(" ", 1)
    home = (await link.run(["sh", "-c", 'printf %s "$HOME"'], become=become)).stdout.decode()
    kept = f"{home}/.local/state/ondeck/kept/{job}/{name}"
    return await link.read_file(kept, limit=LARGEST, become=become), int(bits, 8), owner


async def plan_put(request: Request, params: PutParams, bench: Bench) -> Draft:
    """Read what is there on every host and say what would become of it.

    Its lock is that of these hosts and this path: a put in doubt on one host blocks no other host. Of two
    puts whose hosts only overlap, the checksum that is read again before each write refuses the later one.

    Raises:
        BadInput: File, path or mode make no sense.
        Unreachable: No host could be asked.
    """
    params = _checked(request, params)
    become = become_of(params.become)
    source = await asyncio.to_thread(read_source, params.source) if params.source else None
    links = Links(request.targets, bench)
    try:
        seen, left_out = await _survey(links, request, params, source, become)
    finally:
        await links.aclose()
    todo = {target: one for target, one in seen.items() if not one.same} or seen
    unread = len(left_out)
    left_out |= {target: "is so already" for target in seen if target not in todo}
    contents: dict[str, dict[str, Any]] = {}
    hosts: dict[str, dict[str, Any]] = {}
    for target, one in todo.items():
        if one.new is not None and one.after not in contents:
            contents[one.after] = await asyncio.to_thread(pin, one.new, bench.settings)
        hosts[target] = {
            "path": one.path,
            "before": one.before,
            "after": one.after,
            "mode": one.mode,
            "owner": one.owner,
        }
    paths = {one.path for one in todo.values()}
    request = msgspec.structs.replace(request, targets=tuple(todo))
    note = "keep the old file, write beside, sync, rename over, compare sha256"
    return Draft(
        summary=f"{params.path} on {len(todo)} host{'s' if len(todo) != 1 else ''}",
        risk=Risk.CHANGE,
        changes=tuple(_change(target, params.path, one) for target, one in todo.items()),
        commands=tuple(
            Command(target=target, argv=("put", one.path), become=become.user if become else "", note=note)
            for target, one in todo.items()
        ),
        preconditions=tuple(
            Precondition(target=target, fact=f"sha256 {one.path}", expected=one.before)
            for target, one in todo.items()
        ),
        warnings=_special(todo, params.mode),
        preflight=(Preflight(name="file read", ok=len(seen), unknown=unread),),
        rollout=rollout(request, bench, batch=params.batch, max_failures=params.max_failures, verb="put"),
        # Two names of one file are one lock; where hosts differ, each file's checksum still guards it.
        lock_key=lock_of(tuple(todo), paths.pop() if len(paths) == 1 else params.path),
        undo=_undo(tuple(todo), params),
        data={
            "path": params.path,
            "become": become.user if become else "",
            "contents": contents,
            "hosts": hosts,
        },
        left_out=left_out,
    )


def _undo(hosts: tuple[str, ...], params: PutParams) -> str:
    where = hosts[0] if len(hosts) == 1 else f"name in ({','.join(hosts)})"
    become = f" --become {shlex.quote(params.become)}" if params.become else ""
    return f"ondeck put - {shlex.quote(f'{where}:{params.path}')}{become} --undo {JOB}"


async def _survey(
    links: Links, request: Request, params: PutParams, source: bytes | None, become: Become | None
) -> tuple[dict[str, Seen], dict[str, str]]:
    async def one(target: str) -> Seen | OndeckError:
        try:
            return await _look(await links.get(target), params, source, become)
        except OndeckError as error:
            return error
        except TimeoutError as error:
            return Unreachable(str(error), where=target)

    found = dict(zip(request.targets, await asyncio.gather(*map(one, request.targets)), strict=True))
    seen = {target: what for target, what in found.items() if isinstance(what, Seen)}
    errors = {target: what for target, what in found.items() if isinstance(what, OndeckError)}
    if not seen:
        raise next(iter(errors.values()))
    return seen, {target: error.message for target, error in errors.items()}


def _change(target: str, path: str, one: Seen) -> Change:
    action = Action.UPDATE
    if one.same:
        action = Action.NO_OP
    elif one.facts is None:
        action = Action.CREATE
    elif one.new is None:
        action = Action.DELETE
    before = f"{one.facts.size} bytes, mode {one.facts.mode:04o}" if one.facts else ABSENT
    after = f"{len(one.new)} bytes, mode {one.mode:04o}" if one.new is not None else ABSENT
    diff = "" if one.before == one.after else difference(one.old, one.new, path)
    address = path if one.path == path else text.safe_line(f"{path} -> {one.path}")
    return Change(action=action, target=target, address=address, before=before, after=after, diff=diff)


class Putting:
    """Applies one `host.put` plan."""

    def __init__(self, plan: Plan, bench: Bench, links: Links) -> None:
        self._data = plan.draft.data
        self._path = str(self._data["path"])
        self._become = become_of(str(self._data["become"]))
        self._settings = bench.settings
        self._links = links

    async def ready(self) -> dict[str, Finding]:
        """Open every link."""
        return await self._links.open()

    def _file(self, target: str) -> str:
        """The file that the plan names on a host."""
        return str(self._data["hosts"][target]["path"])

    async def _sum(self, target: str) -> str:
        link = await self._links.get(target)
        path = self._file(target)
        facts = await link.stat(path, digest=True, become=self._become)
        found = facts.sha256 if facts is not None else ABSENT
        now = await _resolved(link, self._path, self._become)
        return found if now == path else text.safe_line(f"{found}, and {self._path} is {now} now")

    async def check(self, target: str) -> tuple[Precondition, ...]:
        """The file's checksum as it is now."""
        fact = f"sha256 {self._file(target)}"
        return (Precondition(target=target, fact=fact, expected=await self._sum(target)),)

    async def apply(self, attempt: Attempt, emit: Emit) -> Finding:
        """Keep, write, compare."""
        wanted = self._data["hosts"][attempt.target]
        link, path = await self._links.get(attempt.target), self._file(attempt.target)
        job = attempt.job
        keep = ["sh", "-c", _KEEP, "sh", job, path, _name(path)]
        done = await link.run(keep, become=self._become)
        if not done.ok:
            raise RemoteFailed(f"cannot keep the old file: {text.decode(done.stderr).strip()}")
        kept = done.stdout.startswith(b"kept")
        if wanted["after"] == ABSENT:
            done = await link.run(["sh", "-c", _REMOVE, "sh", path], become=self._become)
            if not done.ok:
                raise RemoteFailed(f"cannot remove {path}: {text.decode(done.stderr).strip()}")
        else:
            data = await asyncio.to_thread(unpin, self._data["contents"][wanted["after"]], self._settings)
            await link.write_file(
                path, data, mode=int(wanted["mode"]), owner=str(wanted["owner"]), become=self._become
            )
        with begun(attempt.target):
            found = await self._sum(attempt.target)
        if found != wanted["after"]:
            said = f"after writing it is {found[:12]}, wanted {wanted['after'][:12]}"
            return Finding(outcome=Outcome.FAILED, evidence=said)
        if kept:
            emit.step(f"kept the old file for --undo {job}")
        return Finding(outcome=Outcome.SUCCEEDED, evidence=f"sha256 {found[:12]} read back", status=0)

    async def gate(self, targets: tuple[str, ...]) -> Gate:
        """The checksum of each host was compared already."""
        return Gate(passed=True, evidence="no gate")

    async def reconcile(self, attempt: Attempt) -> Finding:
        """The checksum that is there tells which of the two files it is."""
        wanted = self._data["hosts"][attempt.target]
        found = await self._sum(attempt.target)
        if found == wanted["after"]:
            return Finding(
                outcome=Outcome.SUCCEEDED, evidence=f"sha256 {found[:12]} is the new one", status=0
            )
        if found == wanted["before"]:
            return Finding(outcome=Outcome.NOT_STARTED, evidence=f"sha256 {found[:12]} is still the old one")
        said = f"sha256 {found[:12]} is neither the old nor the new one: somebody else wrote it"
        return Finding(outcome=Outcome.UNKNOWN, evidence=said)

    async def finish(self, succeeded: tuple[str, ...], emit: Callable[[str], None]) -> dict[str, str]:
        """Kept files stay: they are the way back."""
        return {}


def _special(todo: Mapping[str, Seen], asked: str) -> tuple[str, ...]:
    """Said when new content gets the setuid, setgid or sticky bit that only the old file had."""
    hosts = [target for target, one in todo.items() if one.mode & 0o7000 and not asked]
    if not hosts:
        return ()
    mode = todo[hosts[0]].mode
    return (f"the new file keeps mode {mode:04o} on {', '.join(hosts[:5])}; --mode says another",)
