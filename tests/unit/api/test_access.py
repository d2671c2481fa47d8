"""Nobody gets at what is another's, by any route."""

from __future__ import annotations

import re
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from labyard.context import session
from labyard.models import Command, Deployment, State
from labyard.models.base import begin_writing
from tests.unit.conftest import PASSWORD, end_command, issue, key_of, make_person

# Routes that name a deployment or command in their path: each must refuse a stranger.
OWNED = re.compile(r"[<:](deployment_id|command_id)>")


@pytest.fixture
def owned(client: FlaskClient) -> dict[str, str]:
    """Ada's deployment and command, both at rest, with an endpoint."""
    document = issue(client, key_of(make_person("ada"))).json
    begin_writing()
    command = session().get_one(Command, document["id"])
    end_command(command)
    command.deployment.state = State.PENDING
    command.deployment.state = State.COMPLETED
    command.deployment.endpoints = [
        {"name": "JupyterLab", "url": "http://127.0.0.1:1/lab", "access": "token"}
    ]
    session().commit()
    return {"deployment_id": document["deployment"]["id"], "command_id": document["id"]}


def sign_in(app: APIFlask, username: str) -> FlaskClient:
    """A browser in which `username` has signed in."""
    browser = app.test_client()
    page = browser.get("/sign-in").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token, page
    sent = {"username": username, "password": PASSWORD, "csrf_token": token[1]}
    assert browser.post("/sign-in", data=sent).status_code in (302, 303)
    return browser


def owned_routes(app: APIFlask) -> list[tuple[str, str, dict[str, Any]]]:
    """Every method and route that names a thing of a person, with the values of its other parts."""
    return [
        (method, rule.rule, {"phase": "remove", "phase_name": "remove"})
        for rule in app.url_map.iter_rules()
        if OWNED.search(rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]


def fill(rule: str, values: dict[str, Any]) -> str:
    return re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda m: str(values[m[1]]), rule)


def test_second_person_is_refused_by_every_route(
    app: APIFlask, client: FlaskClient, owned: dict[str, str]
) -> None:
    stranger = key_of(make_person("eve"))
    browser = sign_in(app, "eve")
    routes = owned_routes(app)
    assert len(routes) >= 12
    for method, rule, others in routes:
        path = fill(rule, {**others, **owned})
        if rule.startswith("/api/"):
            answer = client.open(path, method=method, headers=stranger)
        else:
            answer = browser.open(path, method=method, data={"csrf_token": csrf_of(browser)})
        assert answer.status_code == 404, f"{method} {path}: {answer.status_code}"
    deployment = session().get_one(Deployment, owned["deployment_id"], populate_existing=True)
    assert deployment.state == State.COMPLETED
    assert session().query(Command).count() == 1


def csrf_of(browser: FlaskClient) -> str:
    """A token that the browser's session accepts."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/plans/notebook/launch").text)
    assert found
    return found[1]


def test_lists_show_a_person_their_own_only(
    app: APIFlask, client: FlaskClient, owned: dict[str, str]
) -> None:
    stranger = key_of(make_person("eve"))
    for path in ("deployments", "commands"):
        assert client.get(f"/api/v1/{path}", headers=stranger).json == {"items": [], "next": None}
    assert owned["deployment_id"] not in sign_in(app, "eve").get("/deployments").text


def test_admin_sees_all_but_gets_into_none(app: APIFlask, client: FlaskClient, owned: dict[str, str]) -> None:
    admin = key_of(make_person("root", is_admin=True))
    path = f"/api/v1/deployments/{owned['deployment_id']}"
    assert client.get(path, headers=admin).json["owner"] == "ada"
    assert client.post(f"{path}/access", headers=admin).status_code == 403


def test_owner_gets_in_and_the_call_is_audited(
    app: APIFlask, client: FlaskClient, owned: dict[str, str]
) -> None:
    from labyard.accounts.people import get_user
    from labyard.models import AuditEntry

    ada = key_of_existing(get_user(session(), "ada"))
    answer = client.post(f"/api/v1/deployments/{owned['deployment_id']}/access", headers=ada)
    assert answer.json["url"] == "http://127.0.0.1:1/lab"
    assert len(answer.json["token"]) >= 32
    assert session().query(AuditEntry).filter_by(action="access", username="ada").count() == 1


def key_of_existing(person: Any) -> dict[str, str]:
    """Headers with a second key."""
    from labyard.accounts.keys import create_key

    begin_writing()
    key = create_key(session(), person, "second")
    session().commit()
    return {"Authorization": f"Bearer {key}"}


def test_change_through_the_api_needs_a_key_not_a_session(app: APIFlask) -> None:
    make_person("ada")
    browser = sign_in(app, "ada")
    assert browser.get("/api/v1/deployments").status_code == 200
    answer = browser.post("/api/v1/commands", json={"plan": "notebook", "phase": "install", "name": "demo"})
    assert answer.status_code == 401
