"""On which database the tests of the console run: LABYARD_TEST_DATABASE=sqlite (default) or postgresql."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labyard.app import create_app
from labyard.migrate import upgrade_tables
from labyard.models import db
from labyard.settings import read_settings

from .postgres_server import PostgresServer
from .redis_server import RedisServer

_queues = itertools.count(1)  # numbers of databases in Redis; it has 16, and 0 is for short tests


def chosen_database() -> str:
    """What the person who runs the tests chose."""
    chosen = os.environ.get("LABYARD_TEST_DATABASE") or "sqlite"
    assert chosen in ("sqlite", "postgresql"), f"LABYARD_TEST_DATABASE={chosen}: say sqlite or postgresql"
    return chosen


@pytest.fixture
def console_database(request: pytest.FixtureRequest) -> dict[str, str]:
    """Variables for a console on a database with nothing in it, on the chosen server.

    Nothing for SQLite, whose files lie in the console's home.
    """
    if chosen_database() == "sqlite":
        return {}
    postgresql: PostgresServer = request.getfixturevalue("postgresql")
    redis_url: str = request.getfixturevalue("redis_url")
    name: str = request.getfixturevalue("migrated_database")
    postgresql.empty_database(name)
    return {"LABYARD_DATABASE_URL": postgresql.url(name), "LABYARD_QUEUE_URL": redis_url}


@pytest.fixture
def console_home(request: pytest.FixtureRequest, tmp_path: Path, console_database: dict[str, str]) -> Path:
    """The home of a console of the test's own whose tables are there.

    Migrations take longer than most tests: they run once, and each test gets a copy of what they made.
    """
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    if chosen_database() == "sqlite":
        copy_tables(request.getfixturevalue("migrated_home"), home)
    return home


def copy_tables(made: Path, home: Path) -> None:
    """Give the console in `home`, which has no database yet, the files of SQLite that lie in `made`."""
    for file in made.glob("*.db"):
        shutil.copy(file, home)


@pytest.fixture(scope="session")
def session_console_database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The same for a console that lives as long as the run of the tests; it has no tables yet."""
    with database_of_its_own(request) as variables:
        yield variables


@pytest.fixture(scope="module")
def module_console_database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The same for a console that lives as long as the tests of one file."""
    with database_of_its_own(request) as variables:
        yield variables


@contextmanager
def database_of_its_own(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Variables for a console with a database and a queue that no other console has."""
    if chosen_database() == "sqlite":
        yield {}
        return
    postgresql: PostgresServer = request.getfixturevalue("postgresql")
    redis_server: RedisServer = request.getfixturevalue("redis_server")
    queue = redis_server.url().replace("db=0", f"db={next(_queues)}")
    name = postgresql.create_database()
    yield {"LABYARD_DATABASE_URL": postgresql.url(name), "LABYARD_QUEUE_URL": queue}
    postgresql.drop_database(name)


@pytest.fixture(scope="session")
def migrated_database(postgresql: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database that has the tables; a test that uses it empties it first."""
    name = postgresql.create_database()
    _migrate(tmp_path_factory.mktemp("migrated"), {"LABYARD_DATABASE_URL": postgresql.url(name)})
    return name


@pytest.fixture(scope="session")
def template_database(postgresql: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database that has the tables, of which copies are made; nobody else uses it."""
    name = postgresql.create_database()
    _migrate(tmp_path_factory.mktemp("migrated"), {"LABYARD_DATABASE_URL": postgresql.url(name)})
    return name


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a console on SQLite that has the tables and nothing in them."""
    home = tmp_path_factory.mktemp("migrated")
    _migrate(home, {})
    return home


def _migrate(home: Path, variables: dict[str, str]) -> None:
    app = create_app(read_settings({"LABYARD_HOME": str(home), **variables}))
    with app.app_context():
        upgrade_tables()
        db.engine.dispose()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On another database than the default, run only the tests that use one."""
    if chosen_database() == "sqlite":
        return
    uses = {"console_database"} | {
        f"{name}_console_database" for name in ("session", "module", "cheap", "edge")
    }
    chosen = [i for i in items if isinstance(i, pytest.Function) and uses & set(i.fixturenames)]
    config.hook.pytest_deselected(items=[i for i in items if i not in chosen])
    items[:] = chosen
