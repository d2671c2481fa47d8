"""A command from its claim to its end, with small programs in place of plays."""

from __future__ import annotations

import errno
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from labyard.catalog import plans
from labyard.clock import utc_now
from labyard.commands.retry import retry_command
from labyard.context import context, session
from labyard.execution import flow, look_after, see_through, see_through_next, start
from labyard.execution.place import this_host
from labyard.models import Command, Run, State, User
from labyard.models.base import begin_writing
from labyard.runs.claim import Claim, claim_command
from tests.conftest import wait_until
from tests.unit.conftest import make_person, submit
from tests.unit.execution.plays import Plays


@pytest.fixture
def person(app: APIFlask) -> User:
    return make_person(is_admin=True)


def fresh(command: Command) -> Command:
    """The command as it stands in the database now."""
    session().rollback()
    return session().get_one(Command, command.id, populate_existing=True)


def test_next_command_is_carried_out_on_this_host(person: User, plays: Plays) -> None:
    command = submit(person)
    assert see_through_next("worker")
    command = fresh(command)
    assert (command.state, command.message) == (State.COMPLETED, "It runs.")
    (run,) = command.runs
    assert (run.host, run.status, run.exit_code) == (this_host(), "successful", 0)
    assert run.pid is not None
    assert not see_through_next("worker"), "nothing waits any more"


def test_run_that_is_cut_off_is_run_again_once_by_itself(person: User, plays: Plays) -> None:
    plays.how = ["die", "succeed"]
    command = submit(person)
    see_through_next("worker")
    command = fresh(command)
    assert (command.state, command.deployment.state) == (State.COMPLETED, State.COMPLETED)
    assert [run.status for run in command.runs] == ["lost", "successful"]
    assert [run.fence for run in command.runs] == [1, 2]


def test_run_that_is_cut_off_twice_is_lost_and_says_what_to_do(person: User, plays: Plays) -> None:
    plays.how = ["die"]
    command = submit(person)
    see_through_next("worker")
    command = fresh(command)
    assert (command.state, command.reason, len(command.runs)) == (State.FAILED, "lost", 2)
    assert "run again by itself and was cut off again" in command.message
    assert "retry the command, or remove the deployment" in command.message


def make_phase(monkeypatch: pytest.MonkeyPatch, **about: Any) -> None:
    """Let the install of the notebook have other properties."""
    real = plans.get_configuration("labyard.platform.notebook")
    install = replace(real.phases["install"], **about)
    changed = replace(real, phases={**real.phases, "install": install})
    monkeypatch.setattr(plans, "get_configuration", lambda _name: changed)


