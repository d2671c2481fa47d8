"""The hands of a worker: never more than it has, and no call is lost."""

from __future__ import annotations

import threading

from labyard.crew import Crew
from tests.conftest import wait_until


def test_work_when_there_is_some_then_goes_on_until_there_is_none() -> None:
    left = [True, True, True, False]
    Crew(1, lambda: left.pop(0)).work()
    assert left == []


def test_work_when_all_places_are_taken_then_is_left_to_who_has_one() -> None:
    entered, go_on = threading.Event(), threading.Event()
    calls: list[str] = []

    def take_next() -> bool:
        calls.append(threading.current_thread().name)
        entered.set()
        go_on.wait(30)
        return False

    crew = Crew(1, take_next)
    crew.call()
    assert entered.wait(30)
    crew.work()  # no place: back at once
    assert len(calls) == 1
    go_on.set()
    wait_until(lambda: len(calls) == 2, 30, "the call that found no place was not lost")
    assert set(calls) == {"crew"}


def test_work_when_a_take_fails_then_gives_its_place_back() -> None:
    outcomes = [ValueError("a fault"), False]

    def take_next() -> bool:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    crew = Crew(1, take_next)
    try:
        crew.work()
    except ValueError:
        crew.work()
    assert outcomes == []
