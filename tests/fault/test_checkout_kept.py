"""Checkouts: what somebody works in stays, and nobody waits for another without end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from lab.terraform.stacks import Repository
from ondeck.errors import RemoteFailed
from ondeck.inventory.model import Host
from ondeck.reach.checkout import alone, check_out, in_use, pin, tree_of
from ondeck.reach.detached import Detached
from ondeck.reach.ports import Link
from ondeck.settings import Settings
from providers.local.reach import LocalReach

MORE = 6
"""Commits that are checked out beside: more than are kept."""


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path / "s", cache=tmp_path / "c", config=tmp_path / "e", timescale=0.001)


@pytest.fixture
async def link(own: Settings) -> Link:
    return await LocalReach(own).connect(Host(name="here", env="test", transport="local"))


class Site:
    """A repository and our folder of checkouts."""

    def __init__(self, root: Path, link: Link, own: Settings) -> None:
        self.repository = Repository(root / "repo")
        self.trees = root / "trees"
        self.trees.mkdir()
        self._link = link
        self._own = own

    async def out(self) -> tuple[Path, Path]:
        """Check out what is committed now: the folder to work in, and its tree."""
        source = self.repository.folder / "net"
        pinned = await pin(self._link, source, "main")
        folder = await check_out(self._link, source, pinned, self.trees, self._own)
        return folder, tree_of(folder, pinned)

    async def others(self) -> None:
        for number in range(MORE):
            self.repository.commit({"net/note.tf": f"# {number}\n"}, f"Note {number}")
            _, tree = await self.out()
            os.utime(tree)


@pytest.fixture
def site(tmp_path: Path, link: Link, own: Settings) -> Site:
    return Site(tmp_path, link, own)


async def test_an_older_checkout_that_nobody_works_in_makes_room(site: Site) -> None:
    folder, tree = await site.out()
    assert (tree.parent, folder.is_dir()) == (site.trees, True)
    await site.others()
    assert not tree.exists()


async def test_a_checkout_stays_while_a_process_that_outlived_its_starter_works_in_it(
    site: Site, link: Link, own: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    folder, tree = await site.out()
    job = Detached(link, "apply-1", own)
    await job.launch(["sh", "-c", "while [ ! -e ../go-on ]; do sleep 0.02; done"], cwd=str(folder))
    await site.others()
    assert folder.is_dir(), "what a detached apply runs in was removed"
    (tree / "go-on").touch()
    await job.follow(lambda data, err: None)
    assert (await job.look()).status == 0


async def test_a_checkout_stays_while_its_job_only_holds_it_and_goes_afterwards(site: Site) -> None:
    _, tree = await site.out()
    with in_use(tree):
        await site.others()
        assert tree.is_dir()
    await site.others()
    assert not tree.exists()
    with pytest.raises(RemoteFailed, match="was removed just now"), in_use(tree):
        pass


async def test_who_waits_for_another_s_set_up_waits_a_bounded_time_and_says_for_whom(
    tmp_path: Path, own: Settings
) -> None:
    folder = tmp_path / "trees"
    before = set(asyncio.all_tasks())
    async with alone(folder, own, "init of net-prod"):
        with pytest.raises(RemoteFailed) as refused:
            async with alone(folder, own, "the checkout of main"):
                raise AssertionError("two at once")
    assert f"pid {os.getpid()}, which does init of net-prod" in refused.value.message
    async with alone(folder, own, "the checkout of main"):
        pass
    assert set(asyncio.all_tasks()) == before


async def test_who_waits_is_cancelled_at_once_and_blocks_no_thread(tmp_path: Path, own: Settings) -> None:
    patient = Settings(state=own.state, cache=own.cache, config=own.config, timescale=1.0)
    with (tmp_path / "trees.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waits = [asyncio.ensure_future(_enter(tmp_path / "trees", patient)) for _ in range(64)]
        await asyncio.sleep(0.05)
        assert await asyncio.to_thread(subprocess.run, ["true"], check=True), "threads are free for others"
        for wait in waits:
            wait.cancel()
        assert {type(found) for found in await asyncio.gather(*waits, return_exceptions=True)} == {
            asyncio.CancelledError
        }


async def _enter(folder: Path, own: Settings) -> None:
    async with alone(folder, own, "nothing"):
        raise AssertionError("it is held")
