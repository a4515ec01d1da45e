from __future__ import annotations

import json

from ondeck.inventory.model import Host
from providers.linux import changes, units
from providers.linux.facts_parse import Samples

HOST = Host(name="web-1", env="prod")
NS = 10**9

SAMPLE = """@kernel
Linux 6.1.0
@os
PRETTY_NAME="Debian GNU/Linux 12"
@cores
2
@time
1000.5
@boot
b-1
@stat
cpu  100 0 100 800 0 0 0 0 0 0
@memory
MemTotal:       1000 kB
MemAvailable:    250 kB
@load
0.50 0.1 0.1 1/1 1
@uptime
100.00 1.0
@network
    lo: 9 0 0 0 0 0 0 0 9 0
  eth0: 1000 0 0 0 0 0 0 0 500 0
@space
Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/a 100 90 10 90% /my data
tmpfs 100 0 100 0% /run
@inodes
Filesystem Inodes IUsed IFree IUse% Mounted on
/dev/a 100 20 80 20% /my data
@end
"""


def test_a_sample_cut_anywhere_is_the_same_sample() -> None:
    whole = Samples("web-1").feed(SAMPLE.encode(), 1000 * NS)
    assert len(whole) == 1
    found = whole[0]
    assert (found.memory, found.load1, found.cores, found.clock_offset) == (0.75, 0.5, 2, 0.5)
    assert found.disks == {"/my data": (0.9, 0.2, 10 * 1024)}
    assert found.os == "Debian GNU/Linux 12"
    assert found.cpu is None
    assert found.network is None
    for cut in range(0, len(SAMPLE), 7):
        samples = Samples("web-1")
        assert (
            samples.feed(SAMPLE.encode()[:cut], 1000 * NS) + samples.feed(SAMPLE.encode()[cut:], 1000 * NS)
            == whole
        )


def test_shares_and_rates_are_since_the_sample_before() -> None:
    samples = Samples("web-1")
    samples.feed(SAMPLE.encode(), NS)
    later = SAMPLE.replace("cpu  100 0 100 800", "cpu  150 0 125 825").replace("100.00 1.0", "110.00 1.0")
    found = samples.feed(later.replace("1000 0 0", "3000 0 0").encode(), 3 * NS)[0]
    assert found.cpu == 0.75
    assert found.network == (200.0, 0.0)


def test_what_cannot_be_read_is_not_known_and_not_zero() -> None:
    found = Samples("web-1").feed(b"@stat\ngarbage\n@memory\n@load\nx\n@end\n", NS)[0]
    assert (found.cpu, found.memory, found.load1, found.uptime, found.network) == (None,) * 5


def test_units_come_failed_first_and_what_is_not_accounted_is_not_known() -> None:
    text = (
        "btime 1000\n"
        "Id=nginx.service\nActiveState=active\nSubState=running\nMemoryCurrent=[not set]\nMainPID=7\n"
        "LoadState=loaded\nStateChangeTimestampMonotonic=5000000\nNRestarts=2\n"
        "\n"
        "ActiveState=failed\nId=app.service\nSubState=failed\nMemoryCurrent=18446744073709551615\n"
        "\n"
        "Id=gone.service\nLoadState=not-found\nActiveState=inactive\n"
    )
    found = units.parse("web-1", text)
    assert [(unit.name, unit.active, unit.memory) for unit in found] == [
        ("app", "failed", None),
        ("nginx", "active", None),
    ]
    assert (found[1].since, found[1].restarts, found[1].pid) == (1005 * NS, 2, 7)


def test_a_stop_and_a_start_are_one_restart() -> None:
    ids = {text: number for number, text in changes.MESSAGES.items()}
    rows = [
        (10, "stopped", "nginx.service"),
        (11, "started", "nginx.service"),
        (12, "failed", "app.service"),
        (13, "started", "dev.mount"),
    ]
    data = "\n".join(
        json.dumps({"__REALTIME_TIMESTAMP": str(at * 10**6), "MESSAGE_ID": ids[text], "UNIT": unit})
        for at, text, unit in rows
    )
    found = changes.unit_changes(HOST, f"not json\n{data}".encode())
    assert [(c.time, c.subject, c.text) for c in found] == [
        (11 * NS, "nginx", "restarted"),
        (12 * NS, "app", "failed"),
    ]


def test_package_history_is_read_in_the_zone_of_the_host_with_who_asked() -> None:
    text = (
        "dpkg +0100\n"
        "2026-11-24 02:40:05 upgrade nginx:amd64 1.24.0 1.26.1\n"
        "2026-11-24 05:00:00 remove curl:amd64 8.0 <none>\n"
        "@history\n"
        "Start-Date: 2026-11-24  02:40:00\n"
        "Commandline: /usr/bin/unattended-upgrade\n"
        "End-Date: 2026-11-24  02:40:09\n"
    )
    found = changes.package_changes(HOST, text)
    assert [(c.subject, c.text, c.who) for c in found] == [
        ("nginx", "1.24.0 -> 1.26.1", "unattended-upgrade"),
        ("curl", "removed 8.0", ""),
    ]
    assert found[0].time == 1_795_484_405 * NS
    assert changes.package_changes(HOST, "rpm\n1000 bash 5.2-1\n")[0].time == 1000 * NS


def test_boots_are_counted_once() -> None:
    text = (
        "btime 1795484400\n"
        "reboot   system boot  6.1.0  2026-11-24T01:40:20+00:00 still running\n"
        "reboot   system boot  6.1.0  2026-11-20T01:00:00+00:00 - crash\n"
    )
    assert [c.time // NS for c in changes.boot_changes(HOST, text)] == [1_795_136_400, 1_795_484_400]
