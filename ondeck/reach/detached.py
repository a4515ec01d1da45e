"""A command that outlives its connection: a claimed folder on the host, over any Link.

`~/.local/state/ondeck/jobs/ATTEMPT/` of the user it runs as, 0700. Making the folder is the claim, so
an id starts at most once. In it: `argv` (words ended by NUL), `boot_id`, `go` (made by who may start
it; with `taken` by a look that made a late start impossible), `pid` (leader of its session and the
kernel's start time of it), `out` and `err` with the first bytes, `out.tail` and `err.tail` with the
last ones of what was more, `rc` written beside, synced and renamed when it ended. A reboot, a reused
pid, a killed runner and a start that never came are told apart by evidence; none of them is taken for
an end that was seen. Secrets for it come on standard input of the launch and go into its environment: they
stand in no file, so none is left behind however it ends.

POSIX sh with the coreutils of Debian or busybox, and Linux's /proc.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum

import msgspec

from ondeck import text
from ondeck.errors import BadInput, LinkLost, OndeckError, Refused, RemoteFailed, Unreachable
from ondeck.job.finding import Finding
from ondeck.job.outcome import Outcome
from ondeck.reach import secretly
from ondeck.reach.command import SIGNALS, signal_of, with_env
from ondeck.reach.ports import Become, Completed, Fd, Link
from ondeck.secret import Secret
from ondeck.settings import Settings

KEPT = 1 << 20
"""Bytes of each stream that are kept from its start; a quarter of it from its end."""

CUT = f"its output was cut: {KEPT >> 20} MiB of each stream from the start and a quarter of it from the end are kept"
"""What to say of a look that is `cut`: the mark between the two parts could as well be the command's own."""

_CLAIMED = 46
_NO_ROOM = 73
_NO_FOLDER = 72
_TERM_GRACE = 10.0
_PROCESS = re.compile(rb"^/proc/(\d+)/environ$", re.MULTILINE)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z")

_HERE = """umask 077
b=$HOME/.local/state/ondeck/jobs
d=$b/$1
live() {
x=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
w=$2; x=${x##*) }
case $x in [ZX]*) return 1;; esac
set -- $x
shift 19
[ "$1" = "$w" ]
}
same() {
read -r w <"$d/boot_id"; read -r n </proc/sys/kernel/random/boot_id
[ "$w" = "$n" ]
}
alive() { [ -e "$d/pid" ] && read -r p s q t <"$d/pid" && same && live $p $s; }
busy() { alive || { [ -e "$d/pid" ] && same && live $q $t; }; }
ended() {
[ -e "$d/rc" ] && read -r r <"$d/rc" || return 1
if [ -s "$d/out.tail" ] || [ -s "$d/err.tail" ]; then echo "ended $r cut"; else echo "ended $r"; fi
}
lost() { if same; then echo gone; else echo rebooted; fi; }
"""

# The runner: its own session, so that neither hang-up nor the end of the launch reaches it. The command
# has a session again, so that a stop ends the command and leaves who writes its status. Subshells, not
# braces: dash keeps copies of what braces redirect, and a copy would hold the pipe open. Where coreutils
# has stdbuf, `head` writes what it has read at once: who follows sees a line when it was printed. Where its
# env can, the command takes SIGINT again, which shells ignore for what they start beside them: a tool that
# ends in order on it would not see it.
_RUNNER = """d=$1 k=$2; shift 2
u=; stdbuf -o0 true 2>/dev/null && u="stdbuf -o0"
e=; env --default-signal=INT,QUIT true 2>/dev/null && e="env --default-signal=INT,QUIT"
since() { x=$(cat /proc/$1/stat 2>/dev/null) && set -- ${x##*) } && shift 19 && echo $1 || echo 0; }
keep() { $u head -c $k >"$d/$1"; tail -c $((k/4)) >"$d/$1.tail"; : >"$d/done.$1"; }
body() {
mkdir "$d/go" 2>/dev/null || exit 1
ONDECK_ATTEMPT="<${d##*/}>"; export ONDECK_ATTEMPT
setsid $e "$@" </dev/null & c=$!
echo "$c $(since $c) $$ $(since $$)" >"$d/pid.tmp"; mv "$d/pid.tmp" "$d/pid"
wait $c; r=$?
exec >/dev/null 2>&1
i=0
while [ $i -lt 100 ] && ! { [ -e "$d/done.out" ] && [ -e "$d/done.err" ]; }; do
i=$((i+1)); sleep 0.02 || sleep 1
done
echo $r >"$d/rc.tmp"
sync "$d/rc.tmp" "$d/out" "$d/err" || sync
mv "$d/rc.tmp" "$d/rc"
}
(
( body "$@" ) 2>&1 >&3 3>&- | ( keep err ) >/dev/null 3>&- &
exec >/dev/null 3>&-
wait
) 3>&1 | keep out
"""

