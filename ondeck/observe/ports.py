"""The ports of reading. A port yields batches; its consumer holds back-pressure or drops with a count.

Every iterator goes on until its consumer closes it (`contextlib.aclosing`): a source that is lost says
so in a state, tries again with growing pauses, and never ends the iteration of the others.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ondeck.bench import Bench
from ondeck.inventory.discovering import Discovered, Entry
from ondeck.inventory.model import Backup, Check, Host, LogSource, Place, Service, Stack
from ondeck.observe.records import Asked, FactsBatch, LogBatch, ReleaseFacts

if TYPE_CHECKING:
    from ondeck.observe.backups import BackupLook, Listed
    from ondeck.observe.checks import Served
    from ondeck.observe.credentials import Credential
    from ondeck.observe.resources import Listing
    from ondeck.observe.stacks import StackLook
    from ondeck.secret import Secret

LAST = 200
"""Lines of history that a source gives when no time is asked for."""


class LogReader(Protocol):
    """Capability `logs`, of the provider that serves the source's kind (`log.kind`)."""

    def follow(
        self, place: Place, source: LogSource, bench: Bench, *, since: int = 0, follow: bool = True
    ) -> AsyncGenerator[LogBatch, None]:
        """Lines of a source, oldest first, then as they come; `since` in ns, 0 means the `LAST` ones.

        Where not all that was asked for is there (any more), or is more than is read, its state says so in
        `cut` before the lines come: silence means complete.
        """
        ...


class FactsReader(Protocol):
    """Capability `facts`."""

    def watch(self, host: Host, bench: Bench, *, every: float = 2.0) -> AsyncGenerator[FactsBatch, None]:
        """Figures of a host every so many seconds, over one stream that ends with its connection."""
        ...


class UnitReader(Protocol):
    """Capability `units`."""

    async def units(self, host: Host, bench: Bench) -> Asked:
        """Every loaded service unit, failed first; never raises for an unreachable host."""
        ...


class ChangeReader(Protocol):
    """Capability `changes`."""

    async def changes(self, host: Host, bench: Bench, *, since: int) -> Asked:
        """What changed on a host at or after a time (ns): restarts, packages, reboots; oldest first.

        Never raises for a host. Without `error` the answer is whole: an empty list means that nothing
        changed. A part that could not be asked, an answer that was cut and a time that nothing
        remembers are all named in `error`, beside what the other parts answered.
        """
        ...


class ReleaseReader(Protocol):
    """Capability `releases`: what a service runs, read from its hosts."""

    async def running(self, service: Service, hosts: Sequence[Host], bench: Bench) -> Sequence[ReleaseFacts]:
        """One entry a host, in the order asked; errors are entries, not exceptions.

        Whatever keeps one host from being asked is that host's `error`, and its entry says nothing else;
        a host that answered and whose health could not be asked has `healthy=None` and the reason.

        Raises:
            BadInput: The service's own deploy or health section is wrong, whatever the host.
        """
        ...

    async def available(self, service: Service, env: str, bench: Bench) -> Sequence[str]:
        """Versions that can be deployed, newest first; an empty answer means that there are none.

        Raises:
            Missing: The place that knows them is not there, or the service does not name one.
            RemoteFailed: It is there and could not tell.
            Unreachable, LinkLost: It could not be asked.
        """
        ...


class CheckReader(Protocol):
    """Capability `checks`, of the provider that serves the check's kind (`check.kind`)."""

    async def ask(self, check: Check, address: str, bench: Bench) -> Served:
        """What one member serves, asked by its own address; the name of the check when that is empty.

        Raises:
            OndeckError: It cannot be asked: nothing is known then.
        """
        ...


class CredentialReader(Protocol):
    """Capability `credentials`: what we show who we are with, and until when."""

    async def credentials(self, bench: Bench) -> Sequence[Credential]:
        """A row for each credential of its system that the inventory uses, or that is at hand here.

        Never raises and never logs in: what could not be asked is a row `UNKNOWN` that says why. Without
        anything of its system in the inventory and none at hand there is no row.
        """
        ...


class BackupReader(Protocol):
    """Capability `backups`, of the provider that serves the backup's engine (`backup.engine`)."""

    async def look(self, backup: Backup, bench: Bench) -> BackupLook:
        """What its repository holds, whoever put it there; takes no lock of the repository.

        Never raises for a backup: what keeps it from being asked is `error`, and then nothing else is of now.
        """
        ...

    async def entries(self, backup: Backup, snapshot: str, path: str, bench: Bench) -> Listed:
        """What a folder of a snapshot holds; the newest snapshot when none is named.

        Raises:
            OndeckError: It cannot be asked, or there is no such snapshot.
        """
        ...

    async def find(self, backup: Backup, pattern: str, bench: Bench) -> Listed:
        """Where a file of that name (`*` allowed) is, newest snapshot first.

        Raises:
            OndeckError: It cannot be asked.
        """
        ...

    async def differences(self, backup: Backup, one: str, other: str, bench: Bench) -> Listed:
        """What differs from one snapshot to the other.

        Raises:
            OndeckError: It cannot be asked, or there is no such snapshot.
        """
        ...


class DiscoveryReader(Protocol):
    """Capability `discovery`, of the provider that serves the source's kind (`discover.from`)."""

    async def discover(self, entry: Entry, bench: Bench) -> Discovered:
        """Hosts and clusters that a source knows now; only reads.

        Without `error` the answer is whole; with `partly` the error names what is missing.

        Raises:
            BadInput: The entry makes no sense for this provider.
            OndeckError: It could not be asked at all.
        """
        ...


class ResourceReader(Protocol):
    """Capability `resources`, of a provider whose manifest has `lists`."""

    async def list(self, kind: str, place: Place, bench: Bench) -> Listing:
        """Everything of a kind in a place.

        Never raises for a place: without `error` the answer is whole, and an empty one means that there is
        nothing.
        """
        ...

    async def describe(self, kind: str, place: Place, name: str, bench: Bench) -> Mapping[str, Any]:
        """All that is known of one thing, as plain data with secrets masked.

        Raises:
            NoMatch: There is no such thing.
            Unreachable, LinkLost, AuthFailed, RemoteFailed: It could not be asked.
        """
        ...


class StackReader(Protocol):
    """Capability `stacks`, of the provider that serves the stack's kind (`stack.kind`)."""

    async def look(self, stack: Stack, bench: Bench) -> StackLook:
        """All that is known of a stack. Changes nothing of it and takes no lock.

        Never raises for a stack: what could not be asked is named in `error`, beside what is known.
        """
        ...

    async def reveal(self, stack: Stack, output: str, bench: Bench) -> Secret:
        """The value of one output, also of a sensitive one, for whoever asked for exactly that.

        Raises:
            NoMatch: There is no such output.
            RemoteFailed, Missing: It could not be asked.
        """
        ...
