"""Kept volumes over REST."""

from __future__ import annotations

from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from labyard.clock import utc_now
from labyard.context import session
from labyard.models import Deployment, Plan, State, User
from labyard.models.base import begin_writing
from tests.unit.conftest import key_of, make_person


def keep_volume(person: User, name: str = "notebook-abc_home") -> None:
    begin_writing()
    deployment = Deployment(
        name="demo",
        owner=person,
        project=person.projects[0],
        plan=session().scalars(select(Plan)).one(),
        state=State.REMOVED,
        removed_at=utc_now(),
        volumes=[{"name": name, "kept": True}],
    )
    session().add(deployment)
    session().commit()


def test_owner_lists_deletes_and_forgets(app: APIFlask, client: FlaskClient) -> None:
    person = make_person()
    keep_volume(person)
    headers = key_of(person)
    (shown,) = client.get("/api/v1/volumes", headers=headers).json["items"]
    assert (shown["name"], shown["owner"], shown["deleting"]) == ("notebook-abc_home", "ada", False)
    answer = client.delete(f"/api/v1/volumes/{shown['name']}", headers=headers)
    assert (answer.status_code, answer.json["deleting"]) == (202, True)
    assert client.delete(f"/api/v1/volumes/{shown['name']}", headers=headers).status_code == 409
    assert client.post(f"/api/v1/volumes/{shown['name']}/forget", headers=headers).status_code == 204
    assert client.get("/api/v1/volumes", headers=headers).json["items"] == []


def test_others_volumes_are_not_there(app: APIFlask, client: FlaskClient) -> None:
    keep_volume(make_person())
    headers = key_of(make_person("bob"))
    assert client.get("/api/v1/volumes", headers=headers).json["items"] == []
    assert client.delete("/api/v1/volumes/notebook-abc_home", headers=headers).status_code == 404
    assert client.post("/api/v1/volumes/notebook-abc_home/forget", headers=headers).status_code == 404
