"""What a test needs and this machine has not: skipped with the reason, or failed where everything is required."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def cannot(reason: str) -> NoReturn:
    """Skip with a reason; with ONDECK_LAB=required fail instead."""
    if os.environ.get("ONDECK_LAB") == "required":
        pytest.fail(f"the lab is required here, but {reason}")
    pytest.skip(reason)
