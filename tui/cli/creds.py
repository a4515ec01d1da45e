"""`ondeck creds`: who we are where until when, and every secret that the inventory refers to. Never a value."""

from __future__ import annotations

import asyncio
import sys

import click

from ondeck.capabilities import Capabilities
from ondeck.errors import BadInput, ExitCode, Missing, Refused
from ondeck.inventory import secretrefs
from ondeck.inventory.secretrefs import Reference
from ondeck.observe.credentials import Credential, CredentialState
from ondeck.operate import creds as looks
from ondeck.operate.bench import FaceBench
from ondeck.operate.creds import ReferenceLook, Resolves
from ondeck.operate.ports import SecretQuestion, SecretStore
from ondeck.operate.secrets import question, schemes
from ondeck.secret import Secret
from tui.cli.face import Face, form_option, pass_face
from tui.cli.out import At, Rows

_TITLES = ("name", "kind", "state", "ends", "of", "note", "again")
_LARGEST = 1 << 20


@click.group(invoke_without_command=True)
@click.option("--check", is_flag=True, help="Ask for every secret: also servers, the keyring and commands.")
@form_option
@click.pass_context
def creds(ctx: click.Context, check: bool, form: str) -> None:
    """Credentials at hand with their ends, and every reference to a secret with whether it can be had.

    Variables and files are looked at; the rest is `not asked` without --check, for every read of a server is
    noted over there. The exit code is 1 when a secret cannot be had or a credential has ended, and 3 when one
    could not be asked.
    """
    if ctx.invoked_subcommand is None:
        face = ctx.find_object(Face)
        assert face is not None
        ctx.exit(_show(face, check, form))


def _show(face: Face, check: bool, form: str) -> int:
    if check:
        _open_stores(face)
    references, credentials = asyncio.run(_look(face, check))
    rows = [*map(_credential, credentials), *map(_reference, references)]
    face.rows(Rows(_TITLES, tuple(rows), drop=("again",), below=("note",)), form)
    states = {one.state for one in credentials}
    if CredentialState.ENDED in states or any(one.resolves is Resolves.NO for one in references):
        return int(ExitCode.FAILED)
    return int(ExitCode.SOME_FAILED if CredentialState.UNKNOWN in states else ExitCode.OK)


async def _look(face: Face, check: bool) -> tuple[tuple[ReferenceLook, ...], tuple[Credential, ...]]:
    bench = FaceBench(face.deck)
    try:
        # One after the other: a login that the first makes is seen by the second.
        references = await asyncio.to_thread(looks.references, face.deck, ask=check)
        return references, await looks.credentials(face.deck.registry, bench)
    finally:
        await bench.aclose()


def _credential(one: Credential) -> tuple[object, ...]:
    state = None if one.state is CredentialState.UNKNOWN else one.state.value
    ends = At(one.expires) if one.expires else "-"
    return (one.what, "credential", state, ends, one.of or "-", one.text or "-", one.renew or "-")


def _reference(one: ReferenceLook) -> tuple[object, ...]:
    ends = At(one.ends) if one.ends else "-"
    return (one.where, "secret", one.resolves.value, ends, one.reference, one.text or "-", one.hint or "-")


@creds.command("set")
@click.argument("reference")
@pass_face
def set_(face: Face, reference: str) -> int:
    """Keep a secret under keyring:NAME or keyring:SERVICE#NAME.

    The value is asked for twice without being shown; without a terminal it is read from standard input, of
    which one line end at its end is left out.
    """
    store, asked = _store(face, reference)
    _unlock(face, store, asked)
    where = store.keep(asked, Secret(_value(face, asked.reference)))
    face.say(f"kept: {asked.reference} in {where}")
    return int(ExitCode.OK)


@creds.command()
@click.argument("reference")
@pass_face
def forget(face: Face, reference: str) -> int:
    """Forget a secret that the keyring keeps."""
    store, asked = _store(face, reference)
    _unlock(face, store, asked)
    where = store.forget(asked)
    face.say(f"forgotten: {asked.reference} in {where}")
    return int(ExitCode.OK)


def _store(face: Face, text: str) -> tuple[SecretStore, SecretQuestion]:
    if face.settings.read_only:
        raise Refused("this is read-only, and what the keyring keeps would change")
    reference = secretrefs.known(text, schemes(face.registry))
    return _store_of(face, reference), question(face.deck, reference)


def _store_of(face: Face, reference: Reference) -> SecretStore:
    able = Capabilities(face.registry)
    if not able.keeps(reference.scheme):
        raise BadInput(
            f"secrets of scheme {reference.scheme!r} are not kept from here",
            hint="write keyring:NAME, or use its own tools",
        )
    store: SecretStore = able.secrets(reference.scheme, "secret_store")
    return store


def _open_stores(face: Face) -> None:
    """What has to be typed is asked for before anything else, and only of a person."""
    if not face.may_ask:
        return
    able = Capabilities(face.registry)
    for use in secretrefs.uses(face.deck.inventory, schemes(face.registry)):
        if able.keeps(use.reference.scheme):
            _unlock(face, _store_of(face, use.reference), question(face.deck, use.reference))
            return


def _unlock(face: Face, store: SecretStore, asked: SecretQuestion) -> None:
    wanted = store.wants(asked)
    if wanted and face.may_ask:
        store.unlock(asked, Secret(_hidden(wanted)))


def _hidden(words: str, *, twice: bool = False) -> str:
    found: str = click.prompt(words, hide_input=True, confirmation_prompt=twice, err=True)
    return found


def _value(face: Face, reference: Reference) -> str:
    if face.may_ask:
        return _hidden(f"value of {reference}", twice=True)
    data = sys.stdin.buffer.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise BadInput(f"the value on standard input is longer than {_LARGEST} bytes")
    try:
        value = data.decode()
    except UnicodeDecodeError:
        raise BadInput("the value on standard input is not UTF-8") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise Missing(
            "there is no value on standard input", hint=f"printf %s VALUE | ondeck creds set {reference}"
        )
    return value
