"""Which keys are at hand: asks the SSH agent, reads nothing secret."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

_ASK = struct.pack(">IB", 1, 11)
_ANSWER = 12


def keys_at_hand(environment: Mapping[str, str], wait: float = 0.5) -> str:
    """`agent 2 keys`, `agent empty`, `no agent`; may take `wait` seconds."""
    path = environment.get("SSH_AUTH_SOCK", "")
    if not path:
        return "no agent"
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(wait)
            agent.connect(path)
            agent.sendall(_ASK)
            answer = _exactly(agent, 9)
    except (OSError, ValueError):
        return "no agent answers"
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
