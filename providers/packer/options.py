"""What a build says of itself in the inventory, checked; and where its work is kept on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory.model import Build, Inventory

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_BUILDER = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9._*?-]*\Z")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `builds.NAME` beside `kind` and `env`.

    Attributes:
        path: Folder of the template; relative to the inventory's folder.
        ref: Commit, tag or branch that is built; empty means the commit that is checked out there.
        template: The template in it, a file or `.` for all of the folder.
        only: Builders to run, e.g. `file.image`; empty means all.
        vars: Variables; not for secrets.
        var_files: Files of variables, relative to `path`, in the checkout.
        env: Environment of the program.
        secret_env: Environment whose values are secrets, by reference: `PKR_VAR_token: vault:kv/ci#token`.
        manifest: What the template's `manifest` post-processor writes, relative to `path`; empty when it has none.
        force: Build over what an earlier build left.
        binary: The program, when it is not `packer` on PATH.
    """

    path: str
    ref: str = ""
    template: str = "."
    only: tuple[str, ...] = ()
    vars: dict[str, Any] = {}
    var_files: tuple[str, ...] = ()
    env: dict[str, str] = {}
    secret_env: dict[str, str] = {}
    manifest: str = ""
    force: bool = False
    binary: str = "packer"


def build_of(inventory: Inventory, name: str) -> Build:
    """The build of a name.

    Raises:
        NoMatch: There is none.
    """
    build = inventory.builds.get(name)
    if build is None:
        raise NoMatch(f"no build {name!r}", hint="see: ondeck get builds")
    return build


def options_of(build: Build) -> Options:
    """The options of a build, checked.

    Raises:
        BadInput: One is missing, unknown or wrong; the message names the key.
    """
    where = f"builds.{build.name}"
    try:
        options = msgspec.convert(build.options, Options, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{where}: {error}", hint="docs/packer.md lists the keys") from error
    for key, wrong in _wrong(options):
        raise BadInput(f"{where}.{key}: {wrong}")
    return options


def _wrong(options: Options) -> Iterator[tuple[str, str]]:
    if not options.path:
        yield "path", "it is empty: name the folder of its template"
    if options.ref.startswith("-"):
        yield "ref", f"{options.ref!r} is not a ref"
    for name in {**options.env, **options.secret_env}:
        if not _NAME.match(name):
            yield "env", f"{name!r} is not a name of a variable"
    for name in options.only:
        if not _BUILDER.match(name):
            yield "only", f"{name!r} is not a name of a builder"
    for file in (options.template, options.manifest, *options.var_files):
        if Path(file).is_absolute() or ".." in Path(file).parts or file.startswith("-"):
            yield "path", f"{file!r} has to lie inside it, so that it is pinned too"


def source_of(inventory: Inventory, options: Options) -> Path:
    """The folder of the template as somebody keeps it; nothing is ever written there."""
    return (Path(inventory.revision.root) / Path(options.path).expanduser()).resolve()
