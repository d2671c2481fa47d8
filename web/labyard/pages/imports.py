"""Cost reports of others, for admins: what there is, and taking in another file."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_login import login_required
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import StringField, TextAreaField

from labyard.accounts.audit import record_action
from labyard.billing.imported_text import MOST_BYTES, select_reports, take_text
from labyard.billing.ingest import Intake
from labyard.context import session
from labyard.errors import InvalidInput
from labyard.web_requests import commit_request, remote_address

from .admins import require_admin
from .blueprint import blueprint

_MOST_SHOWN = 50  # lines that are wrong


class ReportForm(FlaskForm):
    """A file of a report."""

    source = StringField(
        "Source",
        description="Whose report it is. A line that this source has sent before counts once.",
        render_kw={"maxlength": 64, "required": True, "autocomplete": "off", "spellcheck": "false"},
    )
    file = FileField(
        "Report",
        description=f"A CSV file of at most {MOST_BYTES} bytes, with a header.",
        render_kw={"required": True, "accept": ".csv,text/csv"},
    )
    mapping = TextAreaField(
        "Mapping, as YAML",
        description="Which column is what, and the currency.",
        render_kw={"rows": 10, "spellcheck": "false"},
    )


@blueprint.get("/costs/imports")
@login_required
def imports() -> Any:
    """The reports that there are, and the form for another file."""
    require_admin()
    return _show(ReportForm(formdata=None))


@blueprint.post("/costs/imports")
@login_required
def import_report() -> Any:
    """Take in a file. Good lines are kept, and each wrong one is said with its number."""
    admin, form = require_admin(), ReportForm()
    source = (form.source.data or "").strip()
    report = form.file.data.read(MOST_BYTES + 1) if form.file.data else b""
    try:
        found = take_text(session(), source, report, form.mapping.data or "")
    except InvalidInput as error:
        session().rollback()
        for name, words in error.errors.items():
            form[name].errors = [words]
        return _show(form), error.status
    if found.taken:
        about = {"source": source, "lines": str(found.taken)}
        record_action(session(), admin.username, "costs imported", remote_address(), **about)
    commit_request()
    if not found.refused:
        flash(_say(found), "info")
        return redirect(url_for("pages.imports"), 303)
    form.file.errors = _lines_of(found)
    return _show(form, found), 422


def _say(found: Intake) -> str:
    words = f"{found.taken} lines were taken in, {found.known} were known before"
    return f"{words}, {len(found.refused)} were refused." if found.refused else f"{words}."


def _lines_of(found: Intake) -> list[str]:
    """What is wrong with which line of the file."""
    shown = [f"line {one.index}: {one.error}" for one in found.refused[:_MOST_SHOWN]]
    more = len(found.refused) - len(shown)
    return [*shown, f"and {more} more lines"] if more else shown


def _show(form: ReportForm, found: Intake | None = None) -> Any:
    said = _say(found) if found else ""
    return render_template("imports.html", form=form, said=said, reports=select_reports(session()))
