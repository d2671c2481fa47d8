"""The queue. It carries "look at command N" and nothing else: losing a message loses nothing."""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import Any

import psycopg
from huey import PostgresHuey, RedisHuey, SqliteHuey
from huey.api import Huey
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from .doorbell import RungStorage
from .models.opening import POSTGRESQL_CONNECTION
from .settings import Settings

log = logging.getLogger(__name__)

#: What it may raise when the queue's server or disk is away.
QUEUE_ERRORS = (RedisError, psycopg.Error, sqlite3.Error, OSError)

_NAME = "labyard"
_REDIS = ("redis://", "rediss://", "unix://")
# Nobody waits long for a message to be sent: the row is there, and the sweep sends it again. One more
# try, without a pause, is for connections that a restart of the server has broken.
_REDIS_CONNECTION: dict[str, Any] = {
    "socket_timeout": 5,
    "retry": Retry(NoBackoff(), 1),
    "health_check_interval": 30,
}
_LOOK_AGAIN = 0.5  # seconds after which a queue that did not answer is asked again
_TABLES_LOCK = 7213005  # an advisory lock of PostgreSQL: any number of ours


class _Patient(Huey):
    """A queue whose readers wait when it does not answer, and say so once and not at every look."""

    answers = True

    def dequeue(self) -> Any:
        """The next message, or None: nothing waits, or the queue does not answer now."""
        try:
            task = super().dequeue()
        except QUEUE_ERRORS as error:
            if self.answers:
                log.warning("the queue does not answer, the sweep goes on without it: %s", error)
            self.answers = False
            time.sleep(_LOOK_AGAIN)
            return None
        if not self.answers:
            log.info("the queue answers again")
        self.answers = True
        return task

    def read_schedule(self, timestamp: Any = None) -> list[Any]:
        """Nothing is ever sent for later, so the queue is not asked for it every second."""
        return []


class _Sqlite(_Patient, SqliteHuey):
    """Workers are woken by a doorbell, on this host."""

    storage_class = RungStorage


class _Redis(_Patient, RedisHuey):
    pass


class _Postgres(_Patient, PostgresHuey):
    """Workers LISTEN and are woken by a NOTIFY, on every host."""


def open_queue(settings: Settings) -> Huey:
    """The queue of these settings. A SQLite file is made when it is not there; a server is asked later."""
    url = settings.queue_url
    if url.startswith(_REDIS):
        return _Redis(_NAME, connection_pool=_redis_pool(url), results=False)
    if url.startswith("postgresql"):
        dsn = url.replace("+psycopg", "", 1)

        def connect() -> psycopg.Connection[Any]:
            return psycopg.connect(dsn, **POSTGRESQL_CONNECTION)

        return _Postgres(_NAME, connection=connect, create_tables=False, results=False)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _Sqlite(_NAME, filename=url, results=False)


def prepare_queue(settings: Settings) -> None:
    """Make the tables of a queue in PostgreSQL; every other queue needs nothing."""
    queue = open_queue(settings)
    if not isinstance(queue, PostgresHuey):
        return
    with queue.storage.connection() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_TABLES_LOCK])
        for statement in queue.storage.ddl:
            connection.execute(statement)


def close_queue(queue: Huey) -> None:
    """Give back the connections of this process, and of this thread among its readers."""
    pool = getattr(queue.storage, "pool", None)
    if pool is not None:
        pool.disconnect()
    queue.storage.close()


def check_queue(settings: Settings) -> None:
    """Ask the queue for its length; raises one of QUEUE_ERRORS if it does not answer."""
    queue = open_queue(settings)
    try:
        queue.pending_count()
    finally:
        close_queue(queue)


def _redis_pool(url: str) -> ConnectionPool:
    remote = {} if url.startswith("unix://") else {"socket_connect_timeout": 2, "socket_keepalive": True}
    return ConnectionPool.from_url(url, **_REDIS_CONNECTION, **remote)
