"""Writing many usage records with one statement, in the way that is fastest on each database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import show_moment
from labyard.models import UsageRow

from .reading import Candidate, Name, Texts

_COLUMNS = (*Texts._fields, "received_at")
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
# What was there already is told, and not what is new: mostly it is nothing.
_POSTGRESQL = text(
    f"WITH new AS (INSERT INTO usage_records ({_NAMES}) SELECT {_NAMES} FROM incoming_usage"  # noqa: S608 - our own columns
    " ON CONFLICT DO NOTHING RETURNING source, key)"
    " SELECT source, key FROM incoming_usage EXCEPT ALL SELECT source, key FROM new"
)
_SQLITE_PARAMETERS = 32_766  # of one statement
_SQLITE_ROWS = _SQLITE_PARAMETERS // len(_COLUMNS)


def insert_rows(session: Session, candidates: Sequence[Candidate], received_at: datetime) -> set[Name]:
    """Write those candidates whose source and key are new; the names of those that were there already.

    Waits for other writers of the same keys.
    """
    if session.get_bind().dialect.name == "postgresql":
        return _insert_postgresql(session, candidates, received_at)
    return _insert_sqlite(session, candidates, received_at)


def _insert_sqlite(session: Session, candidates: Sequence[Candidate], received_at: datetime) -> set[Name]:
    last = session.scalar(select(func.max(UsageRow.id))) or 0
    connection, written = session.connection(), 0
    now = show_moment(received_at)
    for begin in range(0, len(candidates), _SQLITE_ROWS):
        part = candidates[begin : begin + _SQLITE_ROWS]
        values = chain.from_iterable(_sqlite_values(texts, now) for _, _, texts in part)
        written += connection.exec_driver_sql(_sqlite_statement(len(part)), tuple(values)).rowcount
    if written == len(candidates):
        return set()
    # Nobody else writes meanwhile, so what is beyond the last row is ours.
    new = select(UsageRow.source, UsageRow.key).where(UsageRow.id > last)
    return {one.name for one in candidates} - {(source, key) for source, key in session.execute(new)}


@lru_cache(maxsize=4)
def _sqlite_statement(rows: int) -> str:
    """One statement of many rows: for one that runs once a row, Python would be asked back after each."""
    places = f"({', '.join('?' * len(_COLUMNS))})"
    return (
        f"INSERT INTO usage_records ({_NAMES}) VALUES {', '.join([places] * rows)}"  # noqa: S608 - our own columns
        " ON CONFLICT DO NOTHING"
    )


def _insert_postgresql(session: Session, candidates: Sequence[Candidate], received_at: datetime) -> set[Name]:
    now = show_moment(received_at)
    lines = ("\t".join(_values(texts, now)) for _, _, texts in candidates)
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
    return {(source, key) for source, key in session.execute(_POSTGRESQL)}


def _values(texts: Texts, now: str) -> tuple[str, ...]:
    """What the columns get, in their order."""
    return (*texts[:-2], texts.details or "{}", texts.fingerprint, now)


def _sqlite_values(texts: Texts, now: str) -> tuple[str, ...]:
    moments = _sqlite_moment(texts.start), _sqlite_moment(texts.end)
    end = texts.details or "{}", texts.fingerprint, _sqlite_moment(now)
    return (*texts[:6], *moments, *texts[8:-2], *end)


@lru_cache(maxsize=8192)
def _sqlite_moment(moment: str) -> str:
    """A time in UTC as SQLAlchemy writes it there."""
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M:%S.%f")
