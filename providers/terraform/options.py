"""What a stack says of itself in the inventory, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ondeck.errors import BadInput, NoMatch
from ondeck.inventory.model import Inventory, Stack

KINDS = {"terraform": "terraform", "tofu": "tofu"}
"""Kind of a stack -> the program that serves it unless `binary` names another."""

_LOCK_TIMEOUT = re.compile(r"\d{1,4}[sm]\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `stacks.NAME` beside `kind` and `env`.

    Attributes:
        path: Folder of the root module; relative to the inventory's folder.
        ref: Commit, tag or branch that is worked with; empty means the commit that is checked out there.
        workspace: Its workspace; it has to exist.
        var_files: Files of variables, relative to `path`, in the checkout; later ones win.
        vars: Variables; they win over `var_files`.
        env: Environment of the program.
        secret_env: Environment whose values are secrets, by reference: `TF_VAR_db: vault:kv/db#password`.
        account: An account of the inventory whose profile and region the program gets.
        binary: The program, when it is not the kind's own name on PATH.
        backend_config: What `init` gets as `-backend-config`; paths in it are absolute.
        lock_timeout: How long the program waits for the lock of the state.
        parallelism: Resources at once; 0 leaves it to the program.
    """

    path: str
    ref: str = ""
    workspace: str = "default"
    var_files: tuple[str, ...] = ()
    vars: dict[str, Any] = {}
    env: dict[str, str] = {}
    secret_env: dict[str, str] = {}
    account: str = ""
    binary: str = ""
    backend_config: dict[str, str] = {}
    lock_timeout: str = "5s"
    parallelism: int = 0


def stack_of(inventory: Inventory, name: str) -> Stack:
    """The stack of a name.

    Raises:
        NoMatch: There is none.
    """
    stack = inventory.stacks.get(name)
    if stack is None:
        raise NoMatch(f"no stack {name!r}", hint="see: ondeck get stacks")
    return stack


def options_of(stack: Stack) -> Options:
    """The options of a stack, checked.

    Raises:
        BadInput: One is missing, unknown or wrong; the message names the key.
    """
    where = f"stacks.{stack.name}"
    try:
        options = msgspec.convert(stack.options, Options, strict=False)
    except msgspec.ValidationError as error:
        raise BadInput(f"{where}: {error}", hint="docs/terraform.md lists the keys") from error
    for key, wrong in _wrong(options):
        raise BadInput(f"{where}.{key}: {wrong}")
    return options


def _wrong(options: Options) -> Iterator[tuple[str, str]]:
    """Keys with what is wrong about them."""
    if not options.path:
        yield "path", "it is empty: name the folder of its root module"
    if not _WORKSPACE.match(options.workspace):
        yield "workspace", f"{options.workspace!r} is not a name of a workspace"
    if not _LOCK_TIMEOUT.match(options.lock_timeout):
        yield "lock_timeout", f"expected 5s or 2m, found {options.lock_timeout!r}"
    if options.ref.startswith("-"):
        yield "ref", f"{options.ref!r} is not a ref"
    if not 0 <= options.parallelism <= 256:
        yield "parallelism", f"expected 0 to 256, found {options.parallelism}"
    yield from _wrong_env(options)
    for file in options.var_files:
        if Path(file).is_absolute() or ".." in Path(file).parts:
            yield "var_files", f"{file!r} has to lie inside its path, so that it is pinned too"


def _wrong_env(options: Options) -> Iterator[tuple[str, str]]:
    for name in {**options.env, **options.secret_env}:
        if not _NAME.match(name):
            yield "env", f"{name!r} is not a name of a variable"
    if both := sorted(set(options.env) & set(options.secret_env)):
        yield "env", f"{both[0]} stands in secret_env too"


def source_of(inventory: Inventory, options: Options) -> Path:
    """The folder of the root module as somebody keeps it; nothing is ever written there."""
    return (Path(inventory.revision.root) / Path(options.path).expanduser()).resolve()


def account_env(inventory: Inventory, stack: Stack, options: Options) -> dict[str, str]:
    """What the program gets of the account that the stack names.

    Raises:
        BadInput: There is no such account.
    """
    if not options.account:
        return {}
    account = inventory.accounts.get(options.account)
    if account is None:
        raise BadInput(f"stacks.{stack.name}.account: no account {options.account!r}")
    found = {}
    if profile := account.options.get("profile"):
        found["AWS_PROFILE"] = str(profile)
    regions = account.options.get("regions") or account.options.get("region")
    if regions:
        first = regions if isinstance(regions, str) else regions[0]
        found["AWS_REGION"] = found["AWS_DEFAULT_REGION"] = str(first)
    return found
