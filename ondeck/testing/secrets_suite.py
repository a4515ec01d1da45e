"""What every scheme of secrets promises, as tests: subclass `SecretsSuite`, name the provider, give it a `safe`.

```python
class TestMine(SecretsSuite):
    provider = "mine"

    @pytest.fixture
    def safe(self) -> Safe: ...
```

The safe is the real place where the scheme keeps secrets; the suite puts values into it and reads them back
through the resolver, as a job does.
"""

from __future__ import annotations

import builtins
import getpass
import logging
import threading
from collections.abc import Callable
from typing import NoReturn
from uuid import uuid4

import msgspec
import pytest

from ondeck.errors import BadInput, Missing, OndeckError, Unreachable
from ondeck.inventory import secretrefs
from ondeck.inventory.model import Inventory
from ondeck.operate.ports import SecretQuestion, SecretReader, SecretStore
from ondeck.operate.secrets import looked_up, question, resolve
from ondeck.registry import Registry
from ondeck.secret import Secret
from ondeck.settings import Settings
from ondeck.testing.secretly_suite import shown
from ondeck.testing.suite import PortSuite

ODD = {
    "lines": "first\nsecond\n\nlast",
    "quotes": 'it\'s "quoted" $(id) `id` ${HOME} %s \\n',
    "long": "0123456789abcdef" * 3840,
    "utf8": "grün Á \u2028 \U0001f511",
    "spaces": "  both ends  ",
    "like a reference": "vault:kv/x#key",
    "like markup": "[bold]x[/] {0} %(x)s",
}
"""Values that a shell, a file, a format or a screen could break; the long one is 60 kB."""

NUL = "before\0after"


class Safe(msgspec.Struct, frozen=True, kw_only=True):
    """Where a scheme keeps secrets, for the suite.

    Attributes:
        inventory: With the section `secrets:` that the scheme needs.
        put: Keeps a value there, under a name of its own; its reference.
        absent: A reference of the scheme behind which there is nothing.
        nul: Whether a value may hold NUL there.
    """

    inventory: Inventory
    settings: Settings
    put: Callable[[str], str]
    absent: str
    nul: bool = True

    @property
    def registry(self) -> Registry:
        """The installed providers."""
        return Registry()


class SecretsSuite(PortSuite):
    """The promises of `SecretReader`, seen through the resolver."""

    capability = "secrets"

    @pytest.fixture(autouse=True)
    def _nobody_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A prompt behind the screen fails the test that met it."""

        def asked(*_: object, **__: object) -> NoReturn:
            raise AssertionError("somebody was asked for something")

        for module, name in ((getpass, "getpass"), (builtins, "input")):
            monkeypatch.setattr(module, name, asked)

    @pytest.mark.parametrize("name", ODD)
    def test_a_value_comes_back_as_it_is(self, provided: SecretReader, safe: Safe, name: str) -> None:
        """Whatever is in it."""
        reference = safe.put(ODD[name])
        assert resolve(safe, [reference])[reference].reveal() == ODD[name]

    def test_a_value_may_hold_nul_or_cannot_be_put_there(self, safe: Safe) -> None:
        """It is never cut at it."""
        if not safe.nul:
            with pytest.raises((OndeckError, ValueError, OSError)):
                safe.put(NUL)
            return
        reference = safe.put(NUL)
        assert resolve(safe, [reference])[reference].reveal() == NUL

    def test_both_ways_of_writing_a_reference_are_one(self, safe: Safe) -> None:
        """`vault:kv/x#key` and `secret://vault/kv/x#key`."""
        reference = safe.put("the same")
        scheme, _, rest = reference.partition(":")
        long = f"secret://{scheme}/{rest}"
        assert secretrefs.parse(long) == secretrefs.parse(reference)
        assert resolve(safe, [long])[long].reveal() == "the same"

    def test_what_is_not_there_is_missing_and_named(self, safe: Safe) -> None:
        """By its reference."""
        with pytest.raises((Missing, BadInput)) as told:
            resolve(safe, [safe.absent])
        assert safe.absent in str(told.value)

    def test_all_that_is_not_there_is_named_at_once(self, safe: Safe) -> None:
        """And what is there is not lost for it."""
        there, others = safe.put("there"), [f"env:ONDECK_NOT_{n}" for n in range(2)]
        with pytest.raises(OndeckError) as told:
            resolve(safe, [there, safe.absent, *others])
        for reference in (safe.absent, *others):
            assert reference in str(told.value)
        found, errors = looked_up(safe, [there, safe.absent, *others])
        assert list(found) == [there]
        assert list(errors) == [safe.absent, *others]

    def test_a_value_is_shown_nowhere(self, safe: Safe, caplog: pytest.LogCaptureFixture) -> None:
        """Not by the object, not in a log, not among the words of a process."""
        caplog.set_level(logging.DEBUG)
        value = f"canary-{uuid4().hex}"
        reference = safe.put(value)
        secret = resolve(safe, [reference])[reference]
        assert secret.reveal() == value
        assert value not in f"{secret} {secret!r} {[secret]} {secret:>9}" + caplog.text
        assert shown(value) == []

    def test_many_threads_may_ask_at_once(self, safe: Safe) -> None:
        """A page and a plan do."""
        values = {safe.put(f"value {n}"): f"value {n}" for n in range(4)}
        told: list[dict[str, Secret]] = []
        asking = [threading.Thread(target=lambda: told.append(resolve(safe, values))) for _ in range(6)]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        assert [{name: secret.reveal() for name, secret in one.items()} for one in told] == [values] * 6

    def test_a_new_value_is_seen_by_who_asks_again(self, safe: Safe) -> None:
        """Nothing is remembered beyond its truth."""
        first = safe.put("first")
        assert resolve(safe, [first])[first].reveal() == "first"
        second = safe.put("second")
        assert resolve(safe, [second])[second].reveal() == "second"


def refused(safe: Safe, reference: str) -> OndeckError:
    """Why a reference cannot be had, as a job would be told."""
    with pytest.raises((Missing, BadInput, Unreachable)) as told:
        resolve(safe, [reference])
    return told.value


class SecretStoreSuite(PortSuite):
    """The promises of `SecretStore`; the safe's `put` is not used."""

    capability = "secret_store"
    reference = "keyring:a service#a name"

    def _asked(self, safe: Safe) -> SecretQuestion:
        return question(safe, secretrefs.parse(self.reference))

    def test_what_is_kept_is_what_a_job_gets(self, provided: SecretStore, safe: Safe) -> None:
        """Also after it was replaced."""
        for value in ("first", "second\nline"):
            assert provided.keep(self._asked(safe), Secret(value))
            assert resolve(safe, [self.reference])[self.reference].reveal() == value

    def test_what_is_forgotten_is_gone_and_gone_only_once(self, provided: SecretStore, safe: Safe) -> None:
        """Forgetting what is not there is no success."""
        provided.keep(self._asked(safe), Secret("value"))
        assert provided.forget(self._asked(safe))
        with pytest.raises(Missing):
            provided.forget(self._asked(safe))
        with pytest.raises(Missing):
            resolve(safe, [self.reference])

    def test_nothing_has_to_be_typed_where_it_is_open(self, provided: SecretStore, safe: Safe) -> None:
        """A person is asked only where it helps."""
        assert provided.wants(self._asked(safe)) == ""
