"""Files that travel with ondeck: found in a checkout beside the packages, in a wheel under `ondeck/_data`."""

from __future__ import annotations

from pathlib import Path

from ondeck.errors import Missing

THEMES = "themes"
SAMPLE_INVENTORY = "sample-inventory"


def folder(name: str) -> Path:
    """The folder `themes` or `sample-inventory`.

    An installed wheel wins over a folder of the same name that happens to lie beside site-packages.

    Raises:
        Missing: Neither place has it: the installation is broken.
    """
    package = Path(__file__).resolve().parent
    for place in (package / "_data" / name, package.parent / name):
        if place.is_dir():
            return place
    raise Missing(
        f"the folder {name} that ships with ondeck is not beside {package}",
        hint="install ondeck again from its wheel, or run it from a complete checkout",
    )


def themes() -> Path:
    """The folder of the built-in themes."""
    return folder(THEMES)


def sample_inventory() -> Path:
    """The folder of the sample inventory that `ondeck init` and `ondeck demo` copy."""
    return folder(SAMPLE_INVENTORY)
