"""Which command comes next: priority, fairness between people, age, and the limit of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apiflask import APIFlask

from labyard.commands.order import Queue, Waiting, find_place, next_commands, queue_position, sort_fairly
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.models import Command, State, User
from labyard.models.base import begin_writing
from labyard.runs.claim import Claim, claim_command, postpone_command
from tests.unit.conftest import make_person

START = datetime(2026, 1, 1, tzinfo=UTC)


def waiting(*names: str, priority: int = 0) -> list[Waiting]:
    """Commands of these names, the first the oldest; the number in a name is its age in minutes."""
    return [Waiting(name, priority, START + timedelta(minutes=int(name[1:]))) for name in names]


def order(*queues: Queue) -> str:
    return " ".join(w.id for w in sort_fairly(queues))


def test_commands_of_one_person_go_by_age() -> None:
    assert order(Queue(1, 4, waiting=waiting("a3", "a1", "a2"))) == "a1 a2 a3"


def test_people_take_turns_whoever_asked_for_more_first() -> None:
    ada = Queue(1, 9, waiting=waiting("a1", "a2", "a3", "a4"))
    bob = Queue(2, 9, waiting=waiting("b5", "b6"))
    assert order(ada, bob) == "a1 b5 a2 b6 a3 a4"


def test_who_has_fewer_running_goes_first() -> None:
    ada = Queue(1, 9, running=2, waiting=waiting("a1"))
    bob = Queue(2, 9, running=0, waiting=waiting("b5", "b6", "b7"))
    assert order(ada, bob) == "b5 b6 a1 b7"


def test_of_equals_who_was_served_longer_ago_goes_first() -> None:
    ada = Queue(1, 9, served=START, waiting=waiting("a1"))
    bob = Queue(2, 9, served=START - timedelta(hours=1), waiting=waiting("b5"))
    eve = Queue(3, 9, waiting=waiting("c9"))
    assert order(ada, bob, eve) == "c9 b5 a1"


def test_priority_goes_before_fairness() -> None:
    ada = Queue(1, 9, running=3, waiting=[*waiting("a1"), *waiting("a9", priority=5)])
    bob = Queue(2, 9, waiting=waiting("b5"))
    assert order(ada, bob) == "a9 b5 a1"


def issue(person: User, name: str, **about: Any) -> Command:
    begin_writing()
    request = CommandRequest("install", plan="notebook", name=name, **about)
    command = submit_command(session(), person, request, context().sealer)
    session().commit()
    return command


@pytest.fixture
def ada(app: APIFlask) -> User:
    return make_person("ada")


def test_person_at_the_limit_waits_and_is_told_why(ada: User) -> None:
    first, second = issue(ada, "one"), issue(ada, "two")
    bob = make_person("bob")
    third = issue(bob, "three")
    claim_command(session(), first.id, "worker")
    assert next_commands(session(), 1) == [third.id]
    place = find_place(session(), second, 1)
    assert place.position == 2
    assert "ada has a command running" in place.reason
    assert queue_position(session(), third, 1) == 1
    assert queue_position(session(), first, 1) is None


def test_own_limit_of_a_person_goes_before_that_of_the_settings(ada: User) -> None:
    ada.command_limit = 2
    first, second = issue(ada, "one"), issue(ada, "two")
    claim_command(session(), first.id, "worker")
    assert next_commands(session(), 1) == [second.id]


def test_postponed_command_neither_waits_nor_counts(ada: User) -> None:
    first, second = issue(ada, "one"), issue(ada, "two")
    fence = claim_command(session(), first.id, "worker")
    assert fence is not None
    postpone_command(session(), Claim(first.id, fence), 60)
    assert next_commands(session(), 1) == [second.id]
    later = datetime.now(UTC) + timedelta(seconds=61)
    assert next_commands(session(), 1, lambda: later) == [first.id, second.id]


def test_command_that_runs_counts_even_if_its_worker_went_silent(ada: User) -> None:
    first, second = issue(ada, "one"), issue(ada, "two")
    claim_command(session(), first.id, "worker")
    first.state = State.PENDING
    session().commit()
    later = datetime.now(UTC) + timedelta(hours=1)
    assert next_commands(session(), 1, lambda: later) == []
    assert next_commands(session(), 2, lambda: later) == [second.id]
