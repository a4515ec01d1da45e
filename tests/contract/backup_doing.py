"""Plan and apply one operation on a backup site, as a worker does, and keep what is remembered."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec

from ondeck.job.finding import Attempt, Finding
from ondeck.job.plan import Draft, Plan
from ondeck.observe.backups import BackupLook
from ondeck.operate.ports import Operator
from ondeck.registry import Registry
from tests.contract.backup_site import ResticSite
from tests.contract.host_bench import Told

_NUMBERS = count(1)


class Doing:
    """A site with the operator and the reader that are installed for it."""

    def __init__(self, site: ResticSite) -> None:
        self.site = site
        self.operator: Operator = Registry().load(site.engine, "operator")
        self.reader = Registry().load(site.engine, "backups")
        self.told = Told()

    async def look(self) -> BackupLook:
        """What the repository holds."""
        found: BackupLook = await self.reader.look(self.site.backup, self.site.bench)
        return found

    async def plan(self, operation: str, **params: Any) -> Plan:
        """As it is stored."""
        request = self.site.request(operation, **params)
        draft: Draft = await self.operator.plan(request, self.site.bench)
        plan = Plan(
            id="p",
            request=request,
            title="t",
            provider=self.site.engine,
            draft=draft,
            inventory="",
            policy="",
            made=1,
        )
        return msgspec.json.decode(msgspec.json.encode(plan), type=Plan)

    async def apply(self, plan: Plan, attempt: str = "") -> Finding:
        """Once its preconditions hold; what it remembers is kept."""
        one = Attempt(id=attempt or f"job-{next(_NUMBERS)}", job="job", target="orders")
        async with self.operator.open(plan, self.site.bench) as applying:
            assert await applying.ready() == {}
            now = await applying.check("orders")
            assert now == plan.draft.preconditions, "stale"
            finding = await applying.apply(one, self.told)
            self.site.bench.facts.update(await applying.finish(("orders",), self.told.step))
        return finding

    async def do(self, operation: str, **params: Any) -> Finding:
        """Plan and apply."""
        return await self.apply(await self.plan(operation, **params))
