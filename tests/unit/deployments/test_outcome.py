"""What the end of a run makes of command and deployment."""

from __future__ import annotations

from typing import Any

import pytest
from apiflask import APIFlask

from labyard.artifacts.outcome import RunOutcome
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.deployments.outcome import begin_command, fail_command, record_outcome
from labyard.execution import see_through
from labyard.models import Command, State, User
from labyard.models.base import begin_writing
from labyard.runs.claim import LeaseLost, claim_command
from tests.unit.conftest import make_person

RESULT = {
    "services": [{"name": "n", "image": "i", "replicas": 1, "running": 1}],
    "endpoints": [{"name": "JupyterLab", "url": "http://127.0.0.1:20000/lab", "access": "token"}],
    "volumes": [],
    "health": "running",
    "message": "It runs.",
}


def make_outcome(**changes: Any) -> RunOutcome:
    fields = {
        "succeeded": True,
        "finished": True,
        "exit_code": 0,
        "status": "successful",
        "result": RESULT,
        "error": "",
        "events": 3,
    }
    return RunOutcome(**{**fields, **changes})


def failed(error: str = "No node has room.", **changes: Any) -> RunOutcome:
    return make_outcome(succeeded=False, exit_code=2, status="failed", result=None, error=error, **changes)


@pytest.fixture
def person(app: APIFlask) -> User:
    return make_person()


def begin(person: User, phase: str, **about: Any) -> tuple[Command, int]:
    begin_writing()
    command = submit_command(session(), person, CommandRequest(phase, **about), context().sealer)
    fence = claim_command(session(), command.id, "worker")
    assert fence is not None
    begin_command(session(), command.id, fence, "folder")
    session().commit()
    return command, fence


def install(person: User) -> Command:
    command, fence = begin(person, "install", plan="notebook", name="demo")
    record_outcome(session(), command.id, fence, make_outcome())
    session().commit()
    return command


def test_good_install_completes_command_and_deployment(person: User) -> None:
    command = install(person)
    deployment = command.deployment
    assert (command.state, command.reason, command.message) == (State.COMPLETED, None, "It runs.")
    assert (deployment.state, deployment.health) == (State.COMPLETED, "running")
    assert deployment.endpoints == RESULT["endpoints"]
    assert all(task.state == State.COMPLETED for task in command.tasks)


def test_failed_install_keeps_the_cause_and_can_be_retried(person: User) -> None:
    command, fence = begin(person, "install", plan="notebook", name="demo", params={"cpu_limit": 2})
    record_outcome(session(), command.id, fence, failed())
    session().commit()
    assert (command.state, command.reason, command.message) == (State.FAILED, "failed", "No node has room.")
    assert command.deployment.state == State.FAILED
    again, fence = begin(person, "install", deployment=command.deployment_id)
    assert again.params["cpu_limit"] == 2
    record_outcome(session(), again.id, fence, make_outcome())
    assert again.deployment.state == State.COMPLETED


def test_run_that_was_cut_off_is_lost(person: User) -> None:
    command, fence = begin(person, "install", plan="notebook", name="demo")
    record_outcome(session(), command.id, fence, failed(finished=False))
    assert (command.state, command.reason) == (State.FAILED, "lost")


@pytest.mark.parametrize(
    ("reason", "words"), [("timeout", "longer than the 300 s"), ("cancelled", "cancelled")]
)
def test_stopped_run_is_failed_with_its_reason_even_if_it_had_a_result(
    person: User, reason: str, words: str
) -> None:
    command, fence = begin(person, "install", plan="notebook", name="demo")
    record_outcome(session(), command.id, fence, make_outcome(), reason)
    assert (command.state, command.reason) == (State.FAILED, reason)
    assert words in command.message


def test_outcome_under_an_old_fence_changes_nothing(person: User) -> None:
    command, fence = begin(person, "install", plan="notebook", name="demo")
    with pytest.raises(LeaseLost):
        record_outcome(session(), command.id, fence - 1, make_outcome())
    assert command.state == State.PENDING


def test_second_report_of_an_ended_command_changes_nothing(person: User) -> None:
    command = install(person)
    record_outcome(session(), command.id, command.fence, failed())
    assert command.state == State.COMPLETED


def test_removed_deployment_forgets_its_secrets_and_frees_its_name(person: User) -> None:
    deployment = install(person).deployment
    command, fence = begin(person, "remove", deployment=deployment.id)
    removed = {**RESULT, "services": [], "endpoints": [], "health": "missing"}
    record_outcome(session(), command.id, fence, make_outcome(result=removed))
    session().commit()
    assert (deployment.state, deployment.sealed_secrets, deployment.endpoints) == (State.REMOVED, "", [])
    assert begin(person, "install", plan="notebook", name="demo")[0].deployment_id != deployment.id


def test_failed_check_leaves_the_deployments_state_alone(person: User) -> None:
    deployment = install(person).deployment
    command, fence = begin(person, "check", deployment=deployment.id)
    record_outcome(session(), command.id, fence, failed())
    assert (command.state, deployment.state) == (State.FAILED, State.COMPLETED)


def test_command_that_could_not_start_is_failed_with_the_cause(person: User) -> None:
    begin_writing()
    command = submit_command(
        session(), person, CommandRequest("install", plan="notebook", name="demo"), context().sealer
    )
    fence = claim_command(session(), command.id, "worker")
    assert fence is not None
    fail_command(session(), command.id, fence, "not-started", "There is no space left.")
    assert (command.state, command.reason) == (State.FAILED, "not-started")
    assert command.deployment.state == State.FAILED


def test_command_cancelled_while_it_waited_never_runs(person: User) -> None:
    begin_writing()
    command = submit_command(
        session(), person, CommandRequest("install", plan="notebook", name="demo"), context().sealer
    )
    command.cancel_requested = True
    session().commit()
    see_through(command.id, "worker")
    session().refresh(command)
    assert (command.state, command.reason, command.message) == (
        State.FAILED,
        "cancelled",
        "The command was cancelled.",
    )
    assert command.runs == []


def test_fault_of_the_program_ends_the_command_in_words(person: User) -> None:
    begin_writing()
    command = submit_command(
        session(), person, CommandRequest("install", plan="notebook", name="demo"), context().sealer
    )
    command.deployment.sealed_secrets = "sealed with another key"
    session().commit()
    see_through(command.id, "worker")
    session().refresh(command)
    assert (command.state, command.reason) == (State.FAILED, "error")
    assert command.id in command.message
    assert command.deployment.state == State.FAILED


def test_command_that_never_ran_leaves_a_deployment_that_was_well_as_it_was(person: User) -> None:
    deployment = install(person).deployment
    begin_writing()
    command = submit_command(
        session(), person, CommandRequest("update", deployment=deployment.id), context().sealer
    )
    fence = claim_command(session(), command.id, "worker")
    assert fence is not None
    assert deployment.state == State.PENDING
    fail_command(session(), command.id, fence, "no-capacity", "No node has 9 GiB free now.")
    session().commit()
    assert (command.state, command.reason) == (State.FAILED, "no-capacity")
    assert (deployment.state, deployment.message) == (State.COMPLETED, "It runs.")
