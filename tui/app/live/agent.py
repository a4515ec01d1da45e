"""Which keys are at hand: asks the SSH agent again and again, reads nothing secret."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from collections.abc import Mapping

from tui.app.phrases import SECOND, age

_ASK = struct.pack(">IB", 1, 11)
_ANSWER = 12


def keys_at_hand(environment: Mapping[str, str], wait: float = 0.5) -> str:
    """`agent 2 keys`, `agent empty`, `no agent`, `no agent: why`; may take `wait` seconds."""
    path = environment.get("SSH_AUTH_SOCK", "")
    if not path:
        return "no agent"
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(wait)
            agent.connect(path)
            agent.sendall(_ASK)
            answer = _exactly(agent, 9)
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR, errno.ENOTSOCK)
        return "no agent: SSH_AUTH_SOCK points nowhere" if gone else "no agent: it does not answer"
    except ValueError:
        return "no agent: it closed"
    kind, count = answer[4], struct.unpack(">I", answer[5:9])[0]
    if kind != _ANSWER:
        return "agent locked"
    return f"agent {count} key{'' if count == 1 else 's'}" if count else "agent empty"


def _exactly(agent: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = agent.recv(count - len(data))
        if not part:
            raise ValueError("the agent closed")
        data += part
    return data


class AgentWatch:
    """Asks in a thread of its own; `words` says what was heard last, and since when it is not so any more."""

    EVERY = 15.0
    """Seconds between two questions."""

    def __init__(self, environment: Mapping[str, str], every: float = EVERY) -> None:
        self._environment = environment
        self._every = every
        self._stop = threading.Event()
        self._heard = ("", 0)
        self._keys_at = 0

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="ondeck-agent", daemon=True).start()

    def stop(self) -> None:
        """End within one question."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            found = keys_at_hand(self._environment)
            now = time.time_ns()
            if found.endswith(("key", "keys")):
                self._keys_at = now
            self._heard = (found, now)
            self._stop.wait(self._every)

    def words(self, now: int) -> str:
        """`agent 2 keys`; `agent gone 4m: why` when it had keys; with its age when nobody asked for long."""
        found, asked = self._heard
        if found.startswith("no agent") and self._keys_at:
            return f"agent gone {age(self._keys_at, now)}{found.removeprefix('no agent')}"
        old = bool(asked) and now - asked > 4 * self._every * SECOND
        return f"{found} {age(asked, now)} ago" if old else found
