"""What every transport promises for secrets: a part of `ReachSuite`, which has the link.

The other end is this machine, so its /proc shows what every process has among its words.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from ondeck.errors import BadInput, RemoteFailed
from ondeck.reach import secretly
from ondeck.reach.detached import Detached, Stage
from ondeck.reach.ports import Fd, Link
from ondeck.secret import Secret
from ondeck.settings import Settings

_numbers = itertools.count()

ODD = {
    "LINES": "first\nsecond\n\n",
    "QUOTED": 'it\'s "$(id)" `id` $HOME \\ * ;',
    "EMPTY": "",
    "DOT": "\n.\n",
    "UTF8": "grün Á \x81\x88\x7f",
    "DASH_N": "-n",
    "LONG_ONE": "x" * 60_000 + "\n",
}
"""Values that a shell, a line or a buffer could break."""


def shown(value: str) -> list[str]:
    """Command lines of this machine that hold a value."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if value.encode() in words:
            found.append(str(path))
    return found


@asynccontextmanager
async def watched(value: str) -> AsyncIterator[None]:
    """Look at every command line again and again; none may ever hold the value."""
    seen: list[str] = []

    async def look() -> None:
        while True:
            seen.extend(shown(value))
            await asyncio.sleep(0.002)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert not seen


@contextmanager
def door(folder: Path) -> Iterator[tuple[list[str], Callable[[], None]]]:
    """A command that says that it runs and waits for a file, then prints $PASS_WORD; and what opens the door."""
    path = folder / f"door-{uuid4().hex}"
    script = 'echo runs; while [ ! -e "$0" ]; do sleep 0.05 || sleep 1; done; printf %s "$PASS_WORD"'
    try:
        yield ["sh", "-c", script, str(path)], path.touch
    finally:
        path.touch()


