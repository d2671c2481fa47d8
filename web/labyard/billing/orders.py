"""Orders to gateways: asked for by people, carried out by workers, settled once.

An order is a row first. A worker claims it by compare-and-set on its number of attempts, asks the gateway
with no transaction open, and writes down what it said; a worker that dies is followed by another one, which
asks the same under the same key. What the gateway says by a message goes the same way (`apply_report`).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from labyard.accounts.audit import record_action
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, NotFound
from labyard.models import BillingAccount, GatewayOrder, Invoice, Payment, User
from labyard.models.base import lock_row, random_id
from labyard.models.billing_invoices import VOID
from labyard.models.billing_payments import (
    CANCELLED,
    CHECKOUT,
    CLOSING,
    DONE,
    FAILED,
    LIVING_ORDERS,
    OPEN,
    REFUND,
    REVIEW,
    WAITING,
)

from .accounts import accounts_of
from .balances import ZERO, show_amount
from .gateways import Gateway, Order, Report
from .payments import (
    NewPayment,
    balance_of,
    check_payable,
    check_refundable,
    lock_account,
    pay_invoice,
    refund_payment,
)
from .wallets import put_back, take_out, top_up

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(minutes=1)  # at an order that is open: its message may be lost, or may not reach us


def order_checkout(
    session: Session,
    gateway: Gateway,
    account: BillingAccount,
    invoice: Invoice | None,
    new: NewPayment,
    clock: Clock = utc_now,
) -> GatewayOrder:
    """Ask for a payment of `invoice`, or into the wallet of `account`.

    The order that is there is given again if its key is known. Another order for the same invoice that
    nobody has paid yet is taken back, or given if it asks for just this. Raises what `check_payable`
    does, and Conflict for a key that stands for another order.
    """
    lock_account(session, account)
    known = _known(session, account, new, CHECKOUT)
    if known is not None:
        return known
    if invoice is not None:
        lock_row(session, invoice)
        check_payable(invoice, new.amount, new.currency)
        same = _take_back_others(session, invoice, new, clock)
        if same is not None:
            return same
    return _add(
        session,
        GatewayOrder(kind=CHECKOUT, gateway=gateway.name, account=account, invoice=invoice),
        new,
        clock,
    )


def order_refund(
    session: Session,
    gateway: Gateway,
    payment: Payment,
    new: NewPayment,
    reason: str,
    clock: Clock = utc_now,
) -> GatewayOrder:
    """Ask for a refund; its amount is kept free until it is done.

    Credits of a top-up leave the wallet at once. Raises what `check_refundable` does, and Conflict if a
    top-up was spent, or for a key of another order.
    """
    lock_account(session, payment.account)
    known = _known(session, payment.account, new, REFUND)
    if known is not None:
        return known
    check_refundable(session, payment, new.amount)
    made = GatewayOrder(
        kind=REFUND, gateway=gateway.name, account=payment.account, payment=payment, reason=reason
    )
    order = _add(session, made, new, clock)
    if payment.invoice_id is None:
        take_out(session, payment, new.amount, _key(order), reason, new.username, clock)
    return order


def describe(order: GatewayOrder, back_to: str) -> Order:
    """The order as the gateway is asked."""
    what = f"Invoice {order.invoice.number}" if order.invoice else f"Credits for {order.account.name}"
    return Order(
        key=order.id,
        amount=order.amount,
        currency=order.currency,
        description=what,
        back_to=back_to,
        email=order.account.email,
        payment=order.payment.reference if order.payment else "",
    )


def apply_report(
    session: Session, order: GatewayOrder, report: Report, clock: Clock = utc_now
) -> GatewayOrder:
    """Write down what the gateway says of `order`. The same again, or later than its end, changes nothing.

    Money that came after the order was given up counts all the same: it was paid.
    """
    lock_account(session, order.account)
    lock_row(session, order)
    late = order.state in (CANCELLED, FAILED) and order.kind == CHECKOUT and report.state == DONE
    if order.kind == REFUND and order.state == DONE and report.state in (FAILED, CANCELLED):
        return _let_review(order, f"the refund came back: {report.error or report.state}", clock)
    if order.state not in LIVING_ORDERS and not late:
        return order
    order.reference = order.reference or report.reference
    order.url, order.error = report.url or order.url, report.error
    if report.state == OPEN:
        order.state = order.state if order.state == CLOSING else OPEN
        order.next_at = clock() + LOOK_AGAIN
    elif report.state == DONE:
        _settle(session, order, report, clock)
    else:
        _end(order, report.state, clock)
        if order.kind == REFUND and order.payment is not None and order.payment.invoice_id is None:
            text = f"the refund {order.id} was not carried out"
            put_back(session, order.payment, order.amount, f"{_key(order)} back", text, clock)
    session.flush()
    return order


def refuse_order(session: Session, order: GatewayOrder, why: str, clock: Clock = utc_now) -> None:
    """End an order that the gateway does not take, with its reason."""
    apply_report(session, order, Report(FAILED, order.reference or "", error=why), clock)


def _settle(session: Session, order: GatewayOrder, report: Report, clock: Clock) -> None:
    amount = order.amount if report.amount is None else report.amount
    if report.currency and report.currency != order.currency:
        text = f"{show_amount(amount, report.currency)} came for an order in {order.currency}"
        _let_review(order, text, clock)
        return
    new = NewPayment(
        amount=amount,
        currency=order.currency,
        gateway=order.gateway,
        key=_key(order),
        reference=report.payment or report.reference,
        username=order.username,
        received_at=clock(),
    )
    if order.kind == REFUND:
        assert order.payment is not None  # noqa: S101 - a refund has one
        new = replace(new, reference=report.reference)
        try:
            refund_payment(session, order.payment, new, order.reason, clock, order=order)
        except Conflict as error:
            _let_review(order, f"money went back that was given back already: {error.detail}", clock)
            return
    else:
        _credit(session, order, new, clock)
    _end(order, DONE, clock)
    words = {"order": order.id, "account": order.account.name, "amount": show_amount(amount, order.currency)}
    record_action(session, order.username, f"{order.kind} done", **words)


def _credit(session: Session, order: GatewayOrder, new: NewPayment, clock: Clock) -> None:
    """The money goes to the invoice as far as that takes it, and the rest into the wallet."""
    rest = new.amount
    invoice = order.invoice
    if invoice is not None:
        lock_row(session, invoice)
        part = ZERO if invoice.state == VOID else min(new.amount, balance_of(invoice).payable)
        if part > 0:
            pay_invoice(session, invoice, replace(new, amount=part), clock)
            rest -= part
    if rest > 0:
        key = new.key if invoice is None else f"{new.key} rest"
        top_up(session, order.account, replace(new, amount=rest, key=key), clock)


def _take_back_others(
    session: Session, invoice: Invoice, new: NewPayment, clock: Clock
) -> GatewayOrder | None:
    """Let older checkouts of the invoice be closed; the one that asks for just this, if there is one."""
    living = select(GatewayOrder).where(
        GatewayOrder.invoice_id == invoice.id,
        GatewayOrder.kind == CHECKOUT,
        GatewayOrder.state.in_((WAITING, OPEN)),
    )
    for order in session.scalars(living).all():
        lock_row(session, order)
        if order.state not in (WAITING, OPEN):
            continue
        if order.amount == new.amount:
            found: GatewayOrder = order
            return found
        order.state, order.next_at = CLOSING, clock()
    session.flush()
    return None


def _add(session: Session, order: GatewayOrder, new: NewPayment, clock: Clock) -> GatewayOrder:
    order.id = random_id(16)
    order.key = new.key or order.id
    order.amount, order.currency, order.username = new.amount, new.currency, new.username
    order.created_at = order.next_at = clock()
    order.state = WAITING
    session.add(order)
    session.flush()
    return order


def _known(session: Session, account: BillingAccount, new: NewPayment, kind: str) -> GatewayOrder | None:
    if not new.key:
        return None
    query = select(GatewayOrder).where(GatewayOrder.account_id == account.id, GatewayOrder.key == new.key)
    found: GatewayOrder | None = session.scalar(query)
    if found is not None and (found.kind, found.amount, found.currency) != (kind, new.amount, new.currency):
        raise Conflict(
            f"The key {new.key} stands for another order, {found.id}. Take a new key for a new payment.",
            {"key": "stands for another order"},
        )
    return found


def _let_review(order: GatewayOrder, why: str, clock: Clock) -> GatewayOrder:
    _end(order, REVIEW, clock)
    order.error = why
    log.error("order %s of %s must be looked at by a person: %s", order.id, order.account.name, why)
    return order


def _end(order: GatewayOrder, state: str, clock: Clock) -> None:
    order.state, order.next_at, order.settled_at = state, None, clock()


def _key(order: GatewayOrder) -> str:
    return f"order {order.id}"


def orders_of(person: User) -> Select[Any]:
    """The orders that `person` may see: those of their accounts; an admin's are all."""
    query = select(GatewayOrder)
    if person.is_admin:
        return query
    return query.where(GatewayOrder.account_id.in_(accounts_of(person).with_only_columns(BillingAccount.id)))


def get_order(session: Session, person: User, order_id: str) -> GatewayOrder:
    """The order of that id; raises NotFound if there is none that `person` may see."""
    found = session.scalar(orders_of(person).where(GatewayOrder.id == order_id))
    if found is None:
        raise NotFound(f"There is no order {order_id[:40]} of yours.")
    order: GatewayOrder = found
    return order


def close_order(
    session: Session, person: User, order_id: str, address: str = "", clock: Clock = utc_now
) -> GatewayOrder:
    """Take back a checkout that nobody has paid yet; raises NotFound, Conflict."""
    order = get_order(session, person, order_id)
    lock_row(session, order)
    if order.kind != CHECKOUT or order.state not in (WAITING, OPEN):
        raise Conflict(f"The {order.kind} {order.id} cannot be taken back: it is {order.state}.")
    order.state, order.next_at = CLOSING, clock()
    record_action(session, person.username, "payment taken back", address, order=order.id)
    session.flush()
    return order
