"""A console on an empty database, with one plan and one person; no worker, no swarm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache

from labyard.accounts import people
from labyard.accounts.people import create_user
from labyard.app import create_app
from labyard.models import Command, Deployment, Plan, State, Task, User, db
from labyard.settings import Settings, read_settings

PASSWORD = "a-long-password"
NOTEBOOK = "labyard.platform.notebook"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose; these tests do it often and have nothing to hide."""
    monkeypatch.setattr(people, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one application leaves the templates that it has compiled to the next."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def settings(tmp_path: Path, console_home: Path, console_database: dict[str, str]) -> Settings:
    """Settings of a console without engine, on the chosen database."""
    chosen = read_settings({"LABYARD_HOME": str(console_home), **console_database})
    return Settings(
        home=console_home,
        database_url=chosen.database_url,
        queue_url=chosen.queue_url,
        playbook=tmp_path / "service.yml",
        inventory=tmp_path,
        ansible_config=None,
        docker_host=f"unix://{tmp_path / 'no-docker.sock'}",
    )


@pytest.fixture
def app(settings: Settings, compiled_templates: Path) -> Iterator[Flask]:
    """The application, inside its context; forms need no CSRF token."""
    app = create_app(settings, TESTING=True, WTF_CSRF_ENABLED=False)
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(compiled_templates))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def make_person(app: Flask) -> Callable[..., str]:
    """Make a person; gives the user name back."""

    def make(username: str = "maria", *, is_admin: bool = False) -> str:
        with app.app_context():
            create_user(db.session, username, PASSWORD, is_admin=is_admin)
            db.session.commit()
        return username

    return make


@pytest.fixture
def sign_in(app: Flask) -> Callable[[str], FlaskClient]:
    """A browser in which that person is signed in."""

    def enter(username: str) -> FlaskClient:
        client = app.test_client()
        answer = client.post("/sign-in", data={"username": username, "password": PASSWORD})
        assert answer.status_code == 303
        return client

    return enter


@pytest.fixture
def maria(make_person: Callable[..., str], sign_in: Callable[[str], FlaskClient]) -> FlaskClient:
    """A browser in which maria, who is no admin, is signed in."""
    return sign_in(make_person("maria"))


@pytest.fixture
def make_plan(app: Flask) -> Callable[..., str]:
    """Make a plan of the notebook role; gives its name back."""

    def make(name: str = "notebook", **columns: Any) -> str:
        values = {"title": name.capitalize(), "configuration": NOTEBOOK, "fixed": {}, "shapes": {}, **columns}
        with app.app_context():
            db.session.add(Plan(name=name, **values))
            db.session.commit()
        return name

    return make


@pytest.fixture
def make_deployment(app: Flask) -> Callable[..., str]:
    """Make a deployment of the plan `notebook`, running unless told otherwise; gives its id back."""

    def make(name: str = "demo", owner: str = "maria", **columns: Any) -> str:
        with app.app_context():
            person = db.session.query(User).filter_by(username=owner).one()
            plan = db.session.query(Plan).filter_by(name=columns.pop("plan", "notebook")).one()
            values = {
                "state": State.COMPLETED,
                "health": "running",
                "services": [{"name": "notebook", "image": "labyard/x:1", "replicas": 1, "running": 1}],
                "endpoints": [{"name": "JupyterLab", "url": "http://127.0.0.1:20001/lab", "access": "token"}],
                **columns,
            }
            deployment = Deployment(name=name, owner=person, plan=plan, project=person.projects[0], **values)
            db.session.add(deployment)
            db.session.commit()
            return deployment.id

    return make


@pytest.fixture
def make_command(app: Flask) -> Callable[..., str]:
    """Make a command of three steps for a deployment; gives its id back."""

    def make(deployment_id: str, phase: str = "install", state: State = State.PENDING, **columns: Any) -> str:
        with app.app_context():
            deployment = db.session.get_one(Deployment, deployment_id)
            command = Command(
                deployment=deployment, issuer=deployment.owner, phase=phase, state=state, **columns
            )
            command.tasks = [Task(position=i, name=f"Step {i}") for i in range(3)]
            db.session.add(command)
            db.session.commit()
            return command.id

    return make
