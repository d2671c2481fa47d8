"""Payments on pages of Stripe's: asked for here, paid there."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from labyard.billing.orders import close_order, get_order, orders_of
from labyard.billing.paying import Wish, gateways_of, order_payment
from labyard.billing.showing_money import show_order
from labyard.context import context, session
from labyard.models import BillingAccount, GatewayOrder
from labyard.models.billing_payments import STRIPE
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .answers import answer
from .paging import Listing, answer_page
from .schemas.lists import list_of, query_of
from .schemas.payments import ORDER_FILTERS, OrderIn, OrderOut
from .selections import created_between

_ORDERS = Listing("payment_orders", GatewayOrder.id, {"created_at": GatewayOrder.created_at}, "-created_at")


@blueprint.get("/payments/orders")
@blueprint.input(query_of(_ORDERS, OrderOut, ORDER_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(OrderOut))
@blueprint.doc(summary="What Stripe is asked for about your accounts (an admin's: about all)", security="key")
def list_orders(query: dict[str, Any]) -> Response:
    found = orders_of(require_person()).options(selectinload(GatewayOrder.invoice))
    if "account" in query:
        number = select(BillingAccount.id).where(BillingAccount.name == query["account"])
        found = found.where(GatewayOrder.account_id == number.scalar_subquery())
    if "state" in query:
        found = found.where(GatewayOrder.state == query["state"])
    found = created_between(found, GatewayOrder.created_at, query)
    return answer_page(found, _ORDERS, query, lambda rows: [show_order(row) for row in rows])


@blueprint.post("/payments/orders")
@blueprint.input(OrderIn, arg_name="document", example={"invoice": "2026-0007"})
@blueprint.output(OrderOut, status_code=202)
@blueprint.doc(
    summary="Ask for a page of Stripe's to pay at; its address is at `Location` within seconds",
    security="key",
    extensions={"x-location": True},
)
def order_one_payment(document: dict[str, Any]) -> Response:
    gateway = gateways_of(context().settings.payments).get(STRIPE)
    wish = Wish(**document, gateway=STRIPE)
    order = order_payment(session(), require_person(), wish, gateway, address=remote_address())
    commit_request()
    place = url_for("api.show_one_order", order_id=order.id)
    return answer(show_order(order), 202, {"Location": place})


@blueprint.get("/payments/orders/<string(length=16):order_id>")
@blueprint.output(OrderOut)
@blueprint.doc(summary="What became of a payment or refund at Stripe", security="key")
def show_one_order(order_id: str) -> Response:
    return answer(show_order(get_order(session(), require_person(), order_id)))


@blueprint.post("/payments/orders/<string(length=16):order_id>/cancel")
@blueprint.output(OrderOut, status_code=202)
@blueprint.doc(summary="Take back a payment that nobody has made yet", security="key")
def cancel_one_order(order_id: str) -> Response:
    order = close_order(session(), require_person(), order_id, remote_address())
    commit_request()
    return answer(show_order(order), 202)
