"""The servers as fixtures: each is started once, when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .postgres_server import PostgresServer
from .process import running
from .redis_server import RedisServer
from .slapd_server import SlapdServer


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole run of the tests."""
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgresServer) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    name = postgresql.create_database()
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server for the whole run of the tests."""
    with running(RedisServer()) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a Redis server that holds nothing."""
    redis_server.empty()
    return redis_server.url()


@pytest.fixture(scope="session")
def slapd_process() -> Iterator[SlapdServer]:
    """An OpenLDAP server for the whole run of the tests."""
    with running(SlapdServer()) as server:
        yield server


@pytest.fixture
def slapd(slapd_process: SlapdServer) -> SlapdServer:
    """An OpenLDAP server in which nobody is yet."""
    if slapd_process.process is None:
        slapd_process.start()
    slapd_process.fill()
    return slapd_process
