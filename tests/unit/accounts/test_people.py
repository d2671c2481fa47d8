"""Signing in, passwords and keys."""

from __future__ import annotations

from datetime import timedelta

import pytest
from apiflask import APIFlask

from labyard.accounts.audit import record_action
from labyard.accounts.keys import create_key, find_key_owner, revoke_key
from labyard.accounts.people import check_password, create_user, set_password
from labyard.clock import utc_now
from labyard.context import session
from labyard.errors import Conflict, InvalidInput, NotFound, TooMany, Unauthorized
from labyard.models import ApiKey
from tests.unit.conftest import PASSWORD, make_person


def test_right_password_lets_in(app: APIFlask) -> None:
    person = make_person()
    assert check_password(session(), "ada", PASSWORD, "127.0.0.1") is person


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("ada", "")])
def test_wrong_name_and_wrong_password_look_alike(app: APIFlask, username: str, password: str) -> None:
    make_person()
    with pytest.raises(Unauthorized, match="user name or the password"):
        check_password(session(), username, password, "127.0.0.1")


def test_disabled_person_cannot_sign_in(app: APIFlask) -> None:
    make_person().active = False
    with pytest.raises(Unauthorized):
        check_password(session(), "ada", PASSWORD, "127.0.0.1")


def test_ten_failed_tries_close_the_door_for_five_minutes(app: APIFlask) -> None:
    make_person()
    for _ in range(10):
        record_action(session(), "ada", "sign-in refused", "10.0.0.1")
    session().flush()
    with pytest.raises(TooMany):
        check_password(session(), "ada", PASSWORD, "127.0.0.1")
    later = utc_now() + timedelta(minutes=6)
    assert check_password(session(), "ada", PASSWORD, "127.0.0.1", lambda: later)


@pytest.mark.parametrize(
    ("username", "password", "field"),
    [
        ("a b", PASSWORD, "username"),
        ("", PASSWORD, "username"),
        ("{{ 7*7 }}", PASSWORD, "username"),
        ("bob", "short", "password"),
    ],
)
def test_bad_name_or_password_is_refused_at_its_field(
    app: APIFlask, username: str, password: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        create_user(session(), username, password)
    assert field in caught.value.errors


def test_name_is_taken_once(app: APIFlask) -> None:
    make_person()
    with pytest.raises(Conflict):
        create_user(session(), "ada", PASSWORD)


def test_new_password_ends_all_sessions(app: APIFlask) -> None:
    person = make_person()
    before = person.get_id()
    set_password(session(), person, "another long password")
    assert person.get_id() != before


def test_key_is_kept_as_a_hash_only(app: APIFlask) -> None:
    key = create_key(session(), make_person(), "laptop")
    row = session().query(ApiKey).one()
    assert key not in (row.key_hash, row.name)
    assert find_key_owner(session(), key).username == "ada"


def test_revoked_or_expired_key_is_refused(app: APIFlask) -> None:
    person = make_person()
    key = create_key(session(), person, "laptop")
    old = create_key(session(), person, "old", utc_now() - timedelta(seconds=1))
    revoke_key(session(), person, "laptop")
    for dead in (key, old):
        with pytest.raises(Unauthorized):
            find_key_owner(session(), dead)
    with pytest.raises(NotFound):
        revoke_key(session(), person, "laptop")


def test_key_of_a_disabled_person_is_refused(app: APIFlask) -> None:
    person = make_person()
    key = create_key(session(), person, "laptop")
    person.active = False
    with pytest.raises(Unauthorized):
        find_key_owner(session(), key)
