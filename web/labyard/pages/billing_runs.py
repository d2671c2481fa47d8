"""Billing runs, for admins: what a month's invoices would be, and making them final."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import select

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import (
    Period,
    month_of,
    read_period,
)
from labyard.billing.accounts import find_account
from labyard.billing.drafting import draft_invoice, find_invoice
from labyard.billing.finalizing import Outcome, accounts_due, run_month
from labyard.billing.looking import select_invoices
from labyard.clock import utc_now
from labyard.context import session
from labyard.errors import Conflict, DomainError, InvalidInput, NotFound
from labyard.models import Invoice
from labyard.models.base import begin_writing

from .admins import require_admin
from .blueprint import blueprint

_SECONDS = 20.0  # for which one request goes on; the next one goes on from there


@dataclass
class Run:
    """What one press of a button did."""

    what: str  # drafts or final
    done: list[str] = field(default_factory=list)  # sentences
    failed: list[Outcome] = field(default_factory=list)
    left: int = 0  # accounts for the next press


@blueprint.get("/costs/runs")
@login_required
def billing_runs() -> Any:
    """What a month has: who is still to be billed, drafts, and what is final."""
    require_admin()
    text = request.args.get("period", "").strip()
    try:
        period = read_period(text) if text else _last_month()
    except BillingError as error:
        return _show(_last_month(), wrong=str(error)), 422
    return _show(period)


@blueprint.post("/costs/runs/<period>/drafts")
@login_required
def make_drafts(period: str) -> Any:
    """Make the drafts of all accounts that used something."""
    require_admin()
    month, run = _read(period), Run("drafts")
    names, until = _due(month), time.monotonic() + _SECONDS
    for place, name in enumerate(names):
        if time.monotonic() > until:
            run.left = len(names) - place
            break
        begin_writing()
        try:
            draft = draft_invoice(session(), find_account(session(), name), month)
            if draft is not None:
                run.done.append(f"{name}: {draft.document['total']} {draft.currency}")
            session().commit()
        except DomainError as error:
            session().rollback()
            run.failed.append(Outcome(name, error=error.detail))
    return _show(month, run=run)


@blueprint.route("/costs/runs/<period>/finalize", methods=["GET", "POST"])
@login_required
def finalize_month(period: str) -> Any:
    """Ask once more, then make the month's invoices final."""
    admin, month = require_admin(), _read(period)
    if request.method == "GET":
        return render_template("finalize.html", period=month, names=_due(month), over=utc_now() >= month.end)
    if "sure" not in request.form:
        return redirect(url_for("pages.finalize_month", period=str(month)), 303)
    run, until = Run("final"), time.monotonic() + _SECONDS
    try:
        for outcome in run_month(session(), begin_writing, month, username=admin.username):
            if outcome.error:
                run.failed.append(outcome)
            else:
                run.done.append(f"{outcome.account}: {outcome.number}, {outcome.total}")
            if time.monotonic() > until:
                run.left = len(_due(month)) - len(run.failed)
                break
    except Conflict as error:
        session().rollback()
        return _show(month, wrong=error.detail), error.status
    return _show(month, run=run)


def _due(period: Period) -> list[str]:
    """The accounts that a run would make an invoice for."""
    found = []
    for name in accounts_due(session(), period):
        try:
            known = find_invoice(session(), find_account(session(), name), period)
        except NotFound:
            known = None
        if known is None or not known.is_final:
            found.append(name)
    return found


def _show(period: Period, run: Run | None = None, wrong: str = "") -> Any:
    rows = (
        session()
        .scalars(
            select_invoices(require_admin(), {"period": period}).order_by(Invoice.number, Invoice.created_at)
        )
        .all()
    )
    sums: dict[str, list[Any]] = {}
    for row in rows:
        if row.kind == "invoice" and row.state != "void":
            sums.setdefault(row.currency, []).append(row.total)
    return render_template(
        "billing_runs.html",
        period=period,
        rows=rows,
        sums={currency: sum(totals) for currency, totals in sums.items()},
        due=_due(period),
        over=utc_now() >= period.end,
        run=run,
        wrong=wrong,
        months=_months(),
    )


def _months() -> list[str]:
    """This month, those before it for two years, and those of earlier invoices."""
    found, moment = set(), month_of(utc_now())
    for _ in range(24):
        found.add(str(moment))
        moment = month_of(moment.start - timedelta(days=1))
    starts = session().scalars(select(Invoice.period_start).distinct())
    return sorted(found | {f"{start:%Y-%m}" for start in starts}, reverse=True)


def _last_month() -> Period:
    return month_of(month_of(utc_now()).start - timedelta(days=1))


def _read(text: str) -> Period:
    try:
        return read_period(text)
    except BillingError as error:
        raise InvalidInput("There is no such month.", {"period": str(error)}) from error
