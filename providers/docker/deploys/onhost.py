"""The change of one host: pull, claim, drain, stop and start, wait, take back in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from time import monotonic

import msgspec

from ondeck.errors import BadInput, LinkLost, Missing, Refused, RemoteFailed, Unreachable
from ondeck.inventory.model import Deploy, Host, Service
from ondeck.job.finding import Attempt, Finding
from ondeck.job.outcome import Outcome
from ondeck.observe.health import Alive, Verdict, declared, wait_healthy
from ondeck.operate.deploys import migrating
from ondeck.operate.deploys.doors import Doors
from ondeck.operate.deploys.uncut import last, uncut
from ondeck.operate.ports import Emit
from ondeck.reach.detached import Detached
from ondeck.reach.ports import Link
from ondeck.secret import Secret
from ondeck.settings import Settings
from ondeck.text import safe_line
from providers.docker import calls, compose
from providers.docker.auth import Login
from providers.docker.client import Client, Conflict
from providers.docker.deploys.commands import before_argv
from providers.docker.deploys.images import has, pull
from providers.docker.deploys.options import DockerOptions
from providers.docker.deploys.state import (
    ATTEMPT,
    CLAIM,
    DIGEST,
    ENV,
    SERVICE,
    VERSION,
    Container,
    DockerState,
    inspect,
    look,
)
from providers.docker.deploys.work import Way, Work, container_name
from providers.docker.runspec import created

_WITHOUT_CHECK = 300.0
"""Seconds that the engine's own check of a container gets to say healthy, where the service names none."""


@contextmanager
def begun() -> Iterator[None]:
    """From here on a host that is not reached is one that was lost: something was done on it already."""
    try:
        yield
    except Unreachable as error:
        raise LinkLost(f"lost in the middle: {error.message}", where=error.where) from error