_LAUNCH = (
    _HERE
    + """k=$2 run=$3 w=$4 g=$5; shift 5
if [ "$g" ]; then
"""
    + secretly.READ
    + """fi
mkdir -p "$b" || exit 73
if [ "$w" ]; then cd "$w" || exit 72; else cd "$HOME" || cd /; fi
if ! mkdir "$d" 2>/dev/null; then [ -d "$d" ] && exit 46; mkdir "$d"; exit 73; fi
cat /proc/sys/kernel/random/boot_id >"$d/boot_id" || exit 73
printf '%s\\0' "$@" >"$d/argv" || exit 73
: >"$d/out" || exit 73
: >"$d/err" || exit 73
sync "$d/argv" "$d/boot_id" "$d" || sync
setsid sh -c "$run" sh "$d" "$k" "$@" </dev/null >/dev/null 2>&1 &
i=0
while [ $i -lt 250 ] && [ ! -e "$d/pid" ] && [ ! -e "$d/rc" ]; do i=$((i+1)); sleep 0.02 || sleep 1; done
[ -e "$d/pid" ] || [ -e "$d/rc" ]
"""
)

_FOLLOW = (
    _HERE
    + """o=$2 e=$3 z=0
part() {
n=$(stat -c %s "$d/$1" 2>/dev/null) || n=0
if [ "$n" -gt "$2" ]; then tail -c +$(($2+1)) "$d/$1" | head -c $((n-$2)); else n=$2; fi
}
[ -d "$d" ] || exit 44
while :; do
f=; [ -e "$d/rc" ] && f=1
part out $o; [ $n = $o ] || z=0; o=$n
part err $e >&2; [ $n = $e ] || z=0; e=$n
if [ $f ]; then
if [ -s "$d/out.tail" ]; then printf '\\n[... cut ...]\\n'; cat "$d/out.tail"; fi
if [ -s "$d/err.tail" ]; then { printf '\\n[... cut ...]\\n'; cat "$d/err.tail"; } >&2; fi
exit 0
fi
busy || [ -e "$d/rc" ] || exit 45
z=$((z+1))
if [ $z -lt 20 ]; then sleep 0.05 || sleep 1; elif [ $z -lt 60 ]; then sleep 0.2 || sleep 1; else sleep 1; fi
done
"""
)

_LOOK = (
    _HERE
    + """if [ ! -d "$d" ]; then
if [ "$2" = take ] && mkdir -p "$b" && mkdir "$d" 2>/dev/null && mkdir "$d/go"; then
: >"$d/taken"; echo absent; exit
fi
[ -d "$d" ] || { [ "$2" = take ] && exit 73; echo absent; exit; }
fi
[ -e "$d/taken" ] && { echo unstarted; exit; }
ended && exit
if busy; then echo "running $p"; exit; fi
ended && exit
if [ -e "$d/pid" ]; then lost; exit; fi
if [ "$2" = take ]; then
if mkdir "$d/go" 2>/dev/null; then : >"$d/taken"; echo unstarted; exit; fi
sleep 0.5 || sleep 1
busy && { echo "running $p"; exit; }
ended && exit
[ -s "$d/argv" ] || { echo unstarted; exit; }
lost
exit
fi
echo starting
"""
)

_STOP = (
    _HERE
    + """alive || exit 0
ask() {
if [ "$2" = all ]; then kill -$1 -$p 2>/dev/null || kill -$1 $p; else kill -$1 $p; fi
i=0
while [ $i -lt $3 ] && alive; do i=$((i+1)); sleep $4 || sleep 1; done
}
ask $2 $3 $4 $5
if alive; then
ask TERM all $6 $7
elif [ "$3" = leader ] && kill -TERM -$p 2>/dev/null; then
i=0
while [ $i -lt $6 ] && kill -0 -$p 2>/dev/null; do i=$((i+1)); sleep $7 || sleep 1; done
fi
kill -KILL -$p 2>/dev/null
i=0
while [ $i -lt 50 ] && [ ! -e "$d/rc" ]; do i=$((i+1)); sleep 0.05 || sleep 1; done
grep -lF "ONDECK_ATTEMPT=<$1>" /proc/[0-9]*/environ 2>/dev/null
exit 0
"""
)

_FORGET = _HERE + """alive && exit 1\nrm -rf -- "$d"\n"""


class Stage(StrEnum):
    """Where a detached command is, as read from its folder."""

    ABSENT = "absent"
    UNSTARTED = "unstarted"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"
    REBOOTED = "rebooted"


