"""Usage for pages: the database sums up what began on one day and has the same names, exactly.

A rater sums up the same, so lines come out as from the records themselves. What must not be summed up
before is read record by record: what lies across the turn of a month or of a version of the tariff, where
it is split, and what has a fee by the time in which there was any usage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Row
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff
from ansible_collections.labyard.platform.plugins.module_utils._billing.windows import start_of_day
from labyard.models import UsageRow
from labyard.models.decimals import exact_sum

from .rated import NAMES, read_rows

_CHUNK = 5000


def read_sums(
    session: Session, account: str, start: datetime, end: datetime, tariffs: Sequence[Tariff]
) -> Iterator[Sequence[Row]]:
    """Usage of an account that began in [start, end), as rows for a rater of `tariffs`, in parts.

    Those of one day in UTC follow from its records alone. The last column, a record's fingerprint, is empty.
    """
    begun = and_(UsageRow.account == account, UsageRow.start >= start, UsageRow.start < end)
    alone = _alone(start, end, tariffs)
    yield from read_rows(session, and_(begun, alone))
    names = [getattr(UsageRow, name) for name in NAMES]
    day = _day_of(session)
    sums = select(
        *names,
        exact_sum(UsageRow.quantity),
        func.min(UsageRow.start, type_=UsageRow.start.type),
        func.max(UsageRow.end, type_=UsageRow.end.type),
    ).where(begun, ~alone)
    found = session.execute(sums.group_by(day, *names), execution_options={"yield_per": _CHUNK})
    for part in found.partitions(_CHUNK):
        yield [(*row[:8], Decimal(row[8]), row[9], row[10], "") for row in part]


def _alone(start: datetime, end: datetime, tariffs: Sequence[Tariff]) -> ColumnElement[bool]:
    """The records that are rated one by one."""
    borders = {border for tariff in tariffs for border in (tariff.valid_from, tariff.valid_to) if border}
    turn = month_of(start).end
    while turn <= month_of(end).end:
        borders.add(turn)
        turn = month_of(turn).end
    found: list[ColumnElement[bool]] = []
    for border in sorted(border for border in borders if border > start):
        found.append(and_(UsageRow.start < border, UsageRow.end > border))
        if border != start_of_day(border):  # a day of two versions
            found.append(and_(UsageRow.start >= start_of_day(border), UsageRow.start < border))
    prorated = {price.resource for tariff in tariffs for price in tariff.prices if price.prorated}
    return or_(false(), UsageRow.resource.in_(prorated), *found) if prorated else or_(false(), *found)


def _day_of(session: Session) -> ColumnElement[Any]:
    """The day on which a record began, in UTC."""
    if session.get_bind().dialect.name == "sqlite":
        return func.substr(UsageRow.start, 1, 10)
    return func.date_trunc("day", UsageRow.start)  # in the zone of our connections, UTC
