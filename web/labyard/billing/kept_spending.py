"""Keeping the sums of usage up to date that budgets of money are looked up in.

Sums are for months, persons, projects and accounts. What came since is added to them, record by record, so
what was summed up once is not read again; late records find the sums of their month. Where the tariff of that
time has changed, sums are made anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import CursorResult, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.kept_sums import add_sums, show_sums
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater, Row
from labyard.errors import Conflict
from labyard.models import SpendingMark, SpendingSum, UsageRow
from labyard.models.base import nobody_shares

from .account_tariffs import AccountTariffs
from .ingest import NAME
from .rated import read_rows, read_rows_of_all

PART = 20_000  # records that are added in one transaction
LARGE_PART = 3 * PART  # where much is to be added: each part writes the sums of all who are in it
PARTS = 5  # in one go: whoever keeps up has other things to do
BEHIND = 5 * PART  # with more records to add, nobody is kept waiting for what they cost
ANEW = 100  # sums that are made anew in one transaction
ENDLESS = datetime.max.replace(tzinfo=UTC)

Key = tuple[str, str, str, datetime]  # account, project, user, begin of the month


@dataclass(frozen=True)
class Rated:
    """What the records of a key cost."""

    currency: str
    amount: Decimal
    apart: bool


def keep_up(session: Session, begin_writing: Callable[[], None]) -> int:
    """Add the records that came since the last time, then make anew what no longer fits; how many were added.

    Rates outside of writing transactions, of which there is a short one for each part. Leaves the rest for
    the next time after PARTS, and where another worker does the same.
    """
    top = _last_settled(session)
    added = 0
    for _ in range(PARTS):
        upto, end = _next_part(session, top, PART)
        found = _with_new(session, upto, end) if end > upto else _outdated(session, upto)
        session.rollback()
        if not found or not _write(session, begin_writing, found, upto, end):
            break
        added += end - upto
    session.rollback()
    return added


def add_new(session: Session, begin_writing: Callable[[], None]) -> int:
    """Add all records that came since the last time; how many.

    As `keep_up`, but to the end, or to where another worker does the same.
    """
    top = _last_settled(session)
    added = 0
    while True:
        upto, end = _next_part(session, top, LARGE_PART)
        found = _with_new(session, upto, end) if end > upto else {}
        session.rollback()
        if not found or not _write(session, begin_writing, found, upto, end):
            return added
        added += end - upto


def is_behind(session: Session) -> bool:
    """Whether more than BEHIND records are in no sum yet."""
    upto = session.scalar(select(SpendingMark.upto)) or 0
    ids = select(UsageRow.id).where(UsageRow.id > upto).order_by(UsageRow.id)
    return session.scalar(ids.offset(BEHIND).limit(1)) is not None


def new_rater(tariffs: AccountTariffs, account: str) -> Rater:
    """A rater for usage of an account of any time. Raises Conflict, TariffError."""
    return Rater(tariffs.versions(account), datetime.min.replace(tzinfo=UTC), ENDLESS)


def fits(row: SpendingSum, tariffs: AccountTariffs) -> bool:
    """Whether its sums were made by the tariff as it is now."""
    return row.prices == tariffs.hash(row.account, row.month, row.until)


def rows_of(key: Key, upto: int) -> Any:
    """The records of a key, up to that id."""
    account, project, user, month = key
    return (
        (UsageRow.account == account)
        & (UsageRow.project == project)
        & (UsageRow.user == user)
        & (UsageRow.start >= month)
        & (UsageRow.start < month_of(month).end)
        & (UsageRow.id <= upto)
    )


def _last_settled(session: Session) -> int:
    """The last record, if none can come any more whose id is lower; else 0."""
    session.rollback()
    last = session.scalar(select(func.max(UsageRow.id))) if nobody_shares(session, NAME) else 0
    session.rollback()
    return last or 0


def _next_part(session: Session, top: int, size: int) -> tuple[int, int]:
    """Up to which record all is summed up, and up to which it is to be next."""
    upto = session.scalar(select(SpendingMark.upto)) or 0
    ids = select(UsageRow.id).where(UsageRow.id > upto, UsageRow.id <= top).order_by(UsageRow.id)
    last = session.scalar(ids.offset(size - 1).limit(1))
    return upto, max(upto, top) if last is None else last


def _with_new(session: Session, upto: int, end: int) -> dict[Key, dict[str, Any]]:
    """The sums that the records in (upto, end] change, as they will be."""
    new: dict[Key, list[Row]] = defaultdict(list)
    for account, rows in read_rows_of_all(session, UsageRow.id > upto, UsageRow.id <= end):
        for row in rows:
            new[account, row[4], row[5], month_of(row[9]).start].append(row)
    tariffs = AccountTariffs(session)
    kept = _kept(session, new)
    return {key: _sum_up(session, tariffs, key, kept.get(key), rows, upto) for key, rows in new.items()}


def _kept(session: Session, keys: Iterable[Key]) -> dict[Key, SpendingSum]:
    """What there is of these keys."""
    wanted = set(keys)
    months = {month for _, _, _, month in wanted}
    accounts = sorted({account for account, _, _, _ in wanted})
    found = {}
    for begin in range(0, len(accounts), 500):
        query = select(SpendingSum).where(
            SpendingSum.month.in_(months), SpendingSum.account.in_(accounts[begin : begin + 500])
        )
        for row in session.scalars(query):
            found[row.account, row.project, row.user, row.month] = row
    return {key: row for key, row in found.items() if key in wanted}


def _outdated(session: Session, upto: int) -> dict[Key, dict[str, Any]]:
    """Some of the sums whose tariff has changed, made anew from the records."""
    tariffs = AccountTariffs(session)
    key = (SpendingSum.account, SpendingSum.project, SpendingSum.user, SpendingSum.month)
    rows = session.execute(select(SpendingSum.id, SpendingSum.until, SpendingSum.prices, *key)).all()
    stale = [row for row in rows if row.prices != tariffs.hash(row.account, row.month, row.until)]
    found = {}
    for row in stale[:ANEW]:
        place: Key = (row.account, row.project, row.user, row.month)
        kept = session.get_one(SpendingSum, row.id)
        found[place] = _sum_up(session, tariffs, place, kept, (), upto)
    return found


def _sum_up(
    session: Session,
    tariffs: AccountTariffs,
    key: Key,
    kept: SpendingSum | None,
    new: Sequence[Row],
    upto: int,
) -> dict[str, Any]:
    """The values of a row: what is kept, or where it does not fit the records up to `upto`, and the new."""
    account, project, user, month = key
    until = max([row[10] for row in new] + ([kept.until] if kept else []))
    values: dict[str, Any] = {
        "account": account,
        "project": project,
        "user": user,
        "month": month,
        "until": until,
        "prices": tariffs.hash(account, month, until),
        **({"id": kept.id} if kept else {}),
    }
    nothing = {"sums": [], "apart": False, "currency": "", "amount": Decimal(0)}
    try:
        rater = new_rater(tariffs, account)
        if kept is not None and not kept.fault and fits(kept, tariffs):
            add_sums(rater, kept.sums)
        elif kept is not None:
            for rows in read_rows(session, rows_of(key, upto)):
                rater.add_many(rows)
        rater.add_many(new)
        rated = _rate(rater, until <= month_of(month).end)
    except (BillingError, Conflict) as error:
        return {**values, **nothing, "fault": str(error)}
    return {
        **values,
        "sums": show_sums(rater),
        "apart": rated.apart,
        "currency": rated.currency,
        "amount": rated.amount,
        "fault": "",
    }


def _rate(rater: Rater, within: bool) -> Rated:
    """What it costs; `within`: all of it lies in its month."""
    used = [segment.tariff for segment in rater.segments]
    currency = used[0].currency
    together = any(price.across == "account" for tariff in used for price in tariff.prices)
    apart = within and not together and all(tariff.currency == currency for tariff in used)
    amount = sum((line.amount for line in rater.lines(currency)), Decimal(0))
    return Rated(currency, amount, apart)


def _write(
    session: Session,
    begin_writing: Callable[[], None],
    found: dict[Key, dict[str, Any]],
    upto: int,
    end: int,
) -> bool:
    """Keep it, unless another worker has got further; whether it was kept."""
    begin_writing()
    kinds: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
    mark = kinds[session.get_bind().dialect.name](SpendingMark).values(id=1, upto=0)
    session.execute(mark.on_conflict_do_nothing())
    moved = session.execute(update(SpendingMark).where(SpendingMark.upto == upto).values(upto=end))
    if cast(CursorResult[Any], moved).rowcount != 1:
        session.rollback()
        return False
    known = [values for values in found.values() if "id" in values]
    new = [values for values in found.values() if "id" not in values]
    if known:
        session.execute(update(SpendingSum), known)
    if new:
        session.execute(insert(SpendingSum), new)
    session.commit()
    return True
