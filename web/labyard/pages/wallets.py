"""Wallets: the balance of an account, its entries, and putting money in."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required

from labyard.accounts.audit import record_action
from labyard.billing.accounts import get_account
from labyard.billing.balances import read_change, read_limit
from labyard.billing.paying import gateways_of
from labyard.billing.wallets import balance, change_wallet, correct, entries_of, get_wallet, wallet_status
from labyard.context import context, session
from labyard.errors import Conflict, Forbidden, InvalidInput
from labyard.models import Wallet, WalletEntry
from labyard.models.billing_payments import STRIPE
from labyard.security import require_person
from labyard.web_requests import commit_request, remote_address

from .admins import require_admin
from .blueprint import blueprint
from .payments import carry_out, read_wish

_NEWEST = 100  # entries on the page


@blueprint.get("/costs/wallets/<account>")
@login_required
def wallet(account: str) -> Any:
    """The wallet of an account; one that has none can get one by the first money."""
    return _show(account), 200


@blueprint.post("/costs/wallets/<account>/top-up")
@login_required
def top_up(account: str) -> Any:
    """Put money in: at Stripe, or (admins) what came in by other ways."""
    currency = request.form.get("currency", "").strip().upper()[:3] or None
    try:
        wish = read_wish(account=account, currency=currency)
        return carry_out(wish, url_for("pages.wallet", account=account))
    except (InvalidInput, Conflict, Forbidden) as error:
        session().rollback()
        return _show(account, error.errors or {"": error.detail}), error.status


@blueprint.post("/costs/wallets/<account>/limits")
@login_required
def wallet_limits(account: str) -> Any:
    """Say how far it may go below 0, and from where it is called low."""
    admin = require_admin()
    currency = request.form.get("currency", "").strip().upper()[:3]
    try:
        limits: dict[str, Decimal] = {
            name: read_limit(request.form.get(name, "").strip(), currency, name)
            for name in ("debt_limit", "low_at")
        }
        change_wallet(session(), get_account(session(), admin, account), currency, **limits)
        detail = {name: str(value) for name, value in limits.items()}
        record_action(
            session(), admin.username, "wallet changed", remote_address(), account=account, **detail
        )
        commit_request()
    except (InvalidInput, Conflict) as error:
        session().rollback()
        return _show(account, error.errors or {"": error.detail}), error.status
    flash("The limits were saved.", "info")
    return redirect(url_for("pages.wallet", account=account), 303)


@blueprint.post("/costs/wallets/<account>/corrections")
@login_required
def correct_wallet(account: str) -> Any:
    """Correct the balance, with a reason."""
    admin, reason = require_admin(), request.form.get("reason", "").strip()[:500]
    try:
        found = get_wallet(session(), admin, account)
        if not reason:
            raise InvalidInput("Nothing was corrected.", {"reason": "say why"})
        amount = read_change(request.form.get("change", "").strip(), found.currency, "change")
        correct(session(), found, amount, reason, admin.username, request.form.get("key", "")[:64])
        about = {"account": account, "amount": str(amount), "reason": reason}
        record_action(session(), admin.username, "wallet corrected", remote_address(), **about)
        commit_request()
    except (InvalidInput, Conflict) as error:
        session().rollback()
        return _show(account, error.errors or {"": error.detail}), error.status
    flash("The correction was written down.", "info")
    return redirect(url_for("pages.wallet", account=account), 303)


def _show(name: str, errors: dict[str, str] | None = None) -> Any:
    account = get_account(session(), require_person(), name)
    found = session().get(Wallet, account.id)
    money = balance(session(), account.id)
    entries: list[WalletEntry] = []
    if found is not None:
        query = entries_of(found).order_by(WalletEntry.position.desc()).limit(_NEWEST)
        entries = list(session().scalars(query))
    return render_template(
        "wallet.html",
        account=account,
        wallet=found,
        balance=money,
        status=wallet_status(money, found.low_at) if found else "",
        entries=entries,
        has_stripe=STRIPE in gateways_of(context().settings.payments),
        errors=errors or {},
        given=request.form,
        key=secrets.token_urlsafe(12),
    )
