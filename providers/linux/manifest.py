"""What a Linux host tells of itself over any link: logs, figures, units, changes."""

from __future__ import annotations

from ondeck.registry import Manifest

MANIFEST = Manifest(
    name="linux",
    title="Linux hosts: log files, journal, /proc, systemd, package history",
    kinds={"log.kind": ("file", "unit")},
    capabilities={
        "logs": "providers.linux.logs:LinuxLogs",
        "facts": "providers.linux.facts:LinuxFacts",
        "units": "providers.linux.units:LinuxUnits",
        "changes": "providers.linux.changes:LinuxChanges",
    },
)
