"""How connections to each database are opened, and what a broken one is called."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

# Seconds a writer waits for another one before it gives up and may try again.
LOCK_WAIT = 15
# Seconds after which an open transaction of which nothing is heard is undone: its host may be cut off,
# and others wait for its locks.
_SILENT_TRANSACTION = 30
# Both ends look whether the other one is still there; a cut cable is noticed within 15 s or so.
_KEEPALIVE = {"idle": 5, "interval": 3, "count": 3}
_UNANSWERED = 15000  # milliseconds
# Where many rows are written: KiB of pages that SQLite keeps at hand, and pages (of 4 KiB) in its log before
# they are taken over into the file.
_MANY_ROWS = {"cache_size": -131_072, "wal_autocheckpoint": 65_536}
_UNIQUE_VIOLATION = "23505"  # in PostgreSQL's table of error codes

# What libpq is told, for the console's tables as for a queue in PostgreSQL.
POSTGRESQL_CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    "application_name": "labyard",
    "keepalives": 1,
    **{f"keepalives_{name}": value for name, value in _KEEPALIVE.items()},
    "tcp_user_timeout": _UNANSWERED,
}
_POSTGRESQL_SESSION = {
    "timezone": "UTC",
    "lock_timeout": f"{LOCK_WAIT}s",
    "idle_in_transaction_session_timeout": f"{_SILENT_TRANSACTION}s",
    **{f"tcp_keepalives_{name}": value for name, value in _KEEPALIVE.items()},
    "tcp_user_timeout": _UNANSWERED,
}


def engine_options(url: str) -> dict[str, Any]:
    """Options of SQLAlchemy's create_engine for the database of `url`."""
    # A live page takes a connection only for the moment of a look; there may be many pages.
    options: dict[str, Any] = {"pool_size": 10, "max_overflow": 40}
    if make_url(url).get_backend_name() == "postgresql":
        # All processes of all hosts share what the server allows, 100 by default.
        options = {"pool_size": 5, "max_overflow": 15}
        session = " ".join(f"-c {name}={value}" for name, value in _POSTGRESQL_SESSION.items())
        # A connection that a restart of the server has broken is replaced before it is used.
        options["pool_pre_ping"] = True
        options["connect_args"] = {**POSTGRESQL_CONNECTION, "options": session}
    return options


def is_taken(error: IntegrityError) -> bool:
    """Whether a row was refused because another one has its name, key or place already."""
    if isinstance(error.orig, sqlite3.IntegrityError):
        return error.orig.sqlite_errorname in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")
    return getattr(error.orig, "sqlstate", "") == _UNIQUE_VIOLATION


def expect_many_rows(session: Session) -> None:
    """Give the session's connection, for as long as it is open, room for transactions of many rows.

    SQLite holds 2 MiB of pages by default, and takes its log over into the file after 4 MiB: many rows
    touch more of each index than that, so the same pages would be written again and again.
    """
    if session.get_bind().dialect.name != "sqlite":
        return
    connection = session.connection()
    for name, value in _MANY_ROWS.items():
        connection.exec_driver_sql(f"PRAGMA {name}={value}")


@event.listens_for(Engine, "connect")
def _open_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # SQLAlchemy says BEGIN, see below
    waits = f"busy_timeout={LOCK_WAIT * 1000}"
    for pragma in ("journal_mode=WAL", waits, "foreign_keys=ON", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Any) -> None:
    if connection.dialect.name != "sqlite":
        return
    writing = connection.get_execution_options().get("labyard_writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@event.listens_for(Engine, "handle_error")
def _call_it_by_one_name(error: ExceptionContext) -> None:
    """A lost connection is an OperationalError, whatever the server called the reason."""
    found = error.sqlalchemy_exception
    if error.is_disconnect and found is not None and not isinstance(found, OperationalError):
        raise OperationalError(
            error.statement, None, error.original_exception, connection_invalidated=True
        ) from error.original_exception
