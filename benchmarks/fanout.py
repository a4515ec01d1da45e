"""`ondeck exec -l env=bench -- uname -a` on 200 hosts against pyinfra, and what its parts cost.

The hosts are one OpenSSH server on 127.0.1.1 to 127.0.1.200 in a network namespace of its own (needs
root), so server and client share the processors: figures are ratios of one run. `wall_200` and `cpu_200`
are of what people run: the command line, its worker and all their children, and count only when the
job's record holds 200 exit statuses of 0. The inventory lists `uname -a` among its read commands, as
sample-inventory does; the note says once what the same command costs where it is not listed, so that it is
claimed on its hosts. `inner_cpu_200` is the transport alone.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tree import Cost, timed

if TYPE_CHECKING:
    from ondeck.inventory.model import Host, Inventory
    from ondeck.reach.ports import Link

HOSTS = 200
_PORT = 2222
_ROUNDS = 3


def _addresses() -> list[str]:
    return [f"127.0.1.{n}" for n in range(1, HOSTS + 1)]


def _loopback_up() -> None:
    """Bring `lo` of this namespace up: SIOCSIFFLAGS with IFF_UP | IFF_RUNNING, see netdevice(7)."""
    with socket.socket() as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x41))


def _inventory(folder: Path) -> Inventory:
    from ondeck.inventory.model import Environment, Host, Inventory, Revision, SshDefaults

    hosts = {
        f"web-{n}": Host(name=f"web-{n}", env="bench", address=address, port=_PORT, user="root")
        for n, address in enumerate(_addresses())
    }
    return Inventory(
        revision=Revision(root=str(folder)),
        ssh=SshDefaults(known_hosts=str(folder / "known_hosts"), config=str(folder / "ssh_config")),
        environments={"bench": Environment(name="bench")},
        hosts=hosts,
    )


async def _fan_out(folder: Path) -> dict[str, float]:
    from ondeck.settings import Settings
    from providers.ssh.reach import SshTransport

    inventory = _inventory(folder)
    settings = Settings(state=folder, cache=folder, config=folder)
    began, cpu = time.perf_counter(), time.process_time()
    reach = SshTransport().open(inventory, settings)
    links: list[Link] = []

    async def first(host: Host) -> int | None:
        link = await reach.connect(host)
        links.append(link)
        return (await link.run(["uname", "-a"])).status

    async def again(link: Link) -> int | None:
        return (await link.run(["uname", "-a"])).status

    statuses = await asyncio.gather(*map(first, inventory.hosts.values()))
    middle, middle_cpu = time.perf_counter(), time.process_time()
    statuses += await asyncio.gather(*map(again, links))
    end = time.perf_counter()
    if any(status != 0 for status in statuses):
        raise RuntimeError("not every host answered")
    return {"inner": middle - began, "inner_cpu": middle_cpu - cpu, "again": end - middle}


def _ondeck(folder: Path, env: dict[str, str], name: str) -> Cost:
    """One run of the command line on every host of an inventory, with the record it left looked at."""
    state = folder / f"state-{name}"
    argv = [str(Path(sys.executable).with_name("ondeck")), "-i", str(folder / name)]
    argv += ["exec", "-l", "env=bench", "-y", "--", "uname", "-a"]
    found = timed(argv, {**env, "ONDECK_STATE": str(state)})
    _check_record(state)
    if (lines := found.said.count(" Linux ")) != HOSTS:
        raise RuntimeError(f"{lines} hosts printed something: {found.said[-300:]}")
    return found


def _check_record(state: Path) -> None:
    """The newest job saw exit status 0 of every host."""
    from ondeck.record.store import Record
    from ondeck.settings import Settings

    job = Record(Settings(state=state, cache=state, config=state)).jobs(1)[0]
    good = sum(target.status == 0 for target in job.targets.values())
    if good != HOSTS or len(job.targets) != HOSTS:
        raise RuntimeError(f"job {job.id} saw {good} exit statuses of 0, not {HOSTS}")


def _write_inventories(folder: Path) -> None:
    """`read` lists uname among the read commands, `change` does not."""
    hosts = "".join(
        f"  web-{n}: {{env: bench, address: {address}, port: {_PORT}, user: root}}\n"
        for n, address in enumerate(_addresses())
    )
    for name, listed in (("read", "[uname -a]"), ("change", "[]")):
        (folder / name).mkdir()
        (folder / name / "ondeck.yml").write_text(
            f"ondeck: 1\nssh: {{known_hosts: {folder / 'known_hosts'}, config: {folder / 'ssh_config'}}}\n"
            f"environments:\n  bench: {{protection: confirm, read_commands: {listed}}}\nhosts:\n{hosts}"
        )


def _prepare(folder: Path) -> list[str]:
    for name in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "id.pub", folder / "authorized_keys")
    key = (folder / "host.pub").read_text().split(" ")[:2]
    (folder / "known_hosts").write_text(
        "".join(f"[{address}]:{_PORT} {' '.join(key)}\n" for address in _addresses())
    )
    (folder / "ssh_config").write_text(f"IdentityFile {folder / 'id'}\nIdentityAgent none\n")
    data = {
        "ssh_user": "root",
        "ssh_port": _PORT,
        "ssh_key": str(folder / "id"),
        "ssh_known_hosts_file": str(folder / "known_hosts"),
    }
    (folder / "hosts.py").write_text(f"bench = ({_addresses()!r}, {data!r})\n")
    (folder / "sshd_config").write_text(
        f"ListenAddress 0.0.0.0\nPort {_PORT}\nHostKey {folder / 'host'}\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nMaxStartups 1000\n"
        f"PasswordAuthentication no\nPermitRootLogin prohibit-password\nSetEnv HOME={folder}\n"
    )
    return ["/usr/sbin/sshd", "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")]


def _inside() -> dict[str, float]:
    _loopback_up()
    found: dict[str, list[float]] = {}
    pyinfra = shutil.which("pyinfra") or str(Path(sys.executable).with_name("pyinfra"))
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        server = subprocess.Popen(_prepare(folder), stdin=subprocess.DEVNULL)
        try:
            _wait()
            env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "HOME": temp}
            _write_inventories(folder)
            for number in range(_ROUNDS):
                for name in ("read", "change") if number == 0 else ("read",):
                    run = _ondeck(folder, env, name)
                    _keep(found, **{f"{name}_wall": run.wall, f"{name}_cpu": run.cpu})
                inner = timed([sys.executable, "-m", "benchmarks.fanout", "--inner", temp], env)
                _keep(found, **json.loads(inner.said))
                if Path(pyinfra).exists():
                    peer = [pyinfra, "-y", "--parallel", "64", str(folder / "hosts.py"), "exec", "--"]
                    run = timed([*peer, "uname", "-a"], env)
                    _keep(found, peer_wall=run.wall, peer_cpu=run.cpu)
        finally:
            server.terminate()
            server.wait()
    return {name: statistics.median(values) for name, values in found.items()}


def _keep(found: dict[str, list[float]], **figures: float) -> None:
    for name, figure in figures.items():
        found.setdefault(name, []).append(figure)


def _wait() -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.1.1", _PORT), 0.2).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("sshd did not come up")


def _config_cost() -> float:
    """Milliseconds that 100 blocks add to one host."""
    from providers.ssh.config import SshConfig

    with tempfile.TemporaryDirectory() as temp:
        path = Path(temp) / "config"
        path.write_text(
            "".join(f"Host web-{n}-* !web-{n}-x\n  User u{n}\n  Port {n + 1}\n" for n in range(100))
        )
        table = SshConfig()
        table.load(path)
        began = time.perf_counter()
        for n in range(2000):
            table.lookup(f"web-{n % 100}-{n}")
        return (time.perf_counter() - began) / 2000 * 1000


def measure() -> list[tuple[str, float, str]]:
    """Ours against pyinfra's, medians of three rounds, interleaved."""
    if os.geteuid() != 0 or not Path("/usr/sbin/sshd").exists():
        raise RuntimeError("needs root and openssh-server")
    argv = ["unshare", "--net", sys.executable, "-m", "benchmarks.fanout", "--inside"]
    done = subprocess.run(argv, capture_output=True, check=False, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-400:])
    got = json.loads(done.stdout.splitlines()[-1])
    rows = [
        ("second_command", got["again"] / got["inner"], f"{got['again']:.3f} s after {got['inner']:.3f} s"),
        ("config_100_blocks", _config_cost(), ""),
    ]
    if "peer_wall" in got:
        rows += [_ratio(name, got, *of) for name, of in _AGAINST.items()]
    return rows


_AGAINST = {
    "wall_200": ("read_wall", "peer_wall"),
    "cpu_200": ("read_cpu", "peer_cpu"),
    "inner_cpu_200": ("inner_cpu", "peer_cpu"),
}


def _ratio(name: str, got: dict[str, float], ours: str, peer: str) -> tuple[str, float, str]:
    note = f"{got[ours]:.2f} s, pyinfra {got[peer]:.2f} s"
    claimed = got.get(ours.replace("read", "change")) if ours.startswith("read") else None
    return name, got[ours] / got[peer], note + (f"; as a change {claimed:.2f} s" if claimed else "")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--inside"]:
            print(json.dumps(_inside()))
        case ["--inner", folder]:
            print(json.dumps(asyncio.run(_fan_out(Path(folder)))))
