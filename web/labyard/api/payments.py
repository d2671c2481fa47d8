"""Payments and refunds: the book of what came in and went back."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from labyard.billing.paying import Wish, gateways_of, give_back, make_payment
from labyard.billing.payments import get_payment, payments_of
from labyard.billing.showing_money import show_order, show_payment
from labyard.context import context, session
from labyard.models import BillingAccount, Invoice, Payment
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer
from .paging import Listing, answer_page
from .schemas.lists import list_of, query_of
from .schemas.payments import PAYMENT_FILTERS, PaymentIn, PaymentOut, RefundIn, RefundOut
from .selections import created_between

_PAYMENTS = Listing("payments", Payment.id, {"created_at": Payment.created_at}, "-created_at")


@blueprint.get("/payments")
@blueprint.input(query_of(_PAYMENTS, PaymentOut, PAYMENT_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(PaymentOut))
@blueprint.doc(summary="Payments and refunds of your accounts (an admin's: of all)", security="key")
def list_payments(query: dict[str, Any]) -> Response:
    found = payments_of(require_person()).options(selectinload(Payment.invoice))
    if "account" in query:
        number = select(BillingAccount.id).where(BillingAccount.name == query["account"])
        found = found.where(Payment.account_id == number.scalar_subquery())
    if "invoice" in query:
        named = (Invoice.number == query["invoice"]) | (Invoice.id == query["invoice"])
        found = found.where(Payment.invoice_id.in_(select(Invoice.id).where(named)))
    if "kind" in query:
        found = found.where(Payment.kind == query["kind"])
    found = created_between(found, Payment.created_at, query)
    return answer_page(found, _PAYMENTS, query, lambda rows: [show_payment(row) for row in rows])


@blueprint.post("/payments")
@blueprint.input(PaymentIn, arg_name="document", example={"invoice": "2026-0007", "gateway": "wallet"})
@blueprint.output(PaymentOut, status_code=201)
@blueprint.doc(
    summary="Pay an invoice from the wallet; or record money that came in (admins)",
    security="key",
    extensions={"x-location": True},
)
def record_payment(document: dict[str, Any]) -> Response:
    payment = make_payment(session(), require_person(), Wish(**document), address=remote_address())
    commit_request()
    place = url_for("api.show_one_payment", payment_id=payment.id)
    return answer(show_payment(payment), 201, {"Location": place})


@blueprint.get("/payments/<string(length=12):payment_id>")
@blueprint.output(PaymentOut)
@blueprint.doc(summary="One payment or refund", security="key")
def show_one_payment(payment_id: str) -> Response:
    return answer(show_payment(get_payment(session(), require_person(), payment_id)))


@blueprint.post("/payments/<string(length=12):payment_id>/refund")
@blueprint.input(RefundIn, arg_name="document", example={"amount": "5.00", "reason": "charged twice"})
@blueprint.output(RefundOut, status_code=202)
@blueprint.doc(summary="Give money of a payment back (admins)", security="key")
def refund_one_payment(payment_id: str, document: dict[str, Any]) -> Response:
    gateways = gateways_of(context().settings.payments)
    made, order = give_back(
        session(), require_admin(), payment_id, document, gateways, address=remote_address()
    )
    commit_request()
    shown = {"payment": show_payment(made) if made else None, "order": show_order(order) if order else None}
    return answer(shown, 202)
