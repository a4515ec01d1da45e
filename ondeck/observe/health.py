"""Is a service healthy on a host? Asked from the host itself, over a link; no data is never healthy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from time import monotonic
from urllib.parse import urlsplit

import msgspec

from ondeck.errors import BadInput, RemoteFailed, Unreachable
from ondeck.inventory.model import HealthCheck, Host
from ondeck.reach.ports import Completed, Link
from ondeck.settings import Settings
from ondeck.text import decode, safe_line

_NO_TOOL = 69
_MARGIN = 5.0
_SNIPPET = 120
_LIMIT = 8192

# Status line and headers first, then the body: what is cut off at the end is never the status.
# The exit status is that of who asked, not of what shortens the answer: a body that never came is no answer.
# A proxy of the host's environment answers for somebody else.
_HTTP = """
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
first() {
exec 3>&1
s=$({ { "$@" 3>&- 4>&-; echo $? >&4; } | { head -c 4096; cat >/dev/null; } >&3 4>&-; } 4>&1)
return "$s"
}
if command -v curl >/dev/null 2>&1; then
  first curl -q -sS -i --noproxy '*' --max-time "$2" --proto =http,https -A ondeck-health -- "$1"
elif command -v python3 >/dev/null 2>&1; then
  python3 -c '
import http.client, sys, urllib.parse
u = urllib.parse.urlsplit(sys.argv[1])
kind = http.client.HTTPSConnection if u.scheme == "https" else http.client.HTTPConnection
c = kind(u.hostname, u.port, timeout=float(sys.argv[2]))
try:
    c.request("GET", (u.path or "/") + ("?" + u.query if u.query else ""), headers={"User-Agent": "ondeck-health"})
    r = c.getresponse()
    sys.stdout.write("HTTP/1.1 %d %s\\n\\n" % (r.status, r.reason))
    sys.stdout.flush()
    sys.stdout.buffer.write(r.read(2048))
    while r.read(65536):
        pass
    if r.length:
        sys.exit("the body ended early")
except (OSError, http.client.HTTPException) as error:
    sys.exit(str(error))
' "$1" "$2"
elif command -v wget >/dev/null 2>&1; then
  asked() { wget -q -S -O - -T "$2" -- "$1" 2>&1; }
  first asked "$1" "$2"
else
  exit 69
fi
"""

_TCP = """
port=$1; seconds=$2; shift 2
for address; do
  if command -v python3 >/dev/null 2>&1; then
    python3 -c '
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
except OSError as error:
    sys.exit(str(error))
' "$address" "$port" "$seconds" && exit 0
  elif command -v nc >/dev/null 2>&1; then
    nc -z -w "$seconds" "$address" "$port" && exit 0
  elif command -v curl >/dev/null 2>&1; then
    took=$(curl -q -s -o /dev/null --noproxy '*' --max-time "$seconds" -w '%{time_connect}' "http://$address:$port/")
    case $took in 0|0.000|0.000000|'') ;; *) exit 0 ;; esac
  else
    exit 69
  fi
done
exit 1
"""

_STATUS = re.compile(rb"\s*HTTP/[0-9.]+\s+([0-9]{3})")
_PLACE = re.compile(r"\$\{([a-z_]+)\}")

Alive = Callable[[], Awaitable[str]]
"""Answers why the process is dead; an empty text while it lives."""


class Probe(msgspec.Struct, frozen=True):
    """One try.

    Attributes:
        ok: None when it could not be asked.
        text: What was seen, safe and short: `http 503 "starting"`.
        seconds: How long the answer took.
    """

    ok: bool | None
    text: str
    seconds: float = 0.0


class Verdict(msgspec.Struct, frozen=True):
    """What waiting for health came to; `ok=None` means that there was no data."""

    ok: bool | None
    text: str
    tries: int = 0
    seconds: float = 0.0


def declared(check: HealthCheck | None) -> bool:
    """Whether there is anything to ask."""
    return check is not None and bool(check.http or check.tcp or check.run)


def filled(text: str, values: dict[str, str]) -> str:
    """A text of the inventory with its `${...}` filled in; the result stays one value, never shell text.

    Raises:
        BadInput: A placeholder that is not known here.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            known = ", ".join(f"${{{name}}}" for name in sorted(values))
            raise BadInput(f"{match[0]} in {text!r} is not known here", hint=f"known are {known}")
        return values[match[1]]

    return _PLACE.sub(value, text)


def from_outside(check: HealthCheck, host: Host) -> bool:
    """Whether it asks the same when another machine asks: no command, nothing on a loopback address.

    Raises:
        BadInput: A placeholder that is not known here.
    """
    if check.run or host.via or not (check.http or check.tcp):
        return False
    asked = [urlsplit(filled(check.http, _values(host))).hostname or ""] if check.http else []
    asked += [_values(host)["address"]] if check.tcp else []
    return not any(place in ("localhost", "::1") or place.startswith("127.") for place in asked)


def _values(host: Host) -> dict[str, str]:
    return {"address": host.address or host.name, "host": host.name}


