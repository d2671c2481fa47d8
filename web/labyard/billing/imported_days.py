"""Sums of imported costs by day and by whose they are: kept with each import, read by pages and budgets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.money import EXACT
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period
from labyard.models import ImportedCost, ImportedDay
from labyard.models.decimals import exact_sum

from .spending import Who

#: What the costs of one sum share.
OF_A_SUM = ("source", "day", "account", "deployment", "project", "user", "currency")
_KEY = tuple(getattr(ImportedDay, name) for name in OF_A_SUM)
_ZERO = Decimal(0)


def add_to_days(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """Count new imported costs in the sums of their days. One import at a time may do so."""
    new: dict[tuple[Any, ...], tuple[Decimal, int]] = {}
    for row in rows:
        key = tuple(row[name] for name in OF_A_SUM)
        amount, lines = new.get(key, (_ZERO, 0))
        new[key] = (EXACT.add(amount, row["amount"]), lines + 1)
    before = select(*_KEY, ImportedDay.id, ImportedDay.amount, ImportedDay.lines)
    changed = []
    for *names, ident, amount, lines in session.execute(before.where(tuple_(*_KEY).in_(list(new)))):
        more, count = new.pop(tuple(names))
        changed.append({"id": ident, "amount": EXACT.add(amount, more), "lines": lines + count})
    if changed:
        session.execute(update(ImportedDay), changed)
    if new:
        session.execute(
            insert(ImportedDay),
            [
                {**dict(zip(OF_A_SUM, key, strict=True)), "amount": amount, "lines": lines}
                for key, (amount, lines) in new.items()
            ],
        )


def imported_in_month(session: Session, who: Who, month: Period, currency: str) -> Decimal:
    """What reports of others say of the days of a month; of a person, a project, or all there is."""
    days = (ImportedDay.day >= month.start.date(), ImportedDay.day < month.end.date())
    return _sum(session, [*_of(who), *days], currency)


def imported_in_all(session: Session, who: Who, currency: str) -> Decimal:
    """The same of all days."""
    return _sum(session, _of(who), currency)


def verify_days(session: Session) -> Iterator[tuple[str, str]]:
    """What is wrong with the sums: name and words of each fault."""
    costs = _group(session, ImportedCost, exact_sum(ImportedCost.amount), func.count())
    days = _group(session, ImportedDay, exact_sum(ImportedDay.amount), func.sum(ImportedDay.lines))
    for source, day in sorted(set(costs) | set(days)):
        if costs.get((source, day)) != days.get((source, day)):
            yield f"{source} {day}", "the sums of this day's imported costs are not what its lines add up to"


def _group(session: Session, table: Any, *sums: Any) -> dict[tuple[str, Any], list[Any]]:
    found: dict[tuple[str, Any], list[Any]] = {}
    grouped = (table.source, table.day, table.currency)
    for source, day, currency, *values in session.execute(
        select(*grouped, *sums).group_by(*grouped).order_by(*grouped)
    ):
        found.setdefault((source, day), []).append((currency, *map(Decimal, values)))
    return found


def _of(who: Who) -> list[ColumnElement[bool]]:
    found = [ImportedDay.user == who.user] if who.user else []
    return [*found, ImportedDay.project == who.project] if who.project else found


def _sum(session: Session, which: Iterable[ColumnElement[bool]], currency: str) -> Decimal:
    query = select(exact_sum(ImportedDay.amount)).where(ImportedDay.currency == currency, *which)
    return session.scalar(query) or _ZERO
