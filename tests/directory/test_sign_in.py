"""Signing in to the console with a password that a real directory knows."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from labyard.accounts.administration import change_person
from labyard.accounts.keys import create_key
from labyard.accounts.people import create_user, find_user, set_password
from labyard.context import Context, context, session
from labyard.errors import Conflict
from labyard.models import AuditEntry, User
from labyard.models.base import begin_writing
from tests.services.slapd_server import SlapdServer

from .conftest import PASSWORD

LOCAL_PASSWORD = "a password of the console"

MakeApp = Callable[..., APIFlask]
AT_HOME = {"REMOTE_ADDR": "10.2.0.1"}  # a session ends where its browser moves
_addresses = itertools.count(1)


def enter(app: APIFlask, username: str, password: str, client: FlaskClient | None = None) -> TestResponse:
    """An attempt from an address of its own, or with a browser, which stays at AT_HOME."""
    number = next(_addresses)
    elsewhere = {"REMOTE_ADDR": f"10.1.{number // 250}.{number % 250}"}
    return (client or app.test_client()).post(
        "/sign-in",
        data={"username": username, "password": password},
        environ_base=AT_HOME if client else elsewhere,
    )


def person(username: str) -> User:
    session().rollback()
    found = find_user(session(), username)
    assert found is not None
    return found


def make_local(username: str, *, is_admin: bool = False) -> None:
    begin_writing()
    create_user(session(), username, LOCAL_PASSWORD, is_admin=is_admin)
    session().commit()


def count_users() -> int:
    session().rollback()
    return session().query(User).count()


def actions() -> list[tuple[str, str]]:
    session().rollback()
    return [(entry.username, entry.action) for entry in session().query(AuditEntry).order_by(AuditEntry.id)]


def test_first_sign_in_makes_the_person_and_lets_them_in(make_app: MakeApp, slapd: SlapdServer) -> None:
    slapd.add_person("ada", PASSWORD, mail="ada@example.org")
    app = make_app()
    client = app.test_client()
    assert enter(app, "ada", PASSWORD, client).status_code == 303
    assert client.get("/", environ_base=AT_HOME).status_code == 200
    ada = person("ada")
    assert (ada.source, ada.email, ada.is_admin, ada.password_hash) == (
        "ldap",
        "ada@example.org",
        False,
        None,
    )
    assert [project.name for project in ada.projects] == ["default"]
    assert actions() == [("ada", "user made"), ("ada", "sign-in")]


def test_groups_make_admins_and_put_people_into_projects_at_each_sign_in(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    dn = slapd.add_person("ada", PASSWORD)
    for group in ("Operators", "physics", "maths"):
        slapd.add_group(group, dn)
    app = make_app(
        LABYARD_LDAP_ADMIN_GROUPS="operators", LABYARD_LDAP_PROJECTS="physics=quarks,maths=proofs,art=paint"
    )
    enter(app, "ada", PASSWORD)
    begin_writing()
    ada = person("ada")
    assert ada.is_admin
    assert [project.name for project in ada.projects] == ["default", "proofs", "quarks"]
    for group in ("Operators", "maths"):
        slapd.delete(f"cn={group},ou=groups,dc=example,dc=org")
    slapd.change(dn, {"mail": ["new@example.org"]})
    enter(app, "ada", PASSWORD)
    ada = person("ada")
    assert (ada.is_admin, ada.email) == (False, "new@example.org")
    assert [project.name for project in ada.projects] == ["default", "quarks"]


@pytest.mark.parametrize(
    ("username", "password"),
    [("ada", "wrong"), ("nobody", PASSWORD), ("admin", PASSWORD), ("*", PASSWORD), ("ada", "\u00ad")],
)
def test_refusals_look_alike_and_are_recorded(
    make_app: MakeApp, slapd: SlapdServer, username: str, password: str
) -> None:
    slapd.add_person("ada", PASSWORD)
    app = make_app()
    make_local("admin")
    answer = enter(app, username, password)
    assert answer.status_code == 401
    assert "The user name or the password is not right." in answer.text
    assert actions() == [(username, "sign-in refused")]
    assert count_users() == 1


def test_account_of_the_console_is_never_that_of_the_directory(make_app: MakeApp, slapd: SlapdServer) -> None:
    """A directory that gives somebody the name of an admin gives them nothing."""
    slapd.add_person("admin", PASSWORD)
    app = make_app()
    make_local("admin", is_admin=True)
    assert enter(app, "admin", PASSWORD).status_code == 401
    assert enter(app, "ADMIN", PASSWORD).status_code == 403
    assert enter(app, "admin", LOCAL_PASSWORD).status_code == 303
    assert person("admin").source == "local"


def test_directory_when_away_then_says_so_and_local_admins_still_get_in(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    slapd.add_person("ada", PASSWORD)
    app = make_app()
    make_local("admin", is_admin=True)
    slapd.kill()
    for username, password in (("ada", PASSWORD), ("nobody", PASSWORD), ("admin", "wrong")):
        answer = enter(app, username, password)
        assert answer.status_code == 503
        assert "does not answer" in answer.text
        assert "127.0.0.1" not in answer.text
    assert enter(app, "admin", LOCAL_PASSWORD).status_code == 303
    assert actions() == [("admin", "sign-in refused"), ("admin", "sign-in")]


def test_directory_when_it_is_back_then_lets_in_again(make_app: MakeApp, slapd: SlapdServer) -> None:
    slapd.add_person("ada", PASSWORD)
    app = make_app()
    slapd.kill()
    assert enter(app, "ada", PASSWORD).status_code == 503
    slapd.start()
    assert enter(app, "ada", PASSWORD).status_code == 303


def test_tries_under_many_spellings_of_a_name_are_counted_together(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    slapd.add_person("ada", PASSWORD)
    app = make_app()
    spellings = ["".join(letters) for letters in itertools.product("aA", "dD", "aA")]
    for spelling in (*spellings, "ada", "Ada"):
        assert enter(app, spelling, "wrong").status_code == 401
    for spelling in ("ada", "ADA"):
        answer = enter(app, spelling, PASSWORD)
        assert answer.status_code == 429
        assert "Wait five minutes" in answer.text


def test_tries_side_by_side_give_no_more_than_ten_answers(make_app: MakeApp, slapd: SlapdServer) -> None:
    slapd.add_person("ada", PASSWORD)
    app = make_app()

    def attempt(_number: int) -> int:
        with app.app_context():
            return enter(app, "ada", "wrong").status_code

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(attempt, range(24)))
    assert (answers.count(401), answers.count(429)) == (10, 14)


def test_person_when_disabled_here_then_is_refused_whatever_the_directory_says(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    slapd.add_person("ada", PASSWORD)
    app = make_app()
    enter(app, "ada", PASSWORD)
    begin_writing()
    change_person(session(), person("ada"), {"active": False})
    session().commit()
    assert enter(app, "ada", PASSWORD).status_code == 401
    assert not person("ada").active


def test_name_when_it_was_given_to_somebody_else_then_they_do_not_get_the_account(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    dn = slapd.add_person("ada", PASSWORD)
    app = make_app()
    enter(app, "ada", PASSWORD)
    slapd.delete(dn)
    slapd.add_person("ada", "another password")
    answer = enter(app, "ada", "another password")
    assert answer.status_code == 403
    assert "belongs to somebody else of that name" in answer.text


def test_name_when_it_cannot_be_one_here_then_the_reason_is_said(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    slapd.add_person("jürgen", PASSWORD)
    answer = enter(make_app(), "jürgen", PASSWORD)
    assert answer.status_code == 403
    assert "cannot be a user name here" in answer.text
    assert count_users() == 0


def test_person_outside_of_the_allowed_groups_is_told_so_with_the_right_password_alone(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    inside = slapd.add_person("ada", PASSWORD)
    slapd.add_person("bob", PASSWORD)
    slapd.add_group("staff", inside)
    app = make_app(LABYARD_LDAP_ALLOWED_GROUPS="staff, guests")
    assert enter(app, "ada", PASSWORD).status_code == 303
    assert enter(app, "bob", "wrong").status_code == 401
    assert enter(app, "bob", PASSWORD).status_code == 403
    assert count_users() == 1


def test_password_of_the_directory_is_not_changed_here(make_app: MakeApp, slapd: SlapdServer) -> None:
    slapd.add_person("ada", PASSWORD)
    enter(make_app(), "ada", PASSWORD)
    with pytest.raises(Conflict, match="kept in the directory"):
        set_password(session(), person("ada"), "a long new password")


def test_database_is_not_locked_while_the_directory_thinks(make_app: MakeApp, slapd: SlapdServer) -> None:
    """Others write meanwhile; on SQLite there is one writer."""
    app = make_app()

    class Thinking:
        def check(self, username: str, password: str) -> None:
            begin_writing_elsewhere(app)
            raise AssertionError("asked")

    from labyard.accounts.sign_in import Attempt, Door, sign_in

    settings = context().settings.directory
    assert settings is not None
    begin_writing()
    with pytest.raises(AssertionError, match="asked"):
        sign_in(session(), begin_writing, Door(Thinking(), settings), Attempt("ada", "x", ""))
    assert actions() == [("elsewhere", "wrote")]


def begin_writing_elsewhere(app: APIFlask) -> None:
    def write() -> None:
        with app.app_context():
            begin_writing()
            session().add(AuditEntry(username="elsewhere", action="wrote"))
            session().commit()
            session().close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(write).result(timeout=12)  # less than a writer waits for another one


def test_keys_of_the_person_work_and_page_says_whose_password_it_takes(
    make_app: MakeApp, slapd: SlapdServer
) -> None:
    slapd.add_person("ada", PASSWORD)
    app = make_app()
    assert "in the directory" in app.test_client().get("/sign-in").text
    enter(app, "ada", PASSWORD)
    begin_writing()
    key = create_key(session(), person("ada"), "laptop")
    session().commit()
    answer = app.test_client().get("/api/v1/user", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json["source"]) == (200, "ldap")


def test_page_without_a_directory_says_nothing_of_one(make_app: MakeApp, slapd: SlapdServer) -> None:
    app = make_app()
    here: Context = app.extensions["labyard"]
    app.extensions["labyard"] = replace(here, settings=replace(here.settings, directory=None))
    slapd.add_person("ada", PASSWORD)
    assert "directory" not in app.test_client().get("/sign-in").text
    assert enter(app, "ada", PASSWORD).status_code == 401