async def ask(
    link: Link, check: HealthCheck, host: Host, settings: Settings, *, outside: bool = False
) -> Probe:
    """Ask once, every declared way; healthy only if all say so.

    Args:
        link: To the host, or with `outside` to the machine that asks over the network.
        check: What to ask.
        host: For `${address}` and `${host}`.
        settings: For the timescale.
        outside: Never the loopback address, which is another machine's there.

    Raises:
        LinkLost: The connection ended.
    """
    values = _values(host)
    seconds = f"{max(1, round(settings.seconds(check.timeout)))}"
    questions: list[tuple[str, list[str]]] = []
    if check.http:
        questions.append(("http", ["sh", "-c", _HTTP, "sh", filled(check.http, values), seconds]))
    if check.tcp:
        addresses = dict.fromkeys((*(() if outside else ("127.0.0.1",)), values["address"]))
        questions.append((f"tcp {check.tcp}", ["sh", "-c", _TCP, "sh", str(check.tcp), seconds, *addresses]))
    if check.run:
        questions.append((check.run[0], [filled(word, values) for word in check.run]))
    answers = [await _one(link, what, argv, check.timeout, settings) for what, argv in questions]
    bad = [a for a in answers if a.ok is False] or [a for a in answers if a.ok is None]
    if bad or not answers:
        return bad[0] if bad else Probe(None, "no health check is declared")
    return Probe(True, ", ".join(a.text for a in answers), sum(a.seconds for a in answers))


async def _one(link: Link, what: str, argv: list[str], timeout: float, settings: Settings) -> Probe:
    started = monotonic()
    # The margin is for starting the asking program, which no timescale shortens.
    patience = timeout + _MARGIN / settings.timescale
    try:
        done = await link.run(argv, timeout=patience, limit=_LIMIT)
    except TimeoutError:
        return Probe(False, f"{what}: no answer in {timeout:g}s", monotonic() - started)
    except (Unreachable, RemoteFailed) as error:
        return Probe(None, f"{what}: could not ask: {error.message}", monotonic() - started)
    took = monotonic() - started
    if done.status == _NO_TOOL:
        return Probe(None, f"{what}: the host has no curl, python3, wget or nc to ask with", took)
    if done.status is None and not done.signal:
        return Probe(None, f"{what}: no exit status was seen", took)
    return _http(done, took) if what == "http" else _plain(what, done, took)


def _http(done: Completed, took: float) -> Probe:
    found = _STATUS.match(done.stdout)
    if found is None:
        return Probe(False, f"http: {_last(done.stderr or done.stdout) or 'no answer'}", took)
    head, _, body = done.stdout.replace(b"\r\n", b"\n").partition(b"\n\n")
    status = int(found[1])
    text = f"http {status}"
    said = safe_line(decode(body[:_SNIPPET]).strip()) if head else ""
    if said and not 200 <= status < 300:
        text += f' "{said}"'
    if 200 <= status < 300 and not done.ok:
        cut = _last(done.stderr) or (f"signal {done.signal}" if done.signal else f"exit {done.status}")
        return Probe(False, f"{text}, then the answer did not come to its end: {cut}", took)
    return Probe(200 <= status < 300, text, took)


def _plain(what: str, done: Completed, took: float) -> Probe:
    if done.ok:
        return Probe(True, f"{what} ok", took)
    ended = f"signal {done.signal}" if done.signal else f"exit {done.status}"
    said = _last(done.stderr) or _last(done.stdout)
    return Probe(False, f"{what}: {ended}{': ' + said if said else ''}", took)


def _last(data: bytes) -> str:
    lines = decode(data[-_LIMIT:]).strip().splitlines()
    return safe_line(lines[-1])[:_SNIPPET] if lines else ""


async def wait_healthy(
    link: Link,
    check: HealthCheck,
    host: Host,
    settings: Settings,
    *,
    alive: Alive | None = None,
    within: float | None = None,
) -> Verdict:
    """Wait until it is healthy `times` in a row and stays so for `settle` seconds.

    Args:
        link: To the host.
        check: What to ask and how long to wait.
        host: For `${address}` and `${host}`.
        settings: For the timescale.
        alive: Asked before every try: a dead process fails at once instead of after `within`.
        within: Seconds in place of the check's own.

    Raises:
        LinkLost: The connection ended; nothing is known.
    """
    started = monotonic()
    until = started + settings.seconds(check.within if within is None else within)
    row = tries = 0
    probe = Probe(None, "not asked")
    while True:
        dead = await alive() if alive is not None else ""
        if dead:
            return Verdict(False, dead, tries, monotonic() - started)
        probe = await ask(link, check, host, settings)
        tries += 1
        row = row + 1 if probe.ok else 0
        if row >= max(1, check.times):
            stayed = await _stays(link, check, host, settings, alive)
            text = stayed.text or f"{probe.text}, {check.times} in a row, {probe.seconds * 1000:.0f} ms"
            return Verdict(stayed.ok, text, tries, monotonic() - started)
        if monotonic() >= until:
            text = f"not healthy within {check.within if within is None else within:g}s, last: {probe.text}"
            return Verdict(probe.ok if probe.ok is None else False, text, tries, monotonic() - started)
        await asyncio.sleep(settings.seconds(check.every))


async def _stays(
    link: Link, check: HealthCheck, host: Host, settings: Settings, alive: Alive | None
) -> Probe:
    """It was healthy often enough: now it has to stay so for `settle` seconds."""
    until = monotonic() + settings.seconds(check.settle)
    while monotonic() < until:
        await asyncio.sleep(min(settings.seconds(check.every), max(0.0, until - monotonic())))
        dead = await alive() if alive is not None else ""
        probe = await ask(link, check, host, settings)
        if dead or not probe.ok:
            ok = None if not dead and probe.ok is None else False
            return Probe(ok, f"was healthy, then {dead or probe.text}")
    return Probe(True, "")
