"""What live sources know joins the files: the files win, and every field says where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ondeck.deck import read_inventory
from ondeck.errors import BadInput
from ondeck.inventory.discovering import (
    Discovered,
    Entry,
    FoundCluster,
    entries,
    keep,
    kept,
    merged,
    with_kept,
)
from ondeck.inventory.model import Account, Environment, Host, Inventory, Revision
from ondeck.inventory.sources import Found
from ondeck.settings import Settings

AWS = Entry(kind="aws", env="prod", where="discover.1", same_host_by="address")


def inventory(*hosts: Host, **more: Any) -> Inventory:
    return Inventory(
        revision=Revision(root="/"),
        environments={"prod": Environment(name="prod"), "lab": Environment(name="lab")},
        hosts={host.name: host for host in hosts},
        **more,
    )


def found(name: str, address: str = "", **more: Any) -> Found:
    return Found(name=name, source="aws acme eu-west-1/i-1", address=address, **more)


def join(into: Inventory, *hosts: Found, entry: Entry = AWS) -> Inventory:
    return merged(into, [(entry, Discovered(source="aws acme", hosts=hosts, asked=5))])


def test_what_only_a_source_knows_is_added_with_its_origin() -> None:
    whole = join(
        inventory(), found("web-1", "10.0.0.1", groups=("web", "not a group!"), labels={"instance": "i-1"})
    )
    host = whole.hosts["web-1"]
    assert (host.env, host.address, host.groups) == ("prod", "10.0.0.1", ("web",))
    assert (host.origin, host.labels) == ("aws acme", {"instance": "i-1"})
    assert whole.sources[0].hosts == 1


def test_the_file_wins_and_what_it_leaves_open_is_filled_with_its_origin() -> None:
    file = Host(
        name="web-1", env="prod", address="10.0.0.9", user="ops", origin="hosts.yml:3", labels={"type": "big"}
    )
    seen = found("web-1", "10.0.0.1", user="ec2-user", groups=("web",), labels={"type": "t3", "region": "eu"})
    host = join(inventory(file), seen).hosts["web-1"]
    assert (host.address, host.user, host.origin) == ("10.0.0.9", "ops", "hosts.yml:3")
    assert (host.groups, host.labels) == (("web",), {"type": "big", "region": "eu"})
    assert host.origins == {"groups": "aws acme", "labels": "aws acme"}


def test_a_host_without_an_address_in_the_file_gets_the_one_of_the_source() -> None:
    file = Host(name="web-1", env="prod", address="web-1")
    host = join(inventory(file), found("WEB-1", "10.0.0.1")).hosts["web-1"]
    assert host.address == "10.0.0.1"
    assert host.origins == {"address": "aws acme"}


@pytest.mark.parametrize("own", ["10.0.0.1", "ip-10-0-0-1.ec2.internal"])
def test_one_host_of_two_names_is_joined_by_its_address(own: str) -> None:
    file = Host(name="checkout-a", env="prod", address=own)
    seen = found("web-1", "10.0.0.1", also=("ip-10-0-0-1.ec2.internal",), groups=("web",))
    assert set(join(inventory(file), seen).hosts) == {"checkout-a"}
    by_name = msgspec.structs.replace(AWS, same_host_by="name")
    assert set(join(inventory(file), seen, entry=by_name).hosts) == {"checkout-a", "web-1"}


def test_a_host_that_the_file_puts_into_another_environment_stays_there() -> None:
    file = Host(name="web-1", env="lab", address="10.0.0.1")
    whole = join(inventory(file), found("web-1", "10.0.0.1", groups=("web",)))
    assert whole.hosts == {"web-1": file}


def test_what_is_to_be_skipped_or_is_no_name_is_left_out() -> None:
    entry = msgspec.structs.replace(AWS, skip=("bastion",))
    whole = join(
        inventory(), found("bastion"), found("two words"), found("web-[1:3]"), found("ok"), entry=entry
    )
    assert set(whole.hosts) == {"ok"}


def test_clusters_are_added_beside_those_of_the_files() -> None:
    answer = Discovered(
        source="kubeconfig config", clusters=(FoundCluster(name="eu", kind="kubernetes"),), asked=1
    )
    whole = merged(inventory(), [(AWS, answer)])
    assert (whole.clusters["eu"].kind, whole.clusters["eu"].env) == ("kubernetes", "prod")


def test_a_source_that_fails_keeps_what_it_said_before_with_its_age(tmp_path: Path) -> None:
    keep(tmp_path, AWS, Discovered(source="aws acme", hosts=(found("web-1"), found("web-2")), asked=5))
    known = keep(tmp_path, AWS, Discovered(source="aws acme", error="no route"))
    assert [host.name for host in known.hosts] == ["web-1", "web-2"]
    assert (known.asked, known.error) == (5, "no route")
    partly = Discovered(
        source="aws acme", hosts=(found("web-3"),), asked=9, error="eu: no route", partly=True
    )
    assert {host.name for host in keep(tmp_path, AWS, partly).hosts} == {"web-1", "web-2", "web-3"}
    keep(tmp_path, AWS, Discovered(source="aws acme", hosts=(found("web-3"),), asked=10))
    again = kept(tmp_path, AWS)
    assert again is not None
    assert [host.name for host in again.hosts] == ["web-3"]


def test_a_part_that_did_not_answer_is_as_it_was_and_as_old_as_it_is(tmp_path: Path) -> None:
    hosts = (found("eu-1", part="eu"), found("eu-2", part="eu"), found("us-1", part="us"))
    clusters = (FoundCluster(name="us", kind="k", part="us"), FoundCluster(name="eu", kind="k", part="eu"))
    first = Discovered(source="aws acme", hosts=hosts, clusters=clusters, asked=5, parts={"eu": 5, "us": 5})
    keep(tmp_path, AWS, first)
    second = Discovered(
        source="aws acme", hosts=(found("eu-1", part="eu"),), asked=9, error="us: no route", partly=True,
        parts={"eu": 9, "us": 0},
    )  # fmt: skip
    known = keep(tmp_path, AWS, second)
    assert [host.name for host in known.hosts] == ["eu-1", "us-1"], "eu-2 is gone where it was asked for"
    assert [cluster.name for cluster in known.clusters] == ["us"]
    assert (known.asked, known.parts) == (5, {"eu": 9, "us": 5})
    # Now the other one is lost: what is shown of it was seen at 9, not at 5.
    third = msgspec.structs.replace(
        second, hosts=(found("us-1", part="us"),), asked=12, error="eu", parts={"eu": 0, "us": 12}
    )
    known = keep(tmp_path, AWS, third)
    assert [host.name for host in known.hosts] == ["us-1", "eu-1"]
    assert (known.asked, known.parts) == (9, {"eu": 9, "us": 12})


def test_a_source_without_parts_that_answers_in_part_keeps_the_age_of_what_it_left_out(
    tmp_path: Path,
) -> None:
    cluster = FoundCluster(name="eu", kind="kubernetes")
    keep(tmp_path, AWS, Discovered(source="k", hosts=(found("web-1"),), clusters=(cluster,), asked=5))
    known = keep(tmp_path, AWS, Discovered(source="k", asked=9, error="half of it", partly=True))
    assert (known.asked, known.clusters) == (5, (cluster,))
    whole = merged(inventory(), [(AWS, known)])
    assert whole.sources[0].asked == 5, "so that no face says that it is of now"


def test_another_question_is_another_answer(tmp_path: Path) -> None:
    keep(tmp_path, AWS, Discovered(source="aws acme", asked=5))
    assert kept(tmp_path, msgspec.structs.replace(AWS, options={"account": "other"})) is None


def test_an_answer_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    keep(tmp_path, AWS, Discovered(source="aws acme", asked=5))
    (file,) = (tmp_path / "discovered").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o666)
    assert kept(tmp_path, AWS) is None


@pytest.mark.parametrize(
    "raw", [{"env": "prod"}, {"from": "aws"}, {"from": "aws", "env": "nowhere"},
            {"from": "aws", "env": "prod", "same_host_by": "luck"}]
)  # fmt: skip
def test_a_source_that_lacks_something_is_named(raw: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        entries(inventory(discover=(raw,)))
    assert caught.value.where == "discover.1"


def test_an_account_may_name_its_own_discovery() -> None:
    own = Account(name="acme", kind="aws", env="prod", options={"discover": {"group": "tag:Role"}})
    (entry,) = entries(inventory(accounts={"acme": own}))
    assert (entry.kind, entry.env, entry.options) == ("aws", "prod", {"account": "acme", "group": "tag:Role"})


def test_the_start_asks_nobody_and_says_that_nobody_was_asked(tmp_path: Path) -> None:
    (tmp_path / "ondeck.yml").write_text(
        "ondeck: 1\nenvironments: {prod: {protection: confirm}}\n"
        "discover: [{from: aws, account: acme, env: prod, same_host_by: address}]\nhosts: {}\n"
    )
    settings = Settings(state=tmp_path, cache=tmp_path / "cache", config=tmp_path, inventory=tmp_path)
    whole = read_inventory(settings)
    assert whole.hosts == {}
    assert (whole.sources[0].asked, whole.sources[0].error) == (0, "never asked")
    (entry,) = entries(whole)
    keep(settings.cache, entry, Discovered(source="aws acme", hosts=(found("web-1", "10.0.0.1"),), asked=7))
    assert set(with_kept(read_inventory(settings), settings.cache).hosts) == {"web-1"}
    assert read_inventory(settings).sources[0].name == "aws acme"
