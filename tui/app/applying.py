"""Which keys would do something for what is selected: the rest is not worth a place in the hint line."""

from __future__ import annotations

from tui.app.panes.job_orders import pointless
from tui.app.session import Session
from tui.app.views import OF_PLACES, Kind, Selected

_THINGS = (Kind.HOST, Kind.SERVICE)


def applies(session: Session, chosen: Selected, name: str) -> bool:
    """True when an action means something for what is selected now; actions that need nothing always do."""
    group, _, what = name.partition(".")
    if group == "job":
        job = session.job(chosen.name) if chosen.kind is Kind.JOB else None
        return job is not None and not pointless(job, what)
    match name:
        case "go.open":
            return _opens(chosen)
        case "do.deploy" | "do.rollback" | "do.apply":
            meant = chosen.kind is Kind.PLACE if what == "apply" else bool(services_of(session, chosen))
            return meant and not session.settings.read_only
        case "do.actions":
            return chosen.kind in (*_THINGS, Kind.PLACE, Kind.THING)
        case "see.metrics" | "see.describe":
            return chosen.kind in _THINGS
        case "do.run":
            return bool(hosts_of(chosen))
        case "do.shell":
            return len(hosts_of(chosen)) == 1
        case "see.logs":
            return chosen.kind in _THINGS or bool(services_of(session, chosen))
        case "copy.name":
            return bool(chosen.name)
        case _:
            return True


def _opens(chosen: Selected) -> bool:
    kinds = (*_THINGS, Kind.JOB, Kind.THING, Kind.LINE)
    return bool(chosen.name) and (chosen.kind in kinds or chosen.section in OF_PLACES)


def hosts_of(chosen: Selected) -> tuple[str, ...]:
    """Hosts that it stands on."""
    return chosen.hosts or ((chosen.name,) if chosen.kind is Kind.HOST else ())


def services_of(session: Session, chosen: Selected) -> tuple[str, ...]:
    """Services that an operation on it may mean."""
    match chosen.kind:
        case Kind.SERVICE:
            return (chosen.name,)
        case Kind.JOB:
            job = session.job(chosen.name)
            return (job.subject,) if job is not None and "@" in job.subject else ()
        case Kind.HOST:
            return session.services_on(chosen.name)
        case _:
            return ()
