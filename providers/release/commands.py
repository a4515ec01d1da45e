"""The exact argv for every host: one place for the plan that shows them and the apply that sends them."""

from __future__ import annotations

from ondeck.inventory.model import Deploy, Host, Service
from ondeck.operate.plan import Command
from providers.release import scripts
from providers.release.options import ByCommand, Options, ReleaseDir, words
from providers.release.survey import Survey
from providers.release.work import Release, Work

ATTEMPT = "ATTEMPT"
"""Stands in the plan where the attempt's id comes, which is not known yet."""

_DRAINING = ("service.deploy", "service.rollback", "service.restart", "service.drain")
_UNDRAINING = ("service.deploy", "service.rollback", "service.restart", "service.undrain")


def change_argv(
    service: Service, options: Options, host: Host, work: Work, attempt: str, release: Release | None = None
) -> list[str]:
    """The one step that changes what runs: switch and restart, or the team's command, or a restart.

    Args:
        service: The service.
        options: Its checked deploy options.
        host: The host it is for.
        work: The plan's data.
        attempt: Id of the attempt.
        release: In place of the plan's own, when going back.
    """
    to = release or work.release
    restart = words(options.restart_argv(), service, host, to.version)
    if work.operation == "service.restart":
        return restart
    if isinstance(options, ReleaseDir):
        return scripts.argv(scripts.SWITCH, options.path, to.version, attempt, to.sha256, then=restart)
    back = release is not None or work.operation == "service.rollback"
    chosen = options.rollback if back and options.rollback else options.deploy
    return words(chosen, service, host, to.version)


def migration_argv(service: Service, options: Options, host: Host, work: Work, name: str) -> list[str]:
    """A command that runs before the deploy."""
    deploy = service.deploy
    assert deploy is not None
    run = next(m.run for m in deploy.before if m.name == name)
    path = options.path if isinstance(options, ReleaseDir) else ""
    return words(run, service, host, work.release.version, path)


def drain_argv(service: Service, deploy: Deploy, host: Host, verb: str) -> list[str]:
    """The drain or undrain command of a host; empty when there is none."""
    return words(deploy.drain if verb == "drain" else deploy.undrain, service, host)


def commands(found: Survey, host: Host, work: Work) -> list[Command]:
    """Everything that will be sent for one host, in its order."""
    if host.name in work.unchanged:
        return []
    service, options, deploy = found.service, found.options, found.deploy
    become = options.as_user()
    user = become.user if become else ""
    result: list[Command] = []

    def add(argv: list[str], note: str, *, as_user: str = user) -> None:
        if argv:
            result.append(Command(target=host.name, argv=tuple(argv), become=as_user, note=note))

    if isinstance(options, ReleaseDir) and work.release.version and host.name not in work.present:
        for argv, note in _unpacking(options, work):
            add(argv, note)
    for name in work.migrations:
        note = f"{name}, once, on the first host" if _once(deploy, name) else name
        add(migration_argv(service, options, host, work, name), note)
    where = f" on {deploy.drain_on}" if deploy.drain_on else ""
    if work.operation in _DRAINING:
        add(drain_argv(service, deploy, host, "drain"), f"drain{where}", as_user="")
    if work.operation not in ("service.drain", "service.undrain"):
        note = (
            "restart" if work.operation == "service.restart" else "switch and restart, as one detached step"
        )
        where_runs = " (on the bastion)" if isinstance(options, ByCommand) and options.on == "bastion" else ""
        add(change_argv(service, options, host, work, ATTEMPT), note + where_runs)
    if work.operation in _UNDRAINING:
        add(drain_argv(service, deploy, host, "undrain"), f"undrain{where}, once healthy", as_user="")
    if gone := work.prune.get(host.name):
        assert isinstance(options, ReleaseDir)
        add(scripts.argv(scripts.PRUNE, options.path, *gone), f"at the end: remove {', '.join(gone)}")
    return result


def _unpacking(options: ReleaseDir, work: Work) -> list[tuple[list[str], str]]:
    upload = f"{options.path}/.ondeck/incoming-{ATTEMPT}.tar"
    unpack = (options.path, work.release.version, ATTEMPT, work.release.sha256, options.user)
    return [
        (scripts.argv(scripts.PREPARE, options.path), "make the folders"),
        (scripts.argv(scripts.PIECE, upload, "0"), "upload, in pieces of 4 MiB on standard input"),
        (scripts.argv(scripts.UNPACK, *unpack), "check the sum, unpack beside, move in place"),
    ]


def _once(deploy: Deploy, name: str) -> bool:
    return any(m.name == name and m.on == "one" for m in deploy.before)
