"""What jobs leave on disk: shared where it is the same, kept while a job needs it, gone when none does."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec

from ondeck.deck import Deck
from ondeck.job.events import Ask, What
from ondeck.job.outcome import JobState, Outcome
from ondeck.operate import road, shelf
from ondeck.record import folder
from ondeck.record.view import JobView
from providers.host.content import pin, unpin
from tests import road as on_road


def content(on: Deck, data: bytes = b"\0large", *, days: float = 2) -> str:
    """A content as a put pins it, as old as that."""
    root = folder.ensure(folder.ensure(on.record.plans_root) / "content")
    digest = hashlib.sha256(data).hexdigest()
    (root / digest).write_bytes(data)
    age(root / digest, days)
    return digest


def age(path: Path, days: float = 2) -> None:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))


def contents(on: Deck) -> set[str]:
    return {path.name for path in (on.record.plans_root / "content").iterdir()}


def paused_with(on: Deck, tmp: Path, digest: str) -> JobView:
    """A job that may still go on, whose plan names a content."""
    job = on_road.start(on, tmp, batches="1,2", script=("web-1=fail", f"content={digest}"))
    return on_road.wait_for(on, job, lambda v: v.state is JobState.PAUSED)


def test_a_content_goes_when_no_plan_and_no_job_needs_it(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    gone, young = content(on), content(on, b"young", days=0)
    (on.record.plans_root / "content" / "tmpk1ll3d").write_bytes(b"half")
    age(on.record.plans_root / "content" / "tmpk1ll3d")
    on_road.drafted(on, tmp_path)
    assert contents(on) == {young}
    assert gone != young


def test_a_content_stays_while_a_job_may_go_on_and_goes_when_it_is_done(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    digest = content(on, days=0)
    view = paused_with(on, tmp_path, digest)
    age(on.record.plans_root / "content" / digest)
    on_road.drafted(on, tmp_path)
    assert contents(on) == {digest}
    on.record.ask(view.id, Ask(what=What.CANCEL, by="anna"))
    on_road.over(on, view.id)
    age(on.record.plans_root / "content" / digest)
    on_road.drafted(on, tmp_path)
    assert contents(on) == {digest}, "continue would need it"
    on_road.go_on(on, view.id)
    assert on_road.over(on, view.id).targets["web-3"].outcome is Outcome.SUCCEEDED
    age(on.record.plans_root / "content" / digest)
    on_road.drafted(on, tmp_path)
    assert contents(on) == set()


def test_nothing_goes_while_a_job_cannot_be_read(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.over(on, on_road.start(on, tmp_path)).id
    digest = content(on)
    on.record.folder(job).plan.write_bytes(b"damaged")
    (on.record.root / "index.db").unlink(missing_ok=True)
    on_road.drafted(on, tmp_path)
    assert contents(on) == {digest}


def test_jobs_of_one_inventory_keep_it_once(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    jobs = [on_road.over(on, on_road.start(on, tmp_path)).id for _ in range(2)]
    other = msgspec.structs.replace(on, inventory=on_road.inventory(colour="red"))
    jobs.append(on_road.over(on, on_road.start(other, tmp_path)).id)
    one, two, three = (on.record.folder(job).inventory.stat().st_ino for job in jobs)
    assert one == two != three
    assert len(list(on.record.inventories_root.iterdir())) == 2
    assert [view.outcome for view in on.record.jobs()] == [Outcome.SUCCEEDED] * 3


def test_an_inventory_goes_with_its_last_job_and_a_copy_does_where_none_can_be_shared(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    job = on_road.over(on, on_road.start(on, tmp_path)).id
    shared = next(on.record.inventories_root.iterdir())
    age(shared)
    shelf.sweep(on.record)
    assert shared.exists()
    on.record.folder(job).inventory.unlink()
    shelf.sweep(on.record)
    assert not shared.exists()
    taken = tmp_path / "taken.json"
    taken.write_text("something else")
    shelf.put_inventory(on.record, msgspec.json.encode(on.inventory), taken)
    assert msgspec.json.decode(taken.read_bytes())["revision"]["root"] == "/x"
    assert road.PLAN_SECONDS < 24 * 3600


def test_a_large_put_as_the_very_first_plan_leaves_the_folder_of_plans_private(tmp_path: Path) -> None:
    on = on_road.deck(tmp_path)
    pinned = pin(b"\0large", on.settings)
    on_road.drafted(on, tmp_path)
    assert unpin(pinned, on.settings) == b"\0large"
