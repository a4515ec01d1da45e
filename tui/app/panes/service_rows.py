"""The page of a service as lines: alone on its page, and beside the list of Now."""

from __future__ import annotations

from ondeck.inventory.model import Environment, Service
from ondeck.observe.fleet import fullest
from ondeck.observe.outliers import in_common
from ondeck.observe.records import ReleaseFacts
from tui.app.context import Desk
from tui.app.panes.pieces import (
    HOUR,
    change_rows,
    figure,
    health_word,
    healthy_word,
    jobs_rows,
    known_changes,
    on_hosts,
    sources,
    standing_of,
    versions_word,
    worst_first,
)
from tui.app.phrases import age
from tui.app.rows import BLANK, Column, Line, Part, Row, fit, grid, heading, row, rule
from tui.app.views import ServiceLook

SHOWN = 40


def service_rows(desk: Desk, subject: str, width: int) -> list[Row]:
    """Hosts worst first, releases, changes, jobs, needs, guards."""
    session = desk.session
    look = session.service(subject)
    service = session.inventory.services.get(look.name)
    rows = _head(desk, look, service, width)
    rows += [BLANK, heading("HOSTS, worst first", right=_data(desk, look)), *hosts_grid(desk, look, width)]
    rows += common_rows(desk, look, width)
    rows += [BLANK, heading("RELEASES"), *release_rows(desk, look, width)]
    rows += _changes(desk, look, width)
    jobs = [job for job in session.jobs() if job.subject == subject][:5]
    if jobs:
        rows += [BLANK, heading("JOBS"), *jobs_rows(desk, jobs, width)]
    if service is not None:
        rows += _needs(desk, service, look.env, width)
    rows += _guards(desk, look.env, width)
    return rows


def _head(desk: Desk, look: ServiceLook, service: Service | None, width: int) -> list[Row]:
    right: list[Part] = [("lock ", "dim"), _lock(desk, look.subject)]
    rows = [
        row(
            (look.subject, "heading"),
            "  ",
            versions_word(look),
            "  ",
            healthy_word(look),
            " healthy",
            right=right,
        )
    ]
    words = []
    if service is not None:
        words = [f"owner {service.owner}" if service.owner else "", service.docs]
        words.append(f"deploy {service.deploy.kind}" if service.deploy else "no deploy declared")
    rows.append(row((fit("   ".join(filter(None, words)), width).rstrip(), "dim")))
    if service is not None and service.signals:
        names = ", ".join(signal.name for signal in service.signals)
        rows.append(row((fit(f"signals not read yet: {names}", width).rstrip(), "warn")))
    if look.error:
        rows.append(row((f"could not ask: {look.error}", "bad")))
    return rows


def _lock(desk: Desk, subject: str) -> Part:
    for lock in desk.session.locks():
        if lock.key == subject:
            return f"{lock.owner} {desk.age(lock.since)}", "warn"
    return "free", "ok"


def _data(desk: Desk, look: ServiceLook) -> list[Part]:
    lost = f", {look.unknown} not known" if look.asked and look.unknown else ""
    word = (
        "asking"
        if look.asking and not look.asked
        else f"data {desk.age(look.asked)}"
        if look.asked
        else "not asked"
    )
    return [(f"{word}{lost}", "lost" if lost else "dim")]


def hosts_grid(desk: Desk, look: ServiceLook, width: int) -> list[Row]:
    """One line a host: what runs, how it is, what it can go back to."""
    columns = (
        Column("HOST", 8, 24), Column("VERSION", 7, 16), Column("DIGEST", 6, 6), Column("SINCE", 5, 9),
        Column("HEALTH", 6, 10), Column("CPU", 4, 5, True), Column("MEM", 4, 5, True), Column("DISK", 4, 5, True),
        Column("CAN GO BACK TO", 6, 40),
    )  # fmt: skip
    lines = [host_line(desk, name, facts) for name, facts in worst_first(look)[:SHOWN]]
    rows = grid(columns, lines, width)
    hidden = len(look.hosts) - len(lines)
    if hidden > 0:
        rows.append(row((f"{hidden} more, none worse than these", "dim")))
    return rows


def host_line(desk: Desk, name: str, facts: ReleaseFacts | None) -> Line:
    """A host of a service; what is not known is `?`."""
    host = desk.session.host(name)
    full, standing = fullest(host.facts), standing_of(desk, host)
    figures = host.facts
    unknown = facts is None or bool(facts.error)
    version: Part = ("?", "dim") if unknown or facts is None else (facts.version or "none")
    kept = [] if facts is None else [v for v in facts.kept if v != facts.version]
    last: Part = (
        " ".join(kept[:4])
        if not unknown
        else ((facts.error if facts else "?") or "?", "lost" if facts else "dim")
    )
    return Line((
        name, version, (facts.digest[:6] if facts and facts.digest else ("?", "dim")),
        ("?", "dim") if unknown or facts is None else age(facts.since, desk.session.now()), health_word(facts),
        figure(figures.cpu if figures else None, standing.of("cpu")),
        figure(figures.memory if figures else None, standing.of("memory")),
        figure(full[1] if full else None, standing.of("disk")), last,
    ), key=f"host {name}")  # fmt: skip


