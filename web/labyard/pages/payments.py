"""Payments: what is owed, paying it, what came in; for admins, writing down money and giving it back."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from labyard.billing.drafting import open_amount
from labyard.billing.looking import get_invoice, invoices_of
from labyard.billing.orders import close_order, get_order, orders_of
from labyard.billing.paying import Wish, gateways_of, give_back, make_payment, order_payment
from labyard.billing.payments import payments_of
from labyard.billing.wallets import balance, wallets_of
from labyard.context import context, session
from labyard.errors import Conflict, Forbidden, InvalidInput
from labyard.models import GatewayOrder, Invoice, Payment, Wallet
from labyard.models.billing_payments import LIVING_ORDERS, MANUAL, REVIEW, STRIPE, WALLET
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .admins import require_admin
from .blueprint import blueprint

_NEWEST = 50  # payments on the page
_OWED = ("finalized", "partly_paid")


@blueprint.get("/costs/payments")
@login_required
def payments() -> Any:
    """What is owed, wallets, and what came in and went back."""
    return _show_all(), 200


@blueprint.route("/costs/invoices/<name>/pay", methods=["GET", "POST"])
@login_required
def pay(name: str) -> Any:
    """How to pay an invoice; pay it from the wallet or at Stripe; admins write down what came in."""
    person, errors, status = require_person(), {}, 200
    found = get_invoice(session(), person, name)
    if request.method == "POST":
        try:
            return _pay(found)
        except (InvalidInput, Conflict, Forbidden) as error:
            session().rollback()
            errors, status = error.errors or {"": error.detail}, error.status
            found = get_invoice(session(), person, name)
    wallet = session().get(Wallet, found.account_id)
    return render_template(
        "pay.html",
        invoice=found,
        open=open_amount(found),
        supplier=found.document["supplier"],
        wallet=wallet,
        balance=balance(session(), found.account_id) if wallet else None,
        has_stripe=STRIPE in gateways_of(context().settings.payments),
        errors=errors,
        given=request.form,
        key=secrets.token_urlsafe(12),
    ), status


@blueprint.post("/costs/payments/<payment_id>/refund")
@login_required
def refund(payment_id: str) -> Any:
    """Give a payment back, all that is left of it or an amount."""
    admin, form = require_admin(), request.form
    amount, reason = form.get("amount", "").strip(), form.get("reason", "").strip()
    document = {"amount": amount or None, "reason": reason, "key": form.get("key", "")[:128]}
    if form.get("to") == WALLET:
        document["to"] = WALLET
    try:
        if not reason or len(reason) > 500:
            raise InvalidInput("Nothing was given back.", {"reason": "say why, in 500 characters at most"})
        gateways = gateways_of(context().settings.payments)
        give_back(session(), admin, payment_id, document, gateways, address=remote_address())
        commit_request()
    except (InvalidInput, Conflict) as error:
        session().rollback()
        words = "; ".join(f"{name}: {text}" for name, text in error.errors.items())
        return _show_all(wrong={payment_id: words or error.detail}), error.status
    flash("The refund was written down.", "info")
    return redirect(url_for("pages.payments"), 303)


@blueprint.get("/costs/orders/<order_id>")
@login_required
def payment_order(order_id: str) -> Any:
    """What became of a payment at a gateway, and the way to it."""
    order = get_order(session(), require_person(), order_id)
    return render_template("payment_order.html", order=order, living=order.state in LIVING_ORDERS)


@blueprint.post("/costs/orders/<order_id>/close")
@login_required
def close_payment_order(order_id: str) -> Any:
    """Take it back, if nobody has paid yet."""
    try:
        close_order(session(), require_person(), order_id, remote_address())
        commit_request()
    except Conflict as error:
        session().rollback()
        flash(error.detail, "warning")
    return redirect(url_for("pages.payment_order", order_id=order_id), 303)


def read_wish(**about: Any) -> Wish:
    """What the form says is to be paid. Raises InvalidInput for what is no day."""
    form = request.form
    day = form.get("received_at", "").strip()
    received = None
    if day:
        try:
            received = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError as error:
            words = {"received_at": f"{day[:20]!r} is no day as 2026-01-31 is one"}
            raise InvalidInput("The payment is not right.", words) from error
    return Wish(
        amount=form.get("amount", "").strip() or None,
        gateway=form.get("gateway", "")[:16],
        reference=form.get("reference", "").strip()[:255],
        received_at=received,
        key=form.get("key", "")[:64],
        **about,
    )


def carry_out(wish: Wish, place: str) -> Any:
    """Pay as the wish says and go to `place`, or to the page of the order. Raises DomainError."""
    person = require_person()
    if wish.gateway == STRIPE:
        gateway = gateways_of(context().settings.payments).get(STRIPE)
        order = order_payment(session(), person, wish, gateway, address=remote_address())
        place = url_for("pages.payment_order", order_id=order.id)
        commit_request()
        return redirect(place, 303)
    if wish.gateway not in (WALLET, MANUAL):
        raise InvalidInput("Nothing was paid.", {"gateway": "choose how it is paid"})
    make_payment(session(), person, wish, address=remote_address())
    commit_request()
    flash("The payment was written down.", "info")
    return redirect(place, 303)


def _pay(found: Invoice) -> Any:
    name = str(found.number or found.id)
    return carry_out(read_wish(invoice=name), url_for("pages.invoice", name=name))


def _show_all(wrong: dict[str, str] | None = None) -> Any:
    person = require_person()
    owed = session().scalars(
        invoices_of(person)
        .where(Invoice.state.in_(_OWED), Invoice.kind == "invoice")
        .order_by(Invoice.due_at, Invoice.number)
        .limit(_NEWEST)
    )
    rows = session().scalars(
        payments_of(person)
        .options(selectinload(Payment.invoice))
        .order_by(Payment.created_at.desc(), Payment.id)
        .limit(_NEWEST)
    )
    orders = session().scalars(
        orders_of(person)
        .where(GatewayOrder.state.in_((*LIVING_ORDERS, REVIEW)))
        .order_by(GatewayOrder.created_at.desc())
        .limit(_NEWEST)
    )
    purses = session().scalars(wallets_of(person).limit(_NEWEST)).all()
    return render_template(
        "payments.html",
        owed=[(row, open_amount(row)) for row in owed],
        rows=list(rows),
        orders=list(orders),
        wallets=[(purse, balance(session(), purse.account_id)) for purse in purses],
        wrong=wrong or {},
        now=datetime.now(UTC),
        key=secrets.token_urlsafe(12),
    )


def invoice_payments(found: Invoice) -> list[Payment]:
    """What came in and went back for an invoice, the first one first."""
    query = select(Payment).where(Payment.invoice_id == found.id)
    return list(session().scalars(query.order_by(Payment.created_at, Payment.id)))
