"""Repositories with stacks, made on the spot: built-in `terraform_data` and `local-exec` only, so nothing is fetched.

Their resources write what they do into a folder (`effects`), and wait while a file `slow` lies there: a test, or a
person who plays, decides how long an apply takes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_WHO = {
    "GIT_AUTHOR_NAME": "lab",
    "GIT_AUTHOR_EMAIL": "lab@example.net",
    "GIT_COMMITTER_NAME": "lab",
    "GIT_COMMITTER_EMAIL": "lab@example.net",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}

NET = """
variable "size" {
  type    = number
  default = 3
}
variable "token" {
  type      = string
  sensitive = true
  default   = "s3cret-token"
}
variable "effects" { type = string }

resource "terraform_data" "vpc" {
  input = { cidr = "10.0.0.0/16", tags = { team = "net", "cost/centre" = "17" } }
}

resource "terraform_data" "login" {
  input = { user = "net", password = var.token }
}

module "web" {
  source  = "../modules/web"
  size    = var.size
  effects = var.effects
}

output "cidr" { value = terraform_data.vpc.output.cidr }
output "token" {
  value     = var.token
  sensitive = true
}
"""

WEB = """
variable "size" { type = number }
variable "effects" { type = string }

resource "terraform_data" "node" {
  count            = var.size
  input            = { index = count.index, colour = "blue" }
  triggers_replace = "v1"
  provisioner "local-exec" {
    command = <<-EOT
      echo ${count.index} >>"${var.effects}/count"; echo $$ >"${var.effects}/pid.${count.index}"
      i=0; while [ -f "${var.effects}/slow" ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done
      [ ! -f "${var.effects}/fail.${count.index}" ] || { echo refused >&2; exit 3; }
      touch "${var.effects}/done.${count.index}"
    EOT
  }
}
"""

HTTP_BACKEND = 'terraform {\n  backend "http" {}\n}\n'
LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'


def missing() -> str:
    """Why stacks cannot be played with here; empty when they can."""
    for tool in ("terraform", "git"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return ""


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, deaf to whatever the user configured."""
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        env={**os.environ, **_WHO},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout.decode().strip()


class Repository:
    """A repository of stacks below `net/` and modules below `modules/`."""

    def __init__(self, folder: Path, files: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "-b", "main")
        self.commit(files or {"net/main.tf": NET, "modules/web/main.tf": WEB}, "Begin the network")

    def commit(self, files: Mapping[str, str], message: str) -> str:
        """Write files and commit them; the commit."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        """The commit that is checked out."""
        return git(self.folder, "rev-parse", "HEAD")


def many(number: int) -> str:
    """One module with so many resources, for what has to stay quick when plans are long."""
    return (
        f'resource "terraform_data" "many" {{\n  count = {number}\n'
        '  input = { index = count.index, name = "node-${count.index}", zone = "eu-${count.index % 3}", '
        'tags = { team = "net", tier = "web" } }\n}\n'
    )
