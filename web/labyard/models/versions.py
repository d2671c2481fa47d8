"""Rows that count their changes: the number is the ETag of the REST interface."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import event, inspect


class Versioned:
    """Adds one to `version` whenever a change is written, but for the attributes in `UNCOUNTED`.

    Statements that pass by the row's object (`update(...)`) are not counted.
    """

    UNCOUNTED: ClassVar[frozenset[str]] = frozenset()
    version: Any


@event.listens_for(Versioned, "before_update", propagate=True)
def _count_change(_mapper: Any, _connection: Any, row: Versioned) -> None:
    quiet = row.UNCOUNTED | {"version"}
    if any(a.key not in quiet and a.history.has_changes() for a in inspect(row).attrs):
        row.version = (row.version or 0) + 1
