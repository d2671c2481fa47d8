"""What usage costs so far, for budgets: without discount, minimum and tax.

What was summed up before (`kept_spending.py`) is taken from there, and rated with what came since: the same
lines as on the invoice, so the same amounts.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.kept_sums import add_sums
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater, Row
from labyard.errors import Conflict
from labyard.models import (
    BillingAccount,
    Invoice,
    InvoiceLine,
    SpendingMark,
    SpendingSum,
    UnbilledUsage,
    UsageRow,
)
from labyard.models.billing_invoices import CREDIT_NOTE, INVOICE, VOID
from labyard.models.decimals import exact_sum

from .account_tariffs import AccountTariffs
from .kept_spending import fits, new_rater, rows_of
from .rated import line_of, read_rows, read_rows_of_all

log = logging.getLogger(__name__)

_ZERO = Decimal(0)


@dataclass(frozen=True)
class Who:
    """Whose usage: a person's, a project's, or everybody's."""

    user: str = ""
    project: str = ""

    def of(self, table: Any) -> list[ColumnElement[bool]]:
        """What rows of usage, sums or lines must fulfil."""
        found = [table.user == self.user] if self.user else []
        return [*found, table.project == self.project] if self.project else found


def spent_in_month(session: Session, who: Who, month: Period, currency: str) -> Decimal:
    """What the usage that began in `month` costs, whether it was billed or not."""
    upto, kept = _read_kept(session, SpendingSum.month == month.start, *who.of(SpendingSum))
    begun = (UsageRow.start >= month.start, UsageRow.start < month.end)
    spending = _Spending(session, who, upto)
    spending.add_kept(kept)
    spending.add_records(UsageRow.id > upto, *begun, *who.of(UsageRow))
    return spending.amount(currency)


def spent_in_all(session: Session, who: Who, currency: str) -> Decimal:
    """What was billed and not credited, and what the usage costs that was not billed yet."""
    sign = case((Invoice.kind == CREDIT_NOTE, "back"), else_="out")
    billed = (
        select(sign, exact_sum(InvoiceLine.amount))
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .where(Invoice.number.is_not(None), Invoice.state != VOID, Invoice.currency == currency)
        .where(*who.of(InvoiceLine))
        .group_by(sign)
    )
    sums = {way: amount for way, amount in session.execute(billed)}
    spent: Decimal = sums.get("out", _ZERO) - sums.get("back", _ZERO) + _unbilled(session, who, currency)
    return spent


def _unbilled(session: Session, who: Who, currency: str) -> Decimal:
    """Of months from which nothing is billed the sums count, of the others the records that are left."""
    last = _last_billed(session)
    ends = last.c.end.is_(None) | (SpendingSum.month >= last.c.end)
    upto, kept = _read_kept(session, ends, *who.of(SpendingSum), joined=last)
    left = _left_of_months(who, last)
    spending = _Spending(session, who, upto)
    spending.add_kept(kept)
    free = UsageRow.invoice_id.is_(None)
    spending.add_records(
        free,
        UsageRow.id <= upto,
        UsageRow.id == UnbilledUsage.usage_id,
        UnbilledUsage.account == left.c.account,
        UnbilledUsage.end <= left.c.until,
        UsageRow.start < left.c.billed,
        *who.of(UsageRow),
        joined=left,
    )
    spending.add_records(free, UsageRow.id > upto, *who.of(UsageRow))
    billed = {account: end for account, end in session.execute(select(last.c.account, last.c.end))}
    return spending.amount(currency, billed)


def _last_billed(session: Session) -> Any:
    """By account, the end of its last invoice that stands: no usage that began later is on any invoice."""
    end = func.max(Invoice.period_end, type_=Invoice.period_end.type).label("end")
    return (
        select(BillingAccount.name.label("account"), end)
        .join(Invoice, Invoice.account_id == BillingAccount.id)
        .where(Invoice.kind == INVOICE, Invoice.number.is_not(None), Invoice.state != VOID)
        .group_by(BillingAccount.name)
        .subquery()
    )


def _left_of_months(who: Who, last: Any) -> Any:
    """By account, when the last invoice ended, and the last usage that began before that."""
    until = func.max(SpendingSum.until, type_=SpendingSum.until.type).label("until")
    return (
        select(SpendingSum.account, last.c.end.label("billed"), until)
        .join(last, last.c.account == SpendingSum.account)
        .where(SpendingSum.month < last.c.end, *who.of(SpendingSum))
        .group_by(SpendingSum.account, last.c.end)
        .subquery()
    )


