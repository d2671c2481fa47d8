"""The book of payments: money that came in for an invoice or a wallet, and money that went back.

Rows are only ever added. The invoice is locked first, and what is paid of it is written in the same
transaction, so payments that come at the same time never exceed what is left to pay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, NotFound
from labyard.models import BillingAccount, GatewayOrder, Invoice, Payment, User
from labyard.models.base import lock_name, lock_row, random_id
from labyard.models.billing_invoices import CREDIT_NOTE, VOID
from labyard.models.billing_payments import LIVING_ORDERS, MANUAL, PAYMENT, REFUND
from labyard.models.decimals import exact_sum

from .accounts import accounts_of
from .balances import ZERO, Balance, show_amount
from .numbers import settle


@dataclass(frozen=True)
class NewPayment:
    """Money that came in. `key` is the payer's own name of it: given again, nothing is done again."""

    amount: Decimal  # above 0, in the decimals of its currency
    currency: str
    gateway: str = MANUAL
    key: str = ""  # empty: one of its own
    reference: str = ""
    username: str = ""
    received_at: datetime | None = None


def balance_of(invoice: Invoice) -> Balance:
    """What is left to pay of a final invoice."""
    return Balance(invoice.total, invoice.credited, invoice.paid)


def pay_invoice(session: Session, invoice: Invoice, new: NewPayment, clock: Clock = utc_now) -> Payment:
    """Write down a payment of `invoice`; the one that is there already if its key is known.

    Raises Conflict for a draft, a void one, a credit note, another currency, a payment above what is
    left, or a key that stands for another payment.
    """
    lock_account(session, invoice.account)
    known = _known(session, invoice.account, new, invoice)
    if known is not None:
        return known
    lock_row(session, invoice)
    check_payable(invoice, new.amount, new.currency)
    payment = _write(session, invoice.account, new, invoice, clock)
    invoice.paid += new.amount
    settle(invoice)
    session.flush()
    return payment


def receive_top_up(
    session: Session, account: BillingAccount, new: NewPayment, clock: Clock = utc_now
) -> Payment:
    """Write down money that came in for the wallet of `account`; see `wallets.top_up`, which calls this."""
    lock_account(session, account)
    return _known(session, account, new, None) or _write(session, account, new, None, clock)


def check_payable(invoice: Invoice, amount: Decimal, currency: str) -> None:
    """Raises Conflict with the reason if so much cannot be paid of `invoice` now."""
    name = invoice.number or f"The draft {invoice.id}"
    if not invoice.is_final:
        raise Conflict(f"{name} is not final, and may still change. Pay it once it has a number.")
    if invoice.kind == CREDIT_NOTE:
        raise Conflict(f"{name} is a credit note: nothing is to be paid of it.")
    if invoice.state == VOID:
        raise Conflict(f"{name} is void: nothing is to be paid of it.")
    if currency != invoice.currency:
        raise Conflict(
            f"{name} is in {invoice.currency}. Pay it in that currency.",
            {"currency": f"must be {invoice.currency}"},
        )
    left = balance_of(invoice).payable
    if amount > left:
        text = f"{show_amount(left, currency)} is left to pay"
        raise Conflict(
            f"{show_amount(amount, currency)} is more than what is left to pay of {name}: {text}.",
            {"amount": f"{text}; pay that or less"},
        )


def refund_payment(
    session: Session,
    payment: Payment,
    new: NewPayment,
    reason: str,
    clock: Clock = utc_now,
    *,
    order: GatewayOrder | None = None,
) -> Payment:
    """Write down that money of `payment` went back; the one that is there already if its key is known.

    `order`: the order by which it was asked for, whose amount is no longer kept free for it.
    Raises Conflict for a refund of a refund, or above what is left of the payment.
    """
    lock_account(session, payment.account)
    known = _known(session, payment.account, new, payment.invoice, payment)
    if known is not None:
        return known
    check_refundable(session, payment, new.amount, except_order=order)
    invoice = payment.invoice
    if invoice is not None:
        lock_row(session, invoice)
    made = _write(session, payment.account, new, invoice, clock, refunded=payment, reason=reason)
    if invoice is not None:
        invoice.paid -= new.amount
        settle(invoice)
    session.flush()
    return made


