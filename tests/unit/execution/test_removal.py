"""A deployment whose role is gone: an admin removes it by the name of its stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from apiflask import APIFlask

from labyard.catalog import plans
from labyard.catalog.configurations import ConfigurationUnavailable
from labyard.catalog.removal import configuration_for
from labyard.commands.retry import retry_command
from labyard.context import context, session
from labyard.errors import InvalidInput
from labyard.execution import see_through_next
from labyard.models import Deployment, State, User
from labyard.models.base import begin_writing
from tests.unit.conftest import make_person, submit
from tests.unit.execution.plays import Plays


@pytest.fixture
def admin(app: APIFlask) -> User:
    return make_person("root", is_admin=True)


@pytest.fixture
def orphaned(app: APIFlask, admin: User, plays: Plays, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A deployment of ada that runs, and whose role was taken away then."""
    ada = make_person("ada")
    command = submit(ada, "install", plan="notebook", name="demo")
    assert see_through_next("worker")
    monkeypatch.setattr(plans, "get_configuration", gone)
    return session().get_one(Deployment, command.deployment_id)


def gone(name: str) -> Any:
    raise ConfigurationUnavailable(f"The service configuration {name} is not installed.")


def test_admin_removes_it_by_its_stack_and_the_steps_are_its_own(
    admin: User, orphaned: Deployment, plays: Plays
) -> None:
    command = submit(admin, "remove", deployment=orphaned.id)
    assert see_through_next("worker")
    session().expire_all()
    assert (command.state, orphaned.state) == (State.COMPLETED, State.REMOVED)
    assert plays.requests[-1] == {"stack": f"notebook-{orphaned.id}", "secrets": {}}
    assert Path(str(plays.jobs[-1]["playbook"])).name == "removal.yml"
    assert [task.state for task in command.tasks] == [State.COMPLETED] * 3


def test_play_is_what_the_steps_say_and_leaves_the_volumes(admin: User, orphaned: Deployment) -> None:
    spec = configuration_for(orphaned.plan, "remove", admin).phases["remove"]
    path = Path(__file__).resolve().parents[3] / "playbooks" / "removal.yml"
    (play,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert tuple(task["name"] for task in play["tasks"]) == spec.steps
    _, remove, result = play["tasks"]
    assert "remove_volumes" not in remove["labyard.platform.swarm_stack"]
    assert "volumes" not in result["ansible.builtin.set_stats"]["data"]["labyard_result"]


def test_others_and_other_phases_are_refused_and_told_who_can(admin: User, orphaned: Deployment) -> None:
    with pytest.raises(ConfigurationUnavailable, match=r"is not installed.*only an admin can remove"):
        submit(orphaned.owner, "remove", deployment=orphaned.id)
    session().rollback()
    for phase in ("stop", "update", "check"):
        with pytest.raises(ConfigurationUnavailable, match="is not installed"):
            submit(admin, phase, deployment=orphaned.id)
        session().rollback()


def test_data_cannot_be_deleted_with_it(admin: User, orphaned: Deployment) -> None:
    with pytest.raises(InvalidInput) as caught:
        submit(admin, "remove", deployment=orphaned.id, params={"keep_data": False})
    assert set(caught.value.errors) == {"keep_data"}


def test_owners_removal_that_was_accepted_while_the_role_was_there_is_left_to_the_role(
    app: APIFlask, plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = make_person("ada")
    made = submit(ada, "install", plan="notebook", name="demo")
    assert see_through_next("worker")
    command = submit(ada, "remove", deployment=made.deployment_id)
    monkeypatch.setattr(plans, "get_configuration", gone)
    assert see_through_next("worker")
    session().expire_all()
    assert Path(str(plays.jobs[-1]["playbook"])).name == "service.yml"
    assert command.deployment.state == State.REMOVED  # the play of these tests needs no role


def test_removal_that_was_cut_off_is_run_again_by_itself(
    admin: User, orphaned: Deployment, plays: Plays
) -> None:
    plays.how = ["die", "succeed"]
    plays.folders.clear()
    command = submit(admin, "remove", deployment=orphaned.id)
    assert see_through_next("worker")
    session().expire_all()
    assert (command.state, [run.status for run in command.runs]) == (State.COMPLETED, ["lost", "successful"])


def test_removal_that_failed_is_retried(admin: User, orphaned: Deployment, plays: Plays) -> None:
    plays.how = ["fail", "succeed"]
    plays.folders.clear()
    command = submit(admin, "remove", deployment=orphaned.id)
    assert see_through_next("worker")
    session().expire_all()
    assert command.state == State.FAILED
    begin_writing()
    again = retry_command(session(), admin, command.id, context().sealer)
    session().commit()
    assert see_through_next("worker")
    session().expire_all()
    assert (again.state, orphaned.state) == (State.COMPLETED, State.REMOVED)
