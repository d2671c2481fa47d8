"""The same request under the same key is carried out once."""

from __future__ import annotations

import re
import threading
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from labyard.accounts.given_answers import LIFETIME, prune_answers
from labyard.clock import utc_now
from labyard.commands import submit
from labyard.context import session
from labyard.models import ApiKey, Command, Deployment, GivenAnswer, Invoice
from labyard.models.base import begin_writing
from tests.billing_data import take, usage
from tests.unit.api.test_roles import ADMINS, BODIES, create_key_of, place, routes_of, settings
from tests.unit.conftest import issue, key_of, make_person

__all__ = ["place", "settings"]  # fixtures

INSTALL = {"plan": "notebook", "phase": "install", "name": "demo", "params": {"cpu_limit": 0.5}}


@pytest.fixture
def key(app: APIFlask) -> dict[str, str]:
    return key_of(make_person("ada"))


def post(client: FlaskClient, headers: dict[str, str], name: str, body: Any = None, path: str = "") -> Any:
    path = path or "/api/v1/commands"
    sent = INSTALL if body is None else body
    return client.post(path, json=sent, headers={**headers, "Idempotency-Key": name})


def test_every_post_answers_the_same_again(app: APIFlask, client: FlaskClient, place: dict[str, str]) -> None:
    """All of them, from the map of routes: one that is not under the hook fails here."""
    from labyard.accounts.people import get_user

    ada = create_key_of("second", get_user(session(), "ada"))
    root = key_of(make_person("root", is_admin=True))
    waiting = issue(client, ada, name="waits").json["id"]
    posts = [route for route in routes_of(app) if route[0] == "POST"]
    assert len(posts) >= 12
    take(usage("february", start="2026-02-10T10:00:00Z", end="2026-02-10T11:00:00Z"))
    for _, endpoint, rule in posts:
        values = {**place, "command_id": waiting if endpoint == "cancel_command" else place["command_id"]}
        if endpoint == "finalize_one_invoice":
            values["invoice"] = session().scalars(select(Invoice.id).where(Invoice.number.is_(None))).one()
        if endpoint == "void_invoice":
            values["invoice"] = "L-000002"
        if endpoint == "decline_budget_request":
            values["request_id"] = place["other_request"]
        path = re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda found, v=values: v[found[1]], rule)
        headers = {**(root if endpoint in ADMINS else ada), "Idempotency-Key": f"key-of-{endpoint}"}
        first, second = (client.post(path, json=BODIES.get(endpoint), headers=headers) for _ in range(2))
        assert first.status_code < 300, f"{endpoint}: {first.json}"
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers.get("Idempotency-Replayed") == "true", endpoint
        assert (second.status_code, second.data) == (first.status_code, first.data), endpoint
        for header in ("Location", "ETag", "Content-Type"):
            assert second.headers.get(header) == first.headers.get(header), endpoint
        other = client.post(path, json={**BODIES.get(endpoint, {}), "other": 1}, headers=headers)
        assert other.status_code == 409, endpoint


def test_request_is_carried_out_once(client: FlaskClient, key: dict[str, str]) -> None:
    answers = [post(client, key, "one") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert session().query(Command).count() == session().query(Deployment).count() == 1


def test_same_document_in_another_spelling_is_the_same_request(
    client: FlaskClient, key: dict[str, str]
) -> None:
    first = post(client, key, "one").json
    turned = dict(reversed(list(INSTALL.items())))
    assert post(client, key, "one", turned).json == first


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({**INSTALL, "name": "other"}, "/api/v1/commands"),
        ({"name": "key"}, "/api/v1/user/keys"),
        (INSTALL, "/api/v1/commands?x=1"),
    ],
)
def test_other_request_under_the_same_key_is_refused(
    client: FlaskClient, key: dict[str, str], body: Any, path: str
) -> None:
    post(client, key, "one")
    answer = post(client, key, "one", body, path)
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert session().query(Command).count() == 1


def test_key_belongs_to_its_person(client: FlaskClient, key: dict[str, str]) -> None:
    mine = post(client, key, "one").json
    theirs = post(client, key_of(make_person("bob")), "one")
    assert theirs.status_code == 202
    assert theirs.json["id"] != mine["id"]


def test_refusal_is_not_kept(client: FlaskClient, key: dict[str, str]) -> None:
    """It changed nothing: when the cause is gone, the same request is carried out."""
    assert post(client, key, "one", {**INSTALL, "params": {"cpu_limit": "much"}}).status_code == 422
    assert session().query(GivenAnswer).count() == 0
    assert post(client, key, "one").status_code == 202


def test_fault_of_ours_is_not_kept_and_leaves_nothing(
    app: APIFlask, client: FlaskClient, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(submit, "record_action", fail)
        assert post(client, key, "one").status_code == 500
    assert session().query(GivenAnswer).count() == session().query(Deployment).count() == 0
    assert post(client, key, "one").status_code == 202


@pytest.mark.parametrize("name", ["", "two words", "ä", "x" * 256, "tab\tbed"])
def test_key_that_is_none_is_refused(client: FlaskClient, key: dict[str, str], name: str) -> None:
    answer = post(client, key, name)
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json["errors"]


def test_kept_answer_holds_no_secret_in_plain(client: FlaskClient, key: dict[str, str]) -> None:
    made = post(client, key, "one", {"name": "laptop"}, "/api/v1/user/keys").json["key"]
    again = post(client, key, "one", {"name": "laptop"}, "/api/v1/user/keys").json["key"]
    assert made == again
    row = session().query(GivenAnswer).one()
    assert made not in f"{row.body} {row.headers}"
    assert "laptop" not in row.body
    assert session().query(ApiKey).filter_by(name="laptop").count() == 1


def test_answer_is_forgotten_after_a_day(client: FlaskClient, key: dict[str, str]) -> None:
    post(client, key, "old")
    begin_writing()
    row = session().query(GivenAnswer).one()
    row.created_at = utc_now() - LIFETIME - timedelta(seconds=1)
    session().commit()
    assert post(client, key, "old", {"name": "laptop"}, "/api/v1/user/keys").status_code == 201
    assert session().query(GivenAnswer).count() == 1


def test_pruning_keeps_what_is_younger_than_a_day(client: FlaskClient, key: dict[str, str]) -> None:
    post(client, key, "young")
    begin_writing()
    prune_answers(session(), lambda: utc_now() + LIFETIME - timedelta(minutes=1))
    assert session().query(GivenAnswer).count() == 1
    prune_answers(session(), lambda: utc_now() + LIFETIME + timedelta(minutes=1))
    assert session().query(GivenAnswer).count() == 0


def test_ten_at_once_carry_it_out_once(app: APIFlask, key: dict[str, str]) -> None:
    answers: list[Any] = []
    start = threading.Barrier(10)

    def send() -> None:
        start.wait()
        answers.append(post(app.test_client(), key, "one"))

    session().commit()
    threads = [threading.Thread(target=Context().run, args=(_with_context, app, send)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) <= {202, 409}
    assert len({answer.json["id"] for answer in answers if answer.status_code == 202}) == 1
    assert all(answer.headers.get("Retry-After") for answer in answers if answer.status_code == 409)
    assert session().query(Command).count() == 1


def _with_context(app: APIFlask, work: Any) -> None:
    with app.app_context():
        work()