def check_refundable(
    session: Session, payment: Payment, amount: Decimal, *, except_order: GatewayOrder | None = None
) -> None:
    """Raises Conflict if so much of `payment` cannot be given back; what is on its way counts as given."""
    if payment.kind != PAYMENT:
        raise Conflict("This is a refund itself. Name the payment that it gave back.")
    left = refundable(session, payment, except_order=except_order)
    if amount > left:
        text = f"{show_amount(left, payment.currency)} is left of the payment"
        raise Conflict(
            f"{show_amount(amount, payment.currency)} is more than was paid and not given back: {text}.",
            {"amount": f"{text}; give back that or less"},
        )


def refundable(session: Session, payment: Payment, *, except_order: GatewayOrder | None = None) -> Decimal:
    """What was not given back of `payment` yet, and is not on its way."""
    back = session.scalar(select(exact_sum(Payment.amount)).where(Payment.refund_of == payment.id))
    waiting = select(exact_sum(GatewayOrder.amount)).where(
        GatewayOrder.payment_id == payment.id, GatewayOrder.state.in_(LIVING_ORDERS)
    )
    if except_order is not None:
        waiting = waiting.where(GatewayOrder.id != except_order.id)
    left: Decimal = payment.amount - (back or ZERO) - (session.scalar(waiting) or ZERO)
    return max(ZERO, left)


def payments_of(person: User) -> Select[Any]:
    """The payments and refunds that `person` may see: those of their accounts; an admin's are all."""
    query = select(Payment)
    if person.is_admin:
        return query
    return query.where(Payment.account_id.in_(accounts_of(person).with_only_columns(BillingAccount.id)))


def get_payment(session: Session, person: User, payment_id: str) -> Payment:
    """The payment of that id; raises NotFound if there is none that `person` may see."""
    found = session.scalar(payments_of(person).where(Payment.id == payment_id))
    if found is None:
        raise NotFound(f"There is no payment {payment_id[:40]} of yours.")
    payment: Payment = found
    return payment


def invoices_of(person: User) -> Select[Any]:
    """The final invoices that `person` may see."""
    query = select(Invoice).where(Invoice.number.is_not(None))
    if person.is_admin:
        return query
    return query.where(Invoice.account_id.in_(accounts_of(person).with_only_columns(BillingAccount.id)))


def get_payable_invoice(session: Session, person: User, name: str) -> Invoice:
    """The final invoice of that number or id; raises NotFound if there is none that `person` may see."""
    found = session.scalar(invoices_of(person).where((Invoice.number == name) | (Invoice.id == name)))
    if found is None:
        raise NotFound(f"There is no invoice {name[:40]} of yours.")
    invoice: Invoice = found
    return invoice


def lock_account(session: Session, account: BillingAccount) -> None:
    """Let one transaction at a time write about the money of `account`."""
    lock_name(session, f"labyard.money.{account.id}")


def _known(
    session: Session,
    account: BillingAccount,
    new: NewPayment,
    invoice: Invoice | None,
    refunded: Payment | None = None,
) -> Payment | None:
    """The payment that has the key already; raises Conflict if it is another one."""
    if not new.key:
        return None
    found = session.scalar(select(Payment).where(Payment.account_id == account.id, Payment.key == new.key))
    if found is None:
        return None
    wanted = (new.amount, new.currency, new.gateway, invoice and invoice.id, refunded and refunded.id)
    if (found.amount, found.currency, found.gateway, found.invoice_id, found.refund_of) != wanted:
        raise Conflict(
            f"The key {new.key} stands for another payment, {found.id}. Take a new key for a new payment.",
            {"key": "stands for another payment"},
        )
    payment: Payment = found
    return payment


def _write(
    session: Session,
    account: BillingAccount,
    new: NewPayment,
    invoice: Invoice | None,
    clock: Clock,
    *,
    refunded: Payment | None = None,
    reason: str = "",
) -> Payment:
    now = clock()
    payment = Payment(
        id=random_id(12),
        key=new.key or random_id(24),
        kind=PAYMENT if refunded is None else REFUND,
        account=account,
        invoice=invoice,
        refund_of=None if refunded is None else refunded.id,
        amount=new.amount,
        currency=new.currency,
        gateway=new.gateway,
        reference=new.reference,
        reason=reason,
        username=new.username,
        received_at=new.received_at or now,
        created_at=now,
    )
    session.add(payment)
    session.flush()
    return payment
