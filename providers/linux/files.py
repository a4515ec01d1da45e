"""Log files: history from the end, then following by inode and offset, so that a lost connection and a
rotation lose nothing and repeat nothing.

The remote loop sends frames, one a line: `INODE OFFSET BASE64`. Framing makes the position of every
byte known; base64 keeps a frame whole when a file shrinks while it is read.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from ondeck.errors import LinkLost, Missing, RemoteFailed
from ondeck.inventory.model import Host, LogSource
from ondeck.observe.parse import Parser
from ondeck.observe.ports import LAST
from ondeck.observe.records import Health, LogBatch, LogLine
from ondeck.observe.sources import States
from ondeck.reach.ports import Link
from ondeck.settings import Settings
from ondeck.text import MORE, Lines, decode, safe_line
from providers.linux.asking import Following, become_root, why
from providers.linux.reach_back import Part, cut_of

HISTORY = LAST
# Bytes of history that are read back at most, for one file.
FURTHEST = 8 << 20
FIRST_LOOK = 64 << 10
EVERY = 0.5
# Rounds that a rotated file is still read: its writer goes on with it until it opens the new one.
KEPT_ROUNDS = 40
LONGEST_FRAME = 1 << 20
BATCH = 2_000
_NOT_A_FILE = 45
_HALF_CHARACTER = re.compile(rb"\A[\x80-\xbf]{1,3}")

# Patterns are expanded with an empty IFS: only `*` and `?` mean anything, nothing is split.
LIST = r"""
IFS=; set -- $1; unset IFS
[ -e "$1" ] || [ -L "$1" ] || { ls -d -- "$1" >&2; exit 44; }
for f; do shift; o=$f; [ ! -f "$f" ] || set -- "$@" "$f"; done
[ $# -gt 0 ] || { echo "$o is no regular file" >&2; exit 45; }
stat -L -c '%i %s %Y %n' -- "$@"
"""

SLICE = r"""
[ -r "$1" ] || { echo "cannot read $1: permission denied" >&2; exit 43; }
tail -c "+$(($2 + 1))" -- "$1" | head -c "$3"
"""

FOLLOW = r"""
LC_ALL=C; export LC_ALL
pattern=$1; every=$2; kept=$3; shift 3
dir=$(dirname -- "$pattern")
known=
for pair; do eval "o_${pair%%:*}=${pair#*:}"; known="$known ${pair%%:*}"; done
send() {
  at=$3
  if [ "$at" -lt "$4" ] && ! [ -r "$1" ]; then printf '? cannot read %s\n' "$1" || exit; return; fi
  while [ "$at" -lt "$4" ]; do
    n=$(($4 - at)); if [ "$n" -gt 262144 ]; then n=262144; fi
    printf '%s %s ' "$2" "$at" || exit
    tail -c "+$((at + 1))" -- "$1" | head -c "$n" | base64 | tr -d '\n'
    printf '\n' || exit
    at=$((at + n))
  done
  eval "o_$2=$at"
}
while :; do
  IFS=; set -- $pattern; unset IFS
  o=; for f; do shift; if [ -f "$f" ]; then set -- "$@" "$f"; elif [ -e "$f" ]; then o=$f; fi; done
  all=$([ $# -eq 0 ] || stat -L -c '%i %s %n' -- "$@" 2>/dev/null)
  seen=' '
  while read -r ino size path; do seen="$seen$ino "; done <<END
$all
END
  if [ -z "$all" ]; then
    if [ -n "$o" ]; then printf '? %s is no regular file\n' "$o"; else printf '? no such file %s\n' "$pattern"; fi
  fi || exit
  left=
  for ino in $known; do
    case "$seen" in *" $ino "*) left="$left $ino"; eval "r_$ino=0"; continue ;; esac
    old=$(find "$dir" -maxdepth 1 -type f -inum "$ino" 2>/dev/null | head -n 1)
    # A file that has the name by now is a new one, whose number is that of one that was removed.
    IFS=; set -- $pattern; unset IFS
    for f; do if [ "$f" = "$old" ]; then old=; fi; done
    if [ -n "$old" ]; then
      eval "off=\$o_$ino; round=\$((\${r_$ino:-0} + 1)); r_$ino=\$round"
      send "$old" "$ino" "$off" "$(stat -c %s -- "$old")"
      if [ "$round" -lt "$kept" ]; then left="$left $ino"; continue; fi
    fi
    printf '%s -\n' "$ino" || exit
  done
  known=$left
  while read -r ino size path; do
    [ -n "$ino" ] || continue
    case " $known " in *" $ino "*) eval "off=\$o_$ino" ;; *) off=0; known="$known $ino" ;; esac
    if [ "$size" -lt "$off" ]; then off=0; fi
    eval "o_$ino=$off"
    send "$path" "$ino" "$off" "$size"
  done <<END
