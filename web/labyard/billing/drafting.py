"""Drafts: what an account would be billed for a month, made again as often as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import Invoice as Document
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import show_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoice import build_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.lines import Line
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period, month_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from labyard.errors import Conflict, InvalidInput
from labyard.models import BillingAccount, Invoice, InvoiceLine
from labyard.models.base import lock_row
from labyard.models.billing_invoices import INVOICE, VOID

from .accounts import customer_of
from .rated import due_since, first_due, rate_records, row_of_line
from .tariffs import read_versions, tariff_name_of

SUPPLIER = "supplier"  # the account whose holder sends the invoices, where a tariff names nobody
_NOBODY = Party(name="Labyard")


def draft_invoice(session: Session, account: BillingAccount, period: Period) -> Invoice | None:
    """The draft of an account's invoice for a month, in place of the one before; None: nothing was used.

    Raises Conflict if the month's invoice is final, InvalidInput if its usage cannot be rated.
    """
    lock_row(session, account)
    draft = find_invoice(session, account, period)
    if draft is not None and draft.is_final:
        raise already_final(draft)
    first = first_due(session, account.name, period)
    if first is None:
        if draft is not None:
            session.delete(draft)
            session.flush()
        return None
    document, records = rate_account(session, account, due_since(first, account.name, period), period)
    draft = draft or new_draft(account, period)
    write_draft(session, draft, document, records)
    return draft


def rate_account(
    session: Session,
    account: BillingAccount,
    which: ColumnElement[bool],
    period: Period,
    *,
    share: bool = False,
) -> tuple[Document, int]:
    """The document of the records `which` of an account, and how many they are.

    With `share` its tariff stays as it is until the transaction ends. Raises InvalidInput.
    """
    tariffs = read_versions(session, tariff_name_of(account), share=share)
    try:
        rater = rate_records(session, account.id, which, tariffs, period)
        document = build_invoice(
            rater.lines(),
            tariffs,
            customer_of(account),
            _supplier(session),
            period,
            usage=rater.digest(),
        )
    except BillingError as error:
        raise InvalidInput(
            f"The usage of {account.name} cannot be rated: {error}.", {"tariff": str(error)}
        ) from error
    return document, rater.records


def new_draft(account: BillingAccount, period: Period) -> Invoice:
    """An empty draft."""
    return Invoice(
        account_id=account.id, account=account, period_start=period.start, period_end=period.end, kind=INVOICE
    )


def write_draft(session: Session, draft: Invoice, document: Document, records: int) -> None:
    """Let `draft` say what `document` says, with its lines."""
    copy_sums(draft, document)
    draft.document = show_invoice(document)
    draft.records, draft.records_digest = records, document.usage
    session.add(draft)
    session.flush()
    session.execute(delete(InvoiceLine).where(InvoiceLine.invoice_id == draft.id))
    write_lines(session, draft.id, document.lines)


def write_lines(session: Session, invoice_id: str, lines: Sequence[Line]) -> None:
    """The lines of a document that has none yet."""
    session.add_all(row_of_line(invoice_id, place, line) for place, line in enumerate(lines, start=1))
    session.flush()


def copy_sums(invoice: Invoice, document: Document) -> None:
    """The sums of the document, as columns to look for."""
    invoice.currency = document.currency
    invoice.net, invoice.tax, invoice.total = document.net, document.tax, document.total


def find_invoice(session: Session, account: BillingAccount, period: Period) -> Invoice | None:
    """The invoice or draft of an account for a month; one that is void is none."""
    found: Invoice | None = session.scalar(
        select(Invoice).where(
            Invoice.account_id == account.id,
            Invoice.period_start == period.start,
            Invoice.kind == INVOICE,
            Invoice.state != VOID,
        )
    )
    return found


def already_final(invoice: Invoice) -> Conflict:
    """What to say about a month that is billed."""
    return Conflict(
        f"{invoice.number} of {invoice.account.name} for {invoice.period_start:%Y-%m} is final. What comes"
        " late is on the next invoice; correct this one by a credit note, or make it void."
    )


def period_of(invoice: Invoice) -> Period:
    """The month of an invoice."""
    return month_of(invoice.period_start)


def check_over(period: Period, now: datetime) -> None:
    """Raises Conflict if the month is not over."""
    if now < period.end:
        raise Conflict(f"{period} is not over yet. A draft shows what there is so far.")


def open_amount(invoice: Invoice) -> Decimal:
    """What is still to be paid; below 0: what was paid too much."""
    return invoice.total - invoice.credited - invoice.paid


def _supplier(session: Session) -> Party:
    account = session.scalar(select(BillingAccount).where(BillingAccount.name == SUPPLIER))
    return _NOBODY if account is None else customer_of(account)
