"""Commands that an environment lists as reads: which command lines that covers, and which lists are too wide."""

from __future__ import annotations

from ondeck.inventory.model import Environment

ANY = "*"
"""As the last word of an entry: any further arguments."""

_RUNNERS = """
    sh bash dash zsh ksh fish env sudo su doas pkexec ssh xargs nohup timeout nice ionice setsid
    watch eval exec busybox chroot nsenter unshare strace python python3 perl ruby node lua awk gawk
    mawk
"""
"""Programs that run whatever they are told to."""
_WRITERS = """
    find sed tee dd curl wget tar cp mv ln rm install rsync crontab systemctl docker podman kubectl
    ip mount date hostname hostnamectl timedatectl sysctl dmesg journalctl git apt apt-get dnf yum
    rpm dpkg vi vim less more man psql mysql redis-cli
"""
"""Programs with arguments that write, or that open a shell."""
_SHOWERS = """
    cat head tail grep zcat strings xxd od base64 cut sort nl tac
"""
"""Programs that show any file that is named to them."""


def is_read(environment: Environment | None, argv: tuple[str, ...], become: str = "") -> bool:
    """True when an entry covers this command line.

    An entry is exactly its words; one that ends in `*` covers any further arguments. Through sudo a command is
    only a read where the entry says sudo as well: `sudo ss -tlnp`, or `sudo -u app ...` for another user than root.

    Args:
        environment: Whose list it is; None lists nothing.
        argv: The command.
        become: The user that it is run as; empty means the login's own.
    """
    listed = environment.read_commands if environment is not None else ()
    line = (*_sudo(become), *argv)
    return any(_covers(entry, line) for entry in listed)


def _sudo(become: str) -> tuple[str, ...]:
    if not become:
        return ()
    return ("sudo",) if become == "root" else ("sudo", "-u", become)


def _covers(entry: tuple[str, ...], line: tuple[str, ...]) -> bool:
    if not entry or entry[-1] != ANY:
        return bool(entry) and entry == line
    head = entry[:-1]
    return bool(head) and line[: len(head)] == head


def too_wide(entry: tuple[str, ...]) -> str:
    """What is wrong with calling that a read; empty when nothing is known to be."""
    words = entry
    if words[:1] == ("sudo",):
        words = words[3:] if words[1:2] == ("-u",) else words[1:]
    program = words[0].rpartition("/")[2] if words else ""
    if program in ("", ANY):
        return "runs anything"
    if program in _RUNNERS.split():
        return f"{program} runs whatever it is told to"
    if words[-1] != ANY:
        return ""
    if program in _SHOWERS.split():
        return f"{program} shows any file that is named to it, also secrets"
    if program in _WRITERS.split() and len(words) == 2:
        return f"{program} has arguments that change things"
    return ""
