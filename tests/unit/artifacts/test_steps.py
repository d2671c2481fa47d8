"""From events to steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from labyard.artifacts.steps import DONE, FAILED, RUNNING, WAITING, Step, finish_steps, follow_steps

START = datetime(2026, 1, 1, tzinfo=UTC)


def begin(name: str, second: int) -> dict[str, Any]:
    created = START.replace(second=second).isoformat()
    return {"event": "playbook_on_task_start", "created": created, "event_data": {"task": name}}


def steps(*names: str) -> list[Step]:
    return [Step(name) for name in names]


def test_task_of_a_steps_name_begins_it_and_ends_the_one_before() -> None:
    followed = follow_steps(
        steps("A", "B"), [begin("A", 1), begin("role : between", 2), begin("role : B", 4)]
    )
    assert [s.state for s in followed] == [DONE, RUNNING]
    assert followed[0].seconds == 3.0
    assert followed[1].seconds is None


def test_following_in_parts_gives_the_same_as_at_once() -> None:
    events = [begin("A", 1), begin("B", 2), begin("C", 3)]
    in_parts = steps("A", "B", "C")
    for event in events:
        in_parts = follow_steps(in_parts, [event])
    assert in_parts == follow_steps(steps("A", "B", "C"), events)


def test_step_that_was_passed_over_is_done() -> None:
    followed = follow_steps(steps("A", "B", "C"), [begin("A", 1), begin("C", 2)])
    assert [s.state for s in followed] == [DONE, DONE, RUNNING]


def test_task_that_runs_again_does_not_begin_its_step_again() -> None:
    followed = follow_steps(steps("A", "B"), [begin("A", 1), begin("B", 2), begin("A", 3)])
    assert [s.state for s in followed] == [DONE, RUNNING]


def test_good_end_completes_all_steps() -> None:
    ended = finish_steps(follow_steps(steps("A", "B"), [begin("A", 1)]), True, START.replace(second=9))
    assert [s.state for s in ended] == [DONE, DONE]


def test_bad_end_fails_the_step_that_ran() -> None:
    followed = follow_steps(steps("A", "B", "C"), [begin("A", 1), begin("B", 2)])
    ended = finish_steps(followed, False, START.replace(second=9), "the cause")
    assert [(s.state, s.error) for s in ended] == [(DONE, ""), (FAILED, "the cause"), (WAITING, "")]


def test_bad_end_before_the_first_step_fails_the_first() -> None:
    ended = finish_steps(steps("A", "B"), False, START, "the cause")
    assert [s.state for s in ended] == [FAILED, WAITING]
