"""The exact argv for every host: one place for the plan that shows them and the apply that sends them."""

from __future__ import annotations

from ondeck.inventory.model import Deploy, Host, Service
from ondeck.job.plan import Command
from ondeck.operate.deploys.doors import door_argv
from ondeck.operate.deploys.survey import Survey
from ondeck.operate.wayback import Release
from providers.release import scripts
from providers.release.options import ByCommand, Options, ReleaseDir, for_host, words
from providers.release.work import Work

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
    version = work.release.version
    if not isinstance(options, ReleaseDir):
        return words(run, service, host, version)
    argv = words(run, service, host, version, options.path)
    return scripts.argv(scripts.MIGRATE, f"{options.path}/releases/{version}", name, then=argv)


def commands(found: Survey, host: Host, work: Work) -> list[Command]:
    """Everything that will be sent for one host, in its order."""
    if host.name in work.unchanged:
        return []
    options = for_host(found.options, host)
    become = options.as_user()
    user = become.user if become else ""
    pairs = [
        *((argv, note, user) for argv, note in _before(found, options, host, work)),
        *((argv, note, as_user) for argv, note, as_user in _around(found, options, host, work, user)),
    ]
    if isinstance(options, ReleaseDir) and (gone := work.prune.get(host.name)):
        argv = scripts.argv(scripts.PRUNE, options.path, *gone)
        pairs.append((argv, f"at the end: remove {', '.join(gone)}", user))
    return [
        Command(target=host.name, argv=tuple(argv), become=as_user, note=note)
        for argv, note, as_user in pairs
        if argv
    ]


def _before(found: Survey, options: Options, host: Host, work: Work) -> list[tuple[list[str], str]]:
    """What is sent while the old release still serves."""
    result = []
    if isinstance(options, ReleaseDir) and work.release.version and host.name not in work.present:
        result.extend(_unpacking(options, work))
    for name in work.migrations:
        note = f"{name}, once, on the first host" if _once(found.deploy, name) else name
        result.append((migration_argv(found.service, options, host, work, name), note))
    return result


def _around(
    found: Survey, options: Options, host: Host, work: Work, user: str
) -> list[tuple[list[str], str, str]]:
    """Drain, the change, undrain."""
    service, deploy = found.service, found.deploy
    where = f" on {deploy.drain_on}" if deploy.drain_on else ""
    result = []
    if work.operation in _DRAINING:
        result.append((door_argv(service, deploy, host, "drain"), f"drain{where}", ""))
    if work.operation not in ("service.drain", "service.undrain"):
        note = (
            "restart" if work.operation == "service.restart" else "switch and restart, as one detached step"
        )
        if isinstance(options, ByCommand):
            note = f"deploy, on the {options.on}"
        result.append((change_argv(service, options, host, work, ATTEMPT), note, user))
    if work.operation in _UNDRAINING:
        result.append((door_argv(service, deploy, host, "undrain"), f"undrain{where}, once healthy", ""))
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
