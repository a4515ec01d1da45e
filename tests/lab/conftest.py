"""Real hosts for a whole run. Where they cannot be, tests skip with the reason; with ONDECK_LAB=required they fail."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.embedded.demo import Demo, start_demo
from lab.real import rootfs
from lab.real.systemd_host import RealHost
from lab.real.systemd_host import real_hosts as started
from ondeck.errors import Missing
from tests.aws_place import aws, moto_session
from tests.lab.real_site import Site, site
from tests.required import cannot

__all__ = ["aws", "demo", "deployed", "moto_session", "real_hosts", "trusted", "unknown"]

_CACHE = rootfs.cache()  # before a test's own HOME is set


@pytest.fixture(scope="session")
def real_hosts() -> Iterator[tuple[RealHost, RealHost]]:
    """Two Debian hosts with systemd, journald and sshd."""
    reason = rootfs.missing()
    if reason:
        cannot(reason)
    os.environ["ONDECK_LAB_CACHE"] = str(_CACHE)
    context = started(["deb-1", "deb-2"])
    try:
        hosts = context.__enter__()
    except Missing as error:
        cannot(error.message)
    try:
        yield hosts[0], hosts[1]
    finally:
        context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def unknown(real_hosts: tuple[RealHost, RealHost], tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Prepared hosts whose keys are not known yet."""
    return site(tmp_path_factory.mktemp("site"), real_hosts)


@pytest.fixture(scope="module")
def trusted(unknown: Site) -> Site:
    """The same after the host keys were enrolled."""
    refused = unknown.run("check", "--live", "-o", "json", code=None)
    assert refused.code != 0
    assert "key" in refused.out
    unknown.run("trust", "-y", "-l", "env=prod")
    return unknown


@pytest.fixture(scope="module")
def deployed(trusted: Site) -> Site:
    """Release 1.0 runs under systemd on both hosts."""
    trusted.run("deploy", "greeter@prod", "1.0", "-y", "--reason", "first")
    return trusted


@pytest.fixture
def demo() -> Iterator[Demo]:
    """The embedded hosts, the best way that this machine allows."""
    with start_demo() as running:
        yield running
