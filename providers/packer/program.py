"""The program of a build, run on this machine in a checkout of its pinned commit."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ondeck.bench import Bench
from ondeck.errors import Missing, RemoteFailed
from ondeck.inventory.model import Build
from ondeck.reach import secretly
from ondeck.reach.checkout import Pinned, check_out, pin
from ondeck.reach.ports import Completed, Link
from ondeck.secret import Secret
from ondeck.text import decode, safe_line
from providers.packer.options import Options, build_of, options_of, source_of
from providers.packer.shelf import Shelf, write_private
from providers.packer.stream import unescaped

LEAST = (1, 6)
_WHERE = "the package packer, or https://developer.hashicorp.com/packer/install"
_NUMBERS = re.compile(r"(\d+)\.(\d+)")
_SECONDS = 300.0
_OLD = 7200.0
"""Seconds: a plan is good for an hour."""
_SOCKET_ROOM = 80


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A build whose checkout is there."""

    build: Build
    options: Options
    shelf: Shelf
    link: Link
    pinned: Pinned
    folder: Path
    version: str
    bench: Bench

    def env(self) -> dict[str, str]:
        """What the program gets beside the secrets; its scripts and its cache lie with us."""
        return {
            "CHECKPOINT_DISABLE": "1",
            "PACKER_NO_COLOR": "1",
            "PACKER_CACHE_DIR": str(self.bench.work_folder("packer-cache")),
            "TMPDIR": short(self.bench.work_folder("packer-tmp"), self.folder),
            **self.options.env,
        }

    async def secret_env(self) -> Mapping[str, Secret]:
        """Variables whose values are secrets."""
        wanted = self.options.secret_env
        return {name: await self.bench.secret(reference) for name, reference in wanted.items()}

    def template(self) -> list[str]:
        """Flags for variables and builders, then the template."""
        words = [f"-var-file={file}" for file in self.options.var_files]
        if self.options.vars:
            # Named by what they are: what is planned later never changes what an earlier plan was shown with.
            data = msgspec.json.encode(self.options.vars, order="sorted")
            file = self.shelf.vars / f"{hashlib.sha256(data).hexdigest()[:32]}.pkrvars.json"
            write_private(file, data)
            _tidy(file)
            words.append(f"-var-file={file}")
        if self.options.only:
            words.append(f"-only={','.join(self.options.only)}")
        return [*words, self.options.template]

    async def run(self, *words: str) -> Completed:
        """Run it to its end in the checkout, attached."""
        argv = [
            "sh",
            "-c",
            'cd "$1" && shift && exec "$@"',
            "sh",
            str(self.folder),
            self.options.binary,
            *words,
        ]
        secrets = await self.secret_env()
        if not secrets:
            return await self.link.run(argv, env=self.env(), timeout=_SECONDS, limit=8 << 20)
        return await secretly.run(
            self.link, argv, secret_env=secrets, env=self.env(), timeout=_SECONDS, limit=8 << 20
        )

    async def validate(self) -> None:
        """Have the template checked.

        Raises:
            RemoteFailed: It is wrong.
        """
        done = await self.run("validate", *self.template())
        if not done.ok:
            said = decode(done.stderr + done.stdout).strip().splitlines()
            raise RemoteFailed(f"packer validate: {safe_line(' '.join(filter(None, said))[:500])}")

    async def builders(self) -> list[str]:
        """Names of the builders that will run; empty when the program does not tell them."""
        done = await self.run("inspect", "-machine-readable", *(self.template()[-1:]))
        return chosen(sources(decode(done.stdout)), self.options.only)


def _tidy(file: Path) -> None:
    """Older files go when no plan can be started any more that names them."""
    for old in file.parent.glob("*.pkrvars.json"):
        if old != file and time.time() - old.stat().st_mtime > _OLD:
            old.unlink(missing_ok=True)


def short(folder: Path, cwd: Path) -> str:
    """A folder for the sockets of the program's plugins: Linux takes no path of a socket beyond 107 bytes.

    What is too long for that is said relative to where the program runs.
    """
    return str(folder) if len(str(folder)) <= _SOCKET_ROOM else os.path.relpath(folder, cwd)


def sources(said: str) -> list[str]:
    """Builders out of `inspect`: prose for HCL, `template-builder` lines for JSON templates."""
    found = []
    for line in said.splitlines():
        parts = line.split(",", 3)
        if len(parts) == 4 and parts[2] == "template-builder":
            found.append(safe_line(parts[3].partition(",")[0]))
        elif len(parts) == 4 and parts[2] == "ui":
            block = (
                unescaped(parts[3].partition(",")[2]).partition("sources:")[2].partition("provisioners:")[0]
            )
            block = block.partition("post-processors:")[0]
            found += [safe_line(word) for word in block.split() if word != "<no" and "." in word]
    return list(dict.fromkeys(found))


def chosen(names: list[str], only: tuple[str, ...]) -> list[str]:
    """Those that `only` leaves."""
    from fnmatch import fnmatchcase

    return [name for name in names if not only or any(fnmatchcase(name, pattern) for pattern in only)]


async def set_up(bench: Bench, name: str, *, ref: str = "") -> Ready:
    """Pin the commit and check it out; changes nothing in anybody's tree.

    Raises:
        BadInput: The build's options are wrong, or it has no such ref.
        Missing: The program or git is not installed, or too old.
    """
    build = build_of(bench.inventory, name)
    options = options_of(build)
    link = await bench.here()
    version = await version_of(link, options, name)
    shelf = Shelf(bench.work_folder("packer", name))
    source = source_of(bench.inventory, options)
    pinned = await pin(link, source, ref or options.ref)
    folder = await check_out(link, source, pinned, shelf.trees, bench.settings, holds=shelf.holds)
    return Ready(
        build=build,
        options=options,
        shelf=shelf,
        link=link,
        pinned=pinned,
        folder=folder,
        version=version,
        bench=bench,
    )


async def version_of(link: Link, options: Options, name: str) -> str:
    """Its version, e.g. `1.6.6`.

    Raises:
        Missing: It is not installed, or too old.
        RemoteFailed: It does not tell.
    """
    done = await link.run([options.binary, "version", "-machine-readable"], env={"CHECKPOINT_DISABLE": "1"})
    if done.status in (126, 127):
        raise Missing(
            f"{options.binary} is not there or cannot be run on this machine",
            hint=f"install {_WHERE}; or name its path: builds.{name}.binary",
        )
    lines = [line.split(",") for line in decode(done.stdout).splitlines()]
    said = next((parts[3] for parts in lines if len(parts) > 3 and parts[2] == "version"), "")
    numbers = _NUMBERS.match(said)
    if numbers is None:
        raise RemoteFailed(f"{options.binary} does not tell its version")
    if (int(numbers[1]), int(numbers[2])) < LEAST:
        raise Missing(
            f"{options.binary} is {safe_line(said)}, too old: {'.'.join(map(str, LEAST))} is the least",
            hint=f"install {_WHERE}",
        )
    return safe_line(said)
