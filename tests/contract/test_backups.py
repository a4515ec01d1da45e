"""The contract of `backups`, for every provider that reads them, on real repositories."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.inventory.model import Backup
from ondeck.testing.backups_suite import BackupCase, BackupReaderSuite
from tests.contract.backup_site import BorgSite, ResticSite, files
from tests.required import cannot


def needing(tool: str) -> None:
    if shutil.which(tool) is None:
        cannot(f"{tool} is not installed")


def other(backup: Backup, **options: Any) -> Backup:
    return msgspec.structs.replace(backup, options={**backup.options, **options})


def case_of(site: ResticSite) -> BackupCase:
    def save(name: str) -> None:
        (site.data / name).write_text(name)
        site.by_cron()

    def save_other() -> None:
        (site.root / "etc").mkdir()
        (site.root / "etc" / "passwd").write_text("root\n")
        site.save(str(site.root / "etc"))

    repo = site.backup.options["repo"]
    site.bench.secrets["env:WRONG"] = "battery staple"
    return BackupCase(
        backup=site.backup,
        bench=site.bench,
        save=save,
        save_other=save_other,
        unreadable=(
            other(site.backup, repo={**repo, "password": "env:WRONG"}),
            other(site.backup, repo={**repo, "url": str(site.root / "nowhere")}),
            other(site.backup, repo={"url": str(site.repo)}),
            other(site.backup, what={}),
        ),
        world=lambda: files(site.repo),
        remember=site.bench.facts.update,
        folder=str(site.data),
        lose=lambda: site.cuts.after(0),
    )


class TestRestic(BackupReaderSuite):
    provider = "restic"

    @pytest.fixture
    def case(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackupCase:
        needing("restic")
        (tmp_path / "home").mkdir()
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        return case_of(ResticSite(tmp_path))


class TestBorg(BackupReaderSuite):
    provider = "borg"

    @pytest.fixture
    def case(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackupCase:
        needing("borg")
        (tmp_path / "home").mkdir()
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        return case_of(BorgSite(tmp_path, prefix="orders-"))
