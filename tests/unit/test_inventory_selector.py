from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory import expression, members
from ondeck.inventory.expression import All, Among, AnyOf, Compare, Expression, Not, Word
from ondeck.inventory.live import STATES, HostFacts, Live
from ondeck.inventory.model import Environment, Host, Inventory, LogSource, Revision, Service
from ondeck.inventory.selector import Selector, parse


def host(name: str, env: str, *groups: str, **labels: str) -> Host:
    return Host(name=name, env=env, groups=groups, address=f"{name}.example.net", labels=labels)


HOSTS = (
    host("web-1", "prod", "web", rack="r1", version="2.14.0"),
    host("web-2", "prod", "web", rack="r2", version="2.15.0"),
    host("lb-1", "prod", "lb", role="edge"),
    host("db-1", "prod", "db"),
    host("stg-1", "staging", "web", "db"),
)
INVENTORY = Inventory(
    revision=Revision(root="/x"),
    environments={name: Environment(name=name) for name in ("prod", "staging")},
    hosts={one.name: one for one in HOSTS},
    services={
        "checkout": Service(
            name="checkout",
            on={"prod": "group=web", "staging": "stg-1"},
            logs=(LogSource(name="app", file="/a"), LogSource(name="access", file="/b", on="group=lb")),
        ),
        "orders-db": Service(name="orders-db", on={"prod": "group=db"}),
    },
)
FACTS = {
    "web-1": HostFacts(
        host="web-1", time=1, cpu=0.97, memory=0.5, disks={"/": (0.5, 0.1, 1), "/var": (0.95, 0.2, 1)}
    ),
    "web-2": HostFacts(host="web-2", time=1, cpu=0.10, memory=0.8, load1=4.0, disks={"/": (0.4, 0.1, 1)}),
    "lb-1": HostFacts(host="lb-1", time=1),
}
LIVE = Live(facts=FACTS, states={"web-1": "ok", "web-2": "lost", "lb-1": "ok", "db-1": "unknown"})


