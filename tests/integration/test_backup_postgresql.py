"""Backups of PostgreSQL with its own programs: one moment, every table compared, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ansible_collections.labyard.platform.plugins.module_utils._backup import postgres
from ansible_collections.labyard.platform.plugins.module_utils._backup.errors import BackupError
from ansible_collections.labyard.platform.plugins.module_utils._backup.fingerprint import differences
from ansible_collections.labyard.platform.plugins.module_utils._backup.psql import (
    Server,
    Session,
    find_server,
    program,
)
from labyard.app import create_app
from labyard.migrate import upgrade_tables
from labyard.models import db
from labyard.settings import read_settings
from tests.integration.backup_house import House
from tests.integration.debian_programs import ensure_program
from tests.services.postgres_server import PostgresServer

_TABLES = """
CREATE TYPE mood AS ENUM ('glad', 'tired');
CREATE SEQUENCE numbers;
CREATE TABLE people
  (id serial PRIMARY KEY, name text, born timestamptz, money numeric, feels mood, picture bytea);
CREATE TABLE "An odd ""name" (word text);
CREATE VIEW names AS SELECT name FROM people;
INSERT INTO people (name, born, money, feels, picture)
  SELECT 'person ' || n, now() - n * interval '1 day', n / 7.0, 'glad', decode('00ff', 'hex')
  FROM generate_series(1, 500) n;
