"""A userland of busybox alone: what a small host has in its PATH, with nothing of GNU in reach."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.required import cannot


def userland(folder: Path) -> Path:
    """A folder with a link for every applet; as the only folder of PATH it leaves nothing else to find.

    Skips the test when there is no busybox here.
    """
    busybox = shutil.which("busybox")
    if busybox is None:
        cannot("there is no busybox: install busybox-static")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    folder.mkdir(parents=True)
    for applet in listed:
        (folder / applet).symlink_to(busybox)
    return folder
