"""Many workers at once: each command goes to one of them, and no person gets more than the limit."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from apiflask import APIFlask

from labyard.clock import utc_now
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.models import Command, Run, State, db
from labyard.models.base import begin_writing
from labyard.runs.claim import (
    LEASE,
    SILENCE,
    Claim,
    LeaseLost,
    claim_command,
    claim_next,
    commands_left_here,
    commands_to_look_at,
    hold_command,
    reclaim_command,
    release_commands,
)
from tests.unit.conftest import make_person

LIMIT = 2
PEOPLE = ("ada", "bob", "eve")


@pytest.fixture
def commands(app: APIFlask) -> list[str]:
    """Four commands of each of three people."""
    made = []
    for username in PEOPLE:
        person = make_person(username)
        for number in range(4):
            begin_writing()
            request = CommandRequest("install", plan="notebook", name=f"n{number}")
            made.append(submit_command(session(), person, request, context().sealer).id)
            session().commit()
    return made


def claim_all(app: APIFlask, worker: str) -> list[Claim]:
    """Everything that a worker gets, one after another, ending nothing."""
    found = []
    with app.app_context():
        while True:
            begin_writing()
            claim = claim_next(session(), worker, "here", LIMIT)
            session().commit()
            if claim is None:
                break
            found.append(claim)
        db.session.remove()
    return found


def test_commands_when_many_workers_want_them_then_each_goes_to_one_within_the_limits(
    app: APIFlask, commands: list[str]
) -> None:
    with ThreadPoolExecutor(6) as pool:
        claims = list(pool.map(lambda n: claim_all(app, f"worker-{n}"), range(6)))
    taken = [claim.command_id for found in claims for claim in found]
    assert len(taken) == len(set(taken)) == LIMIT * len(PEOPLE)
    issuers = Counter(session().get_one(Command, command_id).issuer.username for command_id in taken)
    assert issuers == dict.fromkeys(PEOPLE, LIMIT)


def test_next_command_when_one_ends_then_is_of_the_same_person(app: APIFlask, commands: list[str]) -> None:
    taken = claim_all(app, "worker")
    first = session().get_one(Command, taken[0].command_id)
    first.state = State.PENDING
    session().flush()
    first.state = State.COMPLETED
    session().commit()
    (following,) = claim_all(app, "worker")
    assert session().get_one(Command, following.command_id).issuer == first.issuer


def start_on(host: str, claim: Claim) -> None:
    """Note a run of the claimed command on `host`."""
    command = hold_command(session(), claim.command_id, claim.fence)
    command.state = State.PENDING
    session().add(Run(command=command, fence=claim.fence, host=host, folder="f"))
    session().commit()


def test_run_when_its_worker_is_silent_then_is_left_to_its_own_host_first(
    app: APIFlask, commands: list[str]
) -> None:
    claim = claim_all(app, "worker")[0]
    start_on("here", claim)
    soon, late = (utc_now() + after + timedelta(seconds=1) for after in (SILENCE, LEASE))
    assert commands_left_here(session(), "here", lambda: soon) == [claim.command_id]
    assert commands_left_here(session(), "there", lambda: late) == []
    assert claim_command(session(), claim.command_id, "w", lambda: soon) is None
    assert claim_command(session(), claim.command_id, "w", lambda: soon, SILENCE) == claim.fence + 1


def test_run_of_another_host_when_its_lease_is_over_then_is_claimed_before_what_waits(
    app: APIFlask, commands: list[str]
) -> None:
    claim = claim_all(app, "worker")[-1]
    start_on("there", claim)
    late = utc_now() + LEASE + timedelta(seconds=1)
    begin_writing()
    assert claim_next(session(), "w", "here", LIMIT, lambda: late) == Claim(claim.command_id, claim.fence + 1)


def test_claim_when_it_is_renewed_under_a_new_number_then_the_old_one_may_not_write(
    app: APIFlask, commands: list[str]
) -> None:
    claim = claim_all(app, "worker")[0]
    following = reclaim_command(session(), claim, "worker")
    assert hold_command(session(), claim.command_id, following.fence).id == claim.command_id
    with pytest.raises(LeaseLost):
        reclaim_command(session(), claim, "worker")


def test_commands_when_their_worker_says_farewell_then_are_free_at_once_but_runs_only_here(
    app: APIFlask, commands: list[str]
) -> None:
    begun, *others = claim_all(app, "worker")
    start_on("here", begun)
    release_commands(session(), "worker")
    now = utc_now() + timedelta(seconds=1)
    assert commands_left_here(session(), "here", lambda: now) == [begun.command_id]
    free = set(commands_to_look_at(session(), lambda: now))
    assert {claim.command_id for claim in others} <= free
    assert begun.command_id not in free
