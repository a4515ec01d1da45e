"""A job that needs a secret, in the open: where its value turns up while it runs, and whether it arrived."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ondeck.deck import Deck
from ondeck.inventory.model import Backup, SecretSource
from ondeck.job.outcome import Outcome
from ondeck.registry import Registry
from ondeck.testing.operators import MANIFEST
from ondeck.testing.secretly_suite import shown
from tests import road as on_road


def deck(tmp: Path, references: tuple[str, ...], **sources: dict[str, Any]) -> Deck:
    """A deck over every installed provider, whose inventory uses the references."""
    plain = on_road.deck(tmp)
    named = {name: SecretSource(name=name, options=options) for name, options in sources.items()}
    backup = Backup(name="orders-db", engine="restic", options={"passwords": list(references)})
    inventory = msgspec.structs.replace(plain.inventory, secrets=named, backups={"orders-db": backup})
    registry = Registry([*Registry().manifests(), MANIFEST])
    return msgspec.structs.replace(plain, inventory=inventory, registry=registry)


class Watch:
    """Looks at every process again and again, for values among the words of any and in the worker's environment."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self._values = values
        self._stop = threading.Event()
        self.words: list[str] = []
        self.workers: list[str] = []
        self.seen = 0

    def run(self) -> None:
        while not self._stop.is_set():
            for value in self._values:
                self.words += shown(value)
            self._look_at_workers()
            self.seen += 1

    def _look_at_workers(self) -> None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if b"ondeck.operate.worker" in path.read_bytes():
                    environ = path.with_name("environ").read_bytes()
                    self.workers += [str(path) for value in self._values if value.encode() in environ]
            except OSError:
                continue

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def watching(*values: str) -> Iterator[Watch]:
    """Watch while the context is open; afterwards nothing may have been seen."""
    watch = Watch(values)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()
    assert watch.seen > 3
    assert watch.words == []
    assert watch.workers == []


def holding(root: Path, value: str) -> list[str]:
    """Files below a folder that hold a value."""
    found = []
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and value.encode() in path.read_bytes():
            found.append(str(path))
    return found


def spent(tmp: Path, on: Deck, references: tuple[str, ...], values: tuple[str, ...]) -> None:
    """A job over three targets gets every value as it is, and nothing that stays has one in it."""
    with watching(*values):
        view = on_road.over(on, on_road.start(on, tmp, secrets=references))
    assert view.outcome is Outcome.SUCCEEDED, view
    wanted = [hashlib.sha256(value.encode()).hexdigest() for value in values]
    for target in on_road.TARGETS:
        sums = (tmp / "effects" / f"{target}.sums").read_text().split("\n")
        assert [line.split()[0] for line in sums if line] == wanted
    for value in values:
        assert holding(on.record.root, value) == []
        assert holding(Path.home() / ".local", value) == []
