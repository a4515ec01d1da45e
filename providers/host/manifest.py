"""What can be done on any host that has a transport."""

from __future__ import annotations

from ondeck.registry import Manifest
from providers.host.params import EXEC, PUT, SHELL

MANIFEST = Manifest(
    name="host",
    title="Commands and files on hosts",
    capabilities={"operator": "providers.host.operator:HostOperator"},
    operations=(EXEC, PUT, SHELL),
)
