"""The servers of the tests: what the fault tests rely on."""

from __future__ import annotations

import psutil
import psycopg
import redis
from sqlalchemy.engine import make_url

from tests.services.postgres_server import PostgresServer
from tests.services.redis_server import RedisServer


def _connect(url: str) -> psycopg.Connection:
    made = make_url(url)
    return psycopg.connect(
        host=made.host or str(made.query["host"]),
        port=made.port or int(str(made.query["port"])),
        user=made.username,
        password=made.password,
        dbname=made.database,
        autocommit=True,
    )


def test_postgresql_when_killed_and_started_then_what_was_committed_is_there() -> None:
    server = PostgresServer()
    try:
        server.start()
        url = server.url(server.create_database())
        with _connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        assert server.process is not None
        family = psutil.Process(server.process.pid).children(recursive=True)
        server.kill()
        assert family
        assert not [p for p in family if p.is_running()]
        server.start()
        with _connect(url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
        server.stop()
    finally:
        server.remove()
    assert not server.folder.exists()


def test_redis_when_stopped_and_started_then_what_it_took_is_there() -> None:
    server = RedisServer()
    try:
        server.start()
        with redis.Redis.from_url(server.url()) as client:
            client.set("kept", "7")
        server.stop()
        server.start()
        with redis.Redis.from_url(server.url("127.0.0.1")) as client:
            assert client.get("kept") == b"7"
    finally:
        server.remove()
    assert not server.folder.exists()


def test_database_of_a_test_is_empty_and_its_own(postgresql: PostgresServer, postgresql_url: str) -> None:
    with _connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE mine (number integer)")
    with _connect(postgresql.url(postgresql.create_database())) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'mine'").fetchone() == (
            0,
        )
