"""The fields of every record: what the loader reads and what `ondeck schema inventory` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ondeck.inventory import values
from ondeck.inventory.fields import (
    ByShape,
    Field,
    Fields,
    ListOf,
    MapOf,
    NamedRecords,
    PlainData,
    RecordOf,
    Scalar,
)
from ondeck.inventory.model import (
    BreakGlass,
    Check,
    Deploy,
    Freeze,
    HealthCheck,
    LogSource,
    MaxTargets,
    Migration,
    Nature,
    Protection,
    Signal,
    SshDefaults,
)
from ondeck.inventory.problems import Bad
from ondeck.inventory.secretfields import Schemes
from ondeck.inventory.thresholds import DEFAULTS


def _count(low: int, high: int) -> Scalar:
    return Scalar(
        values.whole(low, high),
        f"a whole number from {low} to {high}",
        type="integer",
        minimum=low,
        maximum=high,
    )


def _word(parse: values.OneWord) -> Scalar:
    return Scalar(parse, " or ".join(parse.words), enum=list(parse.words))


TEXT = Scalar(values.text)
FILLED = Scalar(values.filled, minLength=1)
WORD = Scalar(values.filled, type=["string", "number"])
NAME = Scalar(values.identifier, "a name", pattern=f"^{values.IDENTIFIER}$")
LOGIN = Scalar(values.login, "a login name")
FLAG = Scalar(values.flag, "true or false", type="boolean")
DURATION = Scalar(values.duration, "a duration such as 5m", pattern=values.DURATION)
PERCENT = Scalar(values.percent, "a percentage", type=["number", "string"])
MOMENT = Scalar(values.moment, "a moment such as 'Fri 16:00'", pattern=values.MOMENT)
SELECTOR = Scalar(values.filled, "a selector such as group=web", minLength=1)
ARGV = ListOf(WORD, about="a list of a program and its arguments", least=1)
NAMES = ListOf(NAME, about="a name or a list of names", single=True)
OPERATIONS = ListOf(NAME, about="a list of operations such as [rollback, restart]", single=True)
LABELS = MapOf(Scalar(values.text, type=["string", "number", "boolean"]), about="a mapping of labels to text")
PROTECTION = _word(values.EnumWord(Protection))


def _exactly_one(*keys: str) -> Callable[[dict[str, Any]], None]:
    def check(attributes: dict[str, Any]) -> None:
        given = [key for key in keys if attributes.get(key)]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise Bad(f"expected exactly one of {', '.join(keys)}, found {found}")

    return check


def _signal(
    name: str, warn: tuple[float, str] | None = None, crit: tuple[float, str] | None = None, **rest: str
) -> Signal:
    unit = (warn or crit or (0.0, ""))[1]
    return Signal(name=name, warn=warn and warn[0], crit=crit and crit[0], unit=unit, **rest)


def _window(attributes: dict[str, Any]) -> None:
    start, end = attributes["start"], attributes["end"]
    if start[0].isdigit() is not end[0].isdigit():
        raise Bad("expected from and to both as weekdays or both as dates")
    if start == end or (start[0].isdigit() and end < start):
        raise Bad(f"expected an end after the start, found {start} to {end}")


def _one_unit(attributes: dict[str, Any]) -> None:
    _exactly_one("prom", "log")(attributes)
    units = {attributes[key][1] for key in ("warn", "crit") if key in attributes}
    if len(units) > 1:
        raise Bad("expected warn and crit in the same unit")
    if attributes.get("log") and not attributes.get("ratio"):
        raise Bad("expected ratio beside log, such as: ratio: status >= 500")


def _check_kind(attributes: dict[str, Any]) -> None:
    _exactly_one("tls", "http", "tcp")(attributes)


def _check(warn: float | None = None, crit: float | None = None, each: str = "", **target: str) -> Check:
    kind, value = next(iter(target.items()))
    return Check(kind=kind, target=value, each=each, warn=warn, crit=crit)


def _break_glass(teams: tuple[str, ...] = (), reason: str = "") -> BreakGlass:
    return BreakGlass(teams=teams)


FREEZE = Fields(
    Field(
        "from",
        MOMENT,
        "start, in the inventory's zone: 'Fri 16:00' or '2026-12-24 16:00'",
        attr="start",
        required=True,
    ),
    Field("to", MOMENT, "end, written like the start", attr="end", required=True),
    Field("why", TEXT, "shown to who is refused"),
    Field("except", OPERATIONS, "operations that stay allowed", attr="excepted"),
    check=_window,
    about="A window in which changes are refused.",
)
MAX_TARGETS = Fields(
    Field("percent", PERCENT, "largest share of a service in one batch", attr="share", required=True),
    Field("except", OPERATIONS, "operations that it does not bind", attr="excepted"),
)
BREAK_GLASS = Fields(
    Field("teams", NAMES, "teams whose people may pass a two-person rule alone", required=True),
    Field("reason", _word(values.OneWord("required")), "always required; written for the reader"),
)
ENVIRONMENT = Fields(
    Field("colour", NAME, "colour role of the environment in the theme, such as red"),
    Field(
        "protection",
        ByShape(
            text=Scalar(lambda text: {"*": Protection(PROTECTION.parse(text))}, enum=list(Protection)),
            mapping=MapOf(PROTECTION, key=lambda name: name == "*" or values.identifier(name)),
        ),
        "one word for every operation, or a word by operation; `*` is the rest, `destroy` every destroying one",
    ),
    Field(
        "break_glass",
        RecordOf(BREAK_GLASS, _break_glass),
        "who may pass a two-person rule alone, with a reason",
    ),
    Field(
        "freeze",
        ListOf(RecordOf(FREEZE, Freeze), about="a list of windows"),
        "windows in which changes are refused",
    ),
    Field(
        "max_targets",
        ByShape(
            text=Scalar(lambda text: MaxTargets(share=values.percent(text)), type=["number", "string"]),
            mapping=RecordOf(MAX_TARGETS, MaxTargets),
        ),
        "largest share of a service that one batch may touch",
    ),
    Field(
        "read_commands",
        ListOf(ByShape(text=Scalar(lambda text: tuple(values.filled(text).split())), many=ARGV)),
        "commands that run as reads, unasked; a last * allows any further arguments",
    ),
    Field("notify", NAME, "channel under `notify:` that is told"),
    about="An environment and its rules.",
)
HOST = Fields(
    Field("env", NAME, "environment that it belongs to", required=True),
    Field("group", NAMES, "groups that it is in", attr="groups"),
    Field("address", FILLED, "DNS name or IP address; the host's own name when absent"),
    Field("port", _count(1, 65535), "port of the SSH server"),
    Field("user", LOGIN, "login on the host"),
    Field("via", FILLED, "jump host: a host of the inventory or user@host:port"),
    Field("transport", NAME, "how it is reached: ssh, local, or what another provider carries"),
    Field("become", _word(values.OneWord("sudo")), "how another user is become on it"),
    Field("nature", _word(values.EnumWord(Nature)), "cattle are replaced, pets are repaired and backed up"),
    Field("never_together", FLAG, "never touch two hosts of its group in one batch"),
    Field("labels", LABELS, "free labels for selectors"),
    Field(
        "thresholds",
        MapOf(
            Scalar(values.threshold, "two figures WARN/BAD", pattern="^[0-9.]+%?/[0-9.]+%?$"),
            key=values.OneWord(*DEFAULTS),
        ),
        "where a figure turns to warn and to bad, such as disk: 70/85",
    ),
    about="A host, or with a pattern such as web-[01:40] several.",
)
CLUSTER = Fields(
    Field("kind", NAME, "kubernetes, swarm, ...", required=True),
    Field("env", NAME, "environment that it belongs to", required=True),
    Field("labels", LABELS, "free labels"),
    rest="options",
    about="A cluster; every other key belongs to its provider.",
)
ACCOUNT = Fields(
    Field("kind", NAME, "aws, ...", required=True),
    Field("env", NAME, "environment that it belongs to", required=True),
    Field("labels", LABELS, "free labels"),
    rest="options",
    about="A cloud account; every other key belongs to its provider.",
)
HEALTH = Fields(
    Field("http", FILLED, "URL that answers 2xx, asked from the host; ${address} and ${host} are filled in"),
    Field("tcp", _count(1, 65535), "port that accepts on the host"),
    Field("run", ARGV, "command that ends with 0 on the host"),
    Field("times", _count(1, 1000), "successes in a row"),
    Field("every", DURATION, "time between tries"),
    Field("timeout", DURATION, "time for one try"),
    Field("within", DURATION, "time until it must be healthy after a change"),
    Field("settle", DURATION, "time that it must then stay healthy"),
    check=_exactly_one("http", "tcp", "run"),
    about="When one host of the service counts as healthy.",
)
FIGURE = Scalar(values.figure, "a figure such as 400ms, 5% or 200", type=["number", "string"])
SIGNAL = Fields(
    Field("prom", FILLED, "series or expression of Prometheus"),
    Field("log", NAME, "log source of the service that a ratio is counted in"),
    Field("ratio", FILLED, "what counts, such as: status >= 500"),
    Field("warn", FIGURE, "where it turns to warn: 400ms, 1%, 200"),
    Field("crit", FIGURE, "where it turns to bad"),
    check=_one_unit,
    about="A figure per host: worst-first tables, gates and before/after come from it.",
)
LOG = Fields(
    Field(
        "file",
        Scalar(lambda text: _log_file(text), "an absolute path", pattern="^/"),
        "absolute path; * in the last part",
    ),
    Field("unit", FILLED, "systemd unit, read from the journal"),
    Field("docker", FILLED, "container"),
    Field(
        "format",
        _word(values.OneWord("auto", "json", "logfmt", "nginx", "syslog", "plain")),
        "how a line is read",
    ),
    Field("on", SELECTOR, "which hosts write it; all of the service when absent"),
    Field("become", FLAG, "read through sudo"),
    check=_exactly_one("file", "unit", "docker"),
    about="Where the service writes.",
)
CHECK = Fields(
    Field("tls", FILLED, "name:port whose certificate is looked at"),
    Field("http", FILLED, "URL that answers 2xx"),
    Field("tcp", FILLED, "name:port that accepts"),
    Field("each", SELECTOR, "every host that it selects, by its own address"),
    Field("warn", DURATION, "time before the end of a certificate"),
    Field("crit", DURATION, "time before the end of a certificate"),
    check=_check_kind,
)
MIGRATION = Fields(
    Field("name", NAME, "name of the step", required=True),
    Field("run", ARGV, "command", required=True),
    Field("on", _word(values.OneWord("one", "each")), "on one host or on each"),
    Field(
        "undo",
        ByShape(
            text=Scalar(lambda text: (values.OneWord("irreversible")(text),), enum=["irreversible"]),
            many=ARGV,
        ),
        "command that takes it back, or irreversible",
    ),
)
DEPLOY = Fields(
    Field("kind", NAME, "release-dir, command, docker, ...", required=True),
    Field(
        "batches",
        ListOf(
            Scalar(values.batch, "1 or 25%", type=["integer", "string"]),
            about="a list of batch sizes",
            least=1,
        ),
        "sizes of the batches such as [1, 25%]; the last repeats",
    ),
    Field("keep", _count(1, 1000), "releases to keep on a host; the last good one stays beside them"),
    Field("drain", ARGV, "command around every stop of one host"),
    Field("undrain", ARGV, "command that takes the host back in"),
    Field("drain_on", NAME, "host that drain and undrain run on; the host itself when absent"),
    Field(
        "before",
        ListOf(RecordOf(MIGRATION, Migration), about="a list of steps"),
        "steps before the first batch",
    ),
    Field("source", FILLED, "repository that releases are built from"),
    rest="options",
    about="How releases get onto the hosts; every other key belongs to the kind.",
)
SERVICE = Fields(
    Field(
        "on",
        MapOf(SELECTOR, about="a mapping of environments to selectors"),
        "by environment a selector of hosts, or cluster=NAME",
        required=True,
    ),
    Field("owner", NAME, "team that owns it"),
    Field("docs", FILLED, "where it is described"),
    Field("deploy", RecordOf(DEPLOY, Deploy), "how releases get onto the hosts"),
    Field("health", RecordOf(HEALTH, HealthCheck), "when one host counts as healthy"),
    Field("signals", NamedRecords(SIGNAL, _signal), "figures that gate a rollout"),
    Field("logs", NamedRecords(LOG, LogSource), "where it writes"),
    Field("checks", ListOf(RecordOf(CHECK, _check), about="a list of checks"), "checks beside its health"),
    Field("needs", NAMES, "services that it needs"),
    Field("backup", NAME, "backup that holds its data"),
    Field("units", ListOf(FILLED, about="a list of units", single=True), "systemd units that belong to it"),
    Field("labels", LABELS, "free labels"),
    about="A service; in one environment it is NAME@ENV.",
)
STACK = Fields(
    Field("kind", NAME, "terraform, ...", required=True),
    Field("env", NAME, "environment that it belongs to", required=True),
    rest="options",
    about="Infrastructure as code; every other key belongs to its provider.",
)
BUILD = Fields(
    Field("kind", NAME, "packer, ...", required=True),
    Field("env", NAME, "environment that it belongs to", required=True),
    rest="options",
    about="What makes images; every other key belongs to its provider.",
)
BACKUP = Fields(
    Field("engine", NAME, "restic, borg, ...", required=True),
    Field("env", NAME, "environment that it belongs to; that of its host when absent"),
    Field("host", NAME, "host that it is taken on"),
    rest="options",
    about="A backup and its promise; every other key belongs to its engine.",
)
PERSON = Fields(
    Field("login", LOGIN, "login name", required=True),
    Field("teams", NAMES, "teams"),
    Field("headless", FLAG, "a machine account: never asked anything"),
    Field(
        "may",
        ListOf(FILLED, about="a list such as [deploy@staging, mark]"),
        "all that a headless account may do",
    ),
    about="Who is who where a login is shared.",
)
SSH = Fields(
    Field("known_hosts", FILLED, "file of host keys, relative to this folder"),
    Field("config", FILLED, "ssh_config that fills what is not said here"),
    Field("become", _word(values.OneWord("sudo")), "how another user is become"),
    Field("user", LOGIN, "login where none is said"),
    Field("fallback", FLAG, "use the system's ssh for what the built-in transport cannot do"),
    about="Defaults of the SSH transport.",
)
CHANNEL = Fields(rest="options", about="Where people are told; values may be references such as env:NAME.")
SECRETS = Schemes()

NAMED: dict[str, Fields] = {
    "environments": ENVIRONMENT,
    "hosts": HOST,
    "clusters": CLUSTER,
    "accounts": ACCOUNT,
    "services": SERVICE,
    "stacks": STACK,
    "backups": BACKUP,
    "builds": BUILD,
    "people": PERSON,
    "notify": CHANNEL,
    "secrets": SECRETS,
}
"""Sections that map names to records."""

SINGLE: dict[str, Field] = {
    "ondeck": Field("ondeck", _word(values.OneWord("1")), "version of this schema"),
    "zone": Field("zone", Scalar(values.zone, "a time zone"), "time zone of freeze windows"),
    "ssh": Field("ssh", RecordOf(SSH, SshDefaults), SSH.about),
    "metrics": Field("metrics", MapOf(PlainData()), "where figures come from; belongs to its provider"),
    "discover": Field(
        "discover", ListOf(PlainData(), about="a list of sources"), "live sources; the files win"
    ),
}
"""Sections with one value, which one file of the folder may give."""


def _log_file(text: str) -> str:
    folder, _, last = values.filled(text).rpartition("/")
    if not text.startswith("/") or "*" in folder or not last:
        raise Bad(f"expected an absolute path of a file, '*' only in its last part, found {text!r}")
    return text
