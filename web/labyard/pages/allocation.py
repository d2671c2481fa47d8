"""Cost allocation, for admins: who used the nodes, what lay idle, and who carries it."""

from __future__ import annotations

from typing import Any

from flask import render_template, request
from flask_login import login_required

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of, read_period
from labyard.billing.allocation import read_allocation
from labyard.clock import utc_now
from labyard.context import session
from labyard.errors import InvalidInput

from .admins import require_admin
from .blueprint import blueprint

_BY = ("project", "user", "plan", "account", "deployment")


@blueprint.get("/costs/allocation")
@login_required
def allocation() -> Any:
    """A month: capacity, use, idle, in hours and money."""
    admin, text, wrong = require_admin(), request.args.get("period", "").strip(), ""
    by = request.args.get("by", "")
    by = by if by in _BY else "project"
    found, period = None, month_of(utc_now())
    try:
        period = read_period(text) if text else period
        if period.start > utc_now():
            raise BillingError(f"period: {period} has not begun yet")
        found = read_allocation(session(), admin, period, by)
    except (BillingError, InvalidInput) as error:
        wrong = error.detail if isinstance(error, InvalidInput) else str(error)
    return render_template(
        "allocation.html",
        found=found,
        period=period,
        asked=text or str(period),
        by=by,
        groupings=_BY,
        wrong=wrong,
    ), 422 if wrong else 200
