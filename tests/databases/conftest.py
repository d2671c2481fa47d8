"""What holds on SQLite and on PostgreSQL alike: each test runs on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest
from apiflask import APIFlask

from ansible_collections.labyard.platform.plugins.module_utils._request.request import PlanSpec
from labyard.accounts.people import create_user
from labyard.app import create_app
from labyard.catalog.plans import save_plan
from labyard.context import session
from labyard.models import db
from labyard.models.base import begin_writing
from labyard.settings import Settings, read_settings
from tests.services.databases import copy_tables
from tests.services.postgres_server import PostgresServer

Result = TypeVar("Result")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a console whose database is empty, without tables; with them for `console`.

    Migrations take longer than most tests: those that do not try them get a copy of what they made.
    """
    has_tables = "console" in request.fixturenames
    if request.param == "sqlite":
        if has_tables:
            copy_tables(request.getfixturevalue("migrated_home"), tmp_path)
        yield read_settings({"LABYARD_HOME": str(tmp_path)})
        return
    server: PostgresServer = request.getfixturevalue("postgresql")
    name = server.create_database(request.getfixturevalue("template_database") if has_tables else None)
    yield read_settings({"LABYARD_HOME": str(tmp_path), "LABYARD_DATABASE_URL": server.url(name)})
    server.drop_database(name)


@pytest.fixture
def app(settings: Settings) -> Iterator[APIFlask]:
    """The application on those settings; the database is still without tables."""
    made = create_app(settings, TESTING=True)
    yield made
    with made.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def console(app: APIFlask) -> APIFlask:
    """The application with tables, the plan `notebook` and the person `ada`."""
    with app.app_context():
        begin_writing()
        save_plan(session(), PlanSpec("notebook", "labyard.platform.notebook", title="Notebook"))
        create_user(session(), "ada", "correct horse battery")
        session().commit()
        db.session.remove()
    return app


def at_once(app: APIFlask, jobs: list[Callable[[], Result]]) -> list[Result | Exception]:
    """What each of `jobs` gives or raises; each has a thread and a session, all start at the same time."""
    start = Barrier(len(jobs))

    def run(job: Callable[[], Result]) -> Result | Exception:
        with app.app_context():
            start.wait(timeout=30)
            try:
                return job()
            except Exception as error:  # the test says which of them are right
                return error
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))
