"""The fixed POSIX scripts that run on a host. Values come as positional arguments or on standard input,
never as text of the script.
"""

from __future__ import annotations

from collections.abc import Sequence

# $1 path. Makes the folders before the first upload; what a broken one left a day ago goes.
PREPARE = """
set -eu; umask 022
mkdir -p -- "$1/releases" "$1/.ondeck"
cd -- "$1/.ondeck"
find . -mindepth 1 -maxdepth 1 \\( -name 'incoming-*' -o -name 'removed-*' \\) -mmin +1440 -exec rm -rf -- {} +
"""

# $1 file, $2 bytes that are there already: a piece is never appended twice.
PIECE = """
set -eu; umask 077
if [ "$2" = 0 ]; then cat > "$1"; exit; fi
there=$(stat -c %s -- "$1")
[ "$there" = "$2" ] || { echo "$there bytes are there, $2 expected" >&2; exit 65; }
cat >> "$1"
"""

# $1 path, $2 version, $3 attempt, $4 sha256, $5 owner or nothing; release.json on standard input.
# The archive was looked through on the bastion; the sum binds these bytes to what was looked through.
UNPACK = """
set -eu; umask 022
cd -- "$1"
folder=.ondeck/incoming-$3; archive=$folder.tar
trap 'rm -rf -- "$folder" "$archive"' EXIT
trap 'exit 143' TERM HUP INT
found=$(sha256sum < "$archive"); found=${found%% *}
[ "$found" = "$4" ] || { echo "checksum on the host is $found, expected $4" >&2; exit 65; }
rm -rf -- "$folder"; mkdir -- "$folder"
tar -xf "$archive" -C "$folder" -o
mkdir -- "$folder/.ondeck"
cat > "$folder/.ondeck/release.json"
if [ -n "$5" ]; then chown -R -- "$5" "$folder"; fi
find "$folder" \\( -type f -o -type d \\) -exec sync -- {} + 2>/dev/null || sync
[ ! -e "releases/$2" ] || { echo "releases/$2 is there already" >&2; exit 66; }
mv -T -- "$folder" "releases/$2"
sync -- releases 2>/dev/null || :
"""

# $1 path, $2 version, $3 attempt, $4 sha256 of the release, then the argv that restarts.
SWITCH = """
set -eu; umask 022
path=$1 version=$2 attempt=$3 sha=$4; shift 4
cd -- "$path"
if ! grep -qF -- "$sha" "releases/$version/.ondeck/release.json"; then
  echo "releases/$version is not here or is another build" >&2; exit 66
fi
old=$(readlink current || :)
if [ "$old" != "releases/$version" ]; then
  ln -sfn -- "releases/$version" ".ondeck/current-$attempt"
  mv -fT -- ".ondeck/current-$attempt" current
  printf '%s\\n' "${old#releases/}" > .ondeck/previous
  sync -- . 2>/dev/null || sync
fi
echo "current -> releases/$version"
cd /
exec "$@"
"""

# $1 path, $2 on or off, $3 who.
DRAINED = """
set -eu; umask 022
mkdir -p -- "$1/.ondeck"
if [ "$2" = on ]; then printf '%s\\n' "$3" > "$1/.ondeck/drained"; else rm -f -- "$1/.ondeck/drained"; fi
"""

# $1 release folder, $2 name of a migration, then its argv. The mark is there as soon as it ended well: a link
# that is lost in between cannot make it run twice.
MIGRATE = """
set -eu; umask 022
mark=$1/.ondeck/migrated-$2; shift 2
"$@"
: > "$mark"
"""

# $1 path, then the versions to remove. Never what `current` names, whatever was asked.
PRUNE = """
set -eu
cd -- "$1"; shift
live=$(readlink current || :)
for version; do
  if [ "releases/$version" = "$live" ]; then echo "kept $version: it is current" >&2; continue; fi
  mv -T -- "releases/$version" ".ondeck/removed-$version"
  rm -rf -- ".ondeck/removed-$version"
  echo "removed $version"
done
"""

# $1 path, $2 unit or nothing. Lines `key<TAB>value`, so that no value may hold a line's end; reads only.
LOOK = """
export LC_ALL=C
tab=$(printf '\\t')
say() { printf '%s\\t%s\\n' "$1" "$2"; }
flat() { printf %s "$1" | tr '\\n\\t' '  '; }
say now "$(date +%s.%N)"
there=$1
while [ ! -d "$there" ]; do there=$(dirname -- "$there"); done
say free "$(df -Pk -- "$there" | awk 'NR==2 {print $4}')"
if [ -n "$2" ]; then
  systemctl show -p ActiveState -p SubState -p NRestarts -p MainPID -- "$2" 2>/dev/null |
    while IFS= read -r line; do say unit "$line"; done
fi
[ -d "$1" ] || exit 0
cd -- "$1" || exit 1
if [ -L current ]; then
  say link "$(flat "$(readlink current)")"
  say since "$(stat -c %Y current)"
elif [ -e current ]; then say link "?"
fi
if [ -e .ondeck/drained ]; then say drained "$(flat "$(head -c 200 .ondeck/drained)")"; else say drained ""; fi
if [ -f .ondeck/previous ]; then say previous "$(flat "$(head -c 200 .ondeck/previous)")"; fi
for folder in releases/*/; do
  [ -f "$folder/.ondeck/release.json" ] || continue
  name=${folder#releases/}
  json=$(flat "$(head -c 2000 "$folder/.ondeck/release.json")")
  say kept "$(flat "${name%/}")$tab$json$tab$(flat "$(cd "$folder/.ondeck" && echo migrated-*)")"
done
"""


def argv(script: str, *values: str, then: Sequence[str] = ()) -> list[str]:
    """The argv that runs a script with positional values."""
    return ["sh", "-c", script, "sh", *values, *then]
