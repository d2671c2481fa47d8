"""Tariffs, for admins: their versions, a new one from YAML, and the end of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import yaml
from flask import flash, redirect, render_template, url_for
from flask_login import login_required
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import StringField, TextAreaField

from labyard.accounts.audit import record_action
from labyard.billing.tariff_text import place_errors, read_text
from labyard.billing.tariffs import add_tariff, as_tariff, end_tariff, find_tariff, is_used, select_tariffs
from labyard.context import session
from labyard.errors import Conflict, InvalidInput
from labyard.models import TariffVersion
from labyard.models.base import lock_row
from labyard.views import show_time
from labyard.web_requests import commit_request, remote_address

from .admins import require_admin
from .blueprint import blueprint


class TariffForm(FlaskForm):
    """A new version."""

    text = TextAreaField(
        "Tariff, as YAML",
        description="Write numbers in quotes. The version before it of the same name ends where it begins.",
        render_kw={"rows": 18, "spellcheck": "false"},
    )
    file = FileField("Or a file", description="What is in it counts, whatever stands above.")


class EndForm(FlaskForm):
    """The end of a version."""

    valid_to = StringField(
        "Ends before",
        description="The first day, in UTC, on which it is no longer valid. Empty: it has no end.",
        render_kw={"type": "date"},
    )


@blueprint.get("/costs/tariffs")
@login_required
def tariffs() -> Any:
    """All versions of all tariffs, and the form for a new one."""
    require_admin()
    return _show_all(TariffForm())


@blueprint.post("/costs/tariffs")
@login_required
def add_one_tariff() -> Any:
    """Add a version; what is wrong stands at its line."""
    admin, form = require_admin(), TariffForm()
    upload = form.file.data
    if upload:
        form.text.data = upload.read(200_000).decode("utf-8", errors="replace").replace("\0", "")
    text = form.text.data or ""
    try:
        row, is_new = add_tariff(session(), read_text(text))
        if is_new:
            begin = str(show_time(row.valid_from))
            record_action(
                session(), admin.username, "tariff added", remote_address(), tariff=row.name, valid_from=begin
            )
        place = url_for("pages.tariff", number=row.id)
        commit_request()
    except (InvalidInput, Conflict) as error:
        session().rollback()
        known = {name: words for name, words in error.errors.items() if name != "text"}
        form.text.errors = [
            *([error.errors["text"]] if "text" in error.errors else []),
            *(place_errors(text, known) if known else []),
        ] or [error.detail]
        return _show_all(form), error.status
    flash("The version was added." if is_new else "This very version was there already.", "info")
    return redirect(place, 303)


@blueprint.get("/costs/tariffs/<int:number>")
@login_required
def tariff(number: int) -> Any:
    """One version."""
    require_admin()
    row = find_tariff(session(), number)
    given = f"{row.valid_to:%Y-%m-%d}" if row.valid_to else ""
    return _show_one(row, EndForm(formdata=None, data={"valid_to": given}))


@blueprint.post("/costs/tariffs/<int:number>")
@login_required
def end_one_tariff(number: int) -> Any:
    """Set its end."""
    admin, form = require_admin(), EndForm()
    row = find_tariff(session(), number)
    lock_row(session(), row)
    try:
        end_tariff(session(), row, _read_day(form.valid_to.data))
        end = show_time(row.valid_to) or "none"
        record_action(
            session(), admin.username, "tariff ended", remote_address(), tariff=row.name, valid_to=end
        )
        commit_request()
    except (InvalidInput, Conflict) as error:
        session().rollback()
        form.valid_to.errors = [error.errors.get("valid_to", error.detail)]
        return _show_one(find_tariff(session(), number), form), error.status
    flash("The end was set.", "info")
    return redirect(url_for("pages.tariff", number=number), 303)


def _read_day(text: str | None) -> datetime | None:
    if not (text or "").strip():
        return None
    try:
        return datetime.strptime((text or "").strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        words = {"valid_to": f"{(text or '')[:20]!r} is no day as 2026-01-31 is one"}
        raise InvalidInput("The tariff was not changed.", words) from error


def _show_all(form: TariffForm) -> Any:
    rows = session().scalars(select_tariffs({}).order_by(TariffVersion.name, TariffVersion.valid_from.desc()))
    return render_template("tariffs.html", rows=[(row, is_used(session(), row)) for row in rows], form=form)


def _show_one(row: TariffVersion, form: EndForm) -> Any:
    text = yaml.safe_dump(row.document, sort_keys=False, allow_unicode=True)
    used = is_used(session(), row)
    return render_template("tariff.html", row=row, tariff=as_tariff(row), text=text, form=form, used=used)
