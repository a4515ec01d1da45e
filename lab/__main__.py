"""`python -m lab`: what the lab can start here."""

from __future__ import annotations

import sys

from lab.machine import report

sys.stdout.write(report() + "\n")
