from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import BadInput
from ondeck.inventory.model import Environment, Host, MaxTargets
from ondeck.operate.batches import apart, batches, share_for, size

names = st.lists(st.integers(0, 80).map("web-{:02}".format), unique=True, max_size=60)
sizes = st.lists(
    st.one_of(st.integers(1, 50).map(str), st.integers(1, 100).map("{}%".format)), min_size=1, max_size=4
)
groups = st.dictionaries(
    st.integers(0, 80).map("web-{:02}".format), st.frozensets(st.sampled_from("abc"), min_size=1), max_size=30
)


def cut(*arguments: object, **more: object) -> list[tuple[str, ...]]:
    return [b.targets for b in batches(*arguments, **more)]  # type: ignore[arg-type]


@given(names, sizes, groups, st.floats(0.01, 1.0), st.data())
def test_every_target_is_in_exactly_one_batch_and_no_rule_is_broken(
    targets: list[str],
    wanted: list[str],
    together: dict[str, frozenset[str]],
    share: float,
    data: st.DataObject,
) -> None:
    first = data.draw(st.sets(st.sampled_from(targets))) if targets else set()
    result = batches(targets, wanted, first=first, keep_apart=together, share=share)
    flat = [t for b in result for t in b.targets]
    assert sorted(flat) == sorted(targets)
    for batch in result:
        assert batch.targets
        assert batch.why
        assert len(batch.targets) <= max(1, int(len(targets) * share + 1e-9))
        used = [g for t in batch.targets for g in together.get(t, ())]
        assert len(used) == len(set(used))
    if first:
        assert set(flat[: len(first)]) == first


@given(names, sizes)
def test_without_rules_the_given_order_is_kept(targets: list[str], wanted: list[str]) -> None:
    assert [t for b in batches(targets, wanted) for t in b.targets] == targets


def test_the_last_size_repeats() -> None:
    assert [len(b) for b in cut([str(n) for n in range(40)], ["1", "25%"])] == [1, 10, 10, 10, 9]


def test_a_share_rounds_down_but_never_to_nothing() -> None:
    assert [len(b) for b in cut(["a", "b", "c"], ["25%"])] == [1, 1, 1]


def test_the_worst_go_first_in_a_batch_of_their_own() -> None:
    assert cut(["a", "b", "c", "d"], ["100%"], first={"d", "b"}) == [("b", "d"), ("a", "c")]


def test_a_share_counts_the_whole_service_not_only_the_targets() -> None:
    assert [len(b) for b in cut([str(n) for n in range(10)], ["100%"], share=0.25, of=40)] == [10]


def test_a_pair_is_never_in_one_batch() -> None:
    hosts = [Host(name=n, env="prod", groups=("lb",), never_together=True) for n in ("lb-1", "lb-2")]
    result = batches(["lb-1", "lb-2", "web-1"], ["100%"], keep_apart=apart(hosts))
    assert [b.targets for b in result] == [("lb-1", "web-1"), ("lb-2",)]
    assert "lb-2" in result[0].why


@pytest.mark.parametrize("text", ["0", "0%", "101%", "-1", "1.5", "half", "", "\u0661"])
def test_a_size_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        size(text)


def test_no_targets_make_no_batches() -> None:
    assert batches([], ["1"]) == ()


def test_an_excepted_operation_may_touch_all() -> None:
    env = Environment(name="prod", max_targets=MaxTargets(share=0.25, excepted=("rollback",)))
    assert (share_for(env, "deploy"), share_for(env, "rollback"), share_for(None, "deploy")) == (
        0.25,
        1.0,
        1.0,
    )
