"""Messages of gateways: each is taken once, and only if it is signed."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import GatewayEvent, GatewayOrder, Payment
from labyard.models.billing_payments import DONE, PAYMENT, REFUND

from .balances import ZERO
from .gateways import Gateway, Message
from .orders import apply_report
from .payments import NewPayment, lock_account, refund_payment, refundable
from .wallets import take_out

TAKEN, KNOWN, IGNORED = "taken", "known", "ignored"


def take_message(
    session: Session, gateway: Gateway, body: bytes, signature: str, clock: Clock = utc_now
) -> str:
    """Do what a message says: TAKEN, KNOWN if it was taken before, IGNORED if it is about nothing here.

    Raises Forged for one that the gateway did not sign.
    """
    message = gateway.read_message(body, signature)
    event = GatewayEvent(
        gateway=gateway.name,
        event_id=message.id[:255],
        kind=message.kind[:100],
        outcome=TAKEN if message.report else IGNORED,
        received_at=clock(),
    )
    try:
        with session.begin_nested():
            session.add(event)
    except IntegrityError:
        return KNOWN
    if message.report is None:
        return IGNORED
    order = _find_order(session, gateway, message)
    if order is not None:
        apply_report(session, order, message.report, clock)
        return TAKEN
    return _take_strange_refund(session, gateway, message, clock)


def _find_order(session: Session, gateway: Gateway, message: Message) -> GatewayOrder | None:
    """By our own name in the message, else by the gateway's."""
    of_gateway = select(GatewayOrder).where(GatewayOrder.gateway == gateway.name)
    found: GatewayOrder | None = session.scalar(of_gateway.where(GatewayOrder.id == message.order))
    if found is None and message.report is not None:
        found = session.scalar(of_gateway.where(GatewayOrder.reference == message.report.reference).limit(1))
    if found is None or (found.kind == REFUND) != message.refund:
        return None
    return found


def _take_strange_refund(session: Session, gateway: Gateway, message: Message, clock: Clock) -> str:
    """Write down a refund that was made on the gateway's own pages: its money has left."""
    report = message.report
    if not message.refund or report is None or report.state != DONE or not report.payment:
        return IGNORED
    known = select(Payment.id).where(
        Payment.gateway == gateway.name, Payment.kind == REFUND, Payment.reference == report.reference
    )
    if session.scalar(known.limit(1)) is not None:
        return TAKEN
    paid = select(Payment).where(
        Payment.gateway == gateway.name, Payment.kind == PAYMENT, Payment.reference == report.payment
    )
    amount = report.amount or ZERO
    left = amount
    for payment in session.scalars(paid.order_by(Payment.invoice_id.is_(None), Payment.id)).all():
        lock_account(session, payment.account)
        part = min(left, refundable(session, payment))
        if part <= 0 or payment.currency != report.currency:
            continue
        key = f"{gateway.name} {report.reference} of {payment.id}"
        new = NewPayment(part, payment.currency, gateway.name, key, report.reference, gateway.name)
        refund_payment(session, payment, new, f"made at {gateway.name}", clock)
        if payment.invoice_id is None:
            take_out(session, payment, part, key, "made there", gateway.name, clock, may_owe=True)
        left -= part
    return IGNORED if left == amount else TAKEN
