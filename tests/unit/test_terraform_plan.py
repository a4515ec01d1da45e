"""A plan as it is shown: every change, attribute by attribute, and no sensitive value anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ondeck.errors import RemoteFailed
from ondeck.job.plan import Action
from ondeck.text import is_safe
from providers.terraform.attributes import UNKNOWN, difference
from providers.terraform.masking import MASK, Masks
from providers.terraform.planfile import changes_of, counts_of, decoded, drift_of

SECRET = "correct horse battery"


def shown(*changes: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"format_version": "1.2", "resource_changes": changes, **more}).encode()


def change(address: str, actions: list[str], **delta: Any) -> dict[str, Any]:
    extra = {k: delta.pop(k) for k in ("action_reason", "previous_address") if k in delta}
    return {"address": address, "mode": "managed", "change": {"actions": actions, **delta}, **extra}


def test_each_kind_of_change_is_named_and_what_stays_is_left_out() -> None:
    plan = decoded(
        shown(
            change("a.new", ["create"], after={"x": 1}, after_unknown={"id": True}),
            change("a.same", ["no-op"], before={"x": 1}, after={"x": 1}),
            change("a.up", ["update"], before={"x": 1, "y": [1, 2]}, after={"x": 2, "y": [1, 2]}),
            change("a.gone", ["delete"], before={"x": 1}, action_reason="delete_because_count_index"),
            change(
                "a.again",
                ["delete", "create"],
                before={"t": "v1"},
                after={"t": "v2"},
                replace_paths=[["t"]],
                action_reason="replace_because_cannot_update",
            ),
            change("a.moved", ["no-op"], previous_address="a.old"),
            change("data.a.read", ["read"]),
        )
    )
    found = changes_of(plan, "net")
    assert [(c.action, c.address) for c in found] == [
        (Action.CREATE, "a.new"),
        (Action.UPDATE, "a.up"),
        (Action.DELETE, "a.gone"),
        (Action.REPLACE, "a.again"),
        (Action.UPDATE, "a.moved"),
    ]
    assert found[0].diff == f"+x = 1\n+id = {UNKNOWN}"
    assert found[1].diff == "-x = 1\n+x = 2"
    assert found[2].diff.splitlines()[0] == "# index beyond count"
    assert found[3].diff.splitlines()[0] == "# cannot be changed in place: t"
    assert found[4].diff == "# moved from a.old"
    counts = counts_of(found)
    assert (counts.words(), counts.destroyed) == ("1 to create, 2 to update, 1 to replace, 1 to delete", 2)


def test_a_sensitive_value_is_shown_nowhere_also_where_its_mark_is_lost() -> None:
    plan = decoded(
        shown(
            change(
                "a.login",
                ["update"],
                before={"pw": SECRET, "copy": SECRET, "url": f"db://net:{SECRET}@db"},
                after={"pw": "another secret", "copy": "x", "keys": {SECRET: 1}},
                before_sensitive={"pw": True},
                after_sensitive={"pw": True},
            ),
            output_changes={
                "url": {"actions": ["update"], "before": f"x{SECRET}", "after": "another secret"},
                "deep": {"actions": ["create"], "after": {"a": [SECRET]}, "after_sensitive": {"a": [True]}},
            },
            variables={"pw": {"value": "of a variable"}},
            configuration={"root_module": {"variables": {"pw": {"sensitive": True}}}},
            resource_drift=[
                change("a.drift", ["update"], before={"v": "of a variable"}, after={"v": "other"})
            ],
        )
    )
    text = "\n".join(c.diff for c in (*changes_of(plan, "net"), *drift_of(plan, "net")))
    for secret in (SECRET, "another secret", "of a variable"):
        assert secret not in text
    assert f"-pw = {MASK}\n+pw = {MASK}" in text


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=4) | st.integers(),
        lambda part: st.lists(part) | st.dictionaries(st.text(max_size=3), part),
    )
)
def test_a_thing_does_not_differ_from_itself_and_all_of_it_differs_from_nothing(value: Any) -> None:
    same = {"before_marks": False, "after_marks": False, "unknown": False, "masks": Masks()}
    assert difference(before=value, after=value, **same) == []
    created = difference(before=None, after=value, **same)
    assert all(line.startswith("+") and is_safe(line) for line in created)
    assert [f"-{line[1:]}" for line in created] == difference(before=value, after=None, **same)


def test_two_long_values_are_cut_to_where_they_differ() -> None:
    old, new = "x" * 500 + "old" + "y" * 500, "x" * 500 + "new" + "y" * 500
    lines = difference(
        before={"v": old},
        after={"v": new},
        before_marks=False,
        after_marks=False,
        unknown=False,
        masks=Masks(),
    )
    assert "old" in lines[0]
    assert "new" in lines[1]
    assert all(len(line) < 260 for line in lines)


def test_keys_that_are_no_plain_names_stand_in_quotes() -> None:
    lines = difference(
        before=None,
        after={"tags": {"a.b": 1, "c d": 2, "\x1b[2J": 3}},
        before_marks=False,
        after_marks=False,
        unknown=False,
        masks=Masks(),
    )
    assert lines[:2] == ['+tags["a.b"] = 1', '+tags["c d"] = 2']
    assert all(map(is_safe, lines))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"format_version":"2.0"}', b'{"format_version":"1.2","resource_changes":7}']
)
def test_what_is_no_plan_is_an_error_and_not_a_plan_without_changes(data: bytes) -> None:
    with pytest.raises(RemoteFailed):
        decoded(data)


def test_short_values_are_masked_where_they_are_marked_only() -> None:
    masks = Masks(["true", "abc", 1, True])
    assert not masks.hides("abc")
    assert masks.masked({"a": "abc", "b": 1}, {"a": True}) == {"a": MASK, "b": 1}
