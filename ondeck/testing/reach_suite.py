"""What every transport promises, as tests: subclass `ReachSuite`, name the provider, give it a `place`.

```python
class TestMine(ReachSuite):
    provider = "mine"

    @pytest.fixture
    def place(self) -> Place: ...
```

The other end must be this machine (over whatever the transport is), because the suite looks for
processes that must be gone and for files that must be there. Give it settings with a timescale of
about 0.1: the grace between TERM and KILL is five seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from ondeck.errors import BadInput, Missing, OndeckError, RemoteFailed
from ondeck.inventory.model import Host, Inventory
from ondeck.reach.ports import Completed, Fd, Link, Transport
from ondeck.settings import Settings
from ondeck.testing.secretly_suite import SecretlyPromises
from ondeck.testing.suite import PortSuite


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A host of an inventory that the transport can reach: this machine."""

    inventory: Inventory
    settings: Settings
    host: Host


def alive(mark: str) -> bool:
    """True while a process runs that has this word in its environment or arguments."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        # Only the command itself, not the shells around it that carry it as an argument.
        if mark.encode() in words and words[0] == b"sleep":
            return True
    return False


async def gone(mark: str, seconds: float = 8.0) -> bool:
    """True as soon as no such process runs."""
    for _ in range(int(seconds / 0.05)):
        if not alive(mark):
            return True
        await asyncio.sleep(0.05)
    return False


async def started(mark: str) -> None:
    """Wait until such a process runs."""
    for _ in range(200):
        if alive(mark):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never started")


def unique() -> str:
    """A number of seconds that no other process sleeps for."""
    return f"7777.{uuid4().int % 10**12:012d}"


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(one.name for one in folder.iterdir())


@asynccontextmanager
async def shouting() -> AsyncIterator[str]:
    """A unix socket that says everything again in capital letters, at a path short enough to forward."""
    with tempfile.TemporaryDirectory(prefix="ondeck-suite-") as folder:

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65_536):
                writer.write(data.upper())
                await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(answer, Path(folder, "socket"))
        async with server:
            yield str(Path(folder, "socket"))


async def say(path: str, data: bytes) -> bytes:
    """What a socket answers to this, to the end; empty when it cuts the line at once."""
    reader, writer = await asyncio.open_unix_connection(path)

    async def give() -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    answer, _ = await asyncio.gather(reader.read(-1), give())
    writer.close()
    return answer


class ReachSuite(SecretlyPromises, PortSuite):
    """The promises of `Link`, and of what hands secrets to a command over one."""

    capability = "reach"

    @pytest.fixture
    async def link(self, provided: Transport, place: Place) -> AsyncIterator[Link]:
        """A link that the provider's transport opened."""
        reach = provided.open(place.inventory, place.settings)
        try:
            opened = await reach.connect(place.host)
            yield opened
            await opened.aclose()
        finally:
            await reach.aclose()

    @pytest.mark.parametrize("status", [0, 1, 2, 125, 255])
    async def test_the_exit_status_is_the_command_s(self, link: Link, status: int) -> None:
        """Every status arrives as it is, and only 0 is ok."""
        done = await link.run(["sh", "-c", f"exit {status}"])
        assert (done.status, done.ok) == (status, status == 0)

    async def test_a_program_that_is_not_there_is_127(self, link: Link) -> None:
        """As a shell says it."""
        assert (await link.run(["/nonexistent/program"])).status == 127

    async def test_a_signal_is_never_a_success_and_has_its_name(self, link: Link) -> None:
        """Killed is not ended."""
        done = await link.run(["sh", "-c", "kill -KILL $$"])
        assert not done.ok
        assert done.signal == "KILL"

    async def test_streams_stay_apart(self, link: Link) -> None:
        """Output and errors do not mix."""
        done = await link.run(["sh", "-c", "echo out; echo err >&2"])
        assert (done.stdout, done.stderr) == (b"out\n", b"err\n")

    async def test_bytes_that_are_not_utf8_arrive_and_hurt_nobody(self, link: Link) -> None:
        """One bad byte must not end the connection."""
        done = await link.run(["printf", "ok\\377\\376\\000\\033[31mbad"])
        assert done.stdout == b"ok\xff\xfe\x00\x1b[31mbad"
        assert (await link.run(["true"])).ok

    async def test_words_arrive_as_they_are(self, link: Link) -> None:
        """No shell reads a value."""
        words = ["", " ", "a b", "$HOME", "`id`", "'", '"', "\\", "*", "-n", "ä\n", ";rm", "!x", "%s"]
        done = await link.run(["printf", "[%s]", *words])
        assert done.stdout.decode() == "".join(f"[{word}]" for word in words)

    async def test_variables_arrive_as_they_are(self, link: Link) -> None:
        """Whatever the other end accepts from strangers."""
        done = await link.run(["sh", "-c", 'printf %s "$A_B"'], env={"A_B": "x 'y' $z\n"})
        assert done.stdout == b"x 'y' $z\n"

    async def test_a_nul_byte_is_refused(self, link: Link) -> None:
        """No argument can hold one."""
        with pytest.raises(BadInput):
            await link.run(["echo", "a\0b"])

    async def test_input_arrives_whole_and_ends(self, link: Link) -> None:
        """A command that reads to the end sees the end."""
        data = os.urandom(300_000)
        done = await link.run(["sha256sum"], stdin=data)
        assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()

    async def test_a_command_without_input_does_not_wait_for_any(self, link: Link) -> None:
        """It sees an empty input."""
        assert (await link.run(["cat"], timeout=60)).stdout == b""

    async def test_a_command_that_does_not_read_its_input_still_ends(self, link: Link) -> None:
        """Unread input is no error."""
        assert (await link.run(["true"], stdin=b"x" * 100_000)).ok

    async def test_a_line_of_ten_megabytes_is_bounded_and_counted(self, link: Link) -> None:
        """More than the limit is counted, not kept."""
        done = await link.run(["head", "-c", "10000000", "/dev/zero"], limit=1000, timeout=200)
        assert (len(done.stdout), done.dropped, done.status) == (1000, 9_999_000, 0)

    async def test_many_at_once_all_answer(self, link: Link) -> None:
        """More than a connection has sessions for."""
        done = await asyncio.gather(*(link.run(["echo", str(n)], timeout=200) for n in range(30)))
        assert [one.stdout for one in done] == [f"{n}\n".encode() for n in range(30)]

    async def test_a_timeout_really_ends_it_even_when_it_ignores_term(self, link: Link) -> None:
        """TERM, a moment, KILL to the whole group."""
        mark = unique()
        script = f'trap "" TERM; sleep {mark} & sleep {mark}'
        with pytest.raises(TimeoutError):
            await link.run(["sh", "-c", script], timeout=4)
        assert await gone(mark)

    async def test_a_cancel_really_ends_it(self, link: Link) -> None:
        """Also its children."""
        mark = unique()
        task = asyncio.ensure_future(link.run(["sh", "-c", f"sleep {mark}; true"], timeout=600))
        await started(mark)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await gone(mark)

    async def test_leaving_a_stream_really_ends_it(self, link: Link) -> None:
        """Although it has input and output open."""
        mark = unique()
        async with link.stream(["sh", "-c", f"echo hi; sleep {mark}; true"]) as stream:
            async for chunk in stream:
                assert chunk.data == b"hi\n"
                break
            await started(mark)
        assert await gone(mark)

    async def test_closing_the_link_ends_what_runs(self, link: Link) -> None:
        """Nothing stays behind."""
        mark = unique()
        task = asyncio.ensure_future(link.run(["sleep", mark], timeout=6000))
        await started(mark)
        await link.aclose()
        ended = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(ended, BaseException) or not ended.ok
        assert not isinstance(ended, AssertionError)
        assert await gone(mark)
        assert link.closed

    @pytest.mark.parametrize("steps", [1, 2, 4, 6, 8, 11, 14, 18])
    async def test_closing_the_link_while_a_command_starts_ends_it_too(
        self, provided: Transport, place: Place, steps: int
    ) -> None:
        """At whatever moment between the asking and the running; another link to the host stays."""
        reach = provided.open(place.inventory, place.settings)
        try:
            kept, closing = await reach.connect(place.host), await reach.connect(place.host)
            mark = unique()
            task = asyncio.ensure_future(closing.run(["sleep", mark], timeout=6000))
            for _ in range(steps):
                await asyncio.sleep(0)
            await closing.aclose()
            ended = (await asyncio.gather(task, return_exceptions=True))[0]
            assert isinstance(ended, (OndeckError, Completed))
            assert not (isinstance(ended, Completed) and ended.ok)
            assert await gone(mark)
            assert (await kept.run(["true"])).ok
        finally:
            await reach.aclose()

    async def test_a_stream_gives_every_byte_then_the_status(self, link: Link) -> None:
        """However slow its reader is."""
        total = 0
        script = "head -c 3000000 /dev/zero; echo end >&2; exit 5"
        async with link.stream(["sh", "-c", script]) as stream:
            async for chunk in stream:
                total += len(chunk.data) if chunk.fd is Fd.OUT else 0
                if total < 500_000:
                    await asyncio.sleep(0.001)
            done = await stream.wait()
        assert (total, done.status) == (3_000_000, 5)

    async def test_what_is_sent_to_a_stream_is_read_by_it(self, link: Link) -> None:
        """Line by line, both ways."""
        script = "while read -r x; do echo got $x; [ $x = end ] && exit 3; done"
        seen = b""
        async with link.stream(["sh", "-c", script], relay=True) as stream:
            await stream.send(b"one\n")
            async for chunk in stream:
                seen += chunk.data
                if seen == b"got one\n":
                    await stream.send(b"end\n")
            assert (await stream.wait()).status == 3
        assert seen == b"got one\ngot end\n"

    async def test_a_stream_that_does_not_relay_has_no_input(self, link: Link) -> None:
        """Who reads sees the end at once instead of waiting for somebody to type."""
        async with link.stream(["sh", "-c", "cat; echo done; exit 4"]) as stream:
            seen = b"".join([chunk.data async for chunk in stream])
            done = await stream.wait()
        assert (seen, done.status) == (b"done\n", 4)

    async def test_a_file_comes_back_as_it_was_written(self, link: Link, tmp_path: Path) -> None:
        """With mode and checksum."""
        path, data = str(tmp_path / "a b'c"), os.urandom(70_000)
        await link.write_file(path, data, mode=0o600)
        assert await link.read_file(path) == data
        facts = await link.stat(path, digest=True)
        assert facts is not None
        assert (facts.size, facts.mode) == (70_000, 0o600)
        assert facts.sha256 == hashlib.sha256(data).hexdigest()

    async def test_an_empty_file_can_be_written(self, link: Link, tmp_path: Path) -> None:
        """Zero bytes are content too."""
        await link.write_file(str(tmp_path / "empty"), b"")
        assert (tmp_path / "empty").read_bytes() == b""

    async def test_writing_replaces_whole_and_leaves_nothing_beside(self, link: Link, tmp_path: Path) -> None:
        """A reader sees the old or the new file."""
        path = tmp_path / "file"
        path.write_text("old")
        with path.open() as old:
            await link.write_file(str(path), b"new")
            assert old.read() == "old"
        assert names(tmp_path) == ["file"]

    async def test_a_write_that_cannot_be_is_an_error_and_changes_nothing(
        self, link: Link, tmp_path: Path
    ) -> None:
        """No folder, or a folder in its place."""
        with pytest.raises(RemoteFailed):
            await link.write_file(str(tmp_path / "none" / "file"), b"x")
        (tmp_path / "folder").mkdir()
        with pytest.raises(RemoteFailed):
            await link.write_file(str(tmp_path / "folder"), b"x")
        assert names(tmp_path) == ["folder"]

    async def test_a_missing_file_is_told_from_one_that_is_too_large(
        self, link: Link, tmp_path: Path
    ) -> None:
        """Missing, or refused."""
        assert await link.stat(str(tmp_path / "none")) is None
        with pytest.raises(Missing):
            await link.read_file(str(tmp_path / "none"))
        (tmp_path / "large").write_bytes(b"x" * 1001)
        with pytest.raises(RemoteFailed):
            await link.read_file(str(tmp_path / "large"), limit=1000)

    async def test_a_pipe_a_device_or_a_folder_is_refused_without_waiting_for_it(
        self, link: Link, tmp_path: Path
    ) -> None:
        """Opening a pipe waits, and /dev/zero never ends."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("pipe")
        for path in (str(tmp_path / "pipe"), str(tmp_path / "link"), str(tmp_path), "/dev/zero"):
            with pytest.raises(RemoteFailed, match=f"{path} is not a regular file"):
                await link.stat(path, digest=True)
            with pytest.raises(RemoteFailed, match=f"{path} is not a regular file"):
                await link.read_file(path)
        with pytest.raises(RemoteFailed, match="pipe is not a regular file"):
            await link.write_file(str(tmp_path / "pipe"), b"x")
        assert names(tmp_path) == ["link", "pipe"]

    async def test_a_link_to_nowhere_is_neither_there_nor_absent(self, link: Link, tmp_path: Path) -> None:
        """Its reader is told where it leads."""
        (tmp_path / "link").symlink_to("nothere")
        with pytest.raises(RemoteFailed, match="link is a link to nothere, which does not exist"):
            await link.stat(str(tmp_path / "link"))
        (tmp_path / "circle").symlink_to("circle")
        with pytest.raises(RemoteFailed, match="circle is a link to circle, which does not exist"):
            await link.read_file(str(tmp_path / "circle"))

    async def test_a_socket_of_the_host_is_a_local_path_that_carries_every_byte(self, link: Link) -> None:
        """Both ways, for many at once."""
        async with shouting() as path, link.forward_socket(path) as local:
            said = [os.urandom(300_000).replace(b"i", b"") + f"call {n}".encode() for n in range(12)]
            heard = await asyncio.gather(*(say(local, one) for one in said))
            assert list(heard) == [one.upper() for one in said]

    async def test_nobody_else_can_open_a_forwarded_socket_and_it_goes_with_its_context(
        self, link: Link
    ) -> None:
        """A folder of our own, removed when the context is left."""
        async with shouting() as path:
            async with link.forward_socket(path) as local:
                own = local != path
                assert not own or Path(local).parent.stat().st_mode & 0o777 == 0o700
            assert not own or not Path(local).parent.exists()
            assert (await link.run(["true"])).ok

    async def test_a_socket_that_cannot_be_forwarded_says_why_at_once(
        self, link: Link, tmp_path: Path
    ) -> None:
        """Before anybody talks to nothing."""
        (tmp_path / "file").touch()
        for path in (str(tmp_path / "none"), str(tmp_path / "file")):
            if len(path) > 100:
                continue
            with pytest.raises(Missing, match="there is no socket"):
                async with link.forward_socket(path):
                    pass
        for path in ("relative", "/with:colon", "/" + "x" * 200):
            with pytest.raises(BadInput):
                async with link.forward_socket(path):
                    pass

    async def test_closing_the_link_ends_what_it_forwards(self, link: Link) -> None:
        """Nobody comes through any more."""
        async with shouting() as path, link.forward_socket(path) as local:
            assert await say(local, b"one") == b"ONE"
            await link.aclose()
            if local != path:
                try:
                    assert await say(local, b"two") == b""
                except OSError:
                    return  # refused, reset or gone
