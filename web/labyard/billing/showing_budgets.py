"""Budgets, how they stand, and requests for more, as the documents that every interface shows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.money import (
    round_fraction,
    round_money,
)
from labyard.models import Budget, BudgetRequest

from .budget_book import Status
from .budgets import MONEY, THRESHOLDS, unit_of


def show_budget(budget: Budget) -> dict[str, Any]:
    """A budget as it is set."""
    return {
        "id": budget.id,
        "scope": budget.scope,
        "subject": budget.subject,
        "measure": budget.measure,
        "limit": plain(budget.measure, budget.most, budget.currency),
        "unit": unit_of(budget.measure, budget.currency),
        "currency": budget.currency,
        "action": budget.action,
        "grace_minutes": budget.grace_minutes,
        "set_by": budget.set_by.username,
        "version": budget.version,
        "created_at": _time(budget.created_at),
    }


def show_status(status: Status) -> dict[str, Any]:
    """How a budget stands now."""
    budget, level = status.budget, status.level
    warning = max((t for t in level.reached if t in THRESHOLDS), default=0)
    return {
        "budget": budget.id,
        "scope": budget.scope,
        "subject": status.subject,
        "measure": budget.measure,
        "limit": plain(budget.measure, level.most, budget.currency),
        "used": plain(budget.measure, level.used, budget.currency),
        "left": plain(budget.measure, level.left, budget.currency),
        "unit": unit_of(budget.measure, budget.currency),
        "percent": level.percent,
        "reached": warning,
        "exceeded": level.exceeded,
        "action": budget.action,
        "stop_at": _time(status.stop_at),
    }


def show_request(request: BudgetRequest) -> dict[str, Any]:
    """A request for more."""
    budget = request.budget
    return {
        "id": request.id,
        "budget": budget.id,
        "scope": budget.scope,
        "subject": request.subject,
        "measure": budget.measure,
        "limit": plain(budget.measure, request.most, budget.currency),
        "present_limit": plain(budget.measure, budget.most, budget.currency),
        "unit": unit_of(budget.measure, budget.currency),
        "username": request.user.username,
        "reason": request.reason,
        "state": request.state,
        "answer": request.answer,
        "answered_by": request.answered_by or None,
        "answered_at": _time(request.answered_at),
        "created_at": _time(request.created_at),
    }


def plain(measure: str, amount: Decimal, currency: str) -> str:
    """An amount of a measure as text: money in the decimals of its currency, the rest in three at most."""
    if measure in MONEY:
        return f"{round_money(Fraction(amount), currency):f}"
    text = f"{round_fraction(Fraction(amount), 3):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
