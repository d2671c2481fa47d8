"""ETag, If-Match, If-None-Match: nobody overwrites what they have not seen."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from labyard.context import session
from labyard.models import Command, Deployment, State
from labyard.models.base import begin_writing
from tests.unit.conftest import end_command, issue, make_person

PLAN = {"configuration": "labyard.platform.notebook", "title": "Small", "fixed": {"cpu_limit": 0.5}}


@pytest.fixture
def deployment(client: FlaskClient, admin: dict[str, str]) -> str:
    """The path of an installed deployment."""
    document = issue(client, admin).json
    begin_writing()
    command = session().get_one(Command, document["id"])
    end_command(command)
    command.deployment.state = State.PENDING
    command.deployment.state = State.COMPLETED
    command.deployment.services = [{"name": "notebook"}]
    session().commit()
    return f"/api/v1/deployments/{document['deployment']['id']}"


def test_copy_that_is_up_to_date_is_not_sent_again(
    client: FlaskClient, admin: dict[str, str], deployment: str
) -> None:
    for path in (deployment, "/api/v1/plans/notebook", "/api/v1/users/root", "/api/v1/user"):
        first = client.get(path, headers=admin)
        again = client.get(path, headers={**admin, "If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), path
        assert again.headers["ETag"] == first.headers["ETag"]
        other = client.get(path, headers={**admin, "If-None-Match": '"1-0"'})
        assert other.status_code == 200


def test_health_makes_a_new_document_but_no_new_version(
    client: FlaskClient, admin: dict[str, str], deployment: str
) -> None:
    """A look at the swarm must not make a person's change fail, nor hide behind an old copy."""
    before = client.get(deployment, headers=admin)
    begin_writing()
    session().query(Deployment).one().health = "degraded"
    session().commit()
    after = client.get(deployment, headers={**admin, "If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json["health"]) == (200, "degraded")
    assert after.json["version"] == before.json["version"]
    tag = {"If-Match": before.headers["ETag"]}
    assert client.delete(deployment, headers={**admin, **tag}).status_code == 202


def test_command_for_a_version_that_is_gone_is_refused(
    client: FlaskClient, admin: dict[str, str], deployment: str
) -> None:
    seen = client.get(deployment, headers=admin)
    begin_writing()
    session().query(Deployment).one().message = "changed"
    session().commit()
    stop = {"deployment": seen.json["id"], "phase": "stop"}
    by_name = {"plan": "notebook", "name": "demo", "phase": "stop"}
    for body in (stop, by_name):
        headers = {**admin, "If-Match": seen.headers["ETag"]}
        answer = client.post("/api/v1/commands", json=body, headers=headers)
        assert answer.status_code == 412, answer.json
        assert answer.content_type == "application/problem+json"
    assert client.delete(deployment, headers=headers).status_code == 412
    now = {**admin, "If-Match": f'"{seen.json["version"] + 1}"'}
    assert client.post("/api/v1/commands", json=stop, headers=now).status_code == 202


def test_command_for_a_new_deployment_has_no_version(client: FlaskClient, admin: dict[str, str]) -> None:
    body = {"plan": "notebook", "phase": "install", "name": "new"}
    answer = client.post("/api/v1/commands", json=body, headers={**admin, "If-Match": "*"})
    assert answer.status_code == 412


def test_plan_is_replaced_by_who_has_seen_it(client: FlaskClient, admin: dict[str, str]) -> None:
    path = "/api/v1/plans/small"
    made = client.put(path, json=PLAN, headers=admin)
    assert (made.status_code, made.headers["Location"]) == (201, path)
    assert made.headers["ETag"] == client.get(path, headers=admin).headers["ETag"]
    change = {**PLAN, "title": "Smaller"}
    assert client.put(path, json=change, headers=admin).status_code == 428
    tag = {**admin, "If-Match": made.headers["ETag"]}
    changed = client.put(path, json=change, headers=tag)
    assert (changed.status_code, changed.json["version"]) == (200, made.json["version"] + 1)
    assert client.put(path, json=PLAN, headers=tag).status_code == 412
    assert client.delete(path, headers=tag).status_code == 412
    assert client.put(path, json=PLAN, headers={**admin, "If-Match": "*"}).status_code == 200
    assert client.get(path, headers=admin).json["title"] == "Small"


def test_plan_is_made_only_if_it_is_new_when_asked_so(client: FlaskClient, admin: dict[str, str]) -> None:
    new = {**admin, "If-None-Match": "*"}
    assert client.put("/api/v1/plans/small", json=PLAN, headers=new).status_code == 201
    assert client.put("/api/v1/plans/small", json=PLAN, headers=new).status_code == 412
    late = {**admin, "If-Match": '"1"'}
    assert client.put("/api/v1/plans/other", json=PLAN, headers=late).status_code == 412


def test_plan_that_does_not_change_keeps_its_version(client: FlaskClient, admin: dict[str, str]) -> None:
    answers = [client.post("/api/v1/plans", json={"name": "small", **PLAN}, headers=admin) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]


def test_plan_that_is_retired_goes_from_the_catalogue_and_keeps_its_deployments(
    client: FlaskClient, admin: dict[str, str], deployment: str
) -> None:
    assert client.delete("/api/v1/plans/notebook", headers=admin).status_code == 204
    assert client.get("/api/v1/plans/notebook", headers=admin).status_code == 404
    assert client.delete("/api/v1/plans/notebook", headers=admin).status_code == 404
    assert client.get(deployment, headers=admin).json["plan"] == "notebook"


def test_person_is_changed_by_who_has_seen_them(client: FlaskClient, admin: dict[str, str]) -> None:
    make_person("ada")
    path = "/api/v1/users/ada"
    tag = client.get(path, headers=admin).headers["ETag"]
    change = {"email": "ada@example.org"}
    assert client.patch(path, json=change, headers={**admin, "If-Match": tag}).status_code == 200
    for method in ("PATCH", "DELETE"):
        answer = client.open(path, method=method, json=change, headers={**admin, "If-Match": tag})
        assert answer.status_code == 412
    assert client.patch(path, json=change, headers=admin).status_code == 200


@pytest.mark.parametrize("header", ['""', 'W/""', '"", ""', "x", '"é"', "*, *", ",", '"' + "1" * 5000 + '"'])
def test_tag_that_is_none_matches_nothing(client: FlaskClient, admin: dict[str, str], header: str) -> None:
    sent = {**admin, "If-Match": header}
    assert client.patch("/api/v1/user", json={}, headers=sent).status_code == 412
    assert client.get("/api/v1/user", headers={**admin, "If-None-Match": header}).status_code == 200
