"""The app that the pty tests run: `python -m tests.tui.guarded_app MODE FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tui.app import terminal

terminal.set_environment(terminal.sniff())

from textual.app import ComposeResult  # noqa: E402
from textual.widgets import DataTable, Header, Label, Static  # noqa: E402

from ondeck.observe.records import Level, LogLine  # noqa: E402
from tests.tui.payloads import PAYLOADS  # noqa: E402
from tui.app import theming  # noqa: E402
from tui.app.guard import GuardedApp  # noqa: E402
from tui.app.logview import LogView, Marker  # noqa: E402
from tui.app.table import Column, LiveTable, row  # noqa: E402
from tui.app.terminal_run import CrashReports, run_guarded  # noqa: E402


class Lines:
    """A store of a few lines."""

    first_id = 0
    generation = 0

    def __init__(self, lines: list[LogLine | Marker]) -> None:
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    def line(self, index: int) -> LogLine | Marker:
        return self.lines[index]


class Probe(GuardedApp, CrashReports, theming.ThemedApp):
    CSS = "DataTable { height: 8; } LiveTable { height: 8; } LogView { height: 8; } Static, Label { height: auto; }"

    def __init__(self, mode: str, folder: Path) -> None:
        super().__init__()
        self.mode = mode
        self.crash_folder = folder / "crash"
        self.use_themes(theming.load(), "dark")

    def compose(self) -> ComposeResult:
        if self.mode != "hostile":
            yield Static("READY", markup=False)
            return
        yield Header()
        everything = " ".join(PAYLOADS.values())
        box = Static(everything, markup=False)
        box.border_title = everything.replace("[", "(")
        box.styles.border = ("round", "white")
        yield box
        yield Label(everything, markup=False)
        yield DataTable()
        yield LiveTable([Column("a", PAYLOADS["title"]), Column("b", "B")])
        yield LogView(
            Lines(
                [LogLine(1, text, Level.WARN, text) for text in PAYLOADS.values()] + [Marker(0, everything)]
            )
        )

    def on_mount(self) -> None:
        if self.mode == "hostile":
            self.title = PAYLOADS["title"]
            table = self.query_one(DataTable)
            from rich.text import Text

            table.add_column(Text(PAYLOADS["clipboard"]))
            for text in PAYLOADS.values():
                table.add_row(Text(text), key=None)
                self.notify(text, markup=False, timeout=60)
            self.query_one(LiveTable).set_rows(
                row(f"k{at}", (text, "bad"), text) for at, text in enumerate(PAYLOADS.values())
            )
            self.query_one(LogView).flush()
            self.set_timer(1.0, lambda: self.mount(Static("READY", markup=False)))
        if self.mode == "flood":
            self.set_interval(0.02, self.flood)
        if self.mode == "noise":
            os.write(2, b"NOISE-FROM-A-LIBRARY\n")

    def flood(self) -> None:
        self.query_one(Static).styles.height = "1fr"
        self.query_one(Static).update("x" * 1500 + str(id(object())))
        self.screen.refresh()

    def key_c(self) -> None:
        canary = os.environ.get("CANARY", "") + "-local"
        raise RuntimeError("broke on purpose") if canary else ValueError

    def key_q(self) -> None:
        self.exit(3)


def main() -> int:
    """Run one mode."""
    folder = Path(sys.argv[2])
    app = Probe(sys.argv[1], folder)
    return run_guarded(app, log=folder / "stderr.log", closing=lambda: (folder / "closed").touch())


if __name__ == "__main__":
    raise SystemExit(main())
