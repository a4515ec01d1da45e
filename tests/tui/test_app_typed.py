"""What the `:` line means: operations on marked hosts, files, kinds, and near names for what is none of them."""

from __future__ import annotations

import pytest

from ondeck.job.spec import OperationSpec
from providers.host.params import EXEC, PUT
from tests.tui.playing import playing
from tests.tui.stage import FakeSession
from tui.app import commands
from tui.app.session import Wish


class Real(FakeSession):
    """With the operations on hosts as they are shipped."""

    def specs(self) -> tuple[OperationSpec, ...]:
        own = [spec for spec in super().specs() if not spec.name.startswith("host.")]
        return (*own, EXEC, PUT)


def wish(text: str, *marked: str) -> Wish:
    found = commands.parse(text, Real(), marked)
    assert isinstance(found, commands.Do), found
    return found.wish


def trouble(text: str, *marked: str) -> str:
    found = commands.parse(text, Real(), marked)
    assert isinstance(found, commands.Trouble), found
    return found.message


def test_put_takes_a_file_and_a_host_or_selector_with_its_path() -> None:
    one = wish("put /etc/hostname web-1:/tmp/hn")
    assert (one.subject, one.params) == ("web-1", {"path": "/tmp/hn", "source": "/etc/hostname"})
    many = wish("put f env=prod,group=web:/tmp/hn --mode 0600")
    assert (many.subject, many.params) == (
        "env=prod,group=web",
        {"path": "/tmp/hn", "source": "f", "mode": "0600"},
    )


def test_put_means_the_marked_hosts_where_it_names_none() -> None:
    one = wish("put f :/tmp/hn", "web-1", "web-2")
    assert (one.subject, one.hosts) == ("name in (web-1,web-2)", ("web-1", "web-2"))
    assert one.params == {"path": "/tmp/hn", "source": "f"}
    assert "FILE HOST:/PATH" in trouble("put f :/tmp/hn")


def test_what_put_lacks_is_asked_for_and_its_line_is_the_one_of_the_shell() -> None:
    assert commands.lacking(PUT, {}) == ("source", "path")
    assert commands.lacking(PUT, {"undo": "j-1", "path": "/x"}) == ()
    line = commands.shell_line(PUT, wish("put f :/tmp/hn", "web-1"))
    assert line == "ondeck put f web-1:/tmp/hn"


def test_exec_means_the_marked_hosts_and_says_what_to_type_otherwise() -> None:
    one = wish("exec df", "web-1", "web-2")
    assert (one.hosts, one.params) == (("web-1", "web-2"), {"argv": ("df",)})
    assert "exec -l name=web-1 -- df" in trouble("exec web-1 -- df")
    assert "mark some" in trouble("exec df")


def test_a_word_that_is_nothing_is_answered_with_near_ones() -> None:
    assert "did you mean deploy" in trouble("depoly checkout@prod 2.14.0")
    assert "web-1" in trouble("wbe-1")


@pytest.mark.parametrize(
    "kind",
    [
        "people",
        "clusters",
        "environments",
        "accounts",
        "get builds",
        "get backups",
        "get stacks",
        "get hosts",
        "person",
    ],
)
async def test_every_kind_of_get_is_a_view(kind: str) -> None:
    async with playing() as play:
        await play.press(":")
        await play.type(kind)
        await play.press("enter")
        plural = "people" if kind == "person" else kind.removeprefix("get ")
        shown = await play.until(f"{plural.upper()} ")
        if kind == "environments":
            assert "deploy:confirm" in shown
        elif kind == "people":
            assert "the inventory names no people" in shown


async def test_put_is_asked_for_in_a_form_and_planned_on_what_is_marked() -> None:
    session = Real()
    async with playing(session) as play:
        await play.press("2", "/")
        await play.type("web-")
        await play.press("enter", "space", "space", "a")
        await play.until("Put a file on hosts")
        await play.press("G", "enter")
        await play.until("File here")
        await play.press("enter")
        await play.until("needed")
        await play.type("./motd")
        await play.press("tab")
        await play.type("/etc/motd")
        await play.press("enter")
        await play.until("type  prod  to start")
        assert session.planned[-1].params == {"source": "./motd", "path": "/etc/motd"}
        assert len(session.planned[-1].hosts) == 2
