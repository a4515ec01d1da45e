"""The part of the made-up session that says who we are; a test puts its own look there."""

from __future__ import annotations

from tui.app.views import CredsLook


class CredsOnStage:
    creds_look = CredsLook()

    def creds(self, *, ask: bool = False) -> CredsLook:
        return self.creds_look
