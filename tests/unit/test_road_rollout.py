from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ondeck.job.events import Ended
from ondeck.job.outcome import Outcome
from ondeck.job.plan import Batch, RolloutPlan
from ondeck.operate.rollout import AskGate, Finish, Hold, OpenBatch, Rollout, Start

ENDS = st.sampled_from([o for o in Outcome if o is not Outcome.MIXED])


def rollout_plan(
    sizes: list[int], parallel: int = 0, max_failures: int = 0, gate: bool = False
) -> RolloutPlan:
    names = iter(f"t{n}" for n in range(1000))
    batches = tuple(Batch(targets=tuple(next(names) for _ in range(size))) for size in sizes)
    return RolloutPlan(
        batches=batches, parallel=parallel, max_failures=max_failures, gate="g" if gate else ""
    )


@settings(max_examples=300)
@given(st.data())
def test_failures_never_exceed_what_may_fail_plus_what_was_in_flight(data: st.DataObject) -> None:
    plan = rollout_plan(
        data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)),
        data.draw(st.integers(0, 3)),
        data.draw(st.integers(0, 3)),
        data.draw(st.booleans()),
    )
    rollout = Rollout(plan)
    started: list[str] = []
    opened: list[int] = []
    gates: dict[int, bool | None] = {}
    ended: dict[str, Outcome] = {}
    for _ in range(400):
        failed = rollout.failures
        finish = None
        for decision in rollout.decide():
            match decision:
                case OpenBatch(index=index):
                    assert all(gates[i] is True for i in opened if i in gates)
                    nothing_was_skipped(plan, opened, gates, ended)
                    opened.append(index)
                case Start(target=target):
                    assert failed <= plan.max_failures, "started past the limit"
                    assert target not in started, "started twice"
                    assert target in plan.batches[opened[-1]].targets
                    started.append(target)
                case AskGate(index=index):
                    gates[index] = data.draw(st.sampled_from([True, False, None]))
                    rollout.gate(index, gates[index])
                case Finish() | Hold():
                    assert not rollout.running
                    finish = decision
        if finish is not None:
            break
        assert len(rollout.running) <= (plan.parallel or 5)
        assert rollout.failures <= plan.max_failures + (
            plan.parallel or max(len(b.targets) for b in plan.batches)
        )
        if rollout.running:
            target = data.draw(st.sampled_from(sorted(rollout.running)))
            ended[target] = data.draw(ENDS)
            rollout.ended(target, ended[target])
    else:
        raise AssertionError("it never came to an end")
    if isinstance(finish, Finish) and finish.why is Ended.COMPLETE:
        assert not rollout.pending
        assert None not in gates.values(), "complete although a gate had no data and nobody accepted it"
    assert opened == sorted(set(opened))


def nothing_was_skipped(
    plan: RolloutPlan, opened: list[int], gates: dict[int, bool | None], ended: dict[str, Outcome]
) -> None:
    for index in opened if plan.gate else ():
        assert gates.get(index) is True, "went past a gate that nobody asked"
        good = [t for t in plan.batches[index].targets if ended[t] is Outcome.SUCCEEDED]
        assert good, "went past a batch of which nothing succeeded"


def drained(rollout: Rollout, outcome: Outcome = Outcome.SUCCEEDED) -> object:
    while True:
        for decision in rollout.decide():
            match decision:
                case Start(target=target):
                    rollout.ended(target, outcome)
                case AskGate(index=index):
                    rollout.gate(index, True)
                case Finish() | Hold():
                    return decision


def test_a_breach_with_one_batch_ends_and_with_more_batches_stands() -> None:
    assert drained(Rollout(rollout_plan([3], parallel=1)), Outcome.FAILED) == Finish(Ended.STOPPED)
    assert isinstance(drained(Rollout(rollout_plan([1, 2])), Outcome.FAILED), Hold)
    assert drained(Rollout(rollout_plan([3])), Outcome.FAILED) == Finish(Ended.COMPLETE)


def test_after_continue_failures_so_far_are_forgiven_and_new_ones_count() -> None:
    rollout = Rollout(rollout_plan([1, 1, 1]))
    assert isinstance(drained(rollout, Outcome.UNKNOWN), Hold)
    rollout.go_on()
    assert isinstance(drained(rollout, Outcome.UNREACHABLE), Hold)
    rollout.go_on()
    assert drained(rollout) == Finish(Ended.COMPLETE)


def test_what_was_done_before_is_not_done_again_and_its_failures_are_forgiven() -> None:
    plan = rollout_plan([1, 2])
    rollout = Rollout(plan, {"t0": Outcome.SUCCEEDED, "t1": Outcome.SUCCEEDED})
    assert rollout.decide() == [OpenBatch(1, ("t1", "t2")), Start("t2")]
    again = Rollout(plan, {"t0": Outcome.FAILED})
    assert again.decide() == [OpenBatch(1, ("t1", "t2")), Start("t1"), Start("t2")]
    again.ended("t1", Outcome.FAILED)
    again.ended("t2", Outcome.SUCCEEDED)
    assert again.breached


def test_only_targets_behind_a_passed_gate_count_as_passed() -> None:
    rollout = Rollout(rollout_plan([1, 1], gate=True))
    rollout.decide()
    rollout.ended("t0", Outcome.SUCCEEDED)
    assert rollout.decide() == [AskGate(0, ("t0",))]
    rollout.gate(0, None)
    assert isinstance(rollout.decide()[0], Hold)
    assert rollout.passed() == ()
    rollout.stop(Ended.CANCELLED)
    assert rollout.decide() == [Finish(Ended.CANCELLED)]


@given(
    st.sampled_from([o for o in Outcome if o not in (Outcome.MIXED, Outcome.SUCCEEDED)]), st.integers(0, 3)
)
def test_a_canary_of_which_nothing_succeeded_holds_until_somebody_says_go_on(
    outcome: Outcome, may_fail: int
) -> None:
    rollout = Rollout(rollout_plan([1, 2], max_failures=may_fail, gate=True))
    rollout.decide()
    rollout.ended("t0", outcome)
    assert isinstance(rollout.decide()[0], Hold)
    rollout.go_on()
    assert rollout.decide() == [OpenBatch(1, ("t1", "t2")), Start("t1"), Start("t2")]
