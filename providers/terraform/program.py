"""The program of a stack, `terraform` or `tofu`, run on this machine in the stack's own checkout."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ondeck.bench import Bench
from ondeck.errors import BadInput, Missing, RemoteFailed
from ondeck.inventory.model import Stack
from ondeck.reach.checkout import alone
from ondeck.reach.ports import Completed, Link
from ondeck.secret import Secret
from ondeck.text import decode, safe_line
from providers.terraform import state as states
from providers.terraform.folders import Folders
from providers.terraform.options import KINDS, Options, account_env
from providers.terraform.state import State
from providers.terraform.stream import unframed

LEAST = {"terraform": (1, 3), "tofu": (1, 6)}
"""Older ones lack what is read here of plans and streams."""
_WHERE = {
    "terraform": "https://developer.hashicorp.com/terraform/install",
    "tofu": "https://opentofu.org/docs/intro/install/",
}
SECONDS = 3600.0
_LARGEST = 512 << 20
_SHORT = 120.0
_OLD = 7200.0
"""Seconds: a plan is good for an hour."""
_BACKEND = re.compile(r'^\s*(?:backend\s+"[^"]+"|cloud)\s*\{', re.MULTILINE)
_OVERRIDE = "ondeck_override.tf"
_READY = "ondeck-ready"
_UNPINNED = "ondeck-unpinned"
LOCK_FILE = ".terraform.lock.hcl"
_NUMBERS = re.compile(r"(\d+)\.(\d+)")


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """Where the state is, as `init` wrote it down."""

    type: str
    config: dict[str, Any] = {}

    def local_state(self, workspace: str) -> Path | None:
        """The file of the state, where it is one on this machine."""
        if self.type != "local":
            return None
        path = self.config.get("path")
        if workspace == "default":
            return Path(path) if path else None
        folder = self.config.get("workspace_dir")
        return Path(folder) / workspace / "terraform.tfstate" if folder else None

    def words(self) -> str:
        """`local, /srv/net.tfstate`; nothing that may hold a key."""
        shown = next(
            (self.config[k] for k in ("path", "address", "bucket", "organization") if self.config.get(k)), ""
        )
        return safe_line(f"{self.type}, {shown}" if shown else self.type)


class Program:
    """Runs the program for one stack; every run gets the same environment."""

    def __init__(self, bench: Bench, stack: Stack, options: Options, link: Link, folders: Folders) -> None:
        self.bench = bench
        self.stack = stack
        self.options = options
        self.link = link
        self.folders = folders
        self.binary = options.binary or KINDS[stack.kind]
        self._secrets: dict[str, Secret] | None = None

    def env(self, *, workspace: bool = True) -> dict[str, str]:
        """What the program gets beside the secrets."""
        env = {
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "TF_PLUGIN_CACHE_DIR": str(self._plugins()),
            **account_env(self.bench.inventory, self.stack, self.options),
            **self.options.env,
        }
        if workspace and self.options.workspace != "default":
            env["TF_WORKSPACE"] = self.options.workspace
        return env

    def _plugins(self) -> Path:
        return self.bench.work_folder("terraform-plugins")

    async def secret_env(self) -> Mapping[str, Secret]:
        """Variables whose values are secrets."""
        if self._secrets is None:
            wanted = self.options.secret_env
            self._secrets = {name: await self.bench.secret(reference) for name, reference in wanted.items()}
        return self._secrets

    async def run(
        self,
        module: Path,
        *words: str,
        timeout: float = SECONDS,
        limit: int = 8 << 20,
        workspace: bool = True,
    ) -> Completed:
        """Run it to its end in a module's folder, attached: it ends with us.

        Raises:
            Missing: It is not installed.
        """
        argv = in_folder(module, [self.binary, *words])
        env, secrets = self.env(workspace=workspace), await self.secret_env()
        if secrets:
            from ondeck.reach import secretly

            done = await secretly.run(
                self.link, argv, secret_env=secrets, env=env, timeout=timeout, limit=limit
            )
        else:
            done = await self.link.run(argv, env=env, timeout=timeout, limit=limit)
        if done.status in (126, 127):
            raise self._missing()
        if done.dropped:
            raise RemoteFailed(f"{self.binary} {words[0]} said more than {limit >> 20} MiB")
        return done

    def _missing(self) -> Missing:
        kind = self.stack.kind
        return Missing(
            f"{self.binary} is not there or cannot be run on this machine",
            hint=f"install {kind} {'.'.join(map(str, LEAST[kind]))} or newer ({_WHERE[kind]}), "
            f"or name its path: stacks.{self.stack.name}.binary",
        )

    async def version(self) -> str:
        """Its version, e.g. `1.11.4`.

        Raises:
            Missing: It is not installed, or too old.
        """
        done = await self.link.run([self.binary, "version", "-json"], env=self.env(), timeout=_SHORT)
        if done.status in (126, 127):
            raise self._missing()
        try:
            said = str(msgspec.json.decode(done.stdout)["terraform_version"])
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise RemoteFailed(f"{self.binary} does not tell its version: {words_of(done)}") from error
        numbers = _NUMBERS.match(said)
        least = LEAST[self.stack.kind]
        if numbers is None or (int(numbers[1]), int(numbers[2])) < least:
            raise Missing(
                f"{self.binary} is {safe_line(said)}, too old: {'.'.join(map(str, least))} is the least",
                hint=f"install a newer one ({_WHERE[self.stack.kind]}), "
                f"or name its path: stacks.{self.stack.name}.binary",
            )
        return safe_line(said)

    # --- setting up

    async def ready(self, module: Path, version: str) -> Backend:
        """Set the checkout up for its backend, once; `.terraform` stays there for the next time.

        Raises:
            RemoteFailed: `init` failed.
            BadInput: The stack's state would lie in the checkout, where the next one does not find it.
        """
        wanted = self._digest(version)
        if _read(module / ".terraform" / _READY) != wanted:
            async with alone(self.folders.trees, self.bench.settings, f"init of {self.stack.name}"):
                await self.init(module, version)
        return self._backend(module)

    def _digest(self, version: str) -> str:
        config = json.dumps([self.binary, version, self.options.backend_config], sort_keys=True)
        return hashlib.sha256(config.encode()).hexdigest()

    async def init(self, module: Path, version: str, *, upgrade: bool = False) -> str:
        """Run `init`; what it said."""
        pinned = (module / LOCK_FILE).exists() and not (module / ".terraform" / _UNPINNED).exists()
        words = ["init", "-input=false", "-no-color", "-reconfigure", *self._backend_words(module)]
        if upgrade:
            words.append("-upgrade")
        elif pinned:
            words.append("-lockfile=readonly")
        # All stacks share one plugin cache, which the vendor's page on CLI configuration calls not
        # guaranteed to be safe for several runs of `init` at once.
        async with alone(self._plugins(), self.bench.settings, f"init of {self.stack.name}"):
            done = await self.run(module, *words, workspace=False)
        if not done.ok:
            raise RemoteFailed(f"{self.binary} init: {words_of(done)}", where=self.stack.name)
        self._backend(module)
        (module / ".terraform").mkdir(exist_ok=True)
        if not pinned and (module / LOCK_FILE).exists():
            (module / ".terraform" / _UNPINNED).touch()
        (module / ".terraform" / _READY).write_text(self._digest(version))
        return decode(done.stdout)

    def _backend_words(self, module: Path) -> list[str]:
        """Flags of `init`: the backend's settings come from a file of ours, because argv is for everybody to see."""
        config = dict(self.options.backend_config)
        if not any(_BACKEND.search(_read(path)) for path in module.glob("*.tf") if path.name != _OVERRIDE):
            # Without a backend the state would lie in the checkout of one commit, lost to the next.
            (module / _OVERRIDE).write_text('terraform {\n  backend "local" {}\n}\n')
            config.setdefault("path", str(self.folders.own_state))
            config.setdefault("workspace_dir", str(self.folders.own_state.parent / "workspaces"))
        if not config:
            return []
        file = self.folders.work / "backend.hcl"
        lines = "".join(f"{key} = {hcl(value)}\n" for key, value in config.items())
        states.write_private(file, lines.encode())
        return [f"-backend-config={file}"]

    def _backend(self, module: Path) -> Backend:
        raw = _read(module / ".terraform" / "terraform.tfstate")
        try:
            backend = msgspec.convert(msgspec.json.decode(raw or "{}")["backend"], Backend)
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError):
            # A backend file is only written for a configured backend: `cloud` is one too.
            return Backend(type="unknown")
        where = backend.config.get("path")
        if backend.type == "local" and (not where or not Path(where).is_absolute()):
            raise BadInput(
                f"the state of {self.stack.name} would lie in the checkout ({where or 'no path'}), "
                "where the next commit does not find it",
                hint=f"say where it lies: stacks.{self.stack.name}.backend_config: {{path: /absolute/path}}",
            )
        return backend

    def unpinned(self, module: Path) -> bool:
        """The commit has no lock file, and `init` had to choose versions of providers."""
        return (module / ".terraform" / _UNPINNED).exists()

    def own_state(self, source: Path) -> str:
        """Why ondeck's own place for the state may be wrong: one lies in somebody's tree; empty when none does."""
        theirs = source / "terraform.tfstate"
        if self.folders.own_state.exists() or self.options.backend_config or not theirs.exists():
            return ""
        return f"{theirs} is there and is not used: no work is done in somebody's tree"

    async def check_workspace(self, module: Path) -> None:
        """Hold on when the workspace is not there: the program would take it for an empty one.

        Raises:
            BadInput: There is no such workspace.
        """
        wanted = self.options.workspace
        if wanted == "default":
            return
        done = await self.run(module, "workspace", "list", timeout=_SHORT, workspace=False)
        known = [line.lstrip("* ").strip() for line in decode(done.stdout).splitlines() if line.strip()]
        if not done.ok:
            raise RemoteFailed(f"{self.binary} workspace list: {words_of(done)}", where=self.stack.name)
        if wanted not in known:
            raise BadInput(
                f"stack {self.stack.name} has no workspace {wanted!r}: {', '.join(known)}",
                hint=f"make it with: ondeck stack init {self.stack.name}",
            )

    # --- reading

    async def pull(self, module: Path) -> tuple[State | None, bytes]:
        """The state as it is stored, and its bytes; None when there is none.

        Raises:
            RemoteFailed: It cannot be read.
        """
        done = await self.run(module, "state", "pull", limit=_LARGEST)
        if not done.ok:
            raise RemoteFailed(f"{self.binary} state pull: {words_of(done)}", where=self.stack.name)
        return await asyncio.to_thread(states.decoded, done.stdout), done.stdout

    async def show(self, module: Path, file: Path) -> bytes:
        """`show -json` of a plan file.

        Raises:
            RemoteFailed: It cannot be read, for example because another version made it.
        """
        done = await self.run(module, "show", "-json", str(file), limit=_LARGEST)
        if not done.ok:
            raise RemoteFailed(f"{self.binary} show: {words_of(done)}", where=self.stack.name)
        return done.stdout

    def variables(self) -> list[str]:
        """Flags for variables: files of the checkout, then those of the inventory, which win."""
        words = [f"-var-file={file}" for file in self.options.var_files]
        if (file := self.vars_file()) is not None:
            states.write_private(file, msgspec.json.encode(self.options.vars))
            _tidy(file)
            words.append(f"-var-file={file}")
        return words

    def vars_file(self) -> Path | None:
        """Where the inventory's variables lie for the program, named by what they are; None when there are none."""
        if not self.options.vars:
            return None
        digest = hashlib.sha256(msgspec.json.encode(self.options.vars, order="sorted")).hexdigest()
        return self.folders.vars / f"{digest[:32]}.json"  # the program reads JSON only out of such a name

    def waiting(self) -> list[str]:
        """Flags of whatever takes the lock of the state."""
        return [f"-lock-timeout={self.options.lock_timeout}"]


def _tidy(file: Path) -> None:
    """Older files go when no plan can be started any more that names them: they may hold values in clear."""
    for old in file.parent.glob("*.json"):
        if old != file and time.time() - old.stat().st_mtime > _OLD:
            old.unlink(missing_ok=True)


def in_folder(folder: Path, argv: list[str]) -> list[str]:
    """The argv that runs in a folder; values stay words of their own."""
    return ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(folder), *argv]


def words_of(done: Completed) -> str:
    """What it said that matters: its errors, without colours and frames."""
    return errors_in(decode(done.stderr or done.stdout)) or f"it ended with {done.status}"


def errors_in(text: str) -> str:
    """From the first error on, in one line; the whole where it names none."""
    lines = [line.strip() for line in unframed(text).splitlines()]
    from_error = next((i for i, line in enumerate(lines) if line.startswith("Error")), 0)
    said = " ".join(line for line in lines[from_error:] if line)
    return safe_line(said[:600])


def hcl(value: str) -> str:
    """A value as a string of HCL: nothing in it is a template."""
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