def names(*texts: str) -> list[str]:
    return [one.name for one in parse(texts).select(INVENTORY, LIVE)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env=prod,role=web", ["web-1", "web-2"]),
        ("env=prod and role=web", ["web-1", "web-2"]),
        ("role=edge", ["lb-1"]),
        ("group=db", ["db-1", "stg-1"]),
        ("role in (edge,db)", ["lb-1", "db-1", "stg-1"]),
        ("role notin (edge, db)", ["web-1", "web-2"]),
        ("name=web-*", ["web-1", "web-2"]),
        ("name=web-?", ["web-1", "web-2"]),
        ("web-[1:2]", ["web-1", "web-2"]),
        ("stg-1", ["stg-1"]),
        ("*-1,env!=prod", ["stg-1"]),
        ("host=db-1", ["db-1"]),
        ("address=lb-1.*", ["lb-1"]),
        ("nature=cattle,group=lb", ["lb-1"]),
        ("rack=r1", ["web-1"]),
        ("rack!=r1,group=web", ["web-2", "stg-1"]),
        ("version!=2.14.0", ["web-2"]),
        ("state=unknown", ["db-1"]),
        ("not group=web", ["lb-1", "db-1"]),
        ("group=web or group=lb,env=prod", ["web-1", "web-2", "lb-1", "stg-1"]),
        ("(group=web or group=lb),env=prod", ["web-1", "web-2", "lb-1"]),
        ("disk>90", ["web-1"]),
        ("disk<=90", ["web-2"]),
        ("not disk>90", ["web-2"]),
        ("cpu>=97", ["web-1"]),
        ("cpu>=97%", ["web-1"]),
        ("mem>60 or cpu>60", ["web-1", "web-2"]),
        ("load1=4", ["web-2"]),
        ("state=lost", ["web-2"]),
        ("state!=lost", ["web-1", "lb-1"]),
        ("service=checkout", ["web-1", "web-2", "stg-1"]),
        ("service=checkout,env=prod", ["web-1", "web-2"]),
        ("service in (checkout,orders-db),env=prod", ["web-1", "web-2", "db-1"]),
        ('name="web-1"', ["web-1"]),
    ],
)
def test_a_selector_means_these_hosts(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_a_version_is_that_of_the_service_that_is_named_and_what_is_not_known_is_not_judged() -> None:
    running = {
        "web-1": {"checkout": "2.14.0", "other": "2.15.0"},
        "web-2": {"checkout": "2.15.0", "other": "2.14.0"},
        "lb-1": {"checkout": ""},
    }
    live = Live(versions=running)

    def found(text: str) -> list[str]:
        return [one.name for one in parse([text]).judge(INVENTORY, live).hosts]

    assert found("service=checkout,version=2.14.0") == ["web-1"]
    assert found("service=checkout,version!=2.14.0") == ["web-2"]
    assert found("version=2.14.0") == ["web-1", "web-2"]
    assert found("version!=2.14.0") == []
    assert "lb-1" not in found("version!=9") + found("version=9")


@pytest.mark.parametrize("word", ["slow", "connecting", "losst"])
def test_a_state_that_no_host_ever_has_is_refused_and_not_quietly_empty(word: str) -> None:
    with pytest.raises(BadInput, match="no host is ever"):
        parse([f"state={word}"]).judge(INVENTORY, LIVE)


def test_a_host_of_unknown_state_is_not_chosen_by_turning_a_test_round() -> None:
    found = parse(["state!=lost"]).judge(INVENTORY, LIVE)
    assert "db-1" not in [one.name for one in found.hosts]
    assert found.unjudged


def test_several_selectors_must_all_hold_and_none_means_all() -> None:
    assert names("group=web", "env=prod or env=test", "name=*-1") == ["web-1"]
    assert names() == [one.name for one in HOSTS]


def test_hosts_whose_figure_is_not_known_are_counted_and_never_match() -> None:
    found = parse(["disk>90"]).judge(INVENTORY, LIVE)
    assert ([one.name for one in found.hosts], found.unjudged) == (["web-1"], 3)
    turned = parse(["not disk>90"]).judge(INVENTORY, LIVE)
    assert ([one.name for one in turned.hosts], turned.unjudged) == (["web-2"], 3)
    assert parse(["disk>90,env=staging"]).judge(INVENTORY).unjudged == 1
    with pytest.raises(NoMatch, match="1 could not be judged"):
        parse(["disk>90,env=staging"]).select(INVENTORY)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("web-11", "web-1"),
        ("web", "group=web"),
        ("staging", "env=staging"),
        ("checkout", "service=checkout"),
        ("env=prdo", "env=prod"),
        ("group=wbe,env=prod", "group=web"),
        ("service=chekout", "checkout"),
        ("rack=r9", "r1"),
    ],
)
def test_no_match_says_what_is_near(text: str, hint: str) -> None:
    with pytest.raises(NoMatch) as caught:
        names(text)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("env=", 5, "a value"),
        ("env=prod,", 10, "a host's name"),
        ("", 1, "a host's name"),
        ("(env=prod", 1, "')'"),
        ("env=prod)", 9, "before ')'"),
        ("env=prod role=web", 10, "',' 'and' or 'or'"),
        ("!name=web-3", 1, "the word not"),
        ("role in web", 9, "'('"),
        ("role in (web", 13, "')'"),
        ("role in ()", 10, "a value"),
        ("name='web", 6, "the other quote"),
        ("=prod", 1, "a host's name"),
        ("web-*=prod", 1, "a key"),
        ("and", 1, "a host's name"),
    ],
)
def test_an_error_points_at_its_place(text: str, column: int, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse([text])
    assert f"column {column}:" in caught.value.message
    assert expected in caught.value.message
    assert caught.value.hint.splitlines()[-1] == " " * (column - 1) + "^"


@pytest.mark.parametrize("text", ["rol!=web", "rack>3", "disk>many", "disk in (1,2)", "name=web-[3:1]"])
def test_what_means_nothing_is_refused_and_never_selects_everything(text: str) -> None:
    with pytest.raises(BadInput):
        names(text)


def test_a_glob_with_many_stars_cannot_burn_time() -> None:
    with pytest.raises(BadInput, match="at most 8"):
        names("name=" + "*a" * 9)
    assert parse(["name=" + "*" * 5000 + "-1"]).select(INVENTORY)


def test_deep_nesting_is_refused() -> None:
    for text in ("(" * 5000 + "a" + ")" * 5000, "not " * 3000 + "a", "x" * 30_000):
        with pytest.raises(BadInput):
            parse([text])


def test_members_of_a_service_and_services_of_a_host() -> None:
    checkout = INVENTORY.services["checkout"]
    assert [one.name for one in members.hosts_of(INVENTORY, checkout, "staging")] == ["stg-1"]
    assert [one.name for one in members.services_on(INVENTORY, INVENTORY.hosts["db-1"])] == ["orders-db"]
    with pytest.raises(NoMatch, match="not in 'test'"):
        members.hosts_of(INVENTORY, checkout, "test")
    logs = members.logs_on(INVENTORY, checkout, "prod")
    assert {name: [one.name for one in hosts] for name, hosts in logs.items()} == {
        "app": ["web-1", "web-2"],
        "access": ["lb-1"],
    }


KEYS = st.sampled_from(["env", "group", "role", "name", "rack", "version", "service"])
VALUES = st.sampled_from(
    ["prod", "web", "web-1", "r1", "2.14.0", "lost", "checkout", "or", "a b", "x,y", "*-1", "(", "!"]
)
FIGURES = st.builds(
    Compare,
    st.sampled_from(["disk", "cpu", "mem", "load1"]),
    st.sampled_from([">", "<", ">=", "<=", "=", "!="]),
    st.sampled_from(["0", "50", "90%", "97"]),
)
LEAVES = st.one_of(
    FIGURES,
    st.builds(Compare, KEYS.filter(lambda key: key != "service"), st.sampled_from(["=", "!="]), VALUES),
    st.builds(Compare, st.just("state"), st.sampled_from(["=", "!="]), st.sampled_from(STATES)),
    st.builds(Compare, st.just("service"), st.just("="), st.just("checkout")),
    st.builds(
        Among,
        KEYS.filter(lambda key: key != "service"),
        st.lists(VALUES, min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    st.builds(Word, VALUES),
)
TREES: st.SearchStrategy[Expression] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def judged(tree: Expression) -> tuple[list[str], int]:
    found = Selector(tree).judge(INVENTORY, LIVE)
    return [one.name for one in found.hosts], found.unjudged


@given(TREES)
def test_printing_and_parsing_gives_the_same_tree(tree: Expression) -> None:
    assert expression.parse(str(tree)) == tree


@given(TREES, TREES)
def test_and_or_not_keep_the_laws_of_de_morgan(one: Expression, other: Expression) -> None:
    assert judged(Not(All((one, other)))) == judged(AnyOf((Not(one), Not(other))))
    assert judged(Not(AnyOf((one, other)))) == judged(All((Not(one), Not(other))))
    assert judged(Not(Not(one))) == judged(one)
    assert judged(All((one, other)))[0] == judged(All((other, one)))[0]


@given(TREES, TREES)
def test_and_narrows_or_widens_and_nobody_is_on_both_sides(one: Expression, other: Expression) -> None:
    first, second = set(judged(one)[0]), set(judged(other)[0])
    assert set(judged(All((one, other)))[0]) == first & second
    assert set(judged(AnyOf((one, other)))[0]) == first | second
    assert first.isdisjoint(judged(Not(one))[0])
    yes, unjudged = judged(one)
    no, _ = judged(Not(one))
    assert len(yes) + len(no) + unjudged == len(HOSTS)


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    refused = ""
    try:
        tree = expression.parse(text)
    except BadInput as error:
        refused = error.message
    assert "column" in refused if refused else expression.parse(str(tree)) == tree
