"""The database object, its column types and how SQLite is opened."""

from __future__ import annotations

import secrets
import sqlite3
import string
from datetime import UTC, datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Dialect, Engine, Integer, MetaData, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from .states import State

_ALPHABET = string.ascii_lowercase + string.digits


class Base(DeclarativeBase):
    """Constraints get names, so that migrations can find them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware times in UTC on every database; SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: refuse times without a zone, where a mistake would hide."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times without a zone are refused")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database: always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StateNumber(TypeDecorator[State]):
    """A State, stored as the number it has in the API."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: State | None, dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else int(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> State | None:
        """From the database."""
        return None if value is None else State(value)


def utc_column(**options: Any) -> Mapped[Any]:
    """A column of aware UTC times."""
    return mapped_column(UtcDateTime(), **options)


def random_id(length: int) -> str:
    """`length` random characters of a-z and 0-9 (5.17 bits each)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def begin_writing() -> None:
    """Open the session's transaction as a writing one.

    SQLite locks out a reader that turns into a writer while another writes; taking the write
    lock at the start makes the second writer wait instead. Other databases need nothing.
    A transaction that has only read is ended first.
    """
    if db.session().in_transaction():
        db.session.commit()
    db.session.connection(execution_options={"labyard_writing": True})


@event.listens_for(Engine, "connect")
def _open_sqlite(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # SQLAlchemy says BEGIN, see below
    for pragma in ("journal_mode=WAL", "busy_timeout=15000", "foreign_keys=ON", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Any) -> None:
    if connection.dialect.name != "sqlite":
        return
    writing = connection.get_execution_options().get("labyard_writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
