"""The program's stream: what counts of it is read whatever stands around it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ondeck.text import is_safe
from providers.terraform.stream import Kind, LockInfo, Reader, lock_info, read_all, unframed

# Recorded: Terraform 1.11.4, 2026-11-28, `apply -json` of two resources, the second failing.
STARTED = (
    b'{"@level":"info","@message":"terraform_data.a: Creating...","@module":"terraform.ui","type":"apply_start",'
    b'"hook":{"resource":{"addr":"terraform_data.a"},"action":"create"}}\n'
)
DONE = (
    b'{"@level":"info","@message":"terraform_data.a: Creation complete after 0s","type":"apply_complete",'
    b'"hook":{"resource":{"addr":"terraform_data.a"},"action":"create","elapsed_seconds":0}}\n'
)
SUMMARY = (
    b'{"@level":"info","@message":"Apply complete! Resources: 1 added, 0 changed, 0 destroyed.",'
    b'"type":"change_summary",'
    b'"changes":{"add":1,"change":0,"import":0,"remove":0,"operation":"apply"}}\n'
)
LOCKED_HTTP = (
    "Error message: HTTP remote state already locked: ID=7948284f-b709-6ae3-f06c-1ec92061d900\nLock Info:\n"
    "  ID:        87a34b6c-42d2-0c81-caf9-3a1a9ade5353\n  Path:      \n  Operation: OperationTypePlan\n"
    "  Who:       root@vm\n  Version:   1.11.4\n  Created:   2026-11-28 23:42:36.691976168 +0000 UTC\n  Info:      \n"
)
LOCKED_LOCAL = (
    "Error message: resource temporarily unavailable\nLock Info:\n"
    "  ID:        87a34b6c-42d2-0c81-caf9-3a1a9ade5353\n  Path:      /srv/net.tfstate\n"
    "  Operation: OperationTypeApply\n  Who:       dave@bastion\n  Version:   1.11.4\n"
    "  Created:   2026-11-28 23:42:36.691976168 +0000 UTC\n  Info:      \n"
)


def diagnostic(summary: str, detail: str = "") -> bytes:
    told = {"severity": "error", "summary": summary, "detail": detail}
    return (
        json.dumps({"@message": f"Error: {summary}", "type": "diagnostic", "diagnostic": told}).encode()
        + b"\n"
    )


@given(st.integers(min_value=1, max_value=200))
def test_the_same_bytes_give_the_same_reading_however_they_are_cut(size: int) -> None:
    data = STARTED + b"Warning: Unable to open CLI configuration file\n" + DONE + SUMMARY
    reader = Reader()
    moments = [m for at in range(0, len(data), size) for m in reader.feed(data[at : at + size])]
    assert [m.kind for m in moments] == [Kind.STARTED, Kind.TEXT, Kind.DONE, Kind.TEXT]
    assert reader.done == ["terraform_data.a"]
    assert reader.running == {}
    assert reader.summary is not None
    assert reader.summary.words() == "1 added, 0 changed, 0 destroyed"


def test_lines_that_are_no_records_are_told_and_mean_nothing() -> None:
    for raw in (
        b"{",
        b"[1]",
        b"null",
        b'"x"',
        b'{"type":"change_summary","changes":{"add":9}}',
        b"\xff\xfe",
        b"NaN",
    ):
        reader = read_all(raw + b"\n")
        assert reader.summary is None, raw
        assert not reader.errors


def test_records_of_odd_shapes_break_nothing() -> None:
    for odd in (None, 7, "x", [], {"resource": 7}, {"resource": {"addr": 5}}, {"add": "many"}):
        for kind in ("apply_start", "apply_complete", "change_summary", "diagnostic", "version", "news"):
            record = {
                "@message": "m",
                "type": kind,
                "hook": odd,
                "changes": odd,
                "diagnostic": odd,
                "terraform": odd,
            }
            read_all(json.dumps(record).encode() + b"\n")


def test_what_acts_on_a_terminal_is_told_as_visible_text() -> None:
    hostile = "\x1b]52;c;aGk=\x07\x9b2J\nsecond"
    reader = Reader()
    moments = reader.feed(
        json.dumps(
            {"@message": hostile, "type": "apply_start", "hook": {"resource": {"addr": hostile}}}
        ).encode()
        + b"\n"
        + diagnostic(hostile, hostile)
    )
    assert all(is_safe(m.text) and is_safe(m.address) for m in moments)
    assert is_safe(reader.trouble())


def test_the_holder_of_a_lock_is_the_one_that_is_held_and_not_the_one_that_was_asked_for() -> None:
    assert lock_info(LOCKED_HTTP) == LockInfo(id="7948284f-b709-6ae3-f06c-1ec92061d900")
    framed = "\x1b[31m│\x1b[0m \x1b[0mError message: HTTP remote state already locked:\n\x1b[31m│\x1b[0m \x1b[0mID="
    framed += "7948284f-b709-6ae3-f06c-1ec92061d900\n\x1b[31m│\x1b[0m \x1b[0m  ID:        87a34b6c\n"
    assert lock_info(unframed(framed)) == LockInfo(id="7948284f-b709-6ae3-f06c-1ec92061d900")
    held = lock_info(LOCKED_LOCAL)
    assert held is not None
    assert (held.who, held.operation) == ("dave@bastion", "OperationTypeApply")
    assert lock_info("nothing of a lock") is None


def test_a_stale_plan_a_lock_and_a_state_that_was_not_saved_are_told_apart() -> None:
    assert read_all(diagnostic("Saved plan is stale")).stale
    assert read_all(diagnostic("Error acquiring the state lock", LOCKED_LOCAL)).lock is not None
    assert read_all(diagnostic("Failed to persist state to backend")).not_saved
    other = read_all(
        diagnostic("local-exec provisioner error", "exit status 3") + diagnostic("execution halted")
    )
    assert not other.stale
    assert not other.not_saved
    assert not other.lock
    assert other.trouble() == "local-exec provisioner error: exit status 3"