class SecretlyPromises:
    """Secrets reach a command of any transport, and nobody else."""

    @pytest.fixture
    def job(self, link: Link, tmp_path: Path) -> Detached:
        """A claim of its own on the other end."""
        settings = Settings(state=tmp_path, cache=tmp_path, config=tmp_path, timescale=0.2)
        return Detached(link, f"secret-{os.getpid()}-{next(_numbers)}-{uuid4().hex[:8]}", settings)

    @pytest.mark.parametrize("name", ODD)
    async def test_a_secret_arrives_as_it_is_and_the_input_after_it(self, link: Link, name: str) -> None:
        """Whatever a shell would make of it."""
        secrets = {name: Secret(ODD[name]), "OTHER": Secret("beside")}
        script = f'printf "[%s]" "${name}" "$OTHER"; cat'
        done = await secretly.run(link, ["sh", "-c", script], secret_env=secrets, stdin=b"rest\0\n.\n")
        assert done.ok
        assert done.stdout == f"[{ODD[name]}][beside]".encode() + b"rest\0\n.\n"

    async def test_no_process_has_a_secret_among_its_words(self, link: Link, tmp_path: Path) -> None:
        """Neither while it is handed over nor while the command runs."""
        value = uuid4().hex
        secrets = {"PASS_WORD": Secret(value)}
        async with watched(value):
            with door(tmp_path) as (argv, opens):
                running = asyncio.create_task(secretly.run(link, argv, secret_env=secrets, timeout=100))
                await asyncio.sleep(0.5)
                assert shown(value) == []
                opens()
                done = await running
        assert done.stdout == b"runs\n" + value.encode()

    async def test_a_stream_has_its_secret_and_no_input(self, link: Link) -> None:
        """Its reader sees the end at once."""
        script = 'cat; printf %s "$PASS_WORD"; exit 4'
        secrets = {"PASS_WORD": Secret("line\n'")}
        async with secretly.stream(link, ["sh", "-c", script], secret_env=secrets) as stream:
            seen = b"".join([chunk.data async for chunk in stream if chunk.fd is Fd.OUT])
            done = await stream.wait()
        assert (seen, done.status) == (b"line\n'", 4)

    async def test_what_cannot_stand_in_an_environment_is_refused_without_being_shown(
        self, link: Link
    ) -> None:
        """NUL, too large a value, a name that the shell needs."""
        for name, value in (
            ("A_B", "se\0cret"),
            ("A_B", "secret" * 30_000),
            ("PATH", "secret"),
            ("A-B", "x"),
        ):
            with pytest.raises(BadInput) as told:
                await secretly.run(link, ["env"], secret_env={name: Secret(value)})
            assert "secret" not in str(told.value).replace("the secret for", "").replace("a secret", "")

    async def test_secrets_that_do_not_arrive_whole_start_nothing(self, link: Link, tmp_path: Path) -> None:
        """Half a password is none."""
        whole = secretly.packed({"PASS_WORD": Secret("0123456789")})
        script = secretly.READ + 'exec "$@"'
        for part in range(len(whole) - 1):
            if part % 5 == 0 or part > len(whole) - 4:
                done = await link.run(
                    ["sh", "-c", script, "sh", "touch", str(tmp_path / "ran")], stdin=whole[:part]
                )
                assert done.status == secretly.CUT_SHORT
                assert b"0123" not in done.stderr
        assert not (tmp_path / "ran").exists()

    async def test_a_host_without_what_reads_them_is_told_and_shows_none(self, link: Link) -> None:
        """A shell that took half of it for a name would print it in its complaint."""
        whole = secretly.packed({"PASS_WORD": Secret("0123456789\nabc=def")})
        done = await link.run(["sh", "-c", "dd() { return 127; }\n" + secretly.READ], stdin=whole)
        assert done.status == secretly.CUT_SHORT
        assert done.stdout + done.stderr == b""

    async def test_a_detached_command_has_its_secrets_and_leaves_none(
        self, link: Link, job: Detached, tmp_path: Path
    ) -> None:
        """In no command line and no file, while it runs and after it."""
        value, told = uuid4().hex, bytearray()
        secrets = {"PASS_WORD": Secret(value)}
        async with watched(value):
            with door(tmp_path) as (argv, opens):
                await job.launch(["sh", "-c", f"{argv[2]} | wc -c", argv[3]], secret_env=secrets)
                assert await self._left(link, value) == b""
                opens()
                await job.follow(lambda data, err: told.extend(data))
        look = await job.look()
        assert (look.stage, look.status, bytes(told)) == (Stage.ENDED, 0, b"runs\n32\n")
        assert await self._left(link, value) == b""

    async def test_a_killed_detached_command_leaves_no_secret(self, link: Link, job: Detached) -> None:
        """Killed with all that watched it; a look and a tidying up find none either."""
        value = uuid4().hex
        await job.launch(["sleep", "600"], secret_env={"PASS_WORD": Secret(value)})
        look = await job.stop(signal="KILL")
        assert look.stage is Stage.ENDED
        assert await self._left(link, value) == b""
        await job.forget()
        assert (await job.look(take=True)).stage is Stage.ABSENT

    async def _left(self, link: Link, value: str) -> bytes:
        """Files of the state folder on the other end that hold a value."""
        script = 'grep -rlF -f - "$HOME/.local/state/ondeck"; test $? -ne 2'
        done = await link.run(["sh", "-c", script], stdin=value.encode() + b"\n")
        assert done.ok
        return done.stdout

    @pytest.mark.parametrize("name", ODD)
    async def test_a_detached_command_gets_a_secret_as_it_is(
        self, link: Link, job: Detached, name: str
    ) -> None:
        """With the same odd values."""
        told = bytearray()
        await job.launch(["sh", "-c", f'printf %s "${name}"'], secret_env={name: Secret(ODD[name])})
        await job.follow(lambda data, err: told.extend(data))
        assert bytes(told) == ODD[name].encode()

    async def test_a_detached_command_works_where_it_is_told_to(
        self, link: Link, job: Detached, tmp_path: Path
    ) -> None:
        """A folder with spaces; one that is not there starts nothing and claims nothing."""
        told, place = bytearray(), tmp_path / "a b'c"
        with pytest.raises(RemoteFailed, match="cannot work in"):
            await job.launch(["pwd"], cwd=str(place))
        assert (await job.look()).stage is Stage.ABSENT
        with pytest.raises(BadInput):
            await job.launch(["pwd"], cwd="relative")
        place.mkdir()
        await job.launch(["pwd"], cwd=str(place))
        await job.follow(lambda data, err: told.extend(data))
        assert bytes(told).decode() == f"{place}\n"

    async def test_a_signal_to_the_leader_reaches_nobody_else(
        self, link: Link, job: Detached, tmp_path: Path
    ) -> None:
        """A tool that ends its own children in order must be the only one that hears it."""
        waits = "while :; do sleep 0.05 || sleep 1; done"
        child = f"trap 'echo child heard; exit' HUP; echo up > {tmp_path}/up; {waits}"
        script = f"trap 'echo leader heard; exit 9' HUP; sh -c \"$0\" & {waits}"
        told = bytearray()
        await job.launch(["sh", "-c", script, child])
        while not (tmp_path / "up").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        look = await job.stop(signal="HUP", leader=True, grace=50)
        await job.follow(lambda data, err: told.extend(data))
        assert (look.stage, look.status) == (Stage.ENDED, 9)
        assert bytes(told) == b"leader heard\n"

    async def test_who_does_not_end_on_its_signal_is_ended_all_the_same(
        self, link: Link, job: Detached
    ) -> None:
        """The signal, then TERM, then KILL."""
        await job.launch(["sh", "-c", "trap '' HUP TERM; while :; do sleep 0.05 || sleep 1; done"])
        look = await job.stop(signal="HUP", leader=True, grace=1)
        assert (look.stage, look.status) == (Stage.ENDED, 137)
        with pytest.raises(BadInput):
            await job.stop(signal="no such")
