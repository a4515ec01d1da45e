"""Every reference to a secret that the inventory uses and whether it can be had, and who we are where until when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from ondeck.bench import Bench
from ondeck.errors import OndeckError
from ondeck.inventory import secretrefs
from ondeck.observe.credentials import Credential, CredentialState
from ondeck.observe.ports import CredentialReader
from ondeck.operate.secrets import Standing, looked_up, patience, schemes
from ondeck.registry import Registry
from ondeck.text import safe_line

_AT_HAND = ("env", "file")
"""Schemes that are looked at unasked: this process and its disk. No server notes it, no program runs."""


class Resolves(StrEnum):
    """Whether a reference can be had now."""

    YES = "yes"
    NO = "no"
    NOT_ASKED = "not asked"


class ReferenceLook(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a reference; its value is not in it.

    Attributes:
        where: Place in the inventory: `backups.orders-db.repo.password`.
        reference: As `SCHEME:REST#KEY`.
        resolves: Whether it can be had now.
        ends: When its lease ends, ns; 0 when it has none or was not asked.
        text: Why it cannot be had.
        hint: What to do about it.
    """

    where: str
    reference: str
    scheme: str
    resolves: Resolves
    ends: int = 0
    text: str = ""
    hint: str = ""


def references(at: Standing, *, ask: bool = False) -> tuple[ReferenceLook, ...]:
    """Every use of a reference, in the order of the inventory; blocks, so a loop calls it in a thread.

    Args:
        at: Where we stand.
        ask: Ask every scheme, also servers, keyrings and commands; without it only what is at hand.
    """
    known = schemes(at.registry)
    uses = secretrefs.uses(at.inventory, known.union(secretrefs.SCHEMES))
    wanted = [str(use.reference) for use in uses if ask or use.reference.scheme in _AT_HAND]
    found, errors = looked_up(at, wanted)
    looks = []
    for use in uses:
        text = str(use.reference)
        look = ReferenceLook(
            where=use.where, reference=text, scheme=use.reference.scheme, resolves=Resolves.NOT_ASKED
        )
        if text in found:
            look = msgspec.structs.replace(look, resolves=Resolves.YES, ends=found[text].ends)
        elif (error := errors.get(text)) is not None:
            said = f"{error.message} ({error.where})" if error.where else error.message
            look = msgspec.structs.replace(
                look,
                resolves=Resolves.NO,
                text=safe_line(said),
                hint=safe_line(error.hint.partition("\n")[0]),
            )
        looks.append(look)
    return tuple(looks)


async def credentials(registry: Registry, bench: Bench) -> tuple[Credential, ...]:
    """What every provider says of who we are to its system; one that cannot say is a row of its own."""
    named = [manifest.name for manifest in registry.manifests() if "credentials" in manifest.capabilities]
    rows = await asyncio.gather(*(_of(registry, name, bench) for name in named))
    return tuple(row for of_one in rows for row in of_one)


async def _of(registry: Registry, name: str, bench: Bench) -> Sequence[Credential]:
    try:
        reader: CredentialReader = registry.load(name, "credentials")
        async with asyncio.timeout(patience(bench.settings)):
            return await reader.credentials(bench)
    except OndeckError as error:
        said = error.message
    except TimeoutError:
        said = "it did not answer in time"
    except Exception as error:  # noqa: BLE001 - the boundary to a provider: its row says that it broke
        said = f"its provider broke: {type(error).__name__}"
    return (Credential(what=name, state=CredentialState.UNKNOWN, text=safe_line(said)),)
