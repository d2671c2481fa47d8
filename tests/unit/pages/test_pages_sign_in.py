"""Signing in and out."""

from __future__ import annotations

import pytest
from flask import Flask

from labyard.models import AuditEntry, db

from .conftest import PASSWORD


def actions(app: Flask) -> list[str]:
    with app.app_context():
        return [entry.action for entry in db.session.query(AuditEntry).order_by(AuditEntry.id)]


def test_every_page_when_nobody_is_signed_in_then_sends_to_the_sign_in_form(app):
    answer = app.test_client().get("/deployments?health=running")
    assert answer.status_code == 302
    assert answer.location == "/sign-in?next=/deployments?health%3Drunning"


def test_sign_in_when_all_is_right_then_goes_on_to_the_page_that_was_asked_for(app, make_person):
    make_person("maria")
    client = app.test_client()
    answer = client.post("/sign-in?next=/deployments", data={"username": "maria", "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/deployments")
    assert client.get("/").status_code == 200
    assert actions(app) == ["sign-in"]


def test_sign_in_when_the_password_is_wrong_then_says_so_keeps_the_name_and_is_recorded(app, make_person):
    make_person("maria")
    client = app.test_client()
    answer = client.post("/sign-in", data={"username": "maria", "password": "not-the-password"})
    assert answer.status_code == 401
    assert "The user name or the password is not right." in answer.text
    assert 'value="maria"' in answer.text
    assert "not-the-password" not in answer.text
    assert actions(app) == ["sign-in refused"]
    assert client.get("/").status_code == 302


def test_sign_in_when_tried_too_often_then_has_to_wait_even_with_the_right_password(app, make_person):
    make_person("maria")
    client = app.test_client()
    for _ in range(10):
        client.post("/sign-in", data={"username": "maria", "password": "not-the-password"})
    answer = client.post("/sign-in", data={"username": "maria", "password": PASSWORD})
    assert answer.status_code == 429
    assert "Wait five minutes" in answer.text


def test_sign_in_when_a_field_is_empty_then_the_error_stands_at_the_field(app):
    answer = app.test_client().post("/sign-in", data={"username": "maria", "password": ""})
    assert answer.status_code == 422
    assert 'aria-describedby="password-error"' in answer.text
    assert "Enter your password." in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "/\t/elsewhere.example",
        "javascript:alert(1)",
        "deployments",
        "/no/such/page",
        "/commands/abc/cancel",
    ],
)
def test_sign_in_when_next_is_no_page_of_ours_then_goes_to_the_catalogue(app, make_person, target):
    make_person("maria")
    answer = app.test_client().post(
        "/sign-in", query_string={"next": target}, data={"username": "maria", "password": PASSWORD}
    )
    assert answer.location == "/"


def test_sign_in_when_done_then_nothing_of_the_old_session_is_left(app, make_person):
    make_person("maria")
    client = app.test_client()
    with client.session_transaction() as before:
        before["planted"] = "by somebody else"
    client.post("/sign-in", data={"username": "maria", "password": PASSWORD})
    with client.session_transaction() as after:
        assert "planted" not in after


def test_sign_out_when_signed_in_then_ends_the_session(app, maria):
    answer = maria.post("/sign-out")
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert maria.get("/").status_code == 302
    assert actions(app)[-1] == "sign-out"


def test_sign_out_when_it_is_a_get_then_is_refused(maria):
    assert maria.get("/sign-out").status_code == 405


def test_forms_when_the_csrf_token_is_missing_then_are_refused(app, make_person):
    make_person("maria")
    app.config["WTF_CSRF_ENABLED"] = True
    answer = app.test_client().post("/sign-in", data={"username": "maria", "password": PASSWORD})
    assert answer.status_code == 400
    assert "out of date" in answer.text
