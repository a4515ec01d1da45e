"""What a provider gets of secrets and of folders to work in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ondeck.errors import BadInput, Missing, StateBroken
from ondeck.operate.bench import FaceBench, WorkBench
from ondeck.record.store import Record
from ondeck.registry import Registry
from ondeck.secret import Secret
from tests import road as on_road


def bench(tmp: Path, **secrets: str) -> WorkBench:
    own = on_road.settings(tmp)
    found = {f"env:{name}": Secret(value) for name, value in secrets.items()}
    return WorkBench(on_road.inventory(), Registry([]), Record(own), own, found)


def test_a_job_has_the_secrets_that_its_plan_names_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOT_DECLARED", "x")
    work = bench(tmp_path, DECLARED="value")
    assert asyncio.run(work.secret("env:DECLARED")).reveal() == "value"
    with pytest.raises(Missing, match="not declared"):
        asyncio.run(work.secret("env:NOT_DECLARED"))


def test_a_face_resolves_when_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    face = FaceBench(on_road.deck(tmp_path))
    with pytest.raises(Missing):
        asyncio.run(face.secret("env:LATER"))
    monkeypatch.setenv("LATER", "value")
    assert asyncio.run(face.secret("env:LATER")).reveal() == "value"


def test_a_folder_to_work_in_is_private_and_the_same_each_time(tmp_path: Path) -> None:
    work = bench(tmp_path)
    path = work.work_folder("terraform", "net-prod")
    (path / "kept").touch()
    assert path == tmp_path / "state" / "work" / "terraform" / "net-prod"
    assert [folder.stat().st_mode & 0o777 for folder in (path, path.parent, path.parent.parent)] == [
        0o700
    ] * 3
    assert (work.work_folder("terraform", "net-prod") / "kept").exists()
    path.chmod(0o755)
    with pytest.raises(StateBroken):
        work.work_folder("terraform", "net-prod")


@pytest.mark.parametrize("parts", [(), ("",), ("..",), ("a/b",), ("a", "../../x"), (".hidden",), ("a\n",)])
def test_a_folder_to_work_in_lies_in_the_state_folder(tmp_path: Path, parts: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        bench(tmp_path).work_folder(*parts)
