"""The promises of `changes`, for the Linux provider over this machine and over a real OpenSSH server."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ondeck.testing.changes_suite import SECOND, ChangeReaderSuite, ChangesCase, names, now
from providers.linux.changes import LIMIT, MESSAGES, MOST_ENTRIES, LinuxChanges
from tests.contract.programs import JOURNALCTL, program
from tests.contract.twin_hosts import TRANSPORTS, Twins, twins

_FAILED = next(number for number, text in MESSAGES.items() if text == "failed")


def history_of_packages() -> bool:
    return Path("/var/log/dpkg.log").exists() or shutil.which("rpm") is not None


@pytest.fixture(params=TRANSPORTS)
async def hosts(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Twins]:
    if not history_of_packages():
        pytest.skip("this machine has no history of packages")
    async with twins(request.param, tmp_path, monkeypatch) as found:
        program(found.programs, "journal.py", JOURNALCTL)
        program(found.programs, "journalctl", found.held(f'exec {found.programs}/journal.py "$@"'))
        program(found.programs, "last", "#!/bin/sh\nexit 0\n")  # a record of boots that is empty
        yield found


def entry(when: int, unit: bytes) -> str:
    """What systemd writes of a unit that failed; journald gives bytes that are no text as a list."""
    try:
        name: Any = (unit + b".service").decode("ascii")
    except UnicodeDecodeError:
        name = list(unit + b".service")
    fields = {"__REALTIME_TIMESTAMP": str(when // 1000), "MESSAGE_ID": _FAILED, "UNIT": name}
    return json.dumps(fields) + "\n"


class TestLinuxChanges(ChangeReaderSuite):
    provider = "linux"

    @pytest.fixture
    def changes(self, hosts: Twins) -> ChangesCase:
        journal = hosts.programs / "journal"

        def happen(when: int, unit: bytes) -> None:
            with journal.open("a") as file:
                file.write(entry(when, unit))

        return ChangesCase(
            host=hosts.hosts[0],
            twin=hosts.hosts[1],
            nobody=hosts.nobody,
            bench=hosts.bench,
            happen=happen,
            lose_during=hosts.lose_during,
        )

    async def test_what_does_not_fit_in_an_answer_is_said_and_the_newest_is_kept(
        self, changes: ChangesCase, hosts: Twins
    ) -> None:
        start = now() - 600 * SECOND
        row = entry(start, b"flapping")
        hosts.programs.joinpath("journal").write_text(row * MOST_ENTRIES + entry(start + SECOND, b"last"))
        asked = await LinuxChanges().changes(changes.host, changes.bench, since=start)
        assert "journal: there are more than" in asked.error
        assert names(asked) >= {"flapping", "last"}

    async def test_a_journal_too_long_to_take_whole_is_said(self, changes: ChangesCase, hosts: Twins) -> None:
        start = now() - 600 * SECOND
        row = entry(start, b"x" * 4000)
        hosts.programs.joinpath("journal").write_text(row * (LIMIT // 4000))
        asked = await LinuxChanges().changes(changes.host, changes.bench, since=start)
        assert "journal: there is more than" in asked.error

    async def test_boots_that_nothing_remembers_are_unknown_and_not_none(
        self, changes: ChangesCase, hosts: Twins
    ) -> None:
        changes.happen(now() - 60 * SECOND, b"app")
        program(hosts.programs, "last", "#!/bin/sh\nexit 1\n")
        asked = await LinuxChanges().changes(changes.host, changes.bench, since=0)
        assert "boots: those before " in asked.error
        assert "reboot" in {change.kind for change in asked.changes}
        late = await LinuxChanges().changes(changes.host, changes.bench, since=now())
        assert late.error == ""
