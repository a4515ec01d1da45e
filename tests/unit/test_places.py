"""Places and things: what operations and lists are about beside hosts and services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from click.testing import CliRunner

from ondeck.bench import Bench
from ondeck.capabilities import Capabilities
from ondeck.deck import Deck
from ondeck.errors import BadInput, Missing, NoMatch, Unreachable
from ondeck.inventory.loader import load
from ondeck.inventory.model import Account, Cluster, Environment, Inventory, Place, Protection, Revision
from ondeck.job.consent import Consent
from ondeck.job.listing import ListSpec
from ondeck.job.plan import Request
from ondeck.job.spec import OperationSpec, Params, Risk, Shortcut, TargetKind
from ondeck.observe.resources import Listing, Resource, ResourceState
from ondeck.operate import guard, road
from ondeck.operate.desk import TELL_EVERY, TargetEmit
from ondeck.operate.subject import resolve
from ondeck.record.store import Record
from ondeck.registry import Manifest, Registry
from ondeck.settings import Settings
from tests.unit.test_road_guard import plan, rules, ruling
from tui.cli import inventory as cli_inventory
from tui.cli.face import Face, Globals

BOXES = ListSpec(
    name="boxes",
    title="Boxes",
    of=TargetKind.CLUSTER,
    kinds=("crate", "chest"),
    columns=("NAME", "STATE"),
    operations=("box.stop",),
)
STOP = OperationSpec(
    name="box.stop",
    title="Stop a box",
    target=TargetKind.CLUSTER,
    params=Params,
    risk=Risk.CHANGE,
    things=True,
    shortcut=Shortcut(("box", "stop")),
)


class Boxes:
    """Two boxes in every crate; `gone` is not reached, `half` answers in part."""

    lists: ClassVar[list[str]] = []

    async def list(self, kind: str, place: Place, bench: Bench) -> Listing:
        self.lists.append(place.name)
        if place.name == "gone":
            raise Unreachable("no route", where="gone")
        rows = tuple(
            Resource(name=name, cells=(name, "up"), state=ResourceState.GOOD, detail={"size": 3})
            for name in ("a", "b")
        )
        error = "zone 2 did not answer" if place.name == "half" else ""
        return Listing(kind=kind, place=place.name, rows=rows, asked=1, error=error, partly=bool(error))

    async def describe(self, kind: str, place: Place, name: str, bench: Bench) -> dict[str, Any]:
        if name not in ("a", "b"):
            raise NoMatch(f"no box {name!r}")
        return {"name": name, "ports": [80, 443]}


MANIFEST = Manifest(
    name="crate",
    title="Crates",
    kinds={"cluster.kind": ("crate",)},
    capabilities={"resources": "tests.unit.test_places:Boxes"},
    operations=(STOP,),
    lists=(BOXES,),
)
OTHER = msgspec.structs.replace(
    MANIFEST, name="chest", kinds={"cluster.kind": ("chest",)}, lists=(), capabilities={}
)


def inventory(*clusters: str, kind: str = "crate") -> Inventory:
    return Inventory(
        revision=Revision(root="/"),
        environments={"prod": Environment(name="prod")},
        clusters={name: Cluster(name=name, kind=kind, env="prod") for name in clusters},
        accounts={"acme": Account(name="acme", kind="aws", env="prod")},
    )


def deck(tmp: Path, *clusters: str) -> Deck:
    settings = Settings(state=tmp / "state", cache=tmp / "cache", config=tmp / "config", actor="anna")
    return Deck(
        inventory=inventory(*clusters),
        registry=Registry([MANIFEST, OTHER]),
        record=Record(settings),
        settings=settings,
    )


def get(on: Deck, *words: str) -> Any:
    face = Face(Globals())
    face.__dict__["deck"] = on
    return CliRunner().invoke(cli_inventory.get, list(words), obj=face, standalone_mode=False)


# -- subjects -----------------------------------------------------------------------------------------


def test_things_of_one_place_are_the_targets_of_one_plan() -> None:
    found = resolve(inventory("eng"), STOP, "eng/a,b,a")
    assert (found.env, found.targets) == ("prod", ("eng/a", "eng/b"))


@pytest.mark.parametrize(
    ("spec", "subject", "said"),
    [
        (STOP, "eng", "say which"),
        (STOP, "eng/", "say which"),
        (msgspec.structs.replace(STOP, things=False), "eng/a", "as a whole"),
    ],
)
def test_a_place_is_not_taken_for_what_is_in_it_nor_the_other_way_round(
    spec: OperationSpec, subject: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        resolve(inventory("eng"), spec, subject)


def test_a_place_that_is_not_there_is_told_with_what_is_near() -> None:
    with pytest.raises(NoMatch, match="no cluster 'egn'") as caught:
        resolve(inventory("eng"), STOP, "egn/a")
    assert "eng" in caught.value.hint


def test_who_serves_the_place_s_kind_plans_for_it(tmp_path: Path) -> None:
    on = deck(tmp_path, "eng")
    request = Request(operation="box.stop", subject="eng/a", targets=("eng/a",), env="prod")
    assert road.provider_of(on, request)[1].name == "crate"
    chest = msgspec.structs.replace(on, inventory=inventory("eng", kind="chest"))
    assert road.provider_of(chest, request)[1].name == "chest"
    unknown = msgspec.structs.replace(on, inventory=inventory("eng", kind="barrel"))
    with pytest.raises(Missing, match="'barrel'"):
        road.provider_of(unknown, request)


# -- the inventory -------------------------------------------------------------------------------------

_BASE = "ondeck: 1\nenvironments:\n  prod: {}\nhosts:\n  db-1: {env: prod}\n"


def written(tmp: Path, text: str) -> Inventory:
    (tmp / "ondeck.yml").write_text(_BASE + text)
    return load(tmp)


def test_a_backup_is_in_the_environment_of_its_host(tmp_path: Path) -> None:
    found = written(tmp_path, "backups:\n  orders: {engine: restic, host: db-1}\n")
    assert found.backups["orders"].env == "prod"


def test_a_backup_of_no_place_is_an_error_because_its_rules_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected host or env"):
        written(tmp_path, "backups:\n  orders: {engine: restic}\n")


def test_a_service_may_run_on_a_cluster_and_is_then_its_one_target(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        "clusters:\n  swarm: {kind: swarm, env: prod}\n"
        "services:\n  shop: {on: {prod: cluster=swarm}, logs: {app: {docker: shop}}}\n",
    )
    spec = msgspec.structs.replace(STOP, target=TargetKind.SERVICE, things=False)
    assert resolve(found, spec, "shop@prod").targets == ("swarm",)
    assert guard.service_size(found, "shop@prod", ("swarm",)) == 0
    with pytest.raises(BadInput, match="runs on cluster swarm"):
        resolve(found, spec, "shop@prod", ("name=db-1",))


# -- the guard -----------------------------------------------------------------------------------------


def test_what_a_plan_wants_typed_is_typed_however_free_the_environment_is() -> None:
    wanted = plan("destroy", Risk.DESTROY, 1, subject="net-prod")
    wanted = msgspec.structs.replace(
        wanted, draft=msgspec.structs.replace(wanted.draft, confirm="net-prod 14")
    )
    found = ruling(rules(protection={"*": Protection.NONE}), wanted)
    assert (found.level, found.type_this) == (Protection.TYPE_NAME, "net-prod 14")
    with pytest.raises(Exception, match="net-prod 14"):
        guard.admit(found, Consent(confirmed=True, typed="prod"))
    assert guard.admit(found, Consent(typed="net-prod 14")) == "typed"


def test_two_persons_stay_two_persons_beside_it() -> None:
    wanted = plan("destroy", Risk.DESTROY, 1)
    wanted = msgspec.structs.replace(wanted, draft=msgspec.structs.replace(wanted.draft, confirm="x 1"))
    assert ruling(rules(protection={"*": Protection.TWO_PERSON}), wanted).level is Protection.TWO_PERSON


# -- progress ------------------------------------------------------------------------------------------


class _Page:
    full = False

    def __init__(self) -> None:
        self.told: list[Any] = []

    def write(self, event: Any) -> None:
        self.told.append(event)


def test_progress_is_told_with_its_share_and_not_more_often_than_people_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("ondeck.operate.desk.time.monotonic", lambda: now[0])
    page = _Page()
    emit = TargetEmit(page, "db-1")  # type: ignore[arg-type]
    for done in range(100):
        emit.moved(done * (1 << 20), 100 << 20, "B")
    now[0] += TELL_EVERY
    emit.moved(50 << 20, 100 << 20, "B")
    now[0] += TELL_EVERY
    emit.moved(7, 0, "files")
    assert [(step.text, step.share) for step in page.told] == [
        ("0 B of 100 MiB, 0%", 0.0),
        ("50.0 MiB of 100 MiB, 50%", 0.5),
        ("7 files", None),
    ]


# -- lists ---------------------------------------------------------------------------------------------


def test_a_kind_of_live_things_is_asked_of_every_place_that_has_it(tmp_path: Path) -> None:
    done = get(deck(tmp_path, "eng-1", "eng-2"), "boxes")
    assert done.return_value == 0
    assert "eng-1/a" in done.output
    assert "eng-2/b" in done.output


@pytest.mark.parametrize(
    ("clusters", "code"),
    [(("gone",), 6), (("gone", "eng"), 3), (("half",), 3), (("eng",), 0)],
    ids=["none", "one of two", "partly", "all"],
)
def test_what_could_not_be_asked_is_said_and_never_an_empty_list(
    tmp_path: Path, clusters: tuple[str, ...], code: int
) -> None:
    done = get(deck(tmp_path, *clusters), "boxes", "-o", "json")
    assert done.return_value == code
    data = json.loads(done.stdout)
    errors = {one["place"]: one["error"] for one in data["asked"]}
    assert errors.get("gone", "no route") == "no route"
    assert bool(errors.get("half")) is ("half" in clusters)
    assert bool(data["things"]) is (clusters != ("gone",))


def test_one_thing_is_described_and_a_place_that_has_none_is_told(tmp_path: Path) -> None:
    on = deck(tmp_path, "eng")
    assert json.loads(get(on, "boxes", "eng/a", "-o", "json").stdout) == {"name": "a", "ports": [80, 443]}
    assert isinstance(get(on, "boxes", "eng/zzz").exception, NoMatch)
    assert isinstance(get(on, "boxes", "nowhere").exception, NoMatch)
    assert isinstance(get(deck(tmp_path), "boxes").exception, BadInput)


def test_kinds_of_live_things_are_named_beside_those_of_the_inventory(tmp_path: Path) -> None:
    assert "boxes" in get(deck(tmp_path, "eng"), "").output


def test_an_absent_capability_of_a_place_says_which(tmp_path: Path) -> None:
    able = Capabilities(Registry([OTHER]))
    with pytest.raises(Missing, match="cannot do 'resources'"):
        able.place(Cluster(name="x", kind="chest", env="prod"), "resources")
