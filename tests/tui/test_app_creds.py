"""`:creds` says who we are, until when, and what cannot be had; nothing that was not asked looks as if it were fine."""

from __future__ import annotations

import pytest

from ondeck.observe.credentials import Credential, CredentialState
from ondeck.operate.creds import ReferenceLook, Resolves
from tests.tui.playing import playing
from tests.tui.stage import NOW, M
from tui.app.views import CredsLook

LOOK = CredsLook(
    asked=NOW - M,
    credentials=(
        Credential(
            what="ssh certificate anna", state=CredentialState.ENDING, expires=NOW + 9 * M, text="for anna"
        ),
        Credential(
            what="vault token", of="https://vault:8200", state=CredentialState.GOOD, expires=NOW + 120 * M
        ),
        Credential(
            what="aws session",
            of="acme-prod",
            state=CredentialState.UNKNOWN,
            text="it did not answer in time",
        ),
    ),
    references=(
        ReferenceLook(
            where="backups.orders-db.repo.password",
            reference="vault:kv/backup/orders#password",
            scheme="vault",
            resolves=Resolves.NOT_ASKED,
        ),
        ReferenceLook(
            where="notify.ops.webhook",
            reference="env:HOOK",
            scheme="env",
            resolves=Resolves.NO,
            text="it is not set",
        ),
    ),
)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_credentials_and_references_are_on_screen(size: tuple[int, int]) -> None:
    async with playing(size=size) as play:
        play.session.creds_look = LOOK
        await play.press(":", *"creds", "enter")
        await play.until("CREDENTIALS 3")
        lines = play.text.splitlines()
        assert max(map(len, lines)) <= size[0]
        row = {
            word: next(line for line in lines if word in line)
            for word in ("certificate anna", "vault token", "aws")
        }
        assert "ending" in row["certificate anna"]
        assert "9m" in row["certificate anna"]
        assert "2h" in row["vault token"]
        assert " ? " in row["aws"]
        assert " good" not in row["aws"]
        assert "not asked" in next(line for line in lines if "backups.orders-db" in line)
        assert " no " in next(line for line in lines if "notify.ops.webhook" in line)
        assert ":creds check" in play.text
        assert "it did not answer in time" in play.text
        assert "it is not set" in play.text


async def test_before_anybody_was_asked_nothing_looks_empty() -> None:
    async with playing() as play:
        await play.press(":", *"creds", "enter")
        await play.until("not asked yet")
        assert "none is in use" not in play.text
        assert "refers to none" not in play.text


async def test_asking_for_everything_is_a_line_of_its_own() -> None:
    async with playing() as play:
        play.session.creds_look = LOOK
        await play.press(":", *"creds", "space", *"check", "enter")
        await play.until("every one was asked for")
