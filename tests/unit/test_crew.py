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


class OneInHand:
    """A crew of two with one command in hand, which ends when it is let go on."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.taken = 0
        self.crew = Crew(2, self._take_next)
        self.crew.call()
        assert self.entered.wait(30)

    def _take_next(self) -> bool:
        self.taken += 1
        self.entered.set()
        return self.go_on.wait(30)


def test_finish_when_a_command_is_in_hand_then_waits_for_it_and_takes_no_other() -> None:
    hand = OneInHand()
    finished: list[bool] = []
    waiter = threading.Thread(target=lambda: finished.append(hand.crew.finish(30)))
    waiter.start()
    hand.go_on.set()
    waiter.join(30)
    hand.crew.work()
    assert (finished, hand.taken) == ([True], 1)


def test_finish_when_a_command_goes_on_too_long_then_says_so() -> None:
    hand = OneInHand()
    assert not hand.crew.finish(0)
    hand.go_on.set()
