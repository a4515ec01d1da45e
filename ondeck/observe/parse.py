"""Lines of text into records: time, level and message of the usual log formats.

One `Parser` serves one source. With `auto` it looks what fits, keeps to it, and looks again when it
keeps failing. Times without a zone are UTC. Decoding a second is dear and sources repeat them, so the
last second is remembered (measured: 1.8 M against 0.2 M lines/s).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ondeck.observe.parse_fields import Parsed, json_line, logfmt_line
from ondeck.observe.records import Level, LogLine
from ondeck.text import MORE, Runs

SECOND = 1_000_000_000
# A line that came so long after its time is late.
LATE = 2 * SECOND
# So many lines in a row that do not fit the format make the parser look again.
MISSES = 8

_ISO = re.compile(
    r"[\[(<]?(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|UTC|[+-]\d\d:?\d\d)?[\])>]?[:,|]?\s*"
)
_BSD = re.compile(r"(?:<(\d{1,3})>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?:\S+ )?")
_ISO_SYSLOG = re.compile(r"\S+ (?=[\w./-]+(?:\[\d+\])?: )")
_RFC5424 = re.compile(r"<(\d{1,3})>1 ")
_NGINX = re.compile(
    r"(\S+ \S+ \S+ )\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d) ([+-]\d{4})\] (\"(?:[^\"\\]|\\.)*\" (\d{3}))"
)
_LEVEL_AT = re.compile(r"(?:[\[(<|]\s*([A-Za-z]{3,9})\s*[\])>|]|([A-Z]{3,9})(?=[\s:|]|$))[:|]?\s*(?:-+ +)?")
_LEVEL_IN = re.compile(
    r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|FATAL|CRIT(?:ICAL)?|PANIC|EMERG|ALERT|SEVERE)\b"
)
_PROSE = re.compile(r"\b(error|failed|failure|warning|fatal|panic|Exception)\b", re.IGNORECASE)
_CONTINUES = re.compile(
    rf"[\s{MORE}}})\]]|Caused by|Suppressed:|\.\.\. \d+ more|Traceback \(most|During handling"
)
_WORDS = {
    "trace": Level.DEBUG,
    "debug": Level.DEBUG,
    "info": Level.INFO,
    "information": Level.INFO,
    "notice": Level.INFO,
    "warn": Level.WARN,
    "warning": Level.WARN,
    "err": Level.ERROR,
    "error": Level.ERROR,
    "severe": Level.ERROR,
    "fatal": Level.FATAL,
    "critical": Level.FATAL,
    "crit": Level.FATAL,
    "panic": Level.FATAL,
    "emerg": Level.FATAL,
    "alert": Level.FATAL,
}
_PRIORITY = (Level.FATAL,) * 3 + (Level.ERROR, Level.WARN, Level.INFO, Level.INFO, Level.DEBUG)
FORMATS = ("json", "nginx", "syslog", "logfmt", "plain")


def level_of(word: str) -> Level:
    """Level of a word such as `WARNING`; NONE for a word that is none."""
    return _WORDS.get(word.lower(), Level.NONE)


def level_of_priority(priority: int) -> Level:
    """Level of a syslog severity, 0 (emergency) to 7 (debug); RFC 5424, 6.2.1."""
    return _PRIORITY[priority & 7]


def level_in(text: str) -> Level:
    """Level that a free text names: a word in capitals early on, else what its prose says."""
    head = text[:120]
    found = _LEVEL_IN.search(head)
    if found is not None:
        return level_of(found[1])
    prose = _PROSE.search(head)
    if prose is None:
        return Level.NONE
    return Level.WARN if prose[1].lower() == "warning" else Level.ERROR


class Seconds:
    """Times of one source in ns since 1970; remembers the last second and zone that it decoded."""

    def __init__(self) -> None:
        self._text = ""
        self._ns: int | None = None
        self._zones: dict[str, int] = {"": 0, "Z": 0, "UTC": 0}

    def iso(self, second: str, fraction: str | None, zone: str | None) -> int | None:
        """`2026-11-24T03:04:31`, `220`, `+01:00`; None when there is no such time."""
        if second != self._text:
            self._text = second
            self._ns = _ns(second.replace("/", "-").replace(" ", "T"), "%Y-%m-%dT%H:%M:%S")
        if self._ns is None:
            return None
        ns = self._ns
        if fraction:
            ns += int(fraction.ljust(9, "0"))
        return ns - self._offset(zone) if zone else ns

    def nginx(self, second: str, zone: str) -> int | None:
        """`24/Nov/2026:03:04:31` and `+0000`."""
        if second != self._text:
            self._text = second
            self._ns = _ns(second, "%d/%b/%Y:%H:%M:%S")
        return None if self._ns is None else self._ns - self._offset(zone)

    def bsd(self, second: str, arrival: int) -> int | None:
        """`Nov 24 03:04:31`: the year is the one that makes it past, give or take a day."""
        if second != self._text:
            self._text = second
            self._ns = None
            now = datetime.fromtimestamp(arrival / SECOND, UTC)
            for year in (now + timedelta(days=1)).year, now.year, now.year - 1:
                ns = _ns(f"{year} {second}", "%Y %b %d %H:%M:%S")
                if ns is not None and ns <= arrival + 86_400 * SECOND:
                    self._ns = ns
                    break
        return self._ns

    def _offset(self, zone: str) -> int:
        if zone not in self._zones:
            sign = -1 if zone[0] == "-" else 1
            self._zones[zone] = sign * (int(zone[1:3]) * 3600 + int(zone[-2:]) * 60) * SECOND
        return self._zones[zone]


def _ns(text: str, form: str) -> int | None:
    try:
        at = datetime.strptime(text.replace(":60", ":59"), form).replace(tzinfo=UTC)
    except ValueError:
        return None
    ns = int(at.timestamp()) * SECOND
    return ns if 0 <= ns < 1 << 62 else None


class Parser:
    """Parses the lines of one source.

    Args:
        source: Name that its records carry, `host/name`.
        form: One of FORMATS, or `auto`.

    Attributes:
        leading: Lines before the first that had a time of its own.
        undated: Lines since the last that had one.
    """

    def __init__(self, source: str, form: str = "auto") -> None:
        self._source = source
        self._auto = form not in FORMATS
        self._form = "" if self._auto else form
        self._seconds = Seconds()
        self._misses = 0
        self._time = 0
        self._level = Level.NONE
        self._dated = False
        self.leading = 0
        self.undated = 0
        self._by_form = {
            "json": self._json,
            "nginx": self._nginx,
            "syslog": self._syslog,
            "logfmt": self._logfmt,
            "plain": self._plain,
        }

    @property
    def form(self) -> str:
        """The format that is used now; empty while `auto` has not found one."""
        return self._form

    def parse(
        self, lines: Iterable[tuple[str, Runs]], arrival: int, *, backlog: bool = False
    ) -> list[LogLine]:
        """Records of lines that arrived at a time (ns); of `backlog` it is not said how late it is."""
        return [self._line(text, runs, arrival, backlog) for text, runs in lines]

    def _line(self, text: str, runs: Runs, arrival: int, backlog: bool) -> LogLine:
        parsed = self._by_form[self._form](text, arrival) if self._form else None
        if parsed is None:
            if text and _CONTINUES.match(text) is not None and self._time:
                self.undated += 1
                return LogLine(self._time, self._source, self._level, text, 0, runs)
            parsed = self._missed(text, arrival)
        if parsed is None:
            self.undated += 1
            time = self._time if backlog and self._time else arrival
            level = level_in(text)
            self._time, self._level = time, level
            return LogLine(time, self._source, level, text, 0, runs)
        self._misses = 0
        self._say_dated()
        time, level, message, cut = parsed
        self._time, self._level = time, level
        late = arrival - time
        if runs:
            runs = _shifted(runs, cut, len(message)) if cut >= 0 else ()
        return LogLine(time, self._source, level, message, 0 if backlog or late < LATE else late, runs)

    def _say_dated(self) -> None:
        if not self._dated:
            self._dated = True
            self.leading = self.undated
        self.undated = 0

    def _missed(self, text: str, arrival: int) -> Parsed | None:
        self._misses += 1
        if not self._auto or (self._form and self._misses < MISSES):
            return None
        for form in FORMATS:
            parsed = self._by_form[form](text, arrival)
            if parsed is not None:
                self._form = form
                return parsed
        return None

    def _plain(self, text: str, _: int) -> Parsed | None:
        match = _ISO.match(text)
        if match is None:
            return None
        second, fraction, zone = match.groups()
        time = self._seconds.iso(second, fraction, zone)
        if time is None:
            return None
        cut = match.end()
        at = _LEVEL_AT.match(text, cut)
        level = level_of(at[1] or at[2]) if at is not None else Level.NONE
        if at is not None and level:
            cut = at.end()
        else:
            level = level_in(text[cut : cut + 120])
        return time, level, text[cut:], cut

    def _syslog(self, text: str, arrival: int) -> Parsed | None:
        match = _BSD.match(text)
        if match is not None:
            time = self._seconds.bsd(match[2], arrival)
            cut, priority = match.end(), match[1]
        else:
            first = _RFC5424.match(text)
            start = first.end() if first is not None else 0
            iso = _ISO.match(text, start)
            rest = _ISO_SYSLOG.match(text, iso.end()) if iso is not None else None
            if iso is None or (rest is None and first is None):
                return None
            time = self._seconds.iso(iso[1], iso[2], iso[3])
            cut = rest.end() if rest is not None else iso.end()
            priority = first[1] if first is not None else None
        if time is None:
            return None
        level = level_of_priority(int(priority)) if priority else level_in(text[cut : cut + 120])
        return time, level, text[cut:], cut

    def _nginx(self, text: str, _: int) -> Parsed | None:
        match = _NGINX.match(text)
        if match is None:
            return None
        time = self._seconds.nginx(match[2], match[3])
        if time is None:
            return None
        level = Level.ERROR if match[5][0] == "5" else Level.INFO
        client = match[1].replace(" - - ", " ")
        return time, level, client + text[match.start(4) :], -1

    def _json(self, text: str, _: int) -> Parsed | None:
        return json_line(text, self._stamp, level_of)

    def _logfmt(self, text: str, _: int) -> Parsed | None:
        return logfmt_line(text, self._stamp, level_of)

    def _stamp(self, text: str) -> int | None:
        match = _ISO.match(text)
        return None if match is None else self._seconds.iso(match[1], match[2], match[3])


def _shifted(runs: Runs, cut: int, length: int) -> Runs:
    moved = ((max(start - cut, 0), min(end - cut, length), code) for start, end, code in runs)
    return tuple(run for run in moved if run[1] > run[0])
