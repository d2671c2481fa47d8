"""Proving payments and wallets: sums, states, and ledgers without gaps. It only reads."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from labyard.models import Invoice, Payment, Wallet, WalletEntry
from labyard.models.billing_invoices import INVOICE, VOID
from labyard.models.billing_payments import REFUND
from labyard.models.decimals import exact_sum

from .balances import ZERO, Balance
from .wallets import entries_of

_CHUNK = 1000
Fault = tuple[str, str]


def verify_money(session: Session) -> Iterator[Fault]:
    """What is wrong with payments, refunds and wallets: name and words of each fault."""
    yield from _verify_invoices(session)
    yield from _verify_refunds(session)
    for wallet in session.scalars(select(Wallet).order_by(Wallet.account_id)).all():
        yield from verify_wallet(session, wallet)


def verify_wallet(session: Session, wallet: Wallet) -> Iterator[Fault]:
    """What is wrong with the ledger of `wallet`: the balance is the sum, and no entry is missing."""
    name, running = wallet.account.name, ZERO
    entries = entries_of(wallet).order_by(WalletEntry.position)
    for place, entry in enumerate(session.scalars(entries), start=1):
        running += entry.amount
        if entry.position != place:
            yield name, f"entry {place} of the wallet is missing"
            return
        if entry.balance != running:
            yield name, f"after entry {place} the wallet holds {running}, and it says {entry.balance}"
            return


def _verify_invoices(session: Session) -> Iterator[Fault]:
    kind = case((Payment.kind == REFUND, "back"), else_="in")
    sums: dict[str | None, Decimal] = {}
    query = select(Payment.invoice_id, kind, exact_sum(Payment.amount)).group_by(Payment.invoice_id, kind)
    for invoice_id, way, amount in session.execute(query.where(Payment.invoice_id.is_not(None))):
        sums[invoice_id] = sums.get(invoice_id, ZERO) + (amount if way == "in" else -amount)
    columns = (Invoice.id, Invoice.number, Invoice.state, Invoice.total, Invoice.credited, Invoice.paid)
    rows = select(*columns).where(Invoice.kind == INVOICE)
    for row in session.execute(rows, execution_options={"yield_per": _CHUNK}):
        name, paid = row.number or row.id, sums.pop(row.id, ZERO)
        if paid != row.paid:
            yield name, f"its payments less refunds are {paid}, and it says {row.paid}"
        elif row.number is not None and row.state != VOID:
            state = Balance(row.total, row.credited, row.paid).state
            if state != row.state:
                yield name, f"it says {row.state}, and is {state}"
    yield from ((str(ident), "has payments, and is no invoice") for ident in sums)


def _verify_refunds(session: Session) -> Iterator[Fault]:
    back = (
        select(Payment.refund_of.label("payment"), exact_sum(Payment.amount).label("amount"))
        .where(Payment.refund_of.is_not(None))
        .group_by(Payment.refund_of)
        .subquery()
    )
    for ident, amount, given in session.execute(
        select(Payment.id, Payment.amount, back.c.amount).join(back, back.c.payment == Payment.id)
    ):
        if Decimal(given) > amount:
            yield f"payment {ident}", f"{given} of {amount} went back"
