"""What must happen once, tried by many at the same time, each with a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from labyard.accounts.keys import create_key
from labyard.accounts.people import create_user
from labyard.artifacts.outcome import RunOutcome
from labyard.clock import utc_now
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.deployments.outcome import begin_command, record_outcome
from labyard.errors import Conflict
from labyard.models import Command, Deployment, State, User, db
from labyard.models.base import begin_writing, lock_name
from labyard.runs.claim import LEASE, LeaseLost, claim_command, claim_next, hold_command

from .conftest import at_once

MANY = 8
LATER = timedelta(seconds=1) + LEASE
RESULT = {"services": [{"name": "notebook", "replicas": 1, "running": 1}], "health": "running"}
OUTCOME = RunOutcome(True, True, 0, "successful", RESULT, "", 0)


def _in_a_session_of_its_own(app: APIFlask, job: Callable[[], Any]) -> Any:
    with app.app_context():
        try:
            return job()
        finally:
            db.session.remove()


def submit(phase: str = "install", name: str = "demo") -> str:
    """Ask for a command in a transaction of its own; its id."""
    begin_writing()
    person = session().scalars(select(User)).one()
    request = CommandRequest(phase, plan="notebook", name=name)
    command_id = submit_command(session(), person, request, context().sealer).id
    session().commit()
    return command_id


def claim(command_id: str, owner: str, later: timedelta = timedelta()) -> int | None:
    """Claim a command in a transaction of its own, as if it were `later`."""
    begin_writing()
    fence = claim_command(session(), command_id, owner, lambda: utc_now() + later)
    session().commit()
    return fence


def begin(command_id: str, fence: int) -> None:
    begin_writing()
    begin_command(session(), command_id, fence, "/nowhere")
    session().commit()


def complete(command_id: str, fence: int) -> None:
    begin_writing()
    record_outcome(session(), command_id, fence, OUTCOME)
    session().commit()


def installed(name: str = "demo") -> str:
    """A deployment that runs; its id."""
    command_id = submit(name=name)
    fence = claim(command_id, "one")
    assert fence
    begin(command_id, fence)
    complete(command_id, fence)
    return session().get_one(Command, command_id).deployment_id


def test_name_when_taken_by_many_at_once_then_one_gets_it(console: APIFlask) -> None:
    results = at_once(console, [submit] * MANY)
    assert len([r for r in results if isinstance(r, str)]) == 1, results
    assert all(isinstance(r, str | Conflict) for r in results), results
    with console.app_context():
        assert len(session().scalars(select(Deployment)).all()) == 1
        assert len(session().scalars(select(Command)).all()) == 1


def test_command_for_a_deployment_when_asked_for_by_many_at_once_then_one_runs(console: APIFlask) -> None:
    with console.app_context():
        installed()
    results = at_once(console, [lambda: submit("check")] * MANY)
    assert len([r for r in results if isinstance(r, str)]) == 1, results
    refused = [r for r in results if isinstance(r, Conflict)]
    assert len(refused) == MANY - 1, results
    assert all("check" in r.detail for r in refused)


def test_command_when_claimed_by_many_at_once_then_one_gets_it(console: APIFlask) -> None:
    with console.app_context():
        command_id = submit()
    results = at_once(console, [lambda n=n: claim(command_id, f"worker {n}") for n in range(MANY)])
    assert sorted(results, key=str) == [1] + [None] * (MANY - 1)


def test_lease_that_ran_out_when_claimed_by_many_at_once_then_one_gets_it(console: APIFlask) -> None:
    with console.app_context():
        command_id = submit()
        assert claim(command_id, "gone") == 1
    results = at_once(console, [lambda n=n: claim(command_id, f"worker {n}", LATER) for n in range(MANY)])
    assert sorted(results, key=str) == [2] + [None] * (MANY - 1)


def test_commands_when_taken_by_many_at_once_then_the_limit_of_a_person_holds(console: APIFlask) -> None:
    with console.app_context():
        for number in range(MANY):
            submit(name=f"demo{number}")

    def take(worker: int) -> str | None:
        begin_writing()
        got = claim_next(session(), f"worker {worker}", "here", 3)
        session().commit()
        return got.command_id if got else None

    results = at_once(console, [lambda n=n: take(n) for n in range(MANY)])
    taken = [r for r in results if r is not None]
    assert len(taken) == len(set(taken)) == 3, results


def test_claim_when_the_holder_is_writing_then_waits_and_the_holder_writes_no_more(
    console: APIFlask,
) -> None:
    with console.app_context():
        command_id = submit()
        assert claim(command_id, "slow") == 1
        db.session.remove()

        begin_writing()
        hold_command(session(), command_id, 1).message = "written in time"
        session().flush()
        with ThreadPoolExecutor(1) as pool:
            taking = pool.submit(_in_a_session_of_its_own, console, lambda: claim(command_id, "quick", LATER))
            assert not taking.done()
            session().commit()
            assert taking.result(timeout=30) == 2
        with pytest.raises(LeaseLost):
            hold_command(session(), command_id, 1)
        session().rollback()
        assert session().get_one(Command, command_id).message == "written in time"


def test_command_when_the_one_before_is_ending_then_waits_and_starts_from_its_outcome(
    console: APIFlask,
) -> None:
    with console.app_context():
        deployment_id = installed()
        first = submit("stop")
        fence = claim(first, "one")
        assert fence
        begin(first, fence)
        db.session.remove()

        begin_writing()
        record_outcome(session(), first, fence, OUTCOME)
        session().flush()
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(_in_a_session_of_its_own, console, lambda: submit("check"))
            assert not asking.done()
            session().commit()
            assert asking.result(timeout=30)
        assert session().get_one(Deployment, deployment_id).state == State.COMPLETED


def test_person_when_made_by_many_at_once_then_is_made_once_and_the_others_are_told(
    console: APIFlask,
) -> None:
    with console.app_context():
        begin_writing()
        admin = create_user(session(), "root", "correct horse battery", is_admin=True)
        key = create_key(session(), admin, "test")
        session().commit()
        db.session.remove()

    def make() -> int:
        body = {"username": "grace", "password": "correct horse battery"}
        headers = {"Authorization": f"Bearer {key}"}
        return console.test_client().post("/api/v1/users", json=body, headers=headers).status_code

    assert sorted(at_once(console, [make] * MANY), key=str) == [201] + [409] * (MANY - 1)


def test_name_that_is_locked_when_wanted_by_many_then_is_had_by_one_at_a_time(console: APIFlask) -> None:
    inside: list[int] = []
    most: list[int] = []

    def go_through() -> None:
        begin_writing()
        lock_name(session(), "a gate")
        inside.append(1)
        most.append(len(inside))
        session().scalars(select(User)).all()
        inside.pop()
        session().commit()

    assert at_once(console, [go_through] * MANY) == [None] * MANY
    assert max(most) == 1
