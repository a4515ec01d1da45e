"""A plan of thousands of resources as a tree: nothing is hidden that is not counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ondeck.job.plan import Action, Change
from tui.app.dialogs.plan_tree import OUTPUTS, ChangeTree, is_tree, split


def change(address: str, action: Action = Action.CREATE, diff: str = "+x = 1") -> Change:
    return Change(action=action, target="net-prod", address=address, diff=diff)


def shown(tree: ChangeTree) -> list[str]:
    return [found.text for found in tree.rows(80)]


def test_an_address_is_parted_into_its_module_and_the_rest() -> None:
    assert split("aws_vpc.main[0]") == ("", "aws_vpc.main[0]")
    assert split('module.a["x.y"].module.b[0].aws_vpc.main["k.l]"]') == (
        'module.a["x.y"].module.b[0]',
        'aws_vpc.main["k.l]"]',
    )
    assert split("module.a.data.aws_ami.x") == ("module.a", "data.aws_ami.x")
    assert split("output.url") == (OUTPUTS, "url")


@given(st.text(max_size=40))
def test_any_text_is_parted_without_a_loss(address: str) -> None:
    module, name = split(address)
    assert name in address
    assert module == OUTPUTS or not module or address.startswith(module)


def test_a_short_plan_is_unfolded_and_a_long_one_tells_its_counts() -> None:
    short = ChangeTree([change("module.web.t.a"), change("t.b", Action.DELETE)])
    assert sum("+x = 1" in line for line in shown(short)) == 2
    many = [change(f"module.web.t.a[{n}]") for n in range(500)] + [change("module.db.t.a", Action.DELETE)]
    long = ChangeTree(many)
    lines = shown(long)
    assert len(lines) == 3
    assert "501: 1 delete, 500 create" in lines[0]
    assert "module.db  1 delete" in lines[1], "what destroys stands first"
    assert "module.web  500 create" in lines[2]


def test_a_node_is_unfolded_and_folded_by_its_key_and_everything_at_once() -> None:
    tree = ChangeTree([change(f"module.web.t.a[{n}]") for n in range(500)])
    before = shown(tree)
    assert tree.turn("module module.web", unfold=True)
    assert not tree.turn("module module.web", unfold=True)
    assert len(shown(tree)) == 502
    assert tree.turn("change 7", unfold=True)
    assert len(shown(tree)) == 503
    assert tree.turn("change 7", unfold=False)
    assert tree.turn("module module.web", unfold=False)
    assert shown(tree) == before
    tree.turn_all()
    assert len(shown(tree)) == 1002
    tree.turn_all()
    assert shown(tree) == before


def test_changes_of_several_targets_are_no_tree() -> None:
    assert is_tree([change("t.a"), change("t.b")])
    assert not is_tree([change("t.a")])
    other = Change(action=Action.CREATE, target="other", address="t.a")
    assert not is_tree([change("t.a"), other])
