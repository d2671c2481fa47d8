"""The database object, its column types, and what a writer must do before it writes."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, cast, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
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
    lock at the start makes the second writer wait instead, and there is never more than one.
    PostgreSQL lets writers go on side by side: whoever writes what follows from what was read
    must lock it first, see `lock_row` and `lock_name`.
    A transaction that has only read is ended first.
    """
    if db.session().in_transaction():
        db.session.commit()
    db.session.connection(execution_options={"labyard_writing": True})


def lock_row(session: Session, row: Any) -> None:
    """Read `row` again and keep other writers from it until the transaction ends.

    Raises sqlalchemy.exc.InvalidRequestError if the row is no more, and OperationalError if another
    writer keeps it for longer than 15 s. On SQLite the writing transaction is the lock.
    """
    session.refresh(row, with_for_update={"of": type(row), "key_share": True})


def lock_name(session: Session, name: str) -> None:
    """Let one transaction at a time go past here with this name, for what is no row (yet).

    Raises OperationalError after waiting for 15 s. On SQLite the writing transaction is the lock.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_number_of(name))))


def share_name(session: Session, name: str) -> None:
    """Let any number of transactions go past here with this name, until `nobody_shares` holds for one."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock_shared(_number_of(name))))


def nobody_shares(session: Session, name: str) -> bool:
    """Whether all transactions that went past `share_name` have ended; if so, others wait for this one.

    On SQLite they have, for whoever looks from a transaction of its own.
    """
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(_number_of(name)))))


def _number_of(name: str) -> Any:
    return cast(func.hashtextextended(name, 0), BigInteger)
