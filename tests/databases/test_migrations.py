"""Migrations: they make what the models say, keep all rows, and come in one piece."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from apiflask import APIFlask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Connection, DateTime, MetaData, inspect, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from labyard.clock import utc_now
from labyard.context import session
from labyard.migrate import upgrade_tables
from labyard.models import Command, Deployment, Plan, State, User, db
from labyard.settings import Settings
from tests.conftest import SCRIPTS, console_environment

_OF_THE_QUEUE = "huey_"


def test_tables_when_migrated_then_are_those_of_the_models(app: APIFlask) -> None:
    with app.app_context():
        upgrade_tables()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={"compare_type": True, "include_name": _is_ours, "target_metadata": db.metadata},
            )
            assert compare_metadata(context, db.metadata) == []


def _is_ours(name: str | None, kind: str, _parents: Mapping[str, Any]) -> bool:
    return kind != "table" or not str(name).startswith(_OF_THE_QUEUE)


def test_rows_when_the_tables_are_upgraded_and_downgraded_then_are_all_there(app: APIFlask) -> None:
    with app.app_context():
        upgrade(revision="0001")
        with db.engine.begin() as connection:
            filled = _fill(connection)
        upgrade_tables()
        _assert_kept(filled)
        downgrade(revision="0001")
        _assert_kept(filled)


def test_defaults_when_the_tables_are_upgraded_then_old_rows_can_be_read(app: APIFlask) -> None:
    with app.app_context():
        upgrade(revision="0001")
        with db.engine.begin() as connection:
            _fill(connection)
        upgrade_tables()
        command = session().scalars(select(Command)).one()
        assert (command.priority, command.check_only, command.difference) == (0, False, [])
        assert command.deployment.plan.source == {}
        assert command.issuer.version == 1


def _assert_kept(filled: dict[str, dict[str, Any]]) -> None:
    with db.engine.connect() as connection:
        for table, before in filled.items():
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).mappings().all()  # noqa: S608 - names of our own tables
            assert [{k: row[k] for k in before} for row in rows] == [before], table


def _fill(connection: Connection) -> dict[str, dict[str, Any]]:
    """One row in each table, every column filled; the rows as the database gives them back."""
    tables = MetaData()
    tables.reflect(connection)
    filled: dict[str, dict[str, Any]] = {}
    for table in tables.sorted_tables:
        if table.name == "alembic_version" or table.name.startswith(_OF_THE_QUEUE):
            continue
        values = {}
        for column in table.columns:
            target = next(iter(column.foreign_keys), None)
            values[column.name] = (
                filled[target.column.table.name][target.column.name] if target else _value_for(column.type)
            )
        connection.execute(table.insert().values(values))
        query = text(f'SELECT * FROM "{table.name}"')  # noqa: S608 - names of our own tables
        filled[table.name] = dict(connection.execute(query).mappings().one())
    return filled


def _value_for(kind: Any) -> Any:
    if isinstance(kind, DateTime):
        return utc_now() if kind.timezone else utc_now().replace(tzinfo=None)
    known: dict[type, Any] = {bool: True, int: 1, float: 1.5, str: "x", object: {}}
    return known[kind.python_type]


def test_upgrade_when_it_fails_half_way_then_leaves_the_tables_as_they_were(app: APIFlask) -> None:
    with app.app_context():
        upgrade(revision="0001")
        with db.engine.begin() as connection:
            connection.execute(text("CREATE TABLE webhooks (in_the_way integer)"))
        before = set(inspect(db.engine).get_table_names())
        with pytest.raises(DBAPIError):
            upgrade_tables()
        assert set(inspect(db.engine).get_table_names()) == before
        with db.engine.begin() as connection:
            connection.execute(text("DROP TABLE webhooks"))
        assert upgrade_tables()[0] == "0001"
        assert "webhooks" in inspect(db.engine).get_table_names()


def test_upgrade_when_several_processes_do_it_at_once_then_all_end_well(
    settings: Settings, app: APIFlask
) -> None:
    environment = console_environment(settings.home, LABYARD_DATABASE_URL=settings.database_url)
    processes = [
        subprocess.Popen(
            [str(SCRIPTS / "labyard"), "db", "upgrade"],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    with app.app_context():
        assert upgrade_tables()[0] == upgrade_tables()[1]


def test_name_when_its_deployment_is_removed_then_is_free_again(console: APIFlask) -> None:
    with console.app_context():
        person, plan = session().scalars(select(User)).one(), session().scalars(select(Plan)).one()

        def add(state: State) -> None:
            deployment = Deployment(name="demo", owner=person, plan=plan, project=person.projects[0])
            deployment.state = state
            session().add(deployment)
            session().flush()

        for state in (State.REMOVED, State.REMOVED, State.COMPLETED):
            add(state)
        with pytest.raises(IntegrityError):
            add(State.FAILED)
        session().rollback()


def test_second_running_command_of_a_deployment_is_refused_by_the_database(console: APIFlask) -> None:
    with console.app_context():
        person, plan = session().scalars(select(User)).one(), session().scalars(select(Plan)).one()
        deployment = Deployment(name="demo", owner=person, plan=plan, project=person.projects[0])

        def add(state: State) -> None:
            session().add(Command(deployment=deployment, issuer=person, phase="check", state=state))
            session().flush()

        for state in (State.COMPLETED, State.FAILED, State.PENDING):
            add(state)
        with pytest.raises(IntegrityError):
            add(State.INITIATED)
        session().rollback()
