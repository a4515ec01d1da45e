"""What goes over the wire: bytes on a real pseudo-terminal of 120 x 40 cells."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.startup import inventory
from tests.tui.pty_process import PtyProcess
from tui.app import terminal


def child() -> int:
    terminal.set_environment(terminal.sniff())
    from textual.app import ComposeResult

    from tui.app import theming
    from tui.app.guard import GuardedApp
    from tui.app.rows import Part
    from tui.app.table import Column, LiveTable, row
    from tui.app.terminal_run import run_guarded

    class Screen(GuardedApp, theming.ThemedApp):
        changed = 0

        def compose(self) -> ComposeResult:
            yield LiveTable([Column(str(number), f"COLUMN {number}", min=12) for number in range(8)])

        def on_mount(self) -> None:
            self.query_one(LiveTable).set_rows(
                row(f"host-{at}", f"host-{at}", ("ok", "ok"), *["12 %"] * 6) for at in range(60)
            )

        def key_u(self) -> None:
            self.changed += 1
            share = f"{40 + self.changed} %"
            cells: list[Part] = ["host-7", ("lost", "lost"), *[(share, "warn")] * 6]
            self.query_one(LiveTable).update_row("host-7", cells)

        def key_q(self) -> None:
            self.exit(0)

    app = Screen()
    app.use_themes(theming.load(), "dark")
    return run_guarded(app)


def app_idle() -> tuple[float, str]:
    """Three seconds of the whole app on 10,000 hosts that nobody looks at: its clock is all that moves."""
    with tempfile.TemporaryDirectory() as temp:
        folder = Path(temp) / "inv"
        folder.mkdir()
        inventory(folder, 10_000)
        env = {"HOME": temp, "ONDECK_INVENTORY": str(folder), "ONDECK_STATE": f"{temp}/state"}
        with PtyProcess("tests.tui.ondeck_main", env=env, size=(80, 24)) as process:
            process.read_until(b"FLEET")
            process.read(4.0)
            idle = process.read(3.0)
            process.send(b"q")
            process.ended(5)
    return float(len(idle)), "the clock, once a second"


def measure() -> list[tuple[str, float, str]]:
    """Bytes of a row of which every cell changed, and of three idle seconds."""
    environ = {"COLORTERM": "truecolor"}
    with PtyProcess("benchmarks.bytes", "child", size=(120, 40), env=environ) as process:
        process.read_until(b"host-30")
        process.read(1.0)
        first = len(process.output)
        idle = len(process.read(3.0))
        process.send(b"u")
        changed = len(process.read(0.6))
        process.send(b"q")
        process.ended(5)
    return [
        ("app_idle_3s", *app_idle()),
        ("row_changed", float(changed), "7 of 8 cells, exact colours"),
        ("idle_3s", float(idle), f"first paint {first} bytes"),
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        raise SystemExit(child())
    for line in measure():
        print(*line)
