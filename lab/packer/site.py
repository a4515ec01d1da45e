"""An inventory of builds over a repository made on the spot, for `ondeck` as a person uses it."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.terraform.stacks import Repository

IMAGE = """
variable "version" {
  type    = string
  default = "1.0"
}
variable "effects" { type = string }
variable "token" {
  type      = string
  default   = ""
}

source "file" "image" {
  content = "image ${var.version}"
  target  = "out/image-${var.version}.img"
}
source "null" "check" { communicator = "none" }

build {
  sources = ["source.file.image", "source.null.check"]
  provisioner "shell-local" {
    environment_vars = ["EFFECTS=${var.effects}"]
    inline = [
      "echo built, once >>$EFFECTS/count; echo one, two; echo oops >&2",
      "i=0; while [ -f $EFFECTS/slow ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done",
      "[ ! -f $EFFECTS/fail ]",
    ]
  }
  post-processor "manifest" { output = "manifest.json" }
}
"""


def missing() -> str:
    """Why builds cannot be played with here; empty when they can."""
    for tool in ("packer", "git"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return ""


class BuildSite:
    """A build `golden`; `effects` is a folder that its script writes into and waits in.

    Attributes:
        environment: Variables for `ondeck`.
    """

    def __init__(self, base: Path, *, more: str = "") -> None:
        self.base = base
        self.effects = base / "effects"
        self.effects.mkdir(parents=True)
        self.repository = Repository(base / "repo", {"image/image.pkr.hcl": IMAGE})
        self.environment = {"ONDECK_INVENTORY": str(base / "inventory"), "ONDECK_STATE": str(base / "state")}
        (base / "inventory").mkdir()
        keys = f"path: ../repo/image, ref: main, vars: {{effects: {self.effects}}}, manifest: manifest.json"
        (base / "inventory/ondeck.yml").write_text(
            "ondeck: 1\nenvironments:\n  prod: {protection: {'*': confirm}}\n"
            f"builds:\n  golden: {{kind: packer, env: prod, {keys}{', ' + more if more else ''}}}\n"
        )

    def begun(self) -> int:
        """How many builders ran the script."""
        file = self.effects / "count"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def wait_here(self) -> None:
        """From now on builders take until `go_on`."""
        (self.effects / "slow").touch()

    def go_on(self) -> None:
        """Let builders come to their end."""
        (self.effects / "slow").unlink(missing_ok=True)