$all
END
  echo . || exit
  sleep "$every" || exit
done
"""


def _from_a_line(data: bytes, start: int, last: bool) -> bytes:
    """A slice from its first whole line on; at the furthest look the rest of a cut line is kept, and says so."""
    if start == 0:
        return data
    return MORE.encode() + _HALF_CHARACTER.sub(b"", data) if last else data.partition(b"\n")[2]


class FileTail:
    """One source of files on one host: keeps its positions between connections."""

    def __init__(self, host: Host, source: LogSource, settings: Settings, states: States, since: int) -> None:
        self._host = host
        self._source = source
        self._settings = settings
        self._states = states
        self._since = since
        self._name = f"{host.name}/{source.name}"
        self._become = become_root(source.become)
        self._places: dict[str, int] = {}
        self._readers: dict[str, tuple[Lines, Parser]] = {}
        self._begun = False
        # What the round of the reading loop that goes on now has said of the files.
        self._trouble = ""

    async def read(self, link: Link, follow: bool) -> AsyncGenerator[LogBatch, None]:
        """History the first time, then what comes.

        Raises:
            LinkLost: The connection ended.
            RemoteFailed: A file cannot be read.
            Missing: There is no such file, and nobody waits for one.
        """
        if not self._begun:
            try:
                async with aclosing(self._history(link, follow)) as batches:
                    async for batch in batches:
                        yield batch
            except Missing as error:
                if not follow:
                    raise
                yield LogBatch(state=self._states.to(Health.LOST, error.message))
            self._begun = True
            yield LogBatch(caught_up=True)
        if follow:
            async with aclosing(self._follow(link)) as batches:
                async for batch in batches:
                    yield batch

    async def _history(self, link: Link, follow: bool) -> AsyncGenerator[LogBatch, None]:
        done = await link.run(["sh", "-c", LIST, "sh", self._source.file], become=self._become)
        if done.status == 44:
            raise Missing(f"no such file {self._source.file}", where=self._host.name)
        if done.status == _NOT_A_FILE or (not done.ok and not done.stdout):
            raise RemoteFailed(why(done), where=self._host.name)
        parts: list[Part] = []
        for row in done.stdout.decode("utf-8", "surrogateescape").splitlines():
            inode, size, written, path = row.split(" ", 3)
            # Lines without a time of their own were written by then, and not after.
            latest = min(time.time_ns(), (int(written) + 1) * 1_000_000_000)
            parts.append(await self._back(link, inode, int(size), path, latest, follow))
        found = sorted((line for part in parts for line in part.lines), key=lambda line: line.time)
        self._states.saw()
        yield LogBatch(state=self._states.begun(cut_of(parts, 0 if self._since else HISTORY)))
        for at in range(0, len(found), BATCH):
            yield LogBatch(tuple(found[at : at + BATCH]))

    async def _back(self, link: Link, inode: str, size: int, path: str, latest: int, follow: bool) -> Part:
        """The wanted end of one file: looks further and further back until it is enough."""
        look = FIRST_LOOK
        while True:
            start = max(0, size - look)
            done = await link.run(
                ["sh", "-c", SLICE, "sh", path, str(start), str(size - start)],
                become=self._become,
                limit=FURTHEST,
            )
            if not done.ok:
                raise RemoteFailed(why(done), where=self._host.name)
            last = start == 0 or look >= FURTHEST
            self._readers[inode] = reader, parser = Lines(), Parser(self._name, self._source.format)
            fed = reader.feed(_from_a_line(done.stdout, start, last))
            if not follow:
                fed.extend(reader.flush())
            lines = self._placed(parser.parse(fed, latest, backlog=True), parser, latest)
            self._places[inode] = start + len(done.stdout)
            enough = bool(lines) and lines[0].time < self._since if self._since else len(lines) >= HISTORY
            if enough or last:
                break
            look = min(look * 8, FURTHEST)
        wanted = [line for line in lines if line.time >= self._since] if self._since else lines[-HISTORY:]
        first = wanted[0].time if wanted and not enough else lines[0].time if lines else 0
        return Part(path=path, lines=wanted, first=first, reached=enough, unread=start)

    def _placed(self, lines: list[LogLine], parser: Parser, latest: int) -> list[LogLine]:
        """Lines at the start without a time get that of the first that has one. Lines at the end keep that
        of the last that has one, unless the file was written since and `since` would hide them."""
        first, end = parser.leading, len(lines) - parser.undated
        if end <= 0:
            return lines
        lines[:first] = [msgspec.structs.replace(line, time=lines[first].time) for line in lines[:first]]
        if lines[end - 1].time < self._since <= latest:
            lines[end:] = [msgspec.structs.replace(line, time=latest) for line in lines[end:]]
        return lines

    async def _follow(self, link: Link) -> AsyncGenerator[LogBatch, None]:
        every = max(0.02, self._settings.seconds(EVERY))
        places = [f"{inode}:{offset}" for inode, offset in self._places.items()]
        argv = ["sh", "-c", FOLLOW, "sh", self._source.file, f"{every:.3f}", str(KEPT_ROUNDS), *places]
        silence = self._settings.seconds(20.0) + 10 * every
        pending, self._trouble = b"", ""
        async with link.stream(argv, become=self._become) as stream:
            following = Following(stream)
            async with aclosing(following.chunks(silence)) as chunks:
                async for chunk in chunks:
                    if chunk is None:
                        raise LinkLost("the reading loop fell silent", where=self._host.name)
                    *frames, pending = (pending + chunk).split(b"\n")
                    if len(pending) > LONGEST_FRAME:
                        raise RemoteFailed("not a frame of the reading loop", where=self._host.name)
                    for batch in self._batches(frames):
                        yield batch
            if following.errors:
                raise RemoteFailed(following.errors, where=self._host.name)

    def _batches(self, frames: list[bytes]) -> list[LogBatch]:
        batches = []
        lines: list[LogLine] = []
        state = None
        for frame in frames:
            if frame == b".":
                state = self._states.to(Health.LOST if self._trouble else Health.OK, self._trouble) or state
                self._trouble = ""
            elif frame.startswith(b"? "):
                self._trouble = safe_line(decode(frame[2:]))
            else:
                lines.extend(self._frame(frame))
        if lines:
            self._states.saw()
            batches.append(LogBatch(tuple(lines)))
        if state is not None:
            batches.append(LogBatch(state=state))
        return batches

    def _frame(self, frame: bytes) -> list[LogLine]:
        inode, _, rest = frame.decode("ascii", "replace").partition(" ")
        if inode not in self._readers:
            self._readers[inode] = Lines(), Parser(self._name, self._source.format)
        reader, parser = self._readers[inode]
        now = time.time_ns()
        if rest == "-":
            del self._readers[inode]
            self._places.pop(inode, None)
            return parser.parse(reader.flush(), now)
        offset, _, payload = rest.partition(" ")
        try:
            data = base64.b64decode(payload, validate=True)
            self._places[inode] = int(offset) + len(data)
        except (binascii.Error, ValueError) as error:
            raise RemoteFailed("not a frame of the reading loop", where=self._host.name) from error
        return parser.parse(reader.feed(data), now)
