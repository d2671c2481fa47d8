"""Claims: compare-and-set, lease, fence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from apiflask import APIFlask

from labyard.clock import utc_now
from labyard.context import session
from labyard.models import Command
from labyard.runs.claim import LEASE, LeaseLost, claim_command, commands_to_look_at, hold_command, renew_lease
from tests.unit.conftest import make_person, submit


@pytest.fixture
def command(app: APIFlask) -> Command:
    return submit(make_person())


def test_only_one_of_two_workers_gets_the_command(command: Command) -> None:
    assert claim_command(session(), command.id, "one") == 1
    assert claim_command(session(), command.id, "two") is None


def test_lease_that_ran_out_can_be_taken_and_the_fence_grows(command: Command) -> None:
    claim_command(session(), command.id, "one")
    later = utc_now() + LEASE + timedelta(seconds=1)
    assert commands_to_look_at(session(), lambda: later) == [command.id]
    assert claim_command(session(), command.id, "two", lambda: later) == 2


def test_worker_that_lost_its_lease_may_neither_renew_nor_write(command: Command) -> None:
    claim_command(session(), command.id, "one")
    later = utc_now() + LEASE + timedelta(seconds=1)
    claim_command(session(), command.id, "two", lambda: later)
    with pytest.raises(LeaseLost):
        renew_lease(session(), command.id, 1)
    with pytest.raises(LeaseLost):
        hold_command(session(), command.id, 1)
    assert hold_command(session(), command.id, 2).lease_owner == "two"


def test_renewed_lease_keeps_others_away(command: Command) -> None:
    claim_command(session(), command.id, "one")
    in_between = utc_now() + LEASE / 2
    renew_lease(session(), command.id, 1, lambda: in_between)
    shortly_after_the_first_lease = utc_now() + LEASE + timedelta(seconds=1)
    assert claim_command(session(), command.id, "two", lambda: shortly_after_the_first_lease) is None


def test_command_that_is_not_there_cannot_be_claimed(command: Command) -> None:
    assert claim_command(session(), "nothing", "one") is None
