"""Imported costs as people list, sum up and export them: their own, and what accounts of theirs pay for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.csv_cells import guard, show_row
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import EXACT
from labyard.models import ImportedCost, ImportedDay, User
from labyard.models.decimals import exact_sum

from .exports import stream_rows
from .looking import check_own

GROUPS = ("account", "day", "deployment", "project", "source", "user")
FORMATS = ("csv", "jsonl")
COLUMNS = (
    *("source", "day", "account", "deployment", "project", "user", "description", "amount", "currency"),
    *("details", "key"),
)
_FILTERS = ("account", "user", "deployment", "project", "source", "currency")
_ZERO = Decimal(0)


def select_imported(session: Session, person: User | None, query: Mapping[str, Any]) -> Select[Any]:
    """The imported costs that `query` asks for. Raises Forbidden for other people's. Nobody sees all."""
    return _filtered(session, person, query, ImportedCost)


def sum_imported(session: Session, person: User, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Exact sums by `by` and currency of what `query` asks for, from the sums of the days."""
    group = getattr(ImportedDay, query["by"])
    found = _filtered(session, person, query, ImportedDay).with_only_columns(
        group, ImportedDay.currency, exact_sum(ImportedDay.amount), func.sum(ImportedDay.lines)
    )
    ordered = found.group_by(group, ImportedDay.currency).order_by(group, ImportedDay.currency)
    return [
        {"group": str(name), "currency": currency, "amount": f"{amount:f}", "lines": int(lines)}
        for name, currency, amount, lines in session.execute(ordered.limit(query["limit"]))
    ]


def imported_lines(session: Session, found: Select[Any], form: str) -> Iterator[str]:
    """The costs of `found` by day, as CSV with a total for each currency, or as JSON lines."""
    columns = found.with_only_columns(*(getattr(ImportedCost, name) for name in COLUMNS))
    rows = stream_rows(session, columns.order_by(ImportedCost.day, ImportedCost.id))
    return _csv(rows) if form == "csv" else _jsonl(rows)


def show_imported(rows: Sequence[ImportedCost]) -> list[dict[str, Any]]:
    """Imported costs as documents; amounts and days are text."""
    return [
        {
            **{name: getattr(row, name) for name in ("id", *COLUMNS)},
            "day": row.day.isoformat(),
            "amount": f"{row.amount:f}",
            "received_at": row.received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        for row in rows
    ]


def _filtered(session: Session, person: User | None, query: Mapping[str, Any], table: Any) -> Select[Any]:
    found = select(table)
    if person is not None and not person.is_admin:
        check_own(session, person, query)
        if "account" not in query:
            found = found.where(table.user == person.username)
    for name in _FILTERS:
        if name in query:
            found = found.where(getattr(table, name) == query[name])
    if "from" in query:
        found = found.where(table.day >= query["from"])
    if "to" in query:
        found = found.where(table.day <= query["to"])
    return found


def _csv(rows: Iterable[Any]) -> Iterator[str]:
    yield show_row(COLUMNS)
    totals: dict[str, Decimal] = {}
    for row in rows:
        totals[row.currency] = EXACT.add(totals.get(row.currency, _ZERO), row.amount)
        shown = {**_plain(row), "details": json.dumps(row.details, ensure_ascii=False) if row.details else ""}
        yield show_row([shown[name] if name == "amount" else guard(shown[name]) for name in COLUMNS])
    for currency, amount in sorted(totals.items()):
        total = {"source": "Total", "amount": f"{amount:f}", "currency": currency}
        yield show_row([total.get(name, "") for name in COLUMNS])


def _jsonl(rows: Iterable[Any]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(_plain(row), ensure_ascii=False, separators=(",", ":")) + "\n"


def _plain(row: Any) -> dict[str, Any]:
    named = {name: getattr(row, name) for name in COLUMNS}
    return {**named, "day": row.day.isoformat(), "amount": f"{row.amount:f}"}
