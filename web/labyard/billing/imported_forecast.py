"""What reports of others say of this month, and what they will, if their last days go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.money import round_money
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from labyard.models import ImportedDay, User

from .all_costs import seen_days
from .cost_sums import Sums

DAYS = 7  # that go on: a week has its own rhythm
_Key = tuple[str, str]  # source and currency


def add_imported(session: Session, person: User, so_far: Sums, until_end: Sums, now: datetime) -> None:
    """Count this month's imported costs that `person` may see: those there are, and those to its end.

    Each report goes on from its last day with the mean of the last DAYS days up to that; one that has said
    nothing for as many days does not go on.
    """
    month = month_of(now)
    first, end = month.start.date(), month.end.date()
    last = _last_days(session, now.date(), end)
    since = min([first, *(day - timedelta(days=DAYS - 1) for day in last.values())])
    found = select(ImportedDay.source, ImportedDay.currency, ImportedDay.day, ImportedDay.amount).where(
        ImportedDay.day >= since, ImportedDay.day < end, seen_days(person)
    )
    days: dict[_Key, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for source, currency, day, amount in session.execute(found):
        days[source, currency][day] += amount
    for (source, currency), amounts in sorted(days.items()):
        known = sum((amount for day, amount in amounts.items() if day >= first), Decimal(0))
        if any(day >= first for day in amounts):
            so_far.add_imported(known, currency)
        if source in last:
            known += round_money(_going_on(amounts, last[source], end), currency)
        if known:
            until_end.add_imported(known, currency)


def _last_days(session: Session, today: date, end: date) -> Mapping[str, date]:
    """Of each report that goes on, the last day of which it says something, whoever that is about."""
    rows = session.execute(
        select(ImportedDay.source, func.max(ImportedDay.day))
        .where(ImportedDay.day >= today - timedelta(days=DAYS), ImportedDay.day < end)
        .group_by(ImportedDay.source)
    )
    return {source: day for source, day in rows}


def _going_on(amounts: Mapping[date, Decimal], last: date, end: date) -> Fraction:
    """What the days after `last` cost until `end`, if they are as the last DAYS on average."""
    recent = _add(amount for day, amount in amounts.items() if last - timedelta(days=DAYS) < day <= last)
    return recent / DAYS * max(0, (end - last).days - 1)


def _add(amounts: Iterable[Decimal]) -> Fraction:
    return sum(map(Fraction, amounts), Fraction(0))
