"""Programs that stand in PATH before those of the machine, where those cannot be had."""

from __future__ import annotations

from pathlib import Path

# A journalctl over a file of entries: cursor, --since, --lines and --follow as the real one has them.
JOURNALCTL = """#!/usr/bin/env python3
import json, os, sys, time
path = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "journal")
args = dict(a.partition("=")[::2] for a in sys.argv[1:])
if args.get("--unit") == "missing": sys.exit("No journal files were found.")
at = 0
def rows():
    return open(path).read().splitlines() if os.path.exists(path) else []
have = rows()
if "--after-cursor" in args:
    cursors = [json.loads(r)["__CURSOR"] for r in have]
    if args["--after-cursor"] not in cursors: sys.exit("Failed to seek to cursor: Invalid argument")
    at = cursors.index(args["--after-cursor"]) + 1
elif "--since" in args:
    since = float(args["--since"][1:]) * 1e6
    while at < len(have) and int(json.loads(have[at])["__REALTIME_TIMESTAMP"]) < since: at += 1
if args.get("--lines", "").isdigit(): at = max(at, len(have) - int(args["--lines"]))
while True:
    have = rows()
    for row in have[at:]: print(row, flush=True)
    at = len(have)
    if "--follow" not in args: break
    time.sleep(0.02)
"""


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