class OnHost(msgspec.Struct, frozen=True, kw_only=True):
    """One target with its connections.

    Attributes:
        link: To the host; health is asked over it, and commands run over it.
        engine: The host's engine, over the same connection.
        doors: Its way into and out of the traffic.
        secrets: Variable -> value, for the container.
        login: For the registry.
        held: What closes all of it.
    """

    host: Host
    service: Service
    deploy: Deploy
    options: DockerOptions
    work: Work
    settings: Settings
    link: Link
    engine: Client
    doors: Doors
    secrets: dict[str, Secret]
    login: Login | None
    held: AsyncExitStack

    async def aclose(self) -> None:
        """Let its connections go."""
        await self.held.aclose()

    @property
    def closed(self) -> bool:
        """True once one of its links is known to have ended."""
        return self.link.closed or self.doors.link.closed

    @property
    def grace(self) -> int:
        """Seconds between TERM and KILL; the host's own, which no timescale shortens."""
        return round(self.way.spec.stop_grace)

    @property
    def way(self) -> Way:
        """How the release comes to run here."""
        return self.work.ways[self.host.name]

    async def state(self) -> DockerState:
        """What the host runs now."""
        return await look(self.link, self.engine, self.service, self.host, self.options)

    def seconds(self) -> float:
        """How long a command on the host may take, before timescale."""
        return self.options.seconds()

    def step(self, claim: str) -> Detached:
        """The claimed step of a command on the host."""
        return Detached(self.link, claim, self.settings)

    def before_argv(self, name: str) -> list[str]:
        """A command that runs before the deploy."""
        return before_argv(self.service, self.host, self.work, name)

    async def has_run(self, name: str) -> bool | None:
        """Nothing on the host marks it: with every deploy it runs once more."""
        return None

    def name_of(self, attempt: Attempt) -> str:
        """The name that is the attempt's claim."""
        return container_name(self.service.name, attempt.id)

    async def mine(self, attempt: Attempt) -> Container | None:
        """The container of an attempt."""
        return await inspect(self.engine, self.name_of(attempt))

    def alive(self, container: Container) -> Alive:
        """A question for why a container is dead; its restarts count from now on."""

        async def question() -> str:
            now = await inspect(self.engine, container.id)
            if now is None:
                return "the container is not there any more"
            if now.restarts != container.restarts:
                again = f"({container.restarts} -> {now.restarts})"
                return f"the container dies and is restarted by the engine {again}, {now.ended()}"
            if now.status != "running":
                return f"the container is {now.status}, {now.ended()}"
            return "the container's own check says unhealthy" if now.health == "unhealthy" else ""

        return question

    async def healthy(self, container: Container, within: float | None = None) -> Verdict:
        """Wait until a container is healthy: the service's check, the image's own, and that it lives long enough.

        Args:
            container: As it was when it was started.
            within: Seconds in place of the check's own.

        Raises:
            LinkLost: Nothing is known.
        """
        alive, check = self.alive(container), self.service.health
        verdict = Verdict(True, "")
        if check is not None and declared(check):
            verdict = await wait_healthy(
                self.link, check, self.host, self.settings, alive=alive, within=within
            )
        if not verdict.ok:
            return verdict
        own = await self._own_check(container, alive, check.within if check else _WITHOUT_CHECK)
        if not own.ok:
            return own
        lived = await self._lives(container, alive)
        if not lived.ok:
            return lived
        return Verdict(True, ", ".join(filter(None, (verdict.text, own.text, lived.text))), verdict.tries)

    async def _own_check(self, container: Container, alive: Alive, within: float) -> Verdict:
        until = monotonic() + self.settings.seconds(within)
        while True:
            if dead := await alive():
                return Verdict(False, dead)
            now = await inspect(self.engine, container.id)
            if now is None or now.health in ("", "healthy", "none"):
                return Verdict(True, "its own check says healthy" if now and now.health == "healthy" else "")
            if monotonic() >= until:
                return Verdict(False, f"its own check does not say healthy within {within:g} s: {now.health}")
            await asyncio.sleep(self.settings.seconds(1.0))

    async def _lives(self, container: Container, alive: Alive) -> Verdict:
        """It has to run for a while: from the moment we look, for its own clock may be another."""
        seconds = self.options.must_live()
        until = monotonic() + self.settings.seconds(seconds)
        while True:
            if dead := await alive():
                return Verdict(False, dead)
            if monotonic() >= until:
                return Verdict(True, f"lives for {seconds:g} s")
            await asyncio.sleep(min(self.settings.seconds(1.0), max(0.01, until - monotonic())))

    async def change(self, attempt: Attempt, emit: Emit, pinned: OnHost | None) -> Finding:
        """Bring the plan's release onto this host, or leave it with the one that it ran."""
        state = await self.state()
        if already := await self._already(state):
            return Finding(outcome=Outcome.SUCCEEDED, evidence=already)
        await self._refuse_second(attempt)
        if not self.way.kept and not await has(self.engine, self.work.image):
            registry, seconds = self.work.registry, self.settings.seconds(self.seconds())
            await pull(self.engine, self.work.image, self.login, registry, emit, max(seconds, 30.0))
        await migrating.migrate(self, attempt, emit, pinned)
        with begun():
            await uncut(self._claim(attempt))
            source = "what was kept" if self.way.kept else "the compose file"
            emit.step(f"{self.name_of(attempt)} is made, from {source}")
            await uncut(self.doors.drain(attempt, emit))
            return await self._switch(attempt, emit, state)

    async def _refuse_second(self, attempt: Attempt) -> None:
        if await self.mine(attempt) is not None:
            raise Refused(f"attempt {attempt.id} was started before", where=self.host.name)

    async def _already(self, state: DockerState) -> str:
        """Evidence that nothing has to be done; empty when something has."""
        live = state.live
        if self.host.name not in self.work.unchanged or len(live) != 1 or state.release != self.work.release:
            return ""
        verdict = await self.healthy(live[0])
        return f"ran {state.label()} already, {verdict.text}; nothing was changed" if verdict.ok else ""

    def body(self, attempt: Attempt) -> dict[str, object]:
        """What the container is made from.

        Raises:
            BadInput, Missing: A file of variables is another one than when the plan was made, or gone.
        """
        spec = self.way.spec
        environment = compose.variables(spec) | {name: one.reveal() for name, one in self.secrets.items()}
        labels = spec.labels | {
            SERVICE: self.service.name,
            ENV: self.work.env,
            VERSION: self.work.release.version,
            DIGEST: f"sha256:{self.work.release.sha256}",
            ATTEMPT: attempt.id,
        }
        return created(spec, self.work.image, environment, labels)

    async def _claim(self, attempt: Attempt) -> None:
        """Make the attempt's container, or give it the kept one: its name is the claim.

        Raises:
            Refused: The name is taken.
            RemoteFailed: The engine makes no such container; nothing was stopped.
        """
        name = self.name_of(attempt)
        try:
            if self.way.kept:
                await calls.rename(self.engine, self.way.kept, name)
                return
            body = await asyncio.to_thread(self.body, attempt)
            await calls.create(self.engine, name, body)
        except Conflict as error:
            raise Refused(f"attempt {attempt.id} was started before", where=self.host.name) from error
        except BadInput as error:
            raise RemoteFailed(f"{error.message}; nothing was stopped") from error
        for network in self.way.spec.networks[1:]:
            await calls.connect(self.engine, name, network, self.way.spec.aliases)

    async def _switch(self, attempt: Attempt, emit: Emit, before: DockerState) -> Finding:
        """Old and new, in the plan's order: a cancel never comes between the stop and the start."""
        release, way = self.work.release, self.way
        try:
            new = await uncut(self._start_new(attempt, before if way.stop_first else None))
        except RemoteFailed as error:
            emit.step(f"{release.version} does not start: {error.message}")
            return await self._go_back(attempt, emit, before, f"it does not start: {error.message}")
        emit.step(
            f"switched to {release.version}"
            if way.stop_first
            else f"{release.version} runs beside the old one"
        )
        verdict = await self.healthy(new)
        if verdict.ok is None:
            drained = ", still drained" if self.deploy.drain else ""
            text = f"runs {release.version}, health could not be asked: {verdict.text}{drained}"
            return Finding(outcome=Outcome.UNKNOWN, evidence=text)
        if not verdict.ok:
            emit.step(f"not healthy: {verdict.text}")
            return await self._go_back(attempt, emit, before, verdict.text)
        if not way.stop_first:
            await last(self._stop(before))
            emit.step("the old one is stopped and kept")
        return await self._back_in(attempt, emit, f"runs {release.version}, {verdict.text}")

    async def _start_new(self, attempt: Attempt, old: DockerState | None) -> Container:
        name = self.name_of(attempt)
        if old is not None:
            await self._stop(old)
        if self.way.kept:
            await calls.restart_policy(self.engine, name, self.way.spec.restart, self.way.spec.restart_times)
        await calls.start(self.engine, name)
        found = await inspect(self.engine, name)
        if found is None:
            raise RemoteFailed("the container is not there any more")
        return found

    async def _stop(self, state: DockerState) -> None:
        """Stop what ran and keep it: without a restart policy, or the engine would start it with its next start."""
        for one in state.live:
            await calls.restart_policy(self.engine, one.id, "no")
            await calls.stop(self.engine, one.id, self.grace)

    async def _go_back(self, attempt: Attempt, emit: Emit, before: DockerState, why: str) -> Finding:
        """The old container again on this host. A rollback is never rolled back."""
        release, stays = self.work.release, migrating.stays(self)
        old = before.live
        if self.work.operation == "service.rollback" or not old:
            reason = "a rollback is not taken back by itself" if old else "it ran nothing before"
            out = ", still drained" if self.deploy.drain else ""
            text = f"{why}; left on {release.version}{out}: {reason}{stays}"
            return Finding(outcome=Outcome.FAILED, evidence=text)
        emit.step(f"going back to {before.version}")
        verdict = await uncut(self._old_again(attempt, before))
        if not verdict.ok:
            out = ", still drained" if self.deploy.drain else ""
            text = f"{why}; went back to {before.version}, NOT healthy: {verdict.text}{out}{stays}"
            return Finding(outcome=Outcome.FAILED, evidence=text)
        taken = await self._back_in(attempt, emit, f"went back to {before.version}, healthy")
        return Finding(outcome=Outcome.FAILED, evidence=f"{why}; {taken.evidence}{stays}")

    async def _old_again(self, attempt: Attempt, before: DockerState) -> Verdict:
        """Stop the new one, start the old ones as they were, and wait until they are healthy."""
        name = self.name_of(attempt)
        await calls.restart_policy(self.engine, name, "no")
        await calls.stop(self.engine, name, self.grace)
        for one in before.live:
            await calls.restart_policy(self.engine, one.id, one.restart_policy, self.way.spec.restart_times)
            await calls.start(self.engine, one.id)
        now = await inspect(self.engine, before.live[0].id)
        return await self.healthy(now) if now else Verdict(False, "its container is not there any more")

    async def _back_in(self, attempt: Attempt, emit: Emit, evidence: str) -> Finding:
        wrong = await last(self.doors.undrain(attempt, emit))
        if wrong:
            return Finding(outcome=Outcome.FAILED, evidence=f"{evidence}, but still out: {wrong}")
        return Finding(outcome=Outcome.SUCCEEDED, evidence=safe_line(evidence))

    async def hold(self, attempt: Attempt) -> None:
        """Take the attempt's name with a container that is never started.

        Raises:
            Refused: The name is taken.
        """
        image = self.work.image if self.work.image and await has(self.engine, self.work.image) else ""
        if not image:
            state = await self.state()
            image = state.containers[0].image if state.containers else ""
        if not image:
            return  # without any image of it no container of the attempt can be made either
        body = {"Image": image, "Cmd": ["none"], "Labels": {CLAIM: self.work.name, ATTEMPT: attempt.id}}
        try:
            await calls.create(self.engine, self.name_of(attempt), body)
        except Conflict as error:
            raise Refused(f"attempt {attempt.id} was started before", where=self.host.name) from error

    async def restart(self, attempt: Attempt, emit: Emit) -> Finding:
        """Drain, restart the containers that run, wait, take back in; the release stays."""
        with begun():
            await uncut(self.hold(attempt))
            return await self._restarted(attempt, emit)

    async def _restarted(self, attempt: Attempt, emit: Emit) -> Finding:
        await uncut(self.doors.drain(attempt, emit))
        state = await self.state()
        for one in state.live:
            await uncut(calls.restart(self.engine, one.id, self.grace))
        emit.step("restarted")
        now = (await self.state()).live
        if not now:
            return Finding(outcome=Outcome.FAILED, evidence="restarted, and nothing of it runs")
        verdict = await self.healthy(now[0])
        if verdict.ok:
            return await self._back_in(attempt, emit, f"restarted, {verdict.text}")
        out = ", still drained" if self.deploy.drain else ""
        outcome = Outcome.UNKNOWN if verdict.ok is None else Outcome.FAILED
        return Finding(outcome=outcome, evidence=f"restarted, {verdict.text}{out}")

    async def drain_only(self, attempt: Attempt, emit: Emit) -> Finding:
        """Take it out; a cancel comes too late."""
        await last(self.doors.drain(attempt, emit))
        return Finding(outcome=Outcome.SUCCEEDED, evidence="exit 0, drained", status=0)

    async def undrain_only(self, attempt: Attempt, emit: Emit) -> Finding:
        """Take it back in; a cancel comes too late."""
        wrong = await last(self.doors.undrain(attempt, emit))
        if wrong:
            return Finding(outcome=Outcome.FAILED, evidence=wrong)
        return Finding(outcome=Outcome.SUCCEEDED, evidence="exit 0, taken back in", status=0)

    async def forget(self, attempt: str) -> None:
        """Remove the job folders of an attempt on the host; its outcome is recorded."""
        for step in (*migrating.steps(self, attempt), *self.doors.steps(attempt)):
            await step.forget()

    async def release_claim(self, attempt: str) -> None:
        """Remove the container that only held the attempt's name; its outcome is recorded."""
        one = await inspect(self.engine, container_name(self.service.name, attempt)) if attempt else None
        if one is not None and one.claim:
            await calls.remove(self.engine, one.id)

    async def prune(self, versions: tuple[str, ...]) -> list[str]:
        """Remove kept containers of these versions with their images; answers what could not go."""
        state = await self.state()
        stay: list[str] = []
        gone = [one for one in state.containers if one.version in versions and not one.running and one.own]
        for one in gone:
            await calls.remove(self.engine, one.id)
        for digest in dict.fromkeys(one.digest for one in gone if one.digest):
            try:
                await calls.remove_image(self.engine, f"{self.options.image}@sha256:{digest}")
            except (Conflict, Missing) as error:
                stay.append(f"image {digest[:12]} stays: {error.message}")
        for name in state.claims:
            await calls.remove(self.engine, name)
        return stay