class Look(msgspec.Struct, frozen=True):
    """What the folder says.

    Attributes:
        status: Set only when it ended and that was written down.
        cut: The middle of its output was not kept: there was more than `KEPT` and its tail.
        left: After a stop: processes that it had started in sessions of their own and that go on.
    """

    stage: Stage
    status: int | None = None
    pid: int = 0
    cut: bool = False
    left: tuple[int, ...] = ()

    def finding(self) -> Finding:
        """The outcome that this is evidence for."""
        match self.stage:
            case Stage.ENDED if self.status == 0:
                return Finding(outcome=Outcome.SUCCEEDED, evidence="exit 0", status=0)
            case Stage.ENDED if self.status is not None:
                name = signal_of(self.status)
                said = f"exit {self.status}" + (f" (SIG{name})" if name else "")
                return Finding(outcome=Outcome.FAILED, evidence=said, status=self.status)
            case Stage.ABSENT:
                said = "no job folder on the host; the id is taken, so it cannot start late"
                return Finding(outcome=Outcome.NOT_STARTED, evidence=said)
            case Stage.UNSTARTED:
                return Finding(outcome=Outcome.NOT_STARTED, evidence="claimed on the host, never started")
            case Stage.RUNNING | Stage.STARTING:
                said = f"still running, pid {self.pid}" if self.pid else "starting"
                return Finding(outcome=Outcome.UNKNOWN, evidence=said, still_running=True)
            case Stage.REBOOTED:
                said = "the host was rebooted while it ran: boot id changed, no exit status"
                return Finding(outcome=Outcome.UNKNOWN, evidence=said)
            case _:
                said = "its process is gone and no exit status was written, boot id same"
                return Finding(outcome=Outcome.UNKNOWN, evidence=said)


@contextmanager
def begun(host: str) -> Iterator[None]:
    """Looks after the start, at a host: whoever cannot look does not know the outcome, whatever hindered it.

    Not for the start itself, which says on its own whether anything began, and not around a timeout of the
    caller's: only what a look raises is meant.

    Raises:
        LinkLost: The host was not reached, gave no answer in time, or said no to being asked.
    """
    try:
        yield
    except Unreachable as error:
        raise LinkLost(f"connection ended after it was started: {error.message}", where=host) from error
    except TimeoutError as error:
        raise LinkLost("it was started, and who was asked gave no answer in time", where=host) from error
    except RemoteFailed as error:
        said = f"it was started, and what it came to could not be seen: {error.message}"
        raise LinkLost(said, where=host) from error


