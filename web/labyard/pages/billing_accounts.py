"""Billing accounts, for admins: whose they are, what they pay for, and what stands on their invoices."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_login import login_required
from flask_wtf import FlaskForm
from sqlalchemy import func, select
from wtforms import SelectChoice, SelectField, StringField, TextAreaField

from labyard.accounts.audit import record_action
from labyard.billing.accounts import accounts_of, change_account, find_account, make_account
from labyard.billing.tariffs import STANDARD
from labyard.context import session
from labyard.errors import Conflict, InvalidInput
from labyard.models import BillingAccount, TariffVersion
from labyard.models.base import lock_row
from labyard.web_requests import commit_request, remote_address

from .admins import require_admin
from .blueprint import blueprint

_PAGE = 50
_LENGTHS = {"name": 80, "holder": 200, "address": 1000, "tax_id": 64, "email": 254}


class AccountForm(FlaskForm):
    """What an account is; invoices that are final keep what they say."""

    holder = StringField(
        "Holder", description="The person or body on the invoice.", render_kw={"maxlength": 200}
    )
    address = TextAreaField("Address", render_kw={"rows": 4, "maxlength": 1000})
    tax_id = StringField("Tax number", render_kw={"maxlength": 64})
    email = StringField("Mail address", render_kw={"maxlength": 254, "type": "email"})
    tariff = SelectField("Tariff", validate_choice=False)
    people = TextAreaField(
        "People",
        description="Who may see its costs and invoices.",
        render_kw={"rows": 3, "spellcheck": "false"},
    )
    projects = TextAreaField(
        "Projects",
        description="What is used in them is paid by this account, from now on.",
        render_kw={"rows": 3, "spellcheck": "false"},
    )


class NewAccountForm(AccountForm):
    """A new account."""

    name = StringField(
        "Name",
        description="user:NAME and project:NAME are made by themselves; any other name is for a group.",
        render_kw={"maxlength": 80, "required": True, "spellcheck": "false"},
    )


@blueprint.get("/costs/accounts")
@login_required
def billing_accounts() -> Any:
    """All accounts, by name."""
    admin, text = require_admin(), request.args.get("q", "").strip()[:80]
    found = accounts_of(admin)
    if text:
        found = found.where(BillingAccount.name.icontains(text, autoescape=True))
    total = session().scalar(select(func.count()).select_from(found.subquery())) or 0
    rows = session().scalars(found.order_by(BillingAccount.name).limit(_PAGE)).all()
    return render_template(
        "billing_accounts.html", rows=rows, total=total, q=text, most=_PAGE, standard=STANDARD
    )


@blueprint.route("/costs/accounts/new", methods=["GET", "POST"])
@login_required
def new_billing_account() -> Any:
    """Make one."""
    admin, form, left, status = require_admin(), NewAccountForm(), {}, 200
    _offer_tariffs(form)
    if form.is_submitted():
        try:
            account = make_account(session(), {"name": _name_of(form), **_read(form)})
            record_action(session(), admin.username, "account made", remote_address(), account=account.name)
            place = url_for("pages.billing_account", name=account.name)
            commit_request()
            return redirect(place, 303)
        except (InvalidInput, Conflict) as error:
            left, status = _take_back(error, form), error.status
    return render_template("billing_account.html", form=form, account=None, left=left), status


@blueprint.route("/costs/accounts/<name>", methods=["GET", "POST"])
@login_required
def billing_account(name: str) -> Any:
    """Look at one and change it."""
    admin, account = require_admin(), find_account(session(), name)
    form = AccountForm(
        data={
            **{field: getattr(account, field) for field in ("holder", "address", "tax_id", "email")},
            "tariff": account.tariff or "",
            "people": "\n".join(person.username for person in account.people),
            "projects": "\n".join(project.name for project in account.projects),
        }
    )
    _offer_tariffs(form)
    left: dict[str, str] = {}
    status = 200
    if form.is_submitted():
        try:
            lock_row(session(), account)
            document = _read(form)
            change_account(session(), account, document)
            fields = ", ".join(sorted(document))
            record_action(
                session(), admin.username, "account changed", remote_address(), account=name, fields=fields
            )
            commit_request()
            flash("The account was changed.", "info")
            return redirect(url_for("pages.billing_account", name=name), 303)
        except (InvalidInput, Conflict) as error:
            left, status = _take_back(error, form), error.status
            account = find_account(session(), name)
    return render_template("billing_account.html", form=form, account=account, left=left), status


def _offer_tariffs(form: AccountForm) -> None:
    names = session().scalars(select(TariffVersion.name).distinct().order_by(TariffVersion.name))
    form.tariff.choices = [
        SelectChoice("", f"the platform's ({STANDARD})"),
        *(SelectChoice(name, name) for name in names),
    ]


def _name_of(form: NewAccountForm) -> str:
    name = (form.name.data or "").strip()
    if not name or not name.isprintable() or "/" in name:
        words = "is needed" if not name else "must be printable, without a slash"
        raise InvalidInput("The account was not made.", {"name": words})
    return name


def _read(form: AccountForm) -> dict[str, Any]:
    """What the form holds. Raises InvalidInput for what is too long or no text."""
    texts = {field: (form[field].data or "").strip() for field in ("holder", "address", "tax_id", "email")}
    texts["address"] = "\n".join(line.strip() for line in texts["address"].splitlines() if line.strip())
    errors = {
        field: f"has more than {_LENGTHS[field]} characters"
        for field, text in texts.items()
        if len(text) > _LENGTHS[field]
    }
    if texts["email"] and "@" not in texts["email"]:
        errors["email"] = "is no mail address, such as ada@example.org"
    if errors:
        raise InvalidInput("The account was not saved.", errors)
    lists = {field: (form[field].data or "").split() for field in ("people", "projects")}
    return {**texts, **lists, "tariff": form.tariff.data or None}


def _take_back(error: InvalidInput | Conflict, form: AccountForm) -> dict[str, str]:
    """Undo the request and put the messages at their fields; those of no field are returned."""
    session().rollback()
    left = dict(error.errors)
    for name in list(left):
        if name in form:
            form[name].errors = [*form[name].errors, left.pop(name)]
    return left if left or error.errors else {"": error.detail}
