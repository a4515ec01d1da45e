"""The floor that root wrote holds for everybody: a variable can lay a second one over it and take nothing away."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ondeck import settings
from ondeck.deck import Deck
from ondeck.errors import NeedsPerson, Refused
from ondeck.inventory.model import Environment, Inventory, Protection, Revision
from ondeck.job.consent import Consent
from ondeck.job.outcome import Outcome
from ondeck.job.spec import Risk
from ondeck.operate import policy, road
from ondeck.operate.guard import protection
from tests import road as on_road
from tui.cli.doctor import doctor
from tui.cli.face import Face, Globals


def test_the_variable_moves_no_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONDECK_POLICY", "/nonexistent")
    found = settings.load()
    assert found.policy_floor == Path("/etc/ondeck/policy.yml")
    assert found.policy_more == Path("/nonexistent")
    monkeypatch.delenv("ONDECK_POLICY")
    assert settings.load().policy_more is None


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o644)
    return path


def test_each_layer_is_asked_by_itself_and_the_strongest_answer_counts(tmp_path: Path) -> None:
    root = written(tmp_path / "root.yml", 'environments: {"*": {protection: {"*": two-person}}}\n')
    weak = written(tmp_path / "weak.yml", "environments: {prod: {protection: {deploy: none, exec: none}}}\n")
    strong = written(tmp_path / "strong.yml", "read_only: true\n")
    inventory = Inventory(revision=Revision(root="/x"), environments={"prod": Environment(name="prod")})

    def rules(more: Path) -> policy.Rules:
        own = settings.Settings(
            state=tmp_path, cache=tmp_path, config=tmp_path, policy_floor=root, policy_more=more
        )
        return policy.rules_of(inventory, policy.floor_of(own), "prod")

    assert protection(rules(weak), "deploy", Risk.CHANGE) is Protection.TWO_PERSON
    with pytest.raises(Refused, match="which is not there"):
        rules(tmp_path / "none.yml")
    assert rules(strong).read_only
    assert not rules(weak).read_only


def with_more(on: Deck, more: Path) -> Deck:
    own = {name: getattr(on.settings, name) for name in on.settings.__struct_fields__}
    found = settings.Settings(**{**own, "policy_more": more})
    return Deck(
        inventory=on.inventory, registry=on.registry, record=on.record, settings=found, manifests=on.manifests
    )


def test_what_is_added_binds_the_worker_too_and_is_in_the_audit(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    more = written(tmp_path / "more.yml", "environments: {lab: {protection: {touch: type-name}}}\n")
    tighter = with_more(on, more)
    drafted = on_road.drafted(tighter, tmp_path)
    with pytest.raises(NeedsPerson):
        road.start(tighter, drafted, on_road.YES)
    job = road.start(tighter, drafted, Consent(confirmed=True, typed="lab"))
    assert on_road.over(tighter, job).outcome is Outcome.SUCCEEDED
    said = {entry.phase: entry.text for entry in on.record.audit.entries()}
    for phase in ("refused", "intent"):
        assert f"rules also from {more} (ONDECK_POLICY)" in said[phase]


def test_an_added_file_that_others_could_write_refuses_changes(tmp_path: Path) -> None:
    more = written(tmp_path / "more.yml", "read_only: false\n")
    more.chmod(0o666)
    on = with_more(on_road.deck(tmp_path), more)
    with pytest.raises(Refused):
        on_road.drafted(on, tmp_path)


@pytest.mark.parametrize("there", [True, False])
def test_doctor_shows_it(tmp_path: Path, there: bool) -> None:
    more = tmp_path / "more.yml"
    if there:
        written(more, "read_only: false\n")
    on = with_more(on_road.deck(tmp_path), more)
    face = Face(Globals())
    face.__dict__.update(deck=on, settings=on.settings)
    said = CliRunner().invoke(doctor, [], obj=face, standalone_mode=False).output
    (line,) = [line for line in said.splitlines() if "ONDECK_POLICY" in line]
    assert str(more) in line
    assert line.startswith("ok" if there else "warn")
