"""The contract suite of `releases`: what every provider that tells what runs where has to hold.

Subclass it in a test module, name the provider, give a `releases` fixture, and pytest runs it.
"""

# ruff: noqa: D102 - the names of the tests are the promises
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import pytest

from ondeck.bench import Bench
from ondeck.errors import Missing, RemoteFailed
from ondeck.inventory.model import Host, Service
from ondeck.observe.ports import ReleaseReader
from ondeck.observe.records import ReleaseFacts
from ondeck.testing.suite import PortSuite
from ondeck.text import is_safe


class ReleasesCase(msgspec.Struct, kw_only=True):
    """What a suite needs to try a reader of releases.

    Attributes:
        hosts: Two or more hosts of the service that answer.
        runs: What each of them runs, by its name; at least two versions.
        nobody: A host of the service that cannot be reached.
        versions: What can be deployed, newest first; what is no version lies beside it.
        vanish: Take away the place that knows what can be deployed.
        spoil: Make a host's answer hold bytes that act on a terminal where the version stands.
        lose_during: Await a question, and lose the hosts' connections while they are answering it.
    """

    service: Service
    env: str
    hosts: tuple[Host, ...]
    runs: dict[str, str]
    nobody: Host
    bench: Bench
    versions: tuple[str, ...]
    vanish: Callable[[], None]
    spoil: Callable[[Host], None]
    lose_during: Callable[[Awaitable[Sequence[ReleaseFacts]]], Awaitable[Sequence[ReleaseFacts]]]


class ReleaseReaderSuite(PortSuite):
    """Promises of `ondeck.observe.ports.ReleaseReader`."""

    capability = "releases"

    async def test_every_host_has_one_entry_in_the_order_asked(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        first, *rest = releases.hosts
        hosts = [*reversed(rest), releases.nobody, first]
        found = await provided.running(releases.service, hosts, releases.bench)
        assert [facts.host for facts in found] == [host.name for host in hosts]
        assert {facts.service for facts in found} == {releases.service.name}
        assert await provided.running(releases.service, [], releases.bench) == []

    async def test_what_runs_is_told_for_each_host(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        found = await provided.running(releases.service, releases.hosts, releases.bench)
        assert {facts.host: facts.version for facts in found} == releases.runs
        assert {facts.error for facts in found} == {""}
        assert all(facts.healthy and facts.health_text for facts in found)

    async def test_a_host_that_cannot_be_asked_is_an_entry_that_claims_nothing(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        hosts = [releases.nobody, *releases.hosts]
        lost, *others = await provided.running(releases.service, hosts, releases.bench)
        assert_unknown(lost)
        assert {facts.host: facts.version for facts in others} == releases.runs

    async def test_a_link_lost_in_mid_answer_is_an_entry_that_claims_nothing(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        asking = provided.running(releases.service, releases.hosts, releases.bench)
        for facts in await releases.lose_during(asking):
            assert_unknown(facts)

    async def test_what_acts_on_a_terminal_arrives_as_visible_text(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        spoilt, *others = releases.hosts
        releases.spoil(spoilt)
        found = await provided.running(releases.service, releases.hosts, releases.bench)
        assert all(is_safe(text) for facts in found for text in texts(facts))
        assert "52;c" in "".join(texts(found[0]))
        assert {facts.host: facts.version for facts in found[1:]} == {
            host.name: releases.runs[host.name] for host in others
        }

    async def test_questions_at_the_same_time_do_not_mix(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        asked = [releases.hosts[turn % len(releases.hosts) :] for turn in range(5)]
        answers = await asyncio.gather(
            *(provided.running(releases.service, hosts, releases.bench) for hosts in asked)
        )
        for hosts, found in zip(asked, answers, strict=True):
            assert [(facts.host, facts.version) for facts in found] == [
                (host.name, releases.runs[host.name]) for host in hosts
            ]

    async def test_what_can_be_deployed_is_told_newest_first(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        found = await provided.available(releases.service, releases.env, releases.bench)
        assert tuple(found) == releases.versions

    async def test_a_place_that_is_gone_is_an_error_and_not_nothing_to_deploy(
        self, provided: ReleaseReader, releases: ReleasesCase
    ) -> None:
        releases.vanish()
        with pytest.raises((Missing, RemoteFailed)) as error:
            await provided.available(releases.service, releases.env, releases.bench)
        assert is_safe(error.value.message)


def assert_unknown(facts: ReleaseFacts) -> None:
    """An entry with an error says nothing else."""
    assert facts.error
    assert is_safe(facts.error)
    assert facts == ReleaseFacts(host=facts.host, service=facts.service, error=facts.error)


def texts(facts: ReleaseFacts) -> tuple[str, ...]:
    """Every text of an entry."""
    return (
        facts.host,
        facts.service,
        facts.version,
        facts.digest,
        facts.health_text,
        facts.error,
        *facts.kept,
    )
