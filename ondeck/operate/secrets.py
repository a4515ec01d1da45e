"""What references to secrets stand for, found once by who starts a job: `env:NAME`, `vault:kv/x#key`, ...

Each scheme is asked in a thread of its own, all of one scheme one after the other, and none is waited for
longer than a minute: a keyring that waits for its owner, or a server that hangs, is an answer too.
Whatever cannot be had is named, all of it at once, and never a value.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Protocol

from ondeck.errors import BadInput, Missing, OndeckError, Unreachable
from ondeck.inventory import secretrefs
from ondeck.inventory.model import Inventory
from ondeck.inventory.secretrefs import Reference
from ondeck.operate.ports import SecretQuestion, SecretReader
from ondeck.registry import Registry
from ondeck.secret import Secret
from ondeck.settings import Settings

_PATIENCE = 60.0
_LEAST = 20.0

FIELD = "secret.scheme"


class Standing(Protocol):
    """What is needed to know a secret; a `Deck` has it."""

    @property
    def inventory(self) -> Inventory:
        """What exists, and how secrets are had."""
        ...

    @property
    def registry(self) -> Registry:
        """Who knows which scheme."""
        ...

    @property
    def settings(self) -> Settings:
        """Settings of this process."""
        ...


def resolve(
    at: Standing, references: Iterable[str], environ: Mapping[str, str] | None = None
) -> dict[str, Secret]:
    """The secret behind each reference; blocks, so a loop calls it in a thread.

    Args:
        at: Where we stand.
        references: As they are written.
        environ: Variables in place of this process's own.

    Raises:
        BadInput: One is no reference, or of a scheme that nobody knows.
        Missing: At least one is not to be had; the message names all of them, never a value.
        Unreachable: What would know them did not answer, and nothing else is wrong.
    """
    found, errors = looked_up(at, references, environ)
    if errors:
        raise _together(errors)
    return found


def looked_up(
    at: Standing, references: Iterable[str], environ: Mapping[str, str] | None = None
) -> tuple[dict[str, Secret], dict[str, OndeckError]]:
    """As `resolve`, with what cannot be had told for each reference instead of raised."""
    wanted = list(dict.fromkeys(references))
    here = os.environ if environ is None else environ
    found: dict[str, Secret] = {}
    errors: dict[str, OndeckError] = {}
    by_scheme: dict[str, list[tuple[str, Reference]]] = {}
    for text in wanted:
        try:
            reference = secretrefs.known(text, schemes(at.registry))
        except BadInput as error:
            errors[text] = error
            continue
        by_scheme.setdefault(reference.scheme, []).append((text, reference))
    asking = [_Asking(at, scheme, asked, here) for scheme, asked in by_scheme.items()]
    for one in asking:
        one.start()
    until = time.monotonic() + patience(at.settings)
    for one in asking:
        one.ended.wait(max(0.0, until - time.monotonic()))
        one.told(found, errors)
    return found, {text: errors[text] for text in wanted if text in errors}


def patience(settings: Settings) -> float:
    """Seconds that a provider gets for all that it is asked; deriving a key takes what it takes at any timescale."""
    return max(settings.seconds(_PATIENCE), _LEAST)


def schemes(registry: Registry) -> frozenset[str]:
    """Every scheme that some installed provider knows."""
    return frozenset(kind for m in registry.manifests() for kind in m.kinds.get(FIELD, ()))


def question(at: Standing, reference: Reference, environ: Mapping[str, str] | None = None) -> SecretQuestion:
    """What a provider is asked, with all that it needs for an answer."""
    source = at.inventory.secrets.get(reference.scheme)
    here = os.environ if environ is None else environ
    return SecretQuestion(
        reference=reference,
        options=source.options if source is not None else {},
        root=at.inventory.revision.root,
        environ=here,
        settings=at.settings,
        inner=partial(_inner, at, here),
    )


def reader(registry: Registry, scheme: str) -> SecretReader:
    """Who knows a scheme.

    Raises:
        Missing: Nobody, or the library that it needs is not there.
    """
    found: SecretReader = registry.load(registry.serving(FIELD, scheme).name, "secrets")
    return found


def _inner(at: Standing, environ: Mapping[str, str], text: str) -> Secret:
    """What a provider needs itself before it can answer: never of a scheme that needs another secret."""
    reference = secretrefs.known(text, secretrefs.BOOTSTRAP)
    return _read(at, reference, environ)


def _read(at: Standing, reference: Reference, environ: Mapping[str, str]) -> Secret:
    """One secret.

    Raises:
        OndeckError: It is not to be had; whatever else goes wrong is told by its kind alone.
    """
    try:
        return reader(at.registry, reference.scheme).read(question(at, reference, environ))
    except OndeckError:
        raise
    except Exception as error:  # noqa: BLE001 - the boundary to a provider: its text could hold a value
        raise Missing(f"its provider broke: {type(error).__name__}") from None


class _Asking:
    """All questions of one scheme, in a thread that nobody has to wait for."""

    def __init__(
        self, at: Standing, scheme: str, asked: list[tuple[str, Reference]], environ: Mapping[str, str]
    ) -> None:
        self._at = at
        self._asked = asked
        self._environ = environ
        self._answers: dict[str, Secret | OndeckError] = {}
        self._name = f"secrets-{scheme}"
        self.ended = threading.Event()

    def start(self) -> None:
        """Begin. Not one of an executor: those are joined when the process ends, however long it takes."""
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        try:
            for text, reference in self._asked:
                try:
                    self._answers[text] = _read(self._at, reference, self._environ)
                except OndeckError as error:
                    self._answers[text] = error
        finally:
            self.ended.set()

    def told(self, found: dict[str, Secret], errors: dict[str, OndeckError]) -> None:
        """Put what is known by now where it belongs."""
        for text, _ in self._asked:
            answer = self._answers.get(text) or Unreachable("it did not answer in time")
            if isinstance(answer, Secret):
                found[text] = answer
            else:
                errors[text] = answer


def _together(errors: Mapping[str, OndeckError]) -> OndeckError:
    """One error for all of them."""
    kinds = {type(error) for error in errors.values()}
    kind = next(iter(kinds)) if len(kinds) == 1 else Missing
    made = kind if kind in (BadInput, Unreachable) else Missing
    hints = dict.fromkeys(error.hint for error in errors.values() if error.hint)
    each = [f"{_shown(text)}: {error.message}" for text, error in errors.items()]
    head = f"secret {each[0]}" if len(each) == 1 else f"{len(each)} secrets cannot be had: {'; '.join(each)}"
    return made(head, hint="\n".join(hints))


def _shown(text: str) -> str:
    """A reference may be shown; what is none could be a value by mistake."""
    try:
        return repr(str(secretrefs.parse(text)))
    except BadInput:
        return "(not shown)"
