"""`ondeck trust`: enrol host keys into the inventory's known_hosts, never by blind faith."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from ondeck.capabilities import Capabilities
from ondeck.counting import counted
from ondeck.errors import BadInput, ExitCode, NeedsPerson, NoMatch, OndeckError
from ondeck.inventory.model import Host
from ondeck.operate import allowed
from ondeck.reach.ports import Scanned, Trust
from tui.cli.face import Face, form_option, pass_face, selector_option
from tui.cli.out import Rows

if TYPE_CHECKING:
    from ondeck.deck import Deck


def _trust(able: Capabilities, host: Host) -> Trust:
    return cast(Trust, able.transport(host.transport, "trust"))


async def _scan(deck: Deck, able: Capabilities, hosts: tuple[Host, ...]) -> dict[str, Scanned | OndeckError]:
    async def one(host: Host) -> Scanned | OndeckError:
        try:
            return await _trust(able, host).scan(deck.inventory, deck.settings, host)
        except OndeckError as error:
            return error

    answers = await asyncio.gather(*(one(host) for host in hosts))
    return {host.name: answer for host, answer in zip(hosts, answers, strict=True)}


def _rows(found: dict[str, Scanned | OndeckError]) -> Rows:
    rows = []
    for name, answer in found.items():
        if isinstance(answer, OndeckError):
            rows.append((name, "not asked", "", answer.message))
        else:
            rows.append(
                (name, answer.recorded, answer.fingerprint, f"was {answer.was}" if answer.was else "")
            )
    return Rows(("host", "recorded", "fingerprint", "note"), tuple(rows))


def _append(path: Path, lines: list[str]) -> None:
    """Add lines at the end of known_hosts, whole or not at all."""
    old = path.read_text() if path.exists() else ""
    joined = old + ("\n" if old and not old.endswith("\n") else "") + "\n".join(lines) + "\n"
    beside = path.with_name(path.name + ".ondeck-new")
    beside.write_text(joined)
    beside.replace(path)


@click.command()
@click.argument("names", nargs=-1, metavar="[HOST]...")
@selector_option
@click.option(
    "-y", "--yes", is_flag=True, help="Write without asking; compare the fingerprints elsewhere first."
)
@form_option
@pass_face
def trust(face: Face, names: tuple[str, ...], selectors: tuple[str, ...], yes: bool, form: str) -> int:
    """Ask hosts for their keys and write the unknown ones into the inventory's known_hosts.

    A key that CHANGED is never written here: find out why, then remove the old line by hand in git.
    """
    from ondeck.inventory import selector

    if not selectors and not names:
        raise BadInput("which hosts?", hint="ondeck trust web-1, or: ondeck trust -l env=staging")
    selectors = (*selectors, f"name in ({','.join(names)})") if names else selectors
    inventory = face.deck.inventory
    if not inventory.ssh.known_hosts:
        raise BadInput(
            "the inventory names no known_hosts file",
            hint="write `ssh: {known_hosts: ./known_hosts}` into ondeck.yml",
        )
    able = Capabilities(face.deck.registry)
    hosts = tuple(
        h for h in selector.parse(selectors).select(inventory) if able.carried(h.transport, "trust")
    )
    if not hosts:
        raise NoMatch("none of these hosts is reached by a transport that has host keys")
    _allow_all(face, hosts)
    found = asyncio.run(_scan(face.deck, able, hosts))
    face.rows(_rows(found), form)
    unknown = {n: a for n, a in found.items() if isinstance(a, Scanned) and a.recorded == "unknown"}
    changed = [n for n, a in found.items() if isinstance(a, Scanned) and a.recorded == "changed"]
    if changed:
        face.say(f"CHANGED, not written: {', '.join(changed)}")
    if unknown:
        _confirm(face, len(unknown), yes)
        for name, answer in unknown.items():
            allowed.done(face.deck, "trust", inventory.hosts[name].env, subject=name, text=answer.fingerprint)
        by_name = {host.name: host for host in hosts}
        lines = [
            _trust(able, by_name[name]).known_hosts_line(inventory, by_name[name], answer)
            for name, answer in unknown.items()
        ]
        _append(Path(inventory.ssh.known_hosts), lines)
        face.say(f"wrote {counted(len(lines), 'key')} to {inventory.ssh.known_hosts}; commit that file")
    lost = any(isinstance(a, OndeckError) for a in found.values())
    return int(ExitCode.REFUSED if changed else ExitCode.SOME_FAILED if lost else ExitCode.OK)


def _allow_all(face: Face, hosts: tuple[Host, ...]) -> None:
    for host in {host.env: host for host in hosts}.values():
        allowed.allow(face.deck, "trust", host.env, subject=host.name)


def _confirm(face: Face, count: int, yes: bool) -> None:
    if yes:
        return
    if not face.may_ask:
        raise NeedsPerson(
            f"{counted(count, 'key')} unknown", hint="compare the fingerprints elsewhere, then add --yes"
        )
    sys.stderr.write(
        f"compare these fingerprints with what the hosts' consoles say; write {counted(count, 'key')}? [y/N] "
    )
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NeedsPerson("nothing was written")
