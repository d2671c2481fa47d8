"""Making invoices final: for one account, or for all of a month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period
from labyard.accounts.audit import record_action
from labyard.clock import Clock, utc_now
from labyard.errors import DomainError
from labyard.models import BillingAccount, Invoice, UnbilledUsage, UsageRow
from labyard.models.base import lock_row

from .accounts import find_account
from .drafting import already_final, check_over, find_invoice, new_draft, rate_account, write_draft
from .numbers import give_number
from .rated import covered_by, due_since, first_due

_BUSY = "Something else is at it for longer than the database waits. Run again in a moment."


@dataclass(frozen=True)
class Outcome:
    """What a run did for one account: an invoice, nothing, or an error."""

    account: str
    number: str = ""
    total: str = ""  # with its currency
    error: str = ""


def finalize(
    session: Session, account: BillingAccount, period: Period, clock: Clock = utc_now
) -> Invoice | None:
    """The final invoice of an account for a month that is over; None: nothing was used.

    First the records get the invoice's mark, by one statement, then those with the mark are rated: what
    comes meanwhile is on the next invoice. Raises Conflict if there is a final one already or the month is
    not over, InvalidInput if the usage cannot be rated.
    """
    check_over(period, clock())
    lock_row(session, account)
    row = find_invoice(session, account, period)
    if row is not None and row.is_final:
        raise already_final(row)
    row = row or _empty(session, account, period)
    marked = _mark(session, row, account, period)
    if not marked:
        session.delete(row)
        session.flush()
        return None
    document, records = rate_account(session, account, covered_by(row), period, share=True)
    write_draft(session, row, document, records)
    give_number(session, row, document, clock)
    return row


def run_month(
    session: Session,
    begin_writing: Callable[[], None],
    period: Period,
    clock: Clock = utc_now,
    username: str = "",
) -> Iterator[Outcome]:
    """Make the invoices of a month, of every account that used something; each is a transaction of its own.

    Cut off anywhere and begun again, it goes on with those that are missing. An account whose usage cannot be
    rated, and one that somebody else is at, keeps no other one from its invoice.
    """
    check_over(period, clock())
    for name in accounts_due(session, period):
        begin_writing()
        try:
            row = _finalize_once(session, name, period, clock)
            if row is not None:
                record_action(session, username, "invoice finalized", invoice=str(row.number), account=name)
            session.commit()
        except (DomainError, OperationalError) as error:
            session.rollback()
            yield Outcome(name, error=error.detail if isinstance(error, DomainError) else _BUSY)
            continue
        if row is not None:
            yield Outcome(name, str(row.number), f"{row.document['total']} {row.currency}")


def accounts_due(session: Session, period: Period) -> list[str]:
    """The accounts that have usage for a month which no invoice covers."""
    query = select(UnbilledUsage.account).where(UnbilledUsage.end <= period.end).distinct()
    return list(session.scalars(query.order_by(UnbilledUsage.account)))


def _finalize_once(session: Session, name: str, period: Period, clock: Clock) -> Invoice | None:
    """The invoice; None where there is nothing to do, as for what came late to a month that is billed."""
    account = find_account(session, name)
    lock_row(session, account)  # another run may be at it just now
    known = find_invoice(session, account, period)
    if known is not None and known.is_final:
        return None
    return finalize(session, account, period, clock)


def _empty(session: Session, account: BillingAccount, period: Period) -> Invoice:
    """A row whose id the records can be marked with."""
    row = new_draft(account, period)
    row.currency, row.document = "", {}
    row.net = row.tax = row.total = Decimal(0)
    session.add(row)
    session.flush()
    return row


def _mark(session: Session, row: Invoice, account: BillingAccount, period: Period) -> int:
    """Mark what is due with the invoice, and let that say from when on to look for it."""
    first = row.usage_from = first_due(session, account.name, period)
    if first is None:
        return 0
    session.flush()
    done = session.execute(
        update(UsageRow)
        .where(due_since(first, account.name, period))  # what began before that came just now
        .values(invoice_id=row.id)
        .execution_options(synchronize_session=False)
    )
    return cast(CursorResult[Any], done).rowcount
