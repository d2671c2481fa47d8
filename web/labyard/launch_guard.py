"""Asking budgets about what a request launches, and starting it anew where money must be added up first."""

from __future__ import annotations

from typing import Any

from flask import current_app, g
from sqlalchemy.orm import Session

from .billing.budget_check import check_budgets
from .billing.budget_look import Looked, add_up_missing
from .commands.submit import Launch
from .context import session


class LookFirst(Exception):
    """Money must be added up before the request can be decided: nothing of it is kept until then."""


def ask_budgets(session: Session, launch: Launch) -> None:
    """A guard for `submit_command`: what it does not know yet it notes, and `require_looked` asks for."""
    check_budgets(session, launch, looked=_looked())


def require_looked() -> None:
    """Before anything of the request is kept; raises LookFirst if a budget could not be asked."""
    if _looked().missing:
        raise LookFirst


def start_anew(_error: LookFirst) -> Any:
    """Answer the request from its beginning, in a new transaction, now that the money is added up."""
    session().rollback()
    add_up_missing(session(), _looked())
    session().rollback()
    try:
        answered = current_app.preprocess_request()
        return current_app.dispatch_request() if answered is None else answered
    except Exception as error:
        return current_app.handle_user_exception(error)


def _looked() -> Looked:
    if "looked" not in g:
        g.looked = Looked()
    found: Looked = g.looked
    return found
