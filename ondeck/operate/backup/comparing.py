"""Drills: the steps that load and compare, and what their answers say."""

from __future__ import annotations

from collections.abc import Mapping

from ondeck import text
from ondeck.inventory.backups import Options, Restore
from ondeck.operate.backup.steps import Step

SCRATCH, FOLDER, QUERY = "${scratch}", "${folder}", "${query}"
_POSTGRES = ("pg_restore", "psql")
_LIVE = "live "
_ASK = "compare "


def filled(argv: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """Placeholders filled in, each word staying one."""
    found = []
    for word in argv:
        for name, value in values.items():
            word = word.replace(name, value)
        found.append(word)
    return tuple(found)


def with_defaults(options: Options) -> Restore:
    """The drill with what is usual for PostgreSQL where it loads with its tools.

    Whoever calls checked that there is a drill.
    """
    drill = options.prove.restore
    assert drill is not None
    if not drill.load or drill.load[0].rpartition("/")[2] not in _POSTGRES:
        return drill
    stdin = options.what.stdin
    database = stdin[-1] if len(stdin) > 1 and not stdin[-1].startswith("-") else ""
    return Restore(
        beside=drill.beside,
        every=drill.every,
        user=drill.user or options.what.user,
        env=drill.env,
        create=drill.create or ("createdb", SCRATCH),
        load=drill.load,
        compare=drill.compare,
        query=drill.query or ("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", SCRATCH, "-c", QUERY),
        live=drill.live or database,
        drop=drill.drop or ("dropdb", "--if-exists", SCRATCH),
    )


def steps(options: Options, drill: Restore, *, scratch: str, folder: str, host: str) -> tuple[Step, ...]:
    """What follows the restore: create, load, compare restored and live, tidy up."""
    values = {SCRATCH: scratch, FOLDER: folder}
    dump = f"{folder}/{options.what.name}" if options.what.stdin else ""

    def beside(name: str, argv: tuple[str, ...], file: str = "", always: bool = False) -> Step:
        return Step(
            name=name,
            host=drill.beside,
            argv=argv,
            tool=False,
            user=drill.user,
            env=drill.env,
            file=file,
            always=always,
        )

    made = [beside("create", filled(drill.create, values))] if drill.create else []
    if drill.load:
        made.append(beside("load", filled(drill.load, values), file=dump))
    for number, asked in enumerate(drill.compare, 1):
        made.append(beside(f"{_ASK}{number}", _asking(drill, asked, values)))
        if drill.live and isinstance(asked, str):
            live = _asking(drill, asked, values | {SCRATCH: drill.live})
            # The live one may be what was lost: that it cannot answer is an answer.
            quiet = ("sh", "-c", '"$@" 2>&1 || echo "? exit $?"', "sh", *live)
            user, env = options.what.user, options.what.env
            made.append(Step(name=f"{_LIVE}{number}", host=host, argv=quiet, tool=False, user=user, env=env))
    if drill.drop:
        made.append(beside("drop", filled(drill.drop, values), always=True))
    return tuple(made)


def _asking(drill: Restore, asked: str | tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(asked, str):
        return filled(drill.query, {**values, QUERY: asked})
    return filled(asked, values)


def verdict(printed: Mapping[str, tuple[bytes, bytes]]) -> tuple[str, tuple[str, ...]]:
    """Why the comparison does not hold, empty when it does; and a line for each question.

    An answer holds when there is one, and when it is not 0 where the live one has more.
    """
    lines, bad = [], ""
    for name in (n for n in printed if n.startswith(_ASK)):
        number = name.removeprefix(_ASK)
        restored = _answer(printed[name][0])
        live = _answer(printed[f"{_LIVE}{number}"][0]) if f"{_LIVE}{number}" in printed else ""
        against = f", live {live}" if live else ""
        lines.append(f"compare {number}: restored {restored or 'nothing'}{against}")
        if not restored or (restored == "0" and live.isdigit() and int(live)):
            bad = bad or f"compare {number} gave {restored or 'nothing'}{against}"
    return bad, tuple(lines)


def _answer(data: bytes) -> str:
    return text.safe_line(text.decode(data).strip())[:120]
