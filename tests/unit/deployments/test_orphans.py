"""Orphans on either side, and kept volumes: found, listed, repaired."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select, update

from labyard.clock import utc_now
from labyard.context import context, session
from labyard.deployments.kept import delete_kept_volume, forget_kept_volume, list_kept_volumes
from labyard.deployments.orphans import judge_objects, list_orphans, repair_orphan
from labyard.deployments.swarm import SwarmObject
from labyard.deployments.sweep import sweep_swarm
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import Deployment, Health, Orphan, Plan, State, User, db, installation_id
from labyard.models.base import begin_writing
from tests.unit.conftest import make_person

from .fake_engine import FakeEngine

SERVICES = [{"name": "notebook", "image": "image", "replicas": 1, "running": 1}]


class Site:
    """A console and a swarm, looked at whenever a test says so."""

    def __init__(self, nodes: int = 1) -> None:
        self.swarm = FakeEngine(nodes)
        self.console = installation_id(session())
        self.now = utc_now() + timedelta(minutes=1)

    def add(self, kind: str, name: str, deployment: str, **about: Any) -> None:
        self.swarm.add(kind, name, deployment, about.pop("console", self.console), **about)

    def add_stack(self, deployment: str) -> None:
        stack = f"notebook-{deployment}"
        self.add("service", f"{stack}_notebook", deployment)
        self.add("network", f"{stack}_default", deployment)
        self.add("config", "labyard-port-20000", deployment)
        self.add("secret", f"{stack}_token", deployment)
        self.add("volume", f"{stack}_home", deployment)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=15)
            sweep_swarm(session(), begin_writing, self.swarm, lambda: self.now)
        db.session.expire_all()

    def repair(self, admin: User, orphan: Orphan, action: str) -> Any:
        begin_writing()
        done = repair_orphan(session(), admin, orphan.id, action, context().sealer)
        session().commit()
        return done


@pytest.fixture
def site(app: APIFlask) -> Site:
    return Site()


@pytest.fixture
def admin(app: APIFlask) -> User:
    return make_person("root", is_admin=True)


@pytest.fixture
def person(app: APIFlask) -> User:
    return make_person()


def deploy(person: User, state: State = State.COMPLETED, **changes: Any) -> Deployment:
    """A deployment of `person` whose last command ended a minute ago."""
    about = {
        "name": "demo",
        "services": SERVICES,
        "health": Health.RUNNING.value,
        "updated_at": utc_now() - timedelta(minutes=1),
        **changes,
    }
    begin_writing()
    plan = session().scalars(select(Plan)).one()
    deployment = Deployment(owner=person, project=person.projects[0], plan=plan, state=state, **about)
    session().add(deployment)
    session().commit()
    return deployment


def kinds() -> list[tuple[str, str]]:
    return [(o.kind, o.ident) for o in list_orphans(session())]


def test_stack_without_a_deployment_is_listed_after_a_second_look(site: Site) -> None:
    site.add_stack("aaaaaaaa")
    site.look()
    assert kinds() == []
    site.look()
    assert kinds() == [("volume", "notebook-aaaaaaaa_home"), ("stack", "notebook-aaaaaaaa")] or kinds() == [
        ("stack", "notebook-aaaaaaaa"),
        ("volume", "notebook-aaaaaaaa_home"),
    ]
    stack = next(o for o in list_orphans(session()) if o.kind == "stack")
    assert "1 config, 1 network, 1 secret, 1 service" in stack.detail
    assert "not in the database" in stack.detail


def test_what_is_gone_at_the_next_look_was_no_orphan(site: Site) -> None:
    site.add("network", "n", "aaaaaaaa")
    site.look()
    site.swarm.objects.clear()
    site.look(3)
    assert kinds() == []
    assert session().query(Orphan).count() == 0


def test_objects_of_other_consoles_and_of_nobody_are_left_alone(site: Site) -> None:
    site.add("service", "other", "bbbbbbbb", console="anotherone12")
    site.swarm.objects["network", "bridge"] = {"Labels": {}, "Id": "bridge", "Name": "bridge", "Spec": {}}
    site.look(3)
    assert kinds() == []


@pytest.mark.parametrize("state", [State.INITIATED, State.PENDING, State.COMPLETED, State.FAILED])
def test_objects_of_living_deployments_are_no_orphans(site: Site, person: User, state: State) -> None:
    site.add_stack(deploy(person, state).id)
    site.look(3)
    assert kinds() == []


def test_single_leftovers_have_a_kind_of_their_own() -> None:
    def left(kind: str, name: str, deployment: str) -> SwarmObject:
        return SwarmObject(kind, name, name, deployment, f"notebook-{deployment}")

    objects = [left("network", "n", "a"), left("config", "port", "b"), left("secret", "s", "c")]
    found = judge_objects(objects, {"b": State.REMOVED}, {})
    assert [(f.kind, f.ident) for f in found] == [("network", "n"), ("port", "port"), ("stack", "notebook-c")]
    assert "was removed" in found[1].detail


def test_removing_an_orphaned_stack_takes_all_but_its_volumes(site: Site, admin: User) -> None:
    site.add_stack("aaaaaaaa")
    site.look(2)
    stack = next(o for o in list_orphans(session()) if o.kind == "stack")
    site.repair(admin, stack, "remove")
    site.swarm.in_use.add("notebook-aaaaaaaa_default")  # until its tasks have ended
    site.look(2)
    assert site.swarm.names("service") == []
    assert "in use" in next(o for o in list_orphans(session()) if o.kind == "stack").error
    site.swarm.in_use.clear()
    site.look(2)
    assert kinds() == [("volume", "notebook-aaaaaaaa_home")]
    assert {kind for kind, _ in site.swarm.objects} == {"volume"}
    (volume,) = list_orphans(session())
    site.repair(admin, volume, "remove")
    site.look()
    assert site.swarm.objects == {}
    assert kinds() == []


def test_orphan_that_belongs_to_a_deployment_again_is_not_removed(
    site: Site, admin: User, person: User
) -> None:
    deployment = deploy(person, State.REMOVED)
    site.add_stack(deployment.id)
    site.look(2)
    stack = next(o for o in list_orphans(session()) if o.kind == "stack")
    site.repair(admin, stack, "remove")
    session().execute(update(Deployment).values(state=State.COMPLETED))  # restored from a backup
    session().commit()
    site.look(2)
    assert len(site.swarm.objects) == 5
    assert kinds() == []


def test_forgotten_orphan_is_listed_no_more_and_stays(site: Site, admin: User) -> None:
    site.add("network", "n", "aaaaaaaa")
    site.look(2)
    site.repair(admin, list_orphans(session())[0], "forget")
    site.look(3)
    assert kinds() == []
    assert site.swarm.names("network") == ["n"]
    site.swarm.objects.clear()
    site.look()
    assert session().query(Orphan).count() == 0


def test_deployment_of_which_nothing_is_there_is_listed_and_installed_again(
    site: Site, admin: User, person: User
) -> None:
    deployment = deploy(person)
    site.look(2)
    assert kinds() == [("deployment", deployment.id)]
    assert deployment.health == Health.MISSING
    command = site.repair(admin, list_orphans(session())[0], "reinstall")
    assert (command.phase, command.deployment_id) == ("install", deployment.id)
    assert kinds() == []
    site.look(3)
    assert kinds() == []  # a command works on it


def test_deployment_that_comes_back_is_no_orphan_any_more(site: Site, person: User) -> None:
    deployment = deploy(person)
    site.look(2)
    site.add_stack(deployment.id)
    site.look()
    assert kinds() == []
    assert deployment.health == Health.RUNNING


def test_missing_deployment_can_be_marked_as_removed_and_its_data_stay_listed(
    site: Site, admin: User, person: User
) -> None:
    deployment = deploy(person, volumes=[{"name": "home", "kept": False}])
    site.look(2)
    site.repair(admin, list_orphans(session())[0], "mark_removed")
    assert (deployment.state, deployment.sealed_secrets) == (State.REMOVED, "")
    assert [v.name for v in list_kept_volumes(session(), person)] == ["home"]


def test_service_that_has_nothing_on_the_swarm_is_neither_missing_nor_an_orphan(
    site: Site, person: User
) -> None:
    deployment = deploy(person, services=[])
    site.look(3)
    assert kinds() == []
    assert deployment.health == Health.RUNNING


def test_deployment_that_was_changed_during_the_look_is_judged_at_the_next(site: Site, person: User) -> None:
    deployment = deploy(person, updated_at=site.now + timedelta(seconds=12))
    site.look()
    assert deployment.health == Health.RUNNING
    site.look()
    assert deployment.health == Health.MISSING


@pytest.mark.parametrize("action", ["", "reinstall", "burn"])
def test_action_that_does_not_fit_is_refused_with_those_that_do(site: Site, admin: User, action: str) -> None:
    site.add("network", "n", "aaaaaaaa")
    site.look(2)
    with pytest.raises(InvalidInput) as refused:
        site.repair(admin, list_orphans(session())[0], action)
    assert refused.value.errors == {"action": "must be one of: remove, forget"}
    with pytest.raises(NotFound):
        repair_orphan(session(), admin, 4711, "remove", context().sealer)


def removed(person: User, **about: Any) -> Deployment:
    return deploy(person, State.REMOVED, volumes=[{"name": "home", "kept": True}], **about)


def test_kept_volume_is_no_orphan_and_only_its_owner_sees_it(site: Site, admin: User, person: User) -> None:
    deployment = removed(person)
    site.add("volume", "home", deployment.id)
    site.add("volume", "other", deployment.id)
    site.look(3)
    assert kinds() == [("volume", "other")]
    assert [(v.name, v.deleting) for v in list_kept_volumes(session(), person)] == [("home", False)]
    assert [v.name for v in list_kept_volumes(session(), admin)] == ["home"]
    other = make_person("bob")
    assert list_kept_volumes(session(), other) == []
    with pytest.raises(NotFound):
        delete_kept_volume(session(), other, "home")


def test_kept_volume_is_deleted_by_its_owner(site: Site, person: User) -> None:
    deployment = removed(person)
    site.add("volume", "home", deployment.id)
    site.look()
    begin_writing()
    assert delete_kept_volume(session(), person, "home").deleting
    with pytest.raises(Conflict):
        delete_kept_volume(session(), person, "home")
    session().commit()
    assert kinds() == []
    site.swarm.in_use.add("home")
    site.look()
    assert "in use" in list_kept_volumes(session(), person)[0].error
    site.swarm.in_use.clear()
    site.look()
    assert site.swarm.objects == {}
    assert list_kept_volumes(session(), person) == []
    assert deployment.volumes == [{"name": "home", "kept": False}]


def test_kept_volume_on_another_node_is_said_and_can_be_forgotten(app: APIFlask, person: User) -> None:
    site = Site(nodes=3)
    removed(person)
    begin_writing()
    delete_kept_volume(session(), person, "home")
    session().commit()
    site.look(2)
    assert "docker volume rm home" in list_kept_volumes(session(), person)[0].error
    begin_writing()
    forget_kept_volume(session(), person, "home")
    session().commit()
    assert list_kept_volumes(session(), person) == []
    site.look(2)
    assert kinds() == []


def test_kept_volume_that_somebody_deleted_by_hand_goes_from_the_list(site: Site, person: User) -> None:
    removed(person)
    begin_writing()
    delete_kept_volume(session(), person, "home")
    session().commit()
    site.look()
    assert list_kept_volumes(session(), person) == []


def test_look_at_a_thousand_services_takes_few_calls(site: Site, person: User) -> None:
    for number in range(1000):
        site.add("service", f"s{number}", f"d{number:07}")
    site.look()
    calls = site.swarm.calls
    assert (calls["service"], calls["tasks"], calls["network"], calls["volume"]) == (2, 0, 1, 1)


def test_tasks_are_asked_for_only_where_some_are_lacking(site: Site, person: User) -> None:
    deployment = deploy(person)
    site.add("service", "s", deployment.id, running=0)
    status = {"State": "rejected", "Err": "No such image: none"}
    site.swarm.task_list = [{"ServiceID": "s", "CreatedAt": "2026", "Status": status}]
    site.look()
    assert site.swarm.calls["tasks"] == 1
    assert (deployment.health, "No such image" in deployment.health_detail) == (Health.DEGRADED, True)
