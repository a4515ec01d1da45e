"""The engine: one thread with its own loop for everything that waits, and mailboxes toward a face.

A face's own loop may stand still (a stalled terminal blocks it after a second); connections, tails and
samples live here and go on. What crosses over is frozen data in bounded mailboxes, nothing else.
"""

from __future__ import annotations

from ondeck.engine.mailbox import Mailbox
from ondeck.engine.thread import Engine, Handle, StreamState

__all__ = ["Engine", "Handle", "Mailbox", "StreamState"]
