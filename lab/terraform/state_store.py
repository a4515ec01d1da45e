"""A store of Terraform states over HTTP, as its `http` backend speaks it: GET, POST, LOCK and UNLOCK on loopback.

States stay in memory. A lock is the JSON that terraform sends; who comes second gets it with 423. `full` makes
the store refuse to write, as a disk without room does.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle is what the lab is for."""


class StateStore:
    """One server for many states, by path. Use it as a context manager."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.locks: dict[str, dict[str, Any]] = {}
        self.full = False
        self.guard = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> StateStore:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def url(self, name: str) -> str:
        """Address of the state of a name."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}"

    def serial(self, name: str) -> int:
        """Serial of a stored state; 0 when there is none."""
        stored = self.states.get(f"/{name}")
        return int(json.loads(stored)["serial"]) if stored else 0


class _Handler(BaseHTTPRequestHandler):
    store: StateStore
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is written to the terminal."""

    def do_GET(self) -> None:
        state = self.store.states.get(self._name())
        self._answer(404 if state is None else 200, state or b"")

    def do_POST(self) -> None:
        body = self._body()
        with self.store.guard:
            held = self.store.locks.get(self._name())
            asked = self.path.partition("?ID=")[2]
            if self.store.full:
                status = 507
            elif held is not None and asked != held["ID"]:
                status = 423
            else:
                self.store.states[self._name()] = body
                status = 200
        self._answer(status, b"")

    def do_LOCK(self) -> None:
        wanted = json.loads(self._body())
        with self.store.guard:
            held = self.store.locks.setdefault(self._name(), wanted)
        self._answer(200 if held is wanted else 423, json.dumps(held).encode())

    def do_UNLOCK(self) -> None:
        body = self._body()
        wanted = json.loads(body) if body else {}
        with self.store.guard:
            held = self.store.locks.get(self._name())
            mine = held is None or not wanted.get("ID") or wanted["ID"] == held["ID"]
            if mine:
                self.store.locks.pop(self._name(), None)
        self._answer(200 if mine else 409, json.dumps(held or {}).encode())

    def _name(self) -> str:
        return self.path.partition("?")[0]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
