"""What a worker does beside its commands: it lives through faults, and looks after what nobody says."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from apiflask import APIFlask
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from labyard import worker
from labyard.clock import utc_now
from labyard.context import session
from labyard.execution.place import this_host
from labyard.models import Command, Run, State, Worker
from labyard.models.base import begin_writing
from labyard.runs.claim import LEASE, claim_command, commands_left_here
from tests.conftest import wait_until
from tests.unit.conftest import make_person, submit


@pytest.fixture
def command(app: APIFlask) -> Command:
    return submit(make_person())


@pytest.mark.parametrize(
    "fault",
    [
        OperationalError("SELECT", {}, Exception("the server closed the connection")),
        ConnectionError("the queue is away"),
        ValueError("a fault of ours"),
    ],
)
def test_thread_of_the_worker_lives_through_faults(app: APIFlask, fault: Exception) -> None:
    turns: list[int] = []

    def job() -> None:
        turns.append(len(turns))
        if len(turns) < 3:
            raise fault

    worker._repeat(app, "test", 0.01, job)
    wait_until(lambda: len(turns) >= 3, 30, "the job had its third turn")


def test_beat_says_on_which_host_and_how_many_commands_at_once(app: APIFlask) -> None:
    for concurrency in (2, 3):
        worker.beat("here:1", concurrency)
    begin_writing()
    (row,) = session().query(Worker)
    assert (row.name, row.host, row.concurrency) == ("here:1", this_host(), 3)


def sweep() -> tuple[int, list[str]]:
    """How often the sweep woke a hand, and the commands that it found left here."""
    woken: list[None] = []
    left: list[str] = []
    worker.sweep(lambda: woken.append(None), left.append)
    session().rollback()
    return len(woken), left


def test_sweep_when_something_waits_then_wakes_a_hand_once(command: Command) -> None:
    assert sweep() == (1, [])
    claim_command(session(), command.id, "elsewhere:1")
    session().commit()
    assert sweep() == (0, [])


def begin(command: Command, owner: str, host: str, silent_for: float = 0) -> None:
    """A run of the command on `host` whose worker said something `silent_for` seconds ago."""
    begin_writing()
    fence = claim_command(session(), command.id, owner)
    command.state = State.PENDING
    session().add(Run(command=command, fence=fence, host=host, folder="f"))
    session().flush()
    silence = timedelta(seconds=silent_for)
    session().execute(update(Command).values(lease_until=utc_now() + LEASE - silence))
    session().commit()


def test_sweep_when_a_run_of_this_host_is_not_watched_then_takes_it_over(command: Command) -> None:
    begin(command, f"elsewhere:{os.getpid()}", this_host(), silent_for=30)
    woken, left = sweep()
    wait_until(lambda: left == [command.id], 60, "it was handed over")
    assert woken == 0


def test_sweep_when_the_worker_of_a_run_is_dead_then_does_not_wait(command: Command) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    begin(command, f"{worker.worker_name().rpartition(':')[0]}:{child.pid}", this_host())
    assert commands_left_here(session(), this_host()) == []
    session().rollback()
    _, left = sweep()
    wait_until(lambda: left == [command.id], 60, "it was handed over")


def test_worker_that_ends_lets_others_go_on_at_once(command: Command) -> None:
    worker.beat("here:1", 2)
    begin(command, "here:1", this_host())
    worker.say_farewell("here:1")
    assert commands_left_here(session(), this_host()) == [command.id]
    assert session().query(Worker).count() == 0


def test_sweep_when_a_command_was_cancelled_while_it_waits_then_ends_it_beside_the_others(
    command: Command,
) -> None:
    begin_writing()
    command.cancel_requested = True
    session().commit()
    _, left = sweep()
    wait_until(lambda: left == [command.id], 60, "it was handed over")
