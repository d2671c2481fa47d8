"""After a restore: what ran is asked for again, and nothing else."""

from __future__ import annotations

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from labyard.clock import utc_now
from labyard.context import context, session
from labyard.deployments.bring_back import bring_back, ended, looked_since
from labyard.models import Command, Deployment, Health, State, User
from labyard.models.base import begin_writing
from tests.unit.conftest import make_person

from .test_orphans import SERVICES, Site, deploy


@pytest.fixture
def site(app: APIFlask) -> Site:
    return Site()


@pytest.fixture
def admin(app: APIFlask) -> User:
    return make_person("root", is_admin=True)


def asked() -> list[tuple[str, str]]:
    return [(c.deployment.name, c.phase) for c in session().scalars(select(Command))]


def stopped() -> list[dict[str, object]]:
    return [{**service, "replicas": 0, "running": 0} for service in SERVICES]


def test_bring_back_when_the_swarm_is_empty_then_what_ran_is_installed(site: Site, admin: User) -> None:
    person = make_person()
    deploy(person, name="ran")
    deploy(person, name="stopped", services=stopped(), health=Health.STOPPED.value)
    deploy(person, name="never-installed", state=State.FAILED, services=[])
    deploy(person, name="removed", state=State.REMOVED)
    site.look()
    begin_writing()
    done = bring_back(session(), admin, context().sealer)
    session().commit()
    assert asked() == [("ran", "install")]
    assert done.refused == ()
    assert ended(session(), done.commands) == ([], 1)


def test_bring_back_when_all_is_there_then_nothing_is_asked_for(site: Site, admin: User) -> None:
    deployment: Deployment = deploy(make_person())
    site.add_stack(deployment.id)
    site.look()
    assert bring_back(session(), admin, context().sealer).commands == ()


def test_bring_back_when_it_was_asked_for_already_then_nothing_is_asked_for(site: Site, admin: User) -> None:
    deploy(make_person())
    site.look()
    begin_writing()
    bring_back(session(), admin, context().sealer)
    session().commit()
    # it is PENDING from now on, so it is no longer one that is missing
    assert bring_back(session(), admin, context().sealer).commands == ()


def test_looked_since_when_the_look_is_older_then_it_is_waited_for(site: Site) -> None:
    before = utc_now()
    assert not looked_since(session(), before)
    site.look()
    assert looked_since(session(), before)
    assert not looked_since(session(), utc_now())