def test_phase_that_may_not_be_repeated_is_lost_at_once(
    person: User, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_phase(monkeypatch, idempotent=False)
    plays.how = ["die"]
    command = submit(person)
    see_through_next("worker")
    command = fresh(command)
    assert (command.reason, len(command.runs)) == ("lost", 1)
    assert "not run again by itself" in command.message


def test_completed_step_that_is_not_to_be_repeated_is_left_out_of_the_second_run_and_of_a_retry(
    person: User, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_phase(monkeypatch, once=("Claim a port",))
    plays.how = ["die"]
    plays.steps = ["Find the image", "Claim a port", "Start the notebook and wait until it answers"]
    command = submit(person)
    see_through_next("worker")
    assert [r["steps_done"] for r in plays.requests] == [[], ["Claim a port"]]
    begin_writing()
    retried = retry_command(session(), person, command.id, context().sealer)
    session().commit()
    assert (retried.retry_of, retried.steps_done) == (command.id, ["Claim a port"])
    assert {t.name: (t.state, t.done_before) for t in retried.tasks if t.done_before} == {
        "Claim a port": (State.COMPLETED, True)
    }
    plays.how = ["succeed"]
    see_through_next("worker")
    retried = fresh(retried)
    assert retried.state == State.COMPLETED
    assert plays.requests[-1]["steps_done"] == ["Claim a port"]
    assert all(task.state == State.COMPLETED for task in retried.tasks)


def test_cancelled_command_whose_run_died_is_cancelled_and_not_run_again(person: User, plays: Plays) -> None:
    command = left_behind(person, plays, "die")
    begin_writing()
    session().execute(update(Command).values(cancel_requested=True))
    session().commit()
    look_after(command.id, "second")
    assert (fresh(command).reason, len(plays.folders)) == ("cancelled", 1)


def left_behind(person: User, plays: Plays, how: str, host: str | None = None) -> Command:
    """A command whose worker has died a minute ago while its run went on."""
    plays.how = [how, *plays.how]
    command = submit(person)
    begin_writing()
    fence = claim_command(session(), command.id, "first")
    session().commit()
    assert fence is not None
    started = start.start_run(Claim(command.id, fence))
    if how != "sleep":
        assert started.child is not None
        started.child.wait(timeout=30)
    begin_writing()
    session().execute(update(Command).values(lease_until=utc_now() - timedelta(minutes=1)))
    if host is not None:
        session().execute(update(Run).values(host=host))
    session().commit()
    return fresh(command)


def test_run_that_ended_while_nobody_watched_is_taken_over_with_its_result(
    person: User, plays: Plays
) -> None:
    command = left_behind(person, plays, "succeed")
    look_after(command.id, "second")
    command = fresh(command)
    assert (command.state, len(command.runs), len(plays.folders)) == (State.COMPLETED, 1, 1)


def test_run_of_another_host_is_lost_when_its_lease_is_over_and_run_again_here(
    person: User, plays: Plays
) -> None:
    command = left_behind(person, plays, "succeed", host="elsewhere")
    look_after(command.id, "second")
    command = fresh(command)
    assert command.state == State.COMPLETED
    assert [(run.host, run.status) for run in command.runs] == [
        ("elsewhere", "lost"),
        (this_host(), "successful"),
    ]


def test_run_whose_process_was_never_noted_is_ended_or_found_and_never_doubled(
    person: User, plays: Plays
) -> None:
    command = left_behind(person, plays, "die")
    begin_writing()
    session().execute(update(Run).values(pid=None, pid_started=None))
    session().commit()
    plays.how = ["die", "succeed"]
    look_after(command.id, "second")
    command = fresh(command)
    assert [run.status for run in command.runs] == ["lost", "successful"]
    assert not (plays.folders[0] / "job.json").exists()


def test_full_disk_lets_the_command_wait_with_the_reason_and_go_on_later(
    person: User, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = start.prepare_folder

    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(start, "prepare_folder", full)
    command = submit(person)
    see_through_next("worker")
    command = fresh(command)
    assert (command.state, command.runs, command.lease_owner) == (State.INITIATED, [], None)
    assert "No space left on device" in command.message
    assert "tried again" in command.message
    assert not see_through_next("worker"), "not before its time"
    monkeypatch.setattr(start, "prepare_folder", real)
    begin_writing()
    session().execute(update(Command).values(lease_until=utc_now() - timedelta(seconds=1)))
    session().commit()
    assert see_through_next("worker")
    assert fresh(command).state == State.COMPLETED


def test_process_that_cannot_be_started_now_is_started_later_and_counts_as_no_lost_run(
    person: User, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(start, "start_process", refuse)
    command = submit(person)
    for _ in range(3):
        begin_writing()
        session().execute(update(Command).values(lease_until=None))
        session().commit()
        assert see_through_next("worker")
        command = fresh(command)
        assert "temporarily unavailable" in command.message
    assert list(context().settings.runs.iterdir()) == [], "no secret stays behind"
    monkeypatch.setattr(start, "start_process", plays.start)
    begin_writing()
    session().execute(update(Command).values(lease_until=None))
    session().commit()
    see_through_next("worker")
    command = fresh(command)
    assert command.state == State.COMPLETED
    assert [run.status for run in command.runs] == [*["not-started"] * 3, "successful"]


def test_fault_that_does_not_pass_fails_the_command(
    person: User, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(start, "start_process", refuse)
    command = submit(person)
    see_through_next("worker")
    command = fresh(command)
    assert (command.state, command.reason) == (State.FAILED, "not-started")
    assert "Permission denied" in command.message


def test_database_that_goes_away_while_the_process_is_noted_leaves_no_process(
    person: User, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays.how = ["sleep", "succeed"]
    real, calls = start.begin_writing, iter(range(9))

    def away() -> None:
        if next(calls) == 1:
            raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))
        real()

    monkeypatch.setattr(start, "begin_writing", away)
    command = submit(person)
    see_through_next("worker")
    assert fresh(command).state == State.PENDING
    assert not plays.running()
    begin_writing()
    session().execute(update(Command).values(lease_until=utc_now() - timedelta(minutes=1)))
    session().commit()
    look_after(command.id, "worker")
    assert fresh(command).state == State.COMPLETED


def test_worker_that_lost_its_lease_to_another_host_ends_its_run_and_writes_nothing(
    app: APIFlask, person: User, plays: Plays
) -> None:
    plays.how = ["sleep"]
    command = submit(person)
    thread = in_thread(app, command.id)
    wait_until(lambda: fresh(command).runs and fresh(command).runs[0].pid, 30, "the run was noted")
    begin_writing()
    session().execute(update(Command).values(fence=Command.fence + 1, lease_owner="elsewhere"))
    session().commit()
    thread.join(30)
    command = fresh(command)
    assert (command.state, command.lease_owner) == (State.PENDING, "elsewhere")
    assert command.runs[0].ended_at is None
    assert not plays.running()


def test_run_that_another_worker_of_this_host_took_over_goes_on(
    app: APIFlask, person: User, plays: Plays
) -> None:
    plays.how = ["sleep"]
    command = submit(person)
    thread = in_thread(app, command.id)
    wait_until(lambda: fresh(command).runs and fresh(command).runs[0].pid, 30, "the run was noted")
    begin_writing()
    session().execute(update(Command).values(fence=Command.fence + 1, lease_owner="neighbour"))
    session().execute(update(Run).values(fence=Run.fence + 1))
    session().commit()
    thread.join(30)
    assert not thread.is_alive()
    assert plays.running()


def in_thread(app: APIFlask, command_id: str) -> threading.Thread:
    """A worker that sees the command through beside the test."""

    def work() -> None:
        with app.app_context():
            see_through(command_id, "worker")

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_check_asks_for_check_mode_and_leaves_the_deployment_as_it_is(person: User, plays: Plays) -> None:
    installed = submit(person)
    see_through_next("worker")
    deployment = fresh(installed).deployment
    before = (deployment.state, deployment.params, deployment.version, deployment.health, deployment.message)
    command = submit(person, "update", deployment=deployment.id, params={"cpu_limit": 2}, check=True)
    see_through_next("worker")
    command = fresh(command)
    assert (command.state, command.message) == (State.COMPLETED, "Nothing would change.")
    assert plays.jobs[-1]["options"] == ["--check", "--diff"]
    deployment = command.deployment
    after = (deployment.state, deployment.params, deployment.version, deployment.health, deployment.message)
    assert after == before


def test_check_that_fails_leaves_the_deployment_as_it_is(person: User, plays: Plays) -> None:
    installed = submit(person)
    see_through_next("worker")
    plays.how = ["fail"]
    command = submit(person, "update", deployment=installed.deployment_id, check=True)
    see_through_next("worker")
    command = fresh(command)
    assert (command.state, command.deployment.state) == (State.FAILED, State.COMPLETED)


def test_claim_when_the_database_is_away_then_says_that_there_is_nothing(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise OperationalError("BEGIN", {}, Exception("could not connect"))

    submit(person)
    monkeypatch.setattr(flow, "begin_writing", away)
    assert not see_through_next("worker")
    assert session().scalar(select(Command.lease_owner)) is None
