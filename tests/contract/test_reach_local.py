from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ondeck.errors import LinkLost, Unreachable
from ondeck.inventory.model import Host, Inventory, Revision
from ondeck.reach.ports import Link
from ondeck.testing.reach_suite import Place, ReachSuite, gone, started, unique
from providers.local.reach import LocalReach
from tests.contract.sshd import settings

HERE = Host(name="here", env="test", transport="local")


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[Link]:
    reach = LocalReach(settings(tmp_path, 0.1))
    yield await reach.connect(HERE)
    await reach.aclose()


class TestLocal(ReachSuite):
    """The promises of a link over child processes."""

    provider = "local"

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        inventory = Inventory(revision=Revision(root=str(tmp_path)), hosts={HERE.name: HERE})
        return Place(inventory=inventory, settings=settings(tmp_path, 0.1), host=HERE)


async def test_closing_a_link_stops_what_runs_and_says_that_it_was_lost(link: Link) -> None:
    mark = unique()
    running = asyncio.create_task(link.run(["sleep", mark]))
    await started(mark)
    await link.aclose()
    with pytest.raises(LinkLost):
        await running
    assert await gone(mark)
    assert link.closed
    with pytest.raises(Unreachable):
        await link.run(["true"])


async def test_a_background_child_that_keeps_the_pipes_does_not_hold_the_answer(link: Link) -> None:
    mark = unique()
    done = await link.run(["sh", "-c", "sleep $1 & echo $!", "sh", mark])
    assert done.ok
    await link.run(["kill", done.stdout.decode().strip()])
    assert await gone(mark)


async def test_nothing_of_our_own_environment_reaches_a_command(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONDECK_PROBE_TOKEN", "inner")
    done = await link.run(["env"])
    assert b"ONDECK_PROBE_TOKEN" not in done.stdout
