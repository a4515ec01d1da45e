"""The steps of a job on a backup: which words run where, and the scripts that hold a restore and a dump together."""

from __future__ import annotations

import msgspec

from ondeck.observe.backups import Snapshot
from ondeck.operate.backup.engine import ATTEMPT
from ondeck.reach.command import with_env
from ondeck.reach.ports import Become


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One detached command.

    Attributes:
        name: What it does, one word: `restore`, `load`.
        host: Name in the inventory, or `bastion`.
        argv: As planned; `ATTEMPT` stands for the attempt's id.
        tool: It runs with the tool's variables and secrets.
        user: Who runs it when it is not the tool.
        source: argv whose output the tool saves; `source_user` runs it.
        env: Variables of the source, or of a step that is not the tool.
        into: New folder that it restores into, made under another name first.
        file: Absolute path of a file that it gets as standard input.
        always: It tidies up: it runs whatever came before.
    """

    name: str
    host: str
    argv: tuple[str, ...]
    tool: bool = True
    user: str = ""
    source: tuple[str, ...] = ()
    source_user: str = ""
    env: dict[str, str] = {}
    into: str = ""
    file: str = ""
    always: bool = False


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan keeps for its apply.

    Attributes:
        operation: Name of the spec.
        backup: Name of the backup.
        reader: Host that lists the repository.
        snapshots: Those that it acts on.
        stay: Keys of those that have to be there afterwards.
        part: Part of the data that is read; 0 for none.
        of: Number of parts.
        tag: Tag of a hold.
        size: Bytes that a restore is to give.
        files: Files that a restore is to give; 0 when only some of them are restored.
        folder: Folder of a restore.
        locks: Ids of the locks of dead holders.
    """

    operation: str
    backup: str
    reader: str
    steps: tuple[Step, ...]
    snapshots: tuple[Snapshot, ...] = ()
    stay: tuple[str, ...] = ()
    part: int = 0
    of: int = 0
    tag: str = ""
    size: int = 0
    files: int = 0
    folder: str = ""
    locks: tuple[str, ...] = ()


INCOMPLETE = ".INCOMPLETE"
"""End of a folder's name until everything that belongs into it is there."""

# $1 folder, then the command. It appears under its name by one rename, when everything is there.
_INTO = """t=$1 s=$1.INCOMPLETE; shift; umask 077
for x in "$t" "$s"; do
if [ -e "$x" ] || [ -L "$x" ]; then echo "$x is there already: nothing is written over it" >&2; exit 74; fi
done
mkdir -p -- "${t%/*}" && mkdir -- "$s" && cd -- "$s" || exit 73
"$@" || { r=$?; echo "not whole, left as it is: $s" >&2; exit $r; }
if [ -e "$t" ] || [ -L "$t" ]; then echo "$t appeared meanwhile; it is whole in $s" >&2; exit 74; fi
mv -- "$s" "$t" || exit 73
"""

# $1 attempt, $2 number of words of the source, $3 its user, $4 variables it must not see, source, tool.
# The tool saves what it has read when its input ends. So the input ends only once the source ended with 0;
# else the tool is ended first, while it still waits for more, and there is no snapshot of half a dump.
_PIPE = """a=$HOME/.local/state/ondeck/jobs/$1 n=$2 u=$3 d=$4; shift 4; t=$#
{
(
i=0; while [ $i -lt $n ]; do set -- "$@" "$1"; shift; i=$((i+1)); done
shift $((t-n)); unset $d
if [ "$u" ] && [ "$u" != "$(id -un)" ]; then set -- sudo -n -u "$u" -- "$@"; fi
exec "$@" </dev/null
) & c=$!
echo $c >"$a/source.pid"
wait $c; r=$?
echo $r >"$a/source"
if [ $r != 0 ]; then
echo "the source ended with $r, so nothing is saved" >&2
i=0; while [ ! -s "$a/tool" ] && [ $i -lt 100 ]; do i=$((i+1)); sleep 0.1; done
read -r p <"$a/tool" && kill -INT $p 2>/dev/null
i=0; while kill -0 $p 2>/dev/null; do
i=$((i+1)); [ $i -lt 300 ] || kill -KILL $p; sleep 0.1
done
fi
} | {
shift $n; sh -c 'echo $$ >"$0.tmp"; mv "$0.tmp" "$0"; exec "$@"' "$a/tool" "$@"; s=$?
# A source that prints nothing would not notice that nobody reads it any more.
[ $s = 0 ] || { read -r c <"$a/source.pid" && kill -TERM $c; } 2>/dev/null
exit $s
}
s=$?
read -r r <"$a/source" || exit 75
[ $s = 0 ] && [ $r != 0 ] && exit 75
[ $r = 0 ] || [ $s != 130 ] || exit 76
exit $s
"""

SOURCE_FAILED = (75, 76)
"""How a dump ends that failed: 75 where something may have been saved all the same, 76 where nothing was."""

# $1 a file, $2 who runs the command, then the command. What was restored is for who restored it alone, so that
# one opens the file and hands it on.
_FILE = """f=$1 u=$2; shift 2
if [ "$u" ] && [ "$u" != "$(id -un)" ]; then set -- sudo -n -u "$u" -- "$@"; fi
exec "$@" <"$f"
"""


def words(step: Step, attempt: str, job: str, hidden: tuple[str, ...]) -> list[str]:
    """What runs.

    Args:
        step: As planned.
        attempt: The attempt's id, for marks in the repository.
        job: Name of the claimed folder that it runs in.
        hidden: Variables of the tool that its source must not see.
    """
    argv = [word.replace(ATTEMPT, attempt) for word in step.argv]
    if step.source:
        source = with_env(step.source, step.env)
        head = [job, str(len(source)), step.source_user, " ".join(hidden) or "_"]
        return ["sh", "-c", _PIPE, "sh", *head, *source, *argv]
    if step.into:
        return ["sh", "-c", _INTO, "sh", step.into, *argv]
    if step.file:
        return ["sh", "-c", _FILE, "sh", step.file, step.user, *with_env(argv, step.env)]
    return argv


def env_of(step: Step, tool: dict[str, str]) -> dict[str, str] | None:
    """Plain variables of what is started; a step that reads a file sets its own."""
    return tool if step.tool else None if step.file else step.env


def become_of(step: Step, tool: Become | None) -> Become | None:
    """Who starts it; a step that reads a file takes its own user from there on."""
    if step.tool or step.file:
        return tool
    return Become(user=step.user) if step.user else None
