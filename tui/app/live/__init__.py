"""The real session: what panes see of deck and engine."""

from __future__ import annotations
