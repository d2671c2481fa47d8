"""Issuing commands over REST."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from labyard.context import session
from labyard.models import Command, Deployment, State
from labyard.models.base import begin_writing
from tests.unit.conftest import end_command, issue, key_of, make_person


@pytest.fixture
def key(app: Any) -> dict[str, str]:
    return key_of(make_person())


def test_accepted_command_has_its_place_and_its_steps(client: FlaskClient, key: dict[str, str]) -> None:
    answer = issue(client, key)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/commands/{answer.json['id']}"
    assert (answer.json["state"], answer.json["state_name"]) == (0, "INITIATED")
    assert answer.json["tasks"][0]["name"] == "Read the request"
    assert client.get(answer.headers["Location"], headers=key).json["id"] == answer.json["id"]


def test_parameters_get_the_defaults_of_the_role(client: FlaskClient, key: dict[str, str]) -> None:
    params = issue(client, key, params={"cpu_limit": "2"}).json["params"]
    assert (params["cpu_limit"], params["memory_limit"]) == (2.0, 1024)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"plan": "nothing"}, "plan"),
        ({"plan": None}, "plan"),
        ({"phase": "explode"}, "phase"),
        ({"phase": None}, "phase"),
        ({"name": "a b"}, "name"),
        ({"name": None}, "name"),
        ({"name": {"a": 1}}, "name"),
        ({"project": "elsewhere"}, "project"),
        ({"params": []}, "params"),
        ({"params": "text"}, "params"),
        ({"params": {"cpu_limit": "much"}}, "cpu_limit"),
        ({"params": {"cpu_limit": 0}}, "cpu_limit"),
        ({"params": {"memory_limit": 1.5}}, "memory_limit"),
        ({"params": {"image_flavour": "banana"}}, "image_flavour"),
        ({"params": {"colour": "red"}}, "colour"),
        ({"params": {"image_prefix": "evil"}}, "image_prefix"),
        ({"params": {"pip_packages": ["--index-url=http://x"]}}, "pip_packages"),
        ({"params": {"environment": {"LD_PRELOAD": "x"}}}, "environment"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_fault_is_reported_at_its_field_and_nothing_is_written(
    client: FlaskClient, key: dict[str, str], changes: dict[str, Any], field: str
) -> None:
    answer = issue(client, key, **changes)
    assert answer.status_code in (400, 422), answer.json
    assert answer.content_type == "application/problem+json"
    assert field in answer.json["errors"], answer.json
    assert session().query(Deployment).count() == 0


def test_all_faults_are_reported_at_once(client: FlaskClient, key: dict[str, str]) -> None:
    answer = issue(client, key, name="a b", params={"cpu_limit": "much", "colour": "red"})
    assert set(answer.json["errors"]) == {"name", "cpu_limit", "colour"}


@pytest.mark.parametrize("body", ["{", "[]", "null", '"text"', "5"])
def test_body_that_is_no_object_is_refused_in_words(
    client: FlaskClient, key: dict[str, str], body: str
) -> None:
    answer = client.post("/api/v1/commands", data=body, headers={**key, "Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.content_type == "application/problem+json"


def test_name_of_a_living_deployment_is_refused(client: FlaskClient, key: dict[str, str]) -> None:
    issue(client, key)
    answer = issue(client, key)
    assert answer.status_code == 409
    assert "choose another name" in answer.json["errors"]["name"]


def test_second_command_for_a_deployment_is_told_what_runs(client: FlaskClient, key: dict[str, str]) -> None:
    first = issue(client, key).json
    answer = issue(client, key, plan=None, name=None, deployment=first["deployment"]["id"], phase="stop")
    assert answer.status_code == 409
    assert first["id"] in answer.json["detail"]


def test_same_name_belongs_to_two_people(client: FlaskClient, key: dict[str, str]) -> None:
    issue(client, key)
    assert issue(client, key_of(make_person("bob"))).status_code == 202


def test_removed_deployment_takes_no_more_commands(client: FlaskClient, key: dict[str, str]) -> None:
    first = issue(client, key).json
    begin_writing()
    command = session().get_one(Command, first["id"])
    end_command(command)
    command.deployment.state = State.PENDING
    command.deployment.state = State.REMOVED
    session().commit()
    answer = client.post(
        "/api/v1/commands",
        json={"deployment": first["deployment"]["id"], "phase": "start"},
        headers=key,
    )
    assert answer.status_code == 409


def test_deployment_and_command_hold_no_secret(client: FlaskClient, key: dict[str, str], app: Any) -> None:
    first = issue(client, key).json
    deployment = session().get_one(Deployment, first["deployment"]["id"])
    token = app.extensions["labyard"].sealer.open(deployment.sealed_secrets)["token"]
    assert len(token) >= 32
    for path in ("commands", f"commands/{first['id']}", "deployments", f"deployments/{deployment.id}"):
        text = client.get(f"/api/v1/{path}", headers=key).text
        assert token not in text
        assert "sealed" not in text


def test_command_says_what_it_leaves_out_and_of_which_commit_it_was_run(
    client: FlaskClient, key: dict[str, str]
) -> None:
    first = issue(client, key).json
    assert (first["steps_done"], first["source_commit"]) == ([], None)
    assert {task["done_before"] for task in first["tasks"]} == {False}
    begin_writing()
    command = session().get_one(Command, first["id"])
    left_out = command.tasks[0].name
    command.steps_done, command.source_commit = [left_out], "ab" * 20
    session().commit()
    again = client.get(f"/api/v1/commands/{first['id']}", headers=key).json
    assert (again["steps_done"], again["source_commit"]) == ([left_out], "ab" * 20)
    assert [task["name"] for task in again["tasks"] if task["done_before"]] == [left_out]
    tasks = client.get(f"/api/v1/commands/{first['id']}/tasks", headers=key).json["items"]
    assert tasks == again["tasks"]


def test_cancel_is_asked_for_once_it_waits_and_refused_once_it_is_over(
    client: FlaskClient, key: dict[str, str]
) -> None:
    first = issue(client, key).json
    assert client.post(f"/api/v1/commands/{first['id']}/cancel", headers=key).status_code == 202
    command = session().get_one(Command, first["id"])
    assert command.cancel_requested
    begin_writing()
    end_command(command)
    session().commit()
    assert client.post(f"/api/v1/commands/{first['id']}/cancel", headers=key).status_code == 409


def test_schema_says_what_the_form_says(client: FlaskClient, key: dict[str, str]) -> None:
    schema = client.get("/api/v1/plans/notebook/schema", headers=key).json
    cpu = schema["properties"]["cpu_limit"]
    assert (cpu["type"], cpu["minimum"], cpu["default"]) == ("number", 0.1, 1.0)
    assert schema["additionalProperties"] is False
    scale = client.get("/api/v1/plans/notebook/schema?phase=scale", headers=key).json
    assert set(scale["properties"]) == {"cpu_limit", "memory_limit"}


def test_plan_is_made_by_an_admin_alone(client: FlaskClient, key: dict[str, str]) -> None:
    plan = {"name": "small", "configuration": "labyard.platform.notebook", "fixed": {"cpu_limit": 0.5}}
    assert client.post("/api/v1/plans", json=plan, headers=key).status_code == 403
    admin = key_of(make_person("root", is_admin=True))
    assert client.post("/api/v1/plans", json=plan, headers=admin).status_code == 201
    assert issue(client, key, plan="small").json["params"]["cpu_limit"] == 0.5
    answer = issue(client, key, plan="small", name="other", params={"cpu_limit": 4})
    assert answer.json["errors"] == {"cpu_limit": "is fixed by the plan to 0.5"}


def test_plan_without_a_summary_shows_its_configurations_and_says_that_it_has_none(
    client: FlaskClient, app: Any
) -> None:
    admin = key_of(make_person("root", is_admin=True))
    plan = {"name": "small", "configuration": "labyard.platform.notebook"}
    made = client.post("/api/v1/plans", json=plan, headers=admin).json
    assert (bool(made["summary"]), made["own_summary"]) == (True, "")
    made = client.post("/api/v1/plans", json={**plan, "summary": "Ours."}, headers=admin).json
    assert (made["summary"], made["own_summary"]) == ("Ours.", "Ours.")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"fixed": {"cpu_limit": 1000}}, "fixed.cpu_limit"),
        ({"fixed": {"colour": "red"}}, "fixed.colour"),
        ({"configuration": "labyard.platform.nothing"}, "configuration"),
        ({"name": "UPPER"}, "name"),
    ],
)
def test_plan_that_cannot_work_is_refused(
    client: FlaskClient, app: Any, changes: dict[str, Any], field: str
) -> None:
    admin = key_of(make_person("root", is_admin=True))
    plan = {"name": "small", "configuration": "labyard.platform.notebook", **changes}
    answer = client.post("/api/v1/plans", json=plan, headers=admin)
    assert answer.status_code == 422
    assert field in answer.json["errors"]


def test_openapi_document_names_every_route(client: FlaskClient, app: Any) -> None:
    document = client.get("/api/v1/openapi.json").json
    assert document["openapi"].startswith("3.")
    routes = {r.rule for r in app.url_map.iter_rules() if r.endpoint.startswith("api.")}
    paths = {re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", route) for route in routes}
    assert paths == {path for path in document["paths"] if path.startswith("/api/")}