def _read_kept(
    session: Session, *which: ColumnElement[bool], joined: Any = None
) -> tuple[int, list[SpendingSum]]:
    """Up to which record all is summed up, and the sums `which`: of one moment, so by one statement."""
    sums = select(SpendingSum.id.label("number"))
    if joined is not None:
        sums = sums.outerjoin(joined, joined.c.account == SpendingSum.account)
    wanted = sums.where(*which).subquery()
    query = (
        select(SpendingMark.upto, SpendingSum)
        .join(wanted, SpendingMark.id == 1, isouter=True)
        .join(SpendingSum, SpendingSum.id == wanted.c.number, isouter=True)
        .execution_options(populate_existing=True)
    )
    rows = session.execute(query).all()
    return rows[0][0] if rows else 0, [row for _, row in rows if row is not None]


@dataclass
class _Account:
    """What is to be counted of one account."""

    kept: list[SpendingSum] = field(default_factory=list)
    rater: Rater | None = None  # where sums alone do not do
    fault: str = ""  # why nothing of it can be rated


class _Spending:
    """Amounts by account: of sums where these stand alone, else rated together with what came since."""

    def __init__(self, session: Session, who: Who, upto: int) -> None:
        self._session = session
        self._who = who
        self._upto = upto  # the records that are in sums
        self._tariffs = AccountTariffs(session)
        self._accounts: dict[str, _Account] = defaultdict(_Account)

    def add_kept(self, kept: Iterable[SpendingSum]) -> None:
        """Count these sums."""
        for row in kept:
            self._accounts[row.account].kept.append(row)
        for name, account in self._accounts.items():
            if not all(row.apart and fits(row, self._tariffs) for row in account.kept):
                self._add(name, account)

    def add_records(self, *which: ColumnElement[bool], joined: Any = None) -> None:
        """Count these records, which are in no sum that is counted."""
        for name, rows in read_rows_of_all(self._session, *which, joined=joined):
            self._add(name, self._accounts[name], rows)

    def amount(self, currency: str, billed: Mapping[str, datetime] | None = None) -> Decimal:
        """What all of it costs; `billed`: by account, until when there are lines to go on after."""
        total = _ZERO
        for name, account in self._accounts.items():
            if account.fault:
                log.warning(
                    "what %s has used cannot be rated, and counts as nothing: %s", name, account.fault
                )
            elif account.rater is None:
                total += sum((row.amount for row in account.kept if row.currency == currency), _ZERO)
            else:
                self._go_on_after_lines(name, account.rater, billed or {})
                total += sum((line.amount for line in account.rater.lines(currency)), _ZERO)
        return total

    def _add(self, name: str, account: _Account, rows: Sequence[Row] = ()) -> None:
        """Let the rater of the account have `rows`, after what is kept."""
        if account.fault:
            return
        try:
            if account.rater is None:
                account.rater = self._load(name, account.kept)
            account.rater.add_many(rows)
        except (BillingError, Conflict) as error:
            account.fault = str(error)

    def _load(self, name: str, kept: Iterable[SpendingSum]) -> Rater:
        rater = new_rater(self._tariffs, name)
        for row in kept:
            if not row.fault and fits(row, self._tariffs):
                add_sums(rater, row.sums)
                continue
            key = (row.account, row.project, row.user, row.month)
            for rows in read_rows(self._session, rows_of(key, self._upto)):
                rater.add_many(rows)
        return rater

    def _go_on_after_lines(self, name: str, rater: Rater, billed: Mapping[str, datetime]) -> None:
        """Late usage costs what it would have cost in time: after what stands on invoices of its month."""
        first = min((segment.month.start for segment in rater.segments), default=None)
        if first is None or name not in billed or first >= billed[name]:
            return
        lines = (
            select(InvoiceLine)
            .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
            .where(Invoice.account_id == self._tariffs.ids[name], Invoice.kind == INVOICE)
            .where(Invoice.number.is_not(None), Invoice.state != VOID)
            .where(InvoiceLine.start >= first, *self._who.of(InvoiceLine))
        )
        rater.go_on_after(line_of(row) for row in self._session.scalars(lines))
