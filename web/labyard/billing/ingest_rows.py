"""Writing many usage records with one statement, in the way that is fastest on each database."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord, show_moment
from labyard.models import UsageRow
from labyard.models.decimals import plain_text

Row = tuple[UsageRecord, str]  # with its fingerprint
Names = set[tuple[str, str]]  # source and key

_COLUMNS = (
    *("source", "key", "account", "resource", "unit", "quantity", "start", "end", "deployment"),
    *("deployment_name", "plan", "shape", "project", "user", "details", "fingerprint", "received_at"),
)
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_MOMENTS = ("start", "end", "received_at")
_TYPES = {"quantity": "numeric", "details": "json", **dict.fromkeys(_MOMENTS, "timestamptz")}
# PostgreSQL reads rows fastest by COPY, which knows no ON CONFLICT: they come into a table of the
# connection's own first.
_INCOMING = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_usage ("
    + ", ".join(f'"{name}" {_TYPES.get(name, "text")}' for name in _COLUMNS)
    + ") ON COMMIT DELETE ROWS"
)
_EMPTY = "TRUNCATE incoming_usage"
_COPY = f"COPY incoming_usage ({_NAMES}) FROM STDIN"
_POSTGRESQL = text(
    f"INSERT INTO usage_records ({_NAMES}) SELECT {_NAMES} FROM incoming_usage"  # noqa: S608 - our own columns
    " ON CONFLICT DO NOTHING RETURNING source, key"
)
_SQLITE_PARAMETERS = 32_766  # of one statement
_SQLITE_ROWS = _SQLITE_PARAMETERS // len(_COLUMNS)


def insert_rows(session: Session, rows: Sequence[Row], received_at: datetime) -> Names | None:
    """Write those records whose source and key are new; which they were, None: all of them.

    Waits for other writers of the same keys.
    """
    if session.get_bind().dialect.name == "postgresql":
        return _insert_postgresql(session, rows, received_at)
    return _insert_sqlite(session, rows, received_at)


def _insert_sqlite(session: Session, rows: Sequence[Row], received_at: datetime) -> Names | None:
    last = session.scalar(select(func.max(UsageRow.id))) or 0
    moment = _sqlite_moment(received_at)
    connection, written = session.connection(), 0
    for begin in range(0, len(rows), _SQLITE_ROWS):
        part = rows[begin : begin + _SQLITE_ROWS]
        values = chain.from_iterable(_values(record, mark, moment, _sqlite_moment) for record, mark in part)
        written += connection.exec_driver_sql(_sqlite_statement(len(part)), tuple(values)).rowcount
    if written == len(rows):
        return None
    # Nobody else writes meanwhile, so what is beyond the last row is ours.
    new = select(UsageRow.source, UsageRow.key).where(UsageRow.id > last)
    return {(source, key) for source, key in session.execute(new)}


@lru_cache(maxsize=4)
def _sqlite_statement(rows: int) -> str:
    """One statement of many rows: for one that runs once a row, Python would be asked back after each."""
    places = f"({', '.join('?' * len(_COLUMNS))})"
    return (
        f"INSERT INTO usage_records ({_NAMES}) VALUES {', '.join([places] * rows)}"  # noqa: S608 - our own columns
        " ON CONFLICT DO NOTHING"
    )


def _insert_postgresql(session: Session, rows: Sequence[Row], received_at: datetime) -> Names | None:
    moment = show_moment(received_at)
    lines = ("\t".join(_values(record, mark, moment, show_moment)) for record, mark in rows)
    # No text of a record holds a tab or a line break; JSON writes them out.
    content = "\n".join(lines).replace("\\", "\\\\")
    connection = session.connection()
    connection.exec_driver_sql(_INCOMING)
    connection.exec_driver_sql(_EMPTY)  # of what this transaction has written before
    cursor = connection.connection.cursor()
    try:
        with cursor.copy(_COPY) as copy:
            copy.write(content)
    finally:
        cursor.close()
    written = session.execute(_POSTGRESQL).all()
    return None if len(written) == len(rows) else {(source, key) for source, key in written}


def _values(
    record: UsageRecord, mark: str, received_at: str, moment: Callable[[datetime], str]
) -> tuple[str, ...]:
    return (
        record.source,
        record.key,
        record.account,
        record.resource,
        record.unit,
        plain_text(record.quantity),
        moment(record.start),
        moment(record.end),
        record.deployment,
        record.deployment_name,
        record.plan,
        record.shape,
        record.project,
        record.user,
        json.dumps(record.details) if record.details else "{}",
        mark,
        received_at,
    )


@lru_cache(maxsize=8192)
def _sqlite_moment(moment: datetime) -> str:
    """A time in UTC as SQLAlchemy writes it there."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