def common_rows(desk: Desk, look: ServiceLook, width: int) -> list[Row]:
    """What the failing hosts have in common and the others have not."""
    failing = sorted(facts.host for facts in look.failing)
    if len(failing) < 2:
        return []
    known = desk.session.inventory.hosts
    hosts = {name: known[name] for name in look.hosts if name in known}
    versions = {f.host: {"version": f.version} for f in look.releases if f.version and not f.error}
    traits = in_common(hosts, failing, more=versions)
    if not traits:
        return []
    more = f" +{len(failing) - 4}" if len(failing) > 4 else ""
    words = f"{' '.join(failing[:4])}{more}: {', '.join(trait.text() for trait in traits)}"
    return [row(("in common: ", "dim"), (fit(words, max(10, width - 11)).rstrip(), "warn"))]


def release_rows(desk: Desk, look: ServiceLook, width: int) -> list[Row]:
    """Versions on the hosts: live, last good, kept."""
    live = look.versions
    kept: dict[str, int] = {}
    digests: dict[str, str] = {}
    since: dict[str, int] = {}
    for facts in look.releases:
        for version in {*facts.kept, *([facts.version] if facts.version else [])}:
            kept[version] = kept.get(version, 0) + 1
        if facts.version:
            digests.setdefault(facts.version, facts.digest)
            since[facts.version] = max(since.get(facts.version, 0), facts.since)
    if not kept:
        word = "asking the hosts" if look.asking else "not known: no host was asked yet"
        return [row((word, "dim"))]
    order = [*live, *[v for v in sorted(kept, reverse=True) if v not in live]]
    columns = (Column("VERSION", 8, 20), Column("DIGEST", 6, 6), Column("IS", 12, 24), Column("FOR", 4, 6, True),
               Column("ON", 8, 30))  # fmt: skip
    lines = []
    for version in order[:8]:
        words = ["LIVE" if version in live else "kept", "LAST GOOD" if version == look.last_good else ""]
        lines.append(Line((
            version, digests.get(version, "")[:6] or "-",
            (" ".join(filter(None, words)),
             "bold" if version in live else "ok" if version == look.last_good else "dim"),
            age(since.get(version, 0), desk.session.now()) if version in live else "-",
            f"runs on {live[version]}, kept on {kept[version]}" if version in live else f"kept on {kept[version]}",
        )))  # fmt: skip
    return grid(columns, lines, width)


def _changes(desk: Desk, look: ServiceLook, width: int) -> list[Row]:
    answers = desk.session.changes(look.hosts)
    since = desk.session.now() - 24 * HOUR
    mine = [
        change
        for change in known_changes(answers)
        if change.time >= since and (change.subject in (look.subject, look.name) or change.host in look.hosts)
    ][:6]
    rows = [BLANK, heading("CHANGES, 24 h", right=sources(answers) if width > 60 else [])]
    if not mine:
        bad = any(answer.error for answer in answers)
        rows.append(
            row(("nothing in what could be asked" if bad else "nothing is known to have changed", "dim"))
        )
    return rows + change_rows(desk, list(enumerate(mine)), width, wide=width >= 90)


def _needs(desk: Desk, service: Service, env: str, width: int) -> list[Row]:
    if not service.needs:
        return []
    rows = [BLANK, heading("NEEDS", right=[("what runs   how many are healthy   on how many hosts", "dim")])]
    for name in service.needs:
        look = desk.session.service(f"{name}@{env}")
        rows.append(row(fit(name, 14), versions_word(look), "  ", healthy_word(look), "  ", on_hosts(look),
                        key=f"service {name}@{env}" if look.hosts else ""))  # fmt: skip
    return rows


def _guards(desk: Desk, env: str, width: int) -> list[Row]:
    found = desk.session.inventory.environments.get(env)
    if found is None:
        return []
    rows = [BLANK, rule(f"guards ({env})", width)]
    rows.append(row((fit(guard_words(found), width).rstrip(), "")))
    for freeze in found.freeze:
        rows.append(row((f"freeze {freeze.start} to {freeze.end}  {freeze.why}", "dim")))
    return rows


def guard_words(env: Environment) -> str:
    """`rollback: type-name  deploy: confirm`."""
    words = [f"{verb}: {level}" for verb, level in env.protection.items()]
    return "   ".join(words) or "every change asks for a confirm"
