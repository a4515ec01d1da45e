"""After a start, who cannot look knows no outcome: on every provider that runs its work as a detached command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ondeck.errors import LinkLost, RemoteFailed, Unreachable
from ondeck.inventory.model import Host
from ondeck.job.finding import Attempt
from ondeck.job.outcome import Outcome
from ondeck.reach.detached import Detached, Look, begun
from ondeck.settings import Settings
from ondeck.testing.operator_suite import Quiet, planned
from providers.local.reach import LocalReach
from tests.contract.build_site import BuildSite
from tests.contract.stack_site import StackSite

ERRORS = (TimeoutError(), RemoteFailed("cannot read job folder"), Unreachable("no route"))


@pytest.mark.parametrize("error", ERRORS)
def test_whatever_hinders_a_look_after_the_start_is_a_lost_link(error: Exception) -> None:
    with pytest.raises(LinkLost), begun("db-1"):
        raise error


@pytest.mark.parametrize("kind", [StackSite, BuildSite])
@pytest.mark.parametrize("error", ERRORS[:2])
async def test_an_end_that_could_not_be_looked_at_is_unknown_and_found_later(
    kind: Any, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = kind(tmp_path / "site")
    monkeypatch.setenv("HOME", str(site.home))
    plan = await planned(site)
    look = Detached.look

    async def odd(self: Detached, *, take: bool = False) -> Look:
        if not take:
            raise error
        return await look(self, take=take)

    monkeypatch.setattr(Detached, "look", odd)
    attempt = Attempt(id="odd-1", job="odd", target=plan.request.targets[0])
    async with site.operator.open(plan, site.bench) as applying:
        with pytest.raises(LinkLost):
            await applying.apply(attempt, Quiet())
    async with site.operator.open(plan, site.bench) as applying:
        assert (await applying.reconcile(attempt)).outcome is Outcome.SUCCEEDED


async def test_a_start_that_nobody_confirmed_in_time_is_a_lost_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    own = Settings(state=tmp_path, cache=tmp_path, config=tmp_path, timescale=0.2)
    reach = LocalReach(own)
    link: Any = await reach.connect(Host(name="here", env="test", transport="local"))
    run = link.run

    async def late(argv: Any, **more: Any) -> Any:
        await run(argv, **more)
        raise TimeoutError

    job = Detached(link, "late-1", own)
    with monkeypatch.context() as patched:
        patched.setattr(link, "run", late, raising=False)
        with pytest.raises(LinkLost):
            await job.launch(["touch", str(tmp_path / "did")])
    await job.follow(lambda data, err: None)
    assert (await job.look(take=True)).finding().outcome is Outcome.SUCCEEDED
    await reach.aclose()
