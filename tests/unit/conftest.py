"""A console without processes: an application on a database of its own, and factories with defaults."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from ansible_collections.labyard.platform.plugins.module_utils._request.request import PlanSpec
from labyard.accounts.keys import create_key
from labyard.accounts.people import create_user
from labyard.app import create_app
from labyard.catalog.plans import save_plan
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.models import Command, State, User, db
from labyard.models.base import begin_writing
from labyard.settings import Settings, read_settings
from tests.services.cheap_passwords import make_passwords_cheap

PASSWORD = "correct horse battery"
Key = dict[str, str]  # headers with which a request is somebody's


class Visitor(FlaskClient):
    """A test client each of whose requests stands alone, as on a server.

    The test holds an application context for its own look at the database; a request inside of it
    would share its `g` and its session.
    """

    def open(self, *arguments: Any, **options: Any) -> Any:
        """One request; the test's own transaction ends before it."""
        db.session.commit()
        return Context().run(super().open, *arguments, **options)


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    make_passwords_cheap(monkeypatch)


@pytest.fixture
def settings(console_home: Path, console_database: dict[str, str]) -> Settings:
    """Settings whose state lies in a folder of the test, on the chosen database."""
    return read_settings({"LABYARD_HOME": str(console_home), **console_database})


@pytest.fixture
def app(settings: Settings) -> Iterator[APIFlask]:
    """The application with tables and the plan `notebook`."""
    made = create_app(settings, TESTING=True)
    made.test_client_class = Visitor
    with made.app_context():
        begin_writing()
        save_plan(session(), PlanSpec("notebook", "labyard.platform.notebook", title="Notebook"))
        session().commit()
        yield made
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def commands_of_the_machine(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`labyard` may be called in this process: each command makes an application of its own, whose
    connections end with the test."""
    made: list[APIFlask] = []

    def make_app() -> APIFlask:
        made.append(create_app())
        return made[-1]

    monkeypatch.setattr("labyard.app.create_app", make_app)
    yield
    for one in made:
        with one.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    """A browser or program that is not signed in."""
    return app.test_client()


def make_person(username: str = "ada", *, is_admin: bool = False) -> User:
    """A person with PASSWORD."""
    begin_writing()
    person = create_user(session(), username, PASSWORD, is_admin=is_admin)
    session().commit()
    return person


def key_of(person: User) -> Key:
    """Headers with a new key of `person`."""
    begin_writing()
    key = create_key(session(), person, "test")
    session().commit()
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def ada(app: APIFlask) -> Key:
    """What a request of ada's carries."""
    return key_of(make_person("ada"))


@pytest.fixture
def admin(app: APIFlask) -> Key:
    """What a request of the admin root carries."""
    return key_of(make_person("root", is_admin=True))


def end_command(command: Command, state: State = State.COMPLETED) -> None:
    """Bring `command` to its end, by the moves that are allowed."""
    if command.state == State.INITIATED:
        command.state = State.PENDING
    command.state = state


def submit(person: User, phase: str = "install", **about: Any) -> Command:
    """A command of `person`, as a service takes it; an install of `demo` unless `about` says otherwise."""
    about = about or {"plan": "notebook", "name": "demo"}
    begin_writing()
    command = submit_command(session(), person, CommandRequest(phase, **about), context().sealer)
    session().commit()
    return command


def issue(client: FlaskClient, headers: dict[str, str], **changes: Any) -> Any:
    """POST a command; an install of `demo` unless `changes` say otherwise."""
    body = {"plan": "notebook", "phase": "install", "name": "demo", "params": {}, **changes}
    return client.post("/api/v1/commands", json=body, headers=headers)
