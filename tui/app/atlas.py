"""Addresses to views: which module draws `fleet`, `checkout@prod` or a job. Modules load when first opened."""

from __future__ import annotations

import importlib

from ondeck.errors import NoMatch
from tui.app.context import Desk
from tui.app.panes.base import View

ROOTS: dict[str, str] = {
    "now": "tui.app.panes.now:NowPane",
    "fleet": "tui.app.panes.fleet:FleetPane",
    "deploy": "tui.app.panes.deploy:DeployPane",
    "logs": "tui.app.panes.logs:LogsPane",
    "metrics": "tui.app.panes.metrics:MetricsPane",
    "provision": "tui.app.panes.provision:ProvisionPane",
    "backups": "tui.app.panes.backups:BackupsPane",
    "jobs": "tui.app.panes.jobs:JobsPane",
}
"""Panes of the bar."""

PAGES: dict[str, str] = {
    "units": "tui.app.panes.units:UnitsPage",
    "changes": "tui.app.panes.changes:ChangesPage",
    "certs": "tui.app.panes.certs:CertsPage",
    "creds": "tui.app.panes.creds:CredsPage",
    "locks": "tui.app.panes.locks:LocksPage",
    "record": "tui.app.panes.record:RecordPage",
    "get": "tui.app.panes.kinds:KindsPage",
    "describe": "tui.app.panes.describe:DescribePage",
    "thing": "tui.app.panes.thing:ThingPage",
    "backup": "tui.app.panes.backup:BackupPage",
    "snapshot": "tui.app.panes.backup:SnapshotPage",
    "stack": "tui.app.panes.stack:StackPage",
}
"""Views by name; most take the name of a thing behind it."""


def is_root(address: str) -> bool:
    """A pane of the bar by itself; one about a thing lies on top of where it was opened."""
    return address in ROOTS


def make(desk: Desk, address: str) -> View:
    """The view of an address.

    Raises:
        NoMatch: Nothing of that name.
    """
    word = address.partition(" ")[0]
    path = ROOTS.get(word) or PAGES.get(word) or _thing(desk, address)
    module, _, name = path.partition(":")
    view = getattr(importlib.import_module(module), name)(desk, address)
    assert isinstance(view, View)
    return view


def _thing(desk: Desk, address: str) -> str:
    session = desk.session
    if address.partition(" ")[0] in session.lists():
        return "tui.app.panes.listing:ListingPage"
    if address in session.subjects():
        return "tui.app.panes.service:ServicePage"
    if address in session.inventory.hosts:
        return "tui.app.panes.host:HostPage"
    if session.job(address) is not None:
        return "tui.app.panes.job:JobPage"
    raise NoMatch(f"nothing here is named {address!r}")
