"""Where the work on a stack is kept on this machine: private to who runs ondeck, never in anybody's tree.

`work/terraform/STACK` of the state folder::

    trees/COMMIT/        checkouts of pinned commits; `.terraform` of each stays in it between runs
    plans/ID.tfplan      plan files as they were shown; a plan file holds sensitive values in clear
    states/              copies of states, from before and after each change
    state/               the state itself, of a stack that declares no backend
    vars/                variables of the inventory, by their digest
    begun/ATTEMPT        what of an unsaved state lay there before an attempt began
    seen.json            states as they were seen, without values
"""

from __future__ import annotations

from pathlib import Path

ERRORED = "errored.tfstate"
"""What the program leaves in its folder when a state could not be saved: never deleted by us."""
KEPT_STATES = 20


class Folders:
    """Paths of one stack below its work folder."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def _made(self, name: str) -> Path:
        path = self.work / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    @property
    def trees(self) -> Path:
        """Checkouts by commit."""
        return self._made("trees")

    @property
    def plans(self) -> Path:
        """Plan files."""
        return self._made("plans")

    @property
    def states(self) -> Path:
        """Copies of states."""
        return self._made("states")

    @property
    def own_state(self) -> Path:
        """The state of a stack that declares no backend."""
        return self._made("state") / "terraform.tfstate"

    @property
    def vars(self) -> Path:
        """Variables of the inventory, as the program reads them: a file of each, so no plan changes another's."""
        return self._made("vars")

    def begun(self, attempt: str) -> Path:
        """What lay there before an attempt began; see `unsaved`."""
        return self._made("begun") / attempt

    @property
    def seen(self) -> Path:
        """States as they were seen."""
        return self.work / "seen.json"

    @property
    def refused(self) -> Path:
        """The lock that kept the program out when it was last tried."""
        return self.work / "lock.json"

    @property
    def drift(self) -> Path:
        """What the last look for drift found."""
        return self.work / "drift.json"

    def errored(self) -> list[Path]:
        """States that could not be saved and wait for somebody, oldest first."""
        found = self.trees.glob(f"*/**/{ERRORED}") if any(self.trees.iterdir()) else iter(())
        kept = [path for path in found if ".terraform" not in path.parts]
        return sorted(kept, key=lambda path: path.stat().st_mtime)

    def unsaved(self, module: Path) -> str:
        """Which state that could not be saved lies in the folder of a run; empty when none does."""
        try:
            found = (module / ERRORED).stat()
        except FileNotFoundError:
            return ""
        return f"{found.st_ino} {found.st_mtime_ns} {found.st_size}"

    def left_by(self, attempt: str, module: Path) -> Path | None:
        """The state that an attempt could not save; one that lay there before it began is not its own."""
        now = self.unsaved(module)
        try:
            before = self.begun(attempt).read_text()
        except FileNotFoundError:
            before = ""
        return module / ERRORED if now and now != before else None

    def holds(self, tree: Path) -> bool:
        """A checkout holds a state that waits for somebody."""
        return any(path.is_relative_to(tree) for path in self.errored())

    def spare_states(self) -> list[Path]:
        """Copies of states beyond what is kept, oldest first."""
        copies = sorted(self.states.glob("*.tfstate"), key=lambda path: path.stat().st_mtime)
        return copies[: max(0, len(copies) - KEPT_STATES)]
