"""How a host looks when the demo starts: releases, what runs, and the logs of the last twenty minutes."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.embedded.names import DB_PORT, HOSTS, LOGIN, WEB_PORT, Embedded
from lab.embedded.releases import GOOD_BEFORE, LIVE, RELEASES, content

DEPLOYED = 540  # seconds before the start: nine minutes
DEPLOYED_BY = "ci#4411"
_HISTORY = 1200  # seconds of logs before the start
_PAYLOAD = Path(__file__).parent / "payload"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host's files are written and how its processes see that folder.

    Attributes:
        prefix: The folder that stands for the host's `/`, as we write it.
        shown: The same as the host's processes see it; empty for `/` itself.
        network: Like `127.77.0.`.
        sums: sha256 by version.
        now: Seconds since 1970.
    """

    prefix: Path
    shown: str
    network: str
    sums: dict[str, str]
    now: float


def seed(place: Place, host: Embedded) -> None:
    """Write everything that the host has at the start."""
    home = place.prefix / "home" / LOGIN
    for folder in (home, place.prefix / "var/log", place.prefix / "usr/local/bin", place.prefix / "srv"):
        folder.mkdir(parents=True, exist_ok=True)
    (home / ".profile").write_text(f"PS1='{LOGIN}@{host.name}:$PWD\\$ '\nexport PS1\n")
    if host.role == "web":
        _web(place, host)
    elif host.role == "lb":
        _balancer(place)
    elif host.role == "db":
        folder = place.prefix / "srv/orders-db"
        folder.mkdir(parents=True)
        (folder / "orders_db.py").write_bytes((_PAYLOAD / "orders_db.py").read_bytes())


def start_command(place: Place, host: Embedded) -> list[str]:
    """What the host's init starts; empty when nothing."""
    if host.role == "web":
        return [f"{place.shown}/srv/checkout/current/bin/ctl", "start"]
    if host.role == "lb":
        targets = [
            f"{each.name}=http://{each.address(place.network)}:{WEB_PORT}"
            for each in HOSTS
            if each.role == "web"
        ]
        folder = f"{place.shown}/srv/lb"
        return ["python3", f"{folder}/balancer.py", f"{folder}/drained", f"{folder}/access.log", *targets]
    if host.role == "db":
        program = f"{place.shown}/srv/orders-db/orders_db.py"
        return ["python3", program, host.address(place.network), str(DB_PORT)]
    return []


def _web(place: Place, host: Embedded) -> None:
    root = place.prefix / "srv/checkout"
    logs = place.prefix / "var/log/checkout"
    for folder in (root / ".ondeck", root / "releases", logs):
        folder.mkdir(parents=True)
    (root / "env").write_text(
        f"ADDRESS={host.address(place.network)}\nPORT={WEB_PORT}\nLOGS={place.shown}/var/log/checkout\n"
    )
    _release(place, root, GOOD_BEFORE, place.now - 33 * 3600, "ci#4398")
    _release(place, root, LIVE, place.now - DEPLOYED, DEPLOYED_BY)
    current = root / "current"
    current.symlink_to(f"releases/{LIVE}")
    os.utime(current, (place.now - DEPLOYED, place.now - DEPLOYED), follow_symlinks=False)
    (root / ".ondeck/previous").write_text(f"{GOOD_BEFORE}\n")
    _logs(logs, host, place.now)


def _release(place: Place, root: Path, version: str, when: float, by: str) -> None:
    """A release as the provider `release` leaves it, see providers/release."""
    folder = root / "releases" / version
    folder.mkdir()
    release = next(each for each in RELEASES if each.version == version)
    for name, (mode, data) in content(release).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)
    (folder / ".ondeck").mkdir()
    record = {
        "version": version,
        "sha256": place.sums[version],
        "when": int(when * 1_000_000_000),
        "by": by,
        "job": "",
    }
    (folder / ".ondeck/release.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")
    os.utime(folder, (when, when))


def _balancer(place: Place) -> None:
    folder = place.prefix / "srv/lb"
    (folder / "drained").mkdir(parents=True)
    (folder / "balancer.py").write_bytes((_PAYLOAD / "balancer.py").read_bytes())
    script = place.prefix / "usr/local/bin/lb"
    text = (_PAYLOAD / "lb").read_text().replace("@DRAINED@", f"{place.shown}/srv/lb/drained")
    script.write_text(text)
    script.chmod(0o755)


def _logs(folder: Path, host: Embedded, now: float) -> None:
    """Twenty minutes: well on the old release, then the deploy, then timeouts. The same for a host's name."""
    dice = random.Random(host.name)
    app: list[str] = []
    access: list[str] = []
    worker: list[str] = []
    at = now - _HISTORY
    deployed = False
    while at < now - 1:
        sick = at >= now - DEPLOYED
        if sick and not deployed:
            deployed = True
            app.append(_json(at, "info", f"checkout {LIVE} listens", LIVE))
        took = dice.uniform(0.9, 2.4) if sick else dice.uniform(0.02, 0.12)
        failed = sick and dice.random() < 0.3
        access.append(_access(at, 504 if failed else 200, took))
        if failed:
            attempt = dice.randint(1, 9)
            app.append(
                _json(
                    at, "error", f"timeout 5000ms calling orders-db attempt={attempt}/9", LIVE, took_ms=5000
                )
            )
        elif sick:
            app.append(
                _json(at, "warn", f"pool {dice.randint(37, 40)}/40 in use", LIVE, waiting=dice.randint(0, 5))
            )
        elif dice.random() < 0.1:
            app.append(_json(at, "info", "basket bought", GOOD_BEFORE, items=dice.randint(1, 6)))
        if dice.random() < 0.3:
            queue = dice.randint(80, 400) if sick else dice.randint(0, 9)
            level = "warn" if sick and queue > 300 else "info"
            stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            worker.append(f'ts={stamp} level={level} component=mailer msg="queue drained" queue={queue}')
        at += dice.uniform(1.2, 3.0)
    for name, lines in (("app.log", app), ("access.log", access), ("worker.log", worker)):
        (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "system.log").touch()


def _json(at: float, level: str, message: str, version: str, **fields: int) -> str:
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"ts": stamp, "level": level, "msg": message, "version": version, **fields})


def _access(at: float, status: int, took: float) -> str:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'127.0.0.1 - - [{stamp}] "GET / HTTP/1.1" {status} 7 "-" "demo" {took:.3f}'