INSERT INTO "An odd ""name" VALUES (NULL), ('');
"""


@pytest.fixture
def server(postgresql_url: str) -> Server:
    """A database with tables."""
    found = find_server(postgresql_url)
    execute(found, _TABLES)
    return found


@pytest.fixture
def empty(postgresql: PostgresServer) -> Iterator[Server]:
    """A second database, with nothing in it."""
    name = postgresql.create_database()
    yield find_server(postgresql.url(name))
    postgresql.drop_database(name)


def execute(server: Server, statement: str) -> None:
    with psycopg.connect(server.address, password=server.password, autocommit=True) as connection:
        connection.execute(statement)


def test_dump_when_loaded_elsewhere_then_every_row_is_the_same(
    server: Server, empty: Server, tmp_path: Path
) -> None:
    saved = postgres.dump_database(server, tmp_path / "dump")
    assert {name: table.rows for name, table in saved.items()} == {
        'public."An odd ""name"': 2,
        "public.people": 500,
    }
    assert not postgres.has_tables(empty)
    postgres.load_dump(empty, tmp_path / "dump")
    assert differences(saved, postgres.read_fingerprint(empty)) == []
    execute(empty, "INSERT INTO people (name) VALUES ('the next number is free')")


def test_dump_when_made_and_loaded_beside_the_server_then_it_goes_by_input_and_output(
    server: Server, empty: Server, tmp_path: Path
) -> None:
    programs = str(Path(program("psql")).parent)
    beside = ("env", f"PATH={programs}:/usr/bin")
    saved = postgres.dump_database(replace(server, inside=beside), tmp_path / "dump")
    execute(empty, "CREATE ROLE somebody; GRANT ALL ON SCHEMA public TO somebody")
    postgres.load_dump(replace(empty, inside=beside, role="somebody"), tmp_path / "dump")
    assert differences(saved, postgres.read_fingerprint(empty)) == []
    with psycopg.connect(empty.address, password=empty.password) as connection:
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert owners.fetchall() == [("somebody",)]
    execute(empty, "DROP OWNED BY somebody; DROP ROLE somebody")


def test_dump_when_others_write_meanwhile_then_it_and_its_fingerprint_are_of_one_moment(
    server: Server, empty: Server, tmp_path: Path
) -> None:
    with psycopg.connect(server.address, password=server.password) as writer:
        writer.execute("INSERT INTO people (name) VALUES ('half a transaction')")
        saved = postgres.dump_database(server, tmp_path / "dump")
        writer.commit()
    assert saved["public.people"].rows == 500
    postgres.load_dump(empty, tmp_path / "dump")
    assert differences(saved, postgres.read_fingerprint(empty)) == []
    assert differences(saved, postgres.read_fingerprint(server)) == [
        "table public.people had 500 rows and has 501"
    ]


def test_fingerprint_when_one_value_is_other_then_its_table_is_named(server: Server) -> None:
    saved = postgres.read_fingerprint(server)
    execute(server, "UPDATE people SET money = money + 0.01 WHERE id = 250; DROP VIEW names")
    execute(server, 'DROP TABLE "An odd ""name"; CREATE TABLE newer (id int)')
    assert differences(saved, postgres.read_fingerprint(server)) == [
        'table public."An odd ""name" is missing',
        "table public.newer was not saved",
        "table public.people has other values in its 500 rows",
    ]


def test_load_when_tables_are_there_then_they_are_replaced(server: Server, tmp_path: Path) -> None:
    keep = "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'kept'; END $$"
    execute(server, f"{keep}; CREATE TRIGGER keep BEFORE TRUNCATE ON people EXECUTE FUNCTION keep()")
    saved = postgres.dump_database(server, tmp_path / "dump")
    execute(server, "DELETE FROM people; CREATE TABLE newer (id int); CREATE TYPE later AS ENUM ('a')")
    for _twice in range(2):
        postgres.load_dump(server, tmp_path / "dump", clear=True)
        assert differences(saved, postgres.read_fingerprint(server)) == []


def test_load_when_it_fails_then_what_was_there_stays(server: Server, tmp_path: Path) -> None:
    postgres.dump_database(server, tmp_path / "dump")
    execute(server, "DELETE FROM people; CREATE SCHEMA other; CREATE TABLE other.people (id int)")
    before = postgres.read_fingerprint(server)
    with pytest.raises(BackupError, match="already exists"):
        postgres.load_dump(server, tmp_path / "dump")
    spoiled = (tmp_path / "dump").read_bytes()
    (tmp_path / "dump").write_bytes(spoiled[: len(spoiled) // 2])
    with pytest.raises(BackupError, match="pg_restore"):
        postgres.load_dump(server, tmp_path / "dump", clear=True)
    assert differences(before, postgres.read_fingerprint(server)) == []


def test_scratch_database_when_it_is_left_then_it_is_gone(server: Server) -> None:
    with postgres.scratch_database(server) as aside:
        assert aside.name.startswith("labyard_proof_")
        assert not postgres.has_tables(aside)
    with pytest.raises(BackupError, match="does not exist"):
        postgres.has_tables(aside)


def test_session_when_a_statement_fails_then_the_servers_words_are_told(server: Server) -> None:
    with pytest.raises(BackupError, match='relation "nothing" does not exist'), Session(server) as session:
        session.ask("SELECT * FROM nothing;")


def test_session_when_nobody_is_there_then_it_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(BackupError, match="Is the server running"),
        Session(find_server(f"postgresql://ada@/x?host={tmp_path}")) as session,
    ):
        session.ask("SELECT 1;")


def test_console_when_its_database_is_saved_and_lost_then_all_tables_come_back(
    postgresql: PostgresServer, postgresql_url: str, tmp_path: Path
) -> None:
    ensure_program("restic", "restic")
    app = create_app(
        read_settings({"LABYARD_HOME": str(tmp_path / "home"), "LABYARD_DATABASE_URL": postgresql_url})
    )
    with app.app_context():
        upgrade_tables()
        db.session.execute(db.text("INSERT INTO projects (name, created_at) VALUES ('physics', now())"))
        db.session.commit()
        db.engine.dispose()
    house = House(tmp_path)
    (tmp_path / "database_password").write_text(postgresql.password + "\n")
    url = postgresql_url.replace(f":{postgresql.password}", "")
    database = {"name": "console", "url": url, "password_file": str(tmp_path / "database_password")}
    house.further = {"databases": [database]}
    house.run("init")
    house.run("save")
    proved = {p["part"]: p["files"] for p in house.run("prove")["parts"]}
    assert proved["database:console"] > 0
    with pytest.raises(AssertionError, match="has tables already"):
        house.run("restore", "database", "console")
    execute(find_server(postgresql_url), "DELETE FROM projects")
    house.run("restore", "database", "console", "--existing=replace")
    with psycopg.connect(find_server(postgresql_url).address, password=postgresql.password) as connection:
        found = connection.execute("SELECT name FROM projects WHERE name = 'physics'").fetchall()
    assert found == [("physics",)]
