"""The change of one host: stage, drain, switch and restart as one detached step, wait, take back in."""

from __future__ import annotations

import msgspec

from ondeck.errors import RemoteFailed
from ondeck.inventory.model import Deploy, Host, Service
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.observe.health import Alive, Verdict, declared, wait_healthy
from ondeck.operate.deploys import claimed, migrating
from ondeck.operate.deploys.state import HostState
from ondeck.operate.deploys.uncut import last, uncut
from ondeck.operate.ports import Emit
from ondeck.operate.wayback import Release
from ondeck.reach.detached import Detached, Look, Stage
from ondeck.reach.ports import Link
from ondeck.settings import Settings
from ondeck.text import safe_line
from providers.release import scripts, traffic
from providers.release.commands import change_argv, migration_argv
from providers.release.hoststate import look
from providers.release.liveness import watch
from providers.release.options import Options, ReleaseDir
from providers.release.staging import stage
from providers.release.work import Work

BACK = ".back"
"""What the claim of going back has behind the attempt's id."""


class OnHost(msgspec.Struct, frozen=True, kw_only=True):
    """One target with its links.

    Attributes:
        link: Where the steps run: the host, or this machine for `on: bastion`.
        direct: The host itself; health is asked over it.
        drain_link: Where drain and undrain run.
    """

    host: Host
    service: Service
    deploy: Deploy
    options: Options
    work: Work
    settings: Settings
    link: Link
    direct: Link
    drain_link: Link

    async def aclose(self) -> None:
        """Let its links go."""
        for link in {id(entry): entry for entry in (self.link, self.direct, self.drain_link)}.values():
            await link.aclose()

    @property
    def closed(self) -> bool:
        """True once one of its links is known to have ended."""
        return self.link.closed or self.direct.closed or self.drain_link.closed

    async def state(self) -> HostState:
        """What the host runs now."""
        return await look(self.link, self.service, self.host, self.options)

    async def alive(self) -> Alive | None:
        """A question for a dead process, with its restart count from now on."""
        return await watch(self.link, self.service, self.host, self.options)

    def step(self, claim: str) -> Detached:
        """The detached step of a claim."""
        return Detached(self.link, claim, self.settings, self.options.as_user())

    def seconds(self) -> float:
        """How long a command on the host may take, before timescale."""
        return self.options.seconds()

    def before_argv(self, name: str) -> list[str]:
        """A command that runs before the deploy."""
        return migration_argv(self.service, self.options, self.host, self.work, name)

    async def has_run(self, name: str) -> bool | None:
        """Whether the release on the host is marked with it; None where no release lies on the host."""
        if not isinstance(self.options, ReleaseDir):
            return None
        here = (await self.state()).has(self.work.release.version)
        return here is not None and name in here.migrated

    async def healthy(self) -> Verdict:
        """Wait for health after a change; without a check only that the process did not die at once."""
        check = self.service.health
        alive = await self.alive()
        if check is None or not declared(check):
            dead = await alive() if alive else ""
            return Verdict(not dead, dead or "no health check is declared")
        return await wait_healthy(self.direct, check, self.host, self.settings, alive=alive)

    async def change(self, attempt: Attempt, emit: Emit, pinned: OnHost | None) -> Finding:
        """Bring the plan's release onto this host, or leave it with the one that it ran."""
        state = await self.state()
        already = await self._already(state)
        if already and state.drained:
            # What an earlier change left out of the traffic, and the plan warned of.
            return await self._back_in(attempt, emit, already)
        if already:
            return Finding(outcome=Outcome.SUCCEEDED, evidence=already)
        release = self.work.release
        if isinstance(self.options, ReleaseDir) and state.has(release.version) is None:
            if not self.work.archive:
                raise RemoteFailed(f"release {release.version} is not on the host any more")
            await stage(self.link, self.options, self.work, attempt, emit)
        await migrating.migrate(self, attempt, emit, pinned)
        await uncut(traffic.drain(self, attempt, emit))
        done = await self._run(attempt.id, self._argv(attempt.id), emit)
        if done.status == 0:
            emit.step(f"switched to {release.version} and restarted")
            verdict = await self.healthy()
        else:
            verdict = Verdict(False, f"the step failed: {done.finding().evidence}")
        if verdict.ok:
            return await self._back_in(attempt, emit, f"exit 0, runs {release.version}, {verdict.text}")
        if verdict.ok is None:
            drained = ", still drained" if self.deploy.drain else ""
            text = f"runs {release.version}, health could not be asked: {verdict.text}{drained}"
            return Finding(outcome=Outcome.UNKNOWN, evidence=text, status=done.status)
        emit.step(f"not healthy: {verdict.text}")
        return await self._go_back(attempt, emit, state, verdict.text, done.status)

    async def _already(self, state: HostState) -> str:
        """Evidence that nothing has to be done; empty when something has."""
        if self.host.name not in self.work.unchanged:
            return ""
        if Release(state.version, state.digest) != self.work.release:
            return ""
        verdict = await self.healthy()
        return f"ran {state.label()} already, {verdict.text}; nothing was changed" if verdict.ok else ""

    def _argv(self, claim: str, release: Release | None = None) -> list[str]:
        return change_argv(self.service, self.options, self.host, self.work, claim, release)

    async def _run(self, claim: str, argv: list[str], emit: Emit) -> Look:
        """Run the step of a claim on the host; see `claimed.run`."""
        seconds = self.settings.seconds(self.options.seconds())
        return (await claimed.run(self.step(claim), argv, emit, seconds, self._out())).look

    async def _go_back(
        self, attempt: Attempt, emit: Emit, before: HostState, why: str, status: int | None
    ) -> Finding:
        """The old release again on this host. A rollback is never rolled back."""
        old = Release(before.version, before.digest)
        kept = not isinstance(self.options, ReleaseDir) or before.has(old.version) is not None
        if (
            self.work.operation == "service.rollback"
            or not old.version
            or old == self.work.release
            or not kept
        ):
            reason = "a rollback is not taken back by itself" if old.version else "it ran no release before"
            text = f"{why}; left on {self.work.release.version}{self._out()}: {reason}{migrating.stays(self)}"
            return Finding(outcome=Outcome.FAILED, evidence=text, status=status)
        stays = migrating.stays(self)
        emit.step(f"going back to {old.version}")
        back = await self._run(attempt.id + BACK, self._argv(attempt.id + BACK, old), emit)
        verdict = await self.healthy() if back.status == 0 else Verdict(False, back.finding().evidence)
        if not verdict.ok:
            text = f"{why}; went back to {old.version}, NOT healthy: {verdict.text}{self._out()}{stays}"
            return Finding(outcome=Outcome.FAILED, evidence=text, status=status)
        taken = await self._back_in(attempt, emit, f"went back to {old.version}, healthy")
        return Finding(outcome=Outcome.FAILED, evidence=f"{why}; {taken.evidence}{stays}", status=status)

    def _out(self) -> str:
        return ", still drained" if self.deploy.drain else ""

    async def undrain(self, attempt: Attempt, emit: Emit) -> str:
        """Take it back in; answers what went wrong."""
        return await traffic.undrain(self, attempt, emit)

    async def forget(self, attempt: str) -> None:
        """Remove the folders of an attempt; its outcome is recorded."""
        for step in (self.step(attempt), *migrating.steps(self, attempt), *traffic.steps(self, attempt)):
            await step.forget()

    async def _back_in(self, attempt: Attempt, emit: Emit, evidence: str) -> Finding:
        wrong = await last(self.undrain(attempt, emit))
        if wrong:
            return Finding(outcome=Outcome.FAILED, evidence=f"{evidence}, but still out: {wrong}")
        return Finding(outcome=Outcome.SUCCEEDED, evidence=safe_line(evidence), status=0)

    async def prune(self, versions: list[str]) -> bool:
        """Remove old releases; False when the host refused."""
        if not isinstance(self.options, ReleaseDir):
            return False
        argv = scripts.argv(scripts.PRUNE, self.options.path, *versions)
        return (await self.link.run(argv, become=self.options.as_user(), timeout=300)).ok

    async def restart(self, attempt: Attempt, emit: Emit) -> Finding:
        """Drain, restart, wait, take back in; the release stays."""
        await uncut(traffic.drain(self, attempt, emit))
        done = await self._run(attempt.id, self._argv(attempt.id), emit)
        if done.stage is not Stage.ENDED or done.status != 0:
            finding = done.finding()
            return msgspec.structs.replace(finding, evidence=f"restart: {finding.evidence}{self._out()}")
        verdict = await self.healthy()
        if verdict.ok:
            return await self._back_in(attempt, emit, f"exit 0, {verdict.text}")
        outcome = Outcome.UNKNOWN if verdict.ok is None else Outcome.FAILED
        return Finding(outcome=outcome, evidence=f"restarted, {verdict.text}{self._out()}", status=0)

    async def drain_only(self, attempt: Attempt, emit: Emit) -> Finding:
        """Take it out; a cancel comes too late."""
        await last(traffic.drain(self, attempt, emit))
        return Finding(outcome=Outcome.SUCCEEDED, evidence="exit 0, drained", status=0)

    async def undrain_only(self, attempt: Attempt, emit: Emit) -> Finding:
        """Take it back in; a cancel comes too late."""
        wrong = await last(self.undrain(attempt, emit))
        if wrong:
            return Finding(outcome=Outcome.FAILED, evidence=wrong)
        return Finding(outcome=Outcome.SUCCEEDED, evidence="exit 0, taken back in", status=0)
