"""Health of deployments from one look at the swarm."""

from __future__ import annotations

from datetime import timedelta

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from labyard.clock import utc_now
from labyard.context import session
from labyard.deployments.health import ServiceView
from labyard.deployments.reconcile import reconcile
from labyard.models import Deployment, Health, Plan, State, User
from labyard.models.base import begin_writing
from tests.unit.conftest import make_person

SERVICES = [{"name": "notebook", "image": "image", "replicas": 1, "running": 1}]


@pytest.fixture
def person(app: APIFlask) -> User:
    return make_person()


def deploy(person: User, name: str = "demo", state: State = State.COMPLETED) -> Deployment:
    begin_writing()
    plan = session().scalars(select(Plan)).one()
    made = Deployment(
        name=name,
        owner=person,
        project=person.projects[0],
        plan=plan,
        state=state,
        services=SERVICES,
        health=Health.RUNNING.value,
        updated_at=utc_now() - timedelta(minutes=1),
    )
    session().add(made)
    session().commit()
    return made


def look(**seen: list[ServiceView]) -> int:
    begin_writing()
    changed = reconcile(session(), seen, looked_at=utc_now())
    session().commit()
    return changed


def view(name: str, desired: int, running: int, detail: str = "") -> ServiceView:
    return ServiceView("id", name, "image", desired, running, detail)


def test_health_follows_the_swarm_and_is_told_once(person: User) -> None:
    deployment = deploy(person)
    service = f"notebook-{deployment.id}_notebook"
    version = deployment.version
    assert look(**{deployment.id: [view(service, 1, 0, "killed")]}) == 1
    assert deployment.health == Health.DEGRADED
    since = deployment.health_at
    assert look(**{deployment.id: [view(service, 1, 0, "killed")]}) == 0
    assert deployment.health_at == since
    assert look(**{deployment.id: [view(service, 1, 1)]}) == 1
    assert (deployment.health, deployment.health_detail) == (Health.RUNNING, "")
    assert deployment.services == SERVICES
    assert deployment.version == version  # health is no change of the deployment itself


def test_services_stand_in_one_order_however_the_swarm_lists_them(person: User) -> None:
    deployment = deploy(person)
    stack = f"notebook-{deployment.id}"
    one, two = view(f"{stack}_a", 1, 1), view(f"{stack}_b", 1, 1)
    look(**{deployment.id: [two, one]})
    assert [s["name"] for s in deployment.services] == ["a", "b"]


@pytest.mark.parametrize("state", [State.INITIATED, State.PENDING, State.REMOVED])
def test_deployment_on_which_a_command_works_is_left_alone(person: User, state: State) -> None:
    deployment = deploy(person, state=state)
    assert look() == 0
    assert deployment.health == Health.RUNNING


def test_missing_deployment_keeps_the_list_of_what_it_had(person: User) -> None:
    deployment = deploy(person)
    assert look() == 1
    assert deployment.health == Health.MISSING
    assert deployment.services == SERVICES