class Detached:
    """One attempt on one host."""

    def __init__(self, link: Link, attempt: str, settings: Settings, become: Become | None = None) -> None:
        """Name it; nothing is asked yet.

        Args:
            link: Any open link to the host.
            attempt: The id that is the claim.
            settings: For waiting times.
            become: The user whose folder and process it is; must be the same at every call.

        Raises:
            BadInput: The id is not a plain file name.
        """
        if not _ID.match(attempt):
            raise BadInput(f"{attempt!r} is not an attempt's id")
        self._link = link
        self._id = attempt
        self._settings = settings
        self._become = become

    async def launch(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        secret_env: Mapping[str, Secret] | None = None,
        cwd: str = "",
        kept: int = KEPT,
    ) -> None:
        """Claim the id and start; returns when the command has a process.

        Args:
            argv: Program and arguments; they stand in the claimed folder.
            env: Variables that may be seen.
            secret_env: Variables that must not be: they are read from standard input before the id is
                claimed, and stand in the environment of the command and of what watches it, in no file.
            cwd: An absolute path of the host to work in; empty means the home of its user.
            kept: Bytes of each stream that are kept from its start.

        Raises:
            BadInput: A word, a name or the folder cannot be given to any command.
            Refused: The id was claimed before: it is running or has run.
            RemoteFailed: The folder cannot be made there, or is not there to work in; nothing was started.
            LinkLost: Not known whether it started: `look(take=True)` finds out.
        """
        if cwd and (not cwd.startswith("/") or "\0" in cwd):
            raise BadInput(f"{cwd!r} is not an absolute path to work in")
        given = secretly.packed(secret_env) if secret_env else b""
        head = (str(kept), _RUNNER, cwd, "given" if given else "")
        try:
            done = await self._sh(_LAUNCH, *head, *with_env(argv, env), stdin=given, timeout=60)
        except TimeoutError as error:
            said = f"attempt {self._id} was sent and nobody said whether it started"
            raise LinkLost(said, where=self._link.host) from error
        if done.status == _CLAIMED:
            raise Refused(f"attempt {self._id} was started before", where=self._link.host)
        if done.status in (_NO_ROOM, _NO_FOLDER, secretly.CUT_SHORT):
            raise self._not_launched(done, cwd)
        if not done.ok:
            raise LinkLost(f"attempt {self._id} was claimed and did not start in time", where=self._link.host)

    def _not_launched(self, done: Completed, cwd: str) -> RemoteFailed:
        said = text.decode(done.stderr).strip().splitlines()
        what = {
            _NO_ROOM: "cannot make a job folder",
            _NO_FOLDER: f"cannot work in {text.safe_line(cwd)}",
            secretly.CUT_SHORT: "the secrets did not arrive whole",
        }[done.status or 0]
        return RemoteFailed(f"{what}: {said[-1] if said else 'no reason said'}", where=self._link.host)

    async def follow(self, output: Callable[[bytes, bool], None], *, out: int = 0, err: int = 0) -> None:
        """Hand on what it writes until it ended.

        Args:
            output: Called with bytes and whether they are of standard error.
            out: Bytes of standard output that are known already.
            err: Bytes of standard error that are known already.

        Raises:
            LinkLost: The connection ended; the command goes on.
        """
        argv = ["sh", "-c", _FOLLOW, "sh", self._id, str(out), str(err)]
        async with self._link.stream(argv, become=self._become) as stream:
            async for chunk in stream:
                output(chunk.data, chunk.fd is Fd.ERR)
            await stream.wait()

    async def look(self, *, take: bool = False) -> Look:
        """Read where it is.

        Args:
            take: Make a start impossible that has not come yet, so that "not started" stays true.
        """
        done = await self._sh(_LOOK, "take" if take else "look", timeout=30)
        words = done.stdout.decode("ascii", "replace").split()
        if not done.ok or not words or words[0] not in Stage.__members__.values():
            raise RemoteFailed(
                f"cannot read job folder: {text.decode(done.stderr).strip() or done.status}",
                where=self._link.host,
            )
        stage = Stage(words[0])
        number = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
        if stage is Stage.ENDED:
            # A status file without a number was torn: nothing was observed.
            return Look(stage, number, cut="cut" in words[2:]) if number is not None else Look(Stage.GONE)
        return Look(stage, None, number or 0)

    async def stop(self, *, signal: str = "TERM", leader: bool = False, grace: float = 10.0) -> Look:
        """End it, then look: the signal, TERM after it where that was another, then KILL.

        What it started in sessions of its own (a service, a daemon) is not ended but named, as far as the
        user may see it: only who asked knows whether that was meant to stay.

        Args:
            signal: What it is asked with first, without SIG. A host whose env(1) cannot give SIGINT back to
                a command leaves it ignored there, unless the tool takes it itself.
            leader: Ask the command alone, not its whole process group: a tool that ends its own children in
                order must be the only one that hears it.
            grace: Seconds before timescale that it gets to end by itself.

        Raises:
            BadInput: There is no such signal.
            LinkLost: It was not observed whether it stopped.
        """
        if signal not in SIGNALS.values():
            raise BadInput(f"{signal!r} is not a signal to stop with")
        # Who was asked with TERM is not asked again.
        more = ("0", "0") if signal == "TERM" and not leader else self._steps(_TERM_GRACE)
        try:
            whom = "leader" if leader else "all"
            asked = (signal, whom, *self._steps(grace), *more)
            done = await self._sh(_STOP, *asked, timeout=grace + _TERM_GRACE + 60)
            left = tuple(int(pid) for pid in _PROCESS.findall(done.stdout))
            return msgspec.structs.replace(await self.look(take=True), left=left)
        except (OndeckError, TimeoutError) as error:
            said = error.message if isinstance(error, OndeckError) else "no answer in time"
            raise LinkLost(f"not known whether it stopped: {said}", where=self._link.host) from error

    def _steps(self, grace: float) -> tuple[str, str]:
        """How often to look and the seconds between two looks, so that an end is seen soon."""
        seconds = max(self._settings.seconds(grace), 0.2)
        step = max(min(seconds / 20, 0.5), 0.01)
        return str(math.ceil(seconds / step)), f"{step:.3f}"

    async def forget(self) -> None:
        """Remove the folder; call it when the outcome is recorded. A running one is left alone."""
        await self._sh(_FORGET, timeout=30)

    async def _sh(self, script: str, *args: str, stdin: bytes = b"", timeout: float) -> Completed:
        argv = ["sh", "-c", script, "sh", self._id, *args]
        # These waits are the host's, not ours to shorten: scripts on it sleep in real seconds.
        scale = max(self._settings.timescale, 1e-6)
        wait = max(timeout, timeout / scale)
        return await self._link.run(argv, stdin=stdin, become=self._become, timeout=wait)
