"""Exports: usage, invoices and imported costs as files in the formats of others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, render_template, request, stream_with_context
from flask_login import login_required

from labyard.billing.all_exports import COSTS, EXPORTS, INVOICES, USAGE, export_lines
from labyard.billing.exports import KINDS, OF_ADMINS
from labyard.context import context, session
from labyard.errors import Forbidden, InvalidInput
from labyard.models import User
from labyard.security import require_person

from .blueprint import blueprint

_TITLES = {USAGE: "Usage", INVOICES: "Invoices and credit notes", COSTS: "Imported costs"}
_WORDS = {
    "csv": "CSV, for spreadsheets",
    "jsonl": "JSON lines",
    "apel": "APEL cloud records 0.4",
    "eosc": "EOSC metrics",
    "focus": "FOCUS 1.2",
    "dlab": "DLab's report",
}
_ENDS = {"jsonl": "jsonl", "eosc": "jsonl", "apel": "txt"}


@blueprint.get("/costs/exports")
@login_required
def exports() -> Any:
    """What can be had as a file."""
    return _show(require_person())


@blueprint.get("/costs/exports/file")
@login_required
def export_file() -> Any:
    """The file; what is wrong stands at its field."""
    person = require_person()
    what, _, form = request.args.get("what", "").partition(":")
    try:
        if form not in EXPORTS.get(what, ()):
            raise InvalidInput("The export was not made.", {"what": "choose what is exported"})
        if form in OF_ADMINS and not person.is_admin:
            raise Forbidden("Only admins tell others what everybody used.")
        query = {
            "format": form,
            "site": request.args.get("site", "").strip()[:64],
            **_read_days(request.args),
        }
        lines = export_lines(session(), person, what, query, context().settings.eosc_file)
    except InvalidInput as error:
        found = dict(error.errors)
        if "format" in found:
            found["what"] = found.pop("format")
        return _show(person, found), error.status
    answer = Response(stream_with_context(lines), content_type=KINDS[form])
    name = f"{what}-{form}.{_ENDS.get(form, 'csv')}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _read_days(args: Mapping[str, str]) -> dict[str, datetime]:
    """The begin of the first day and the end of the last, where they are given. Raises InvalidInput."""
    found, errors = {}, {}
    for name in ("from", "to"):
        text = args.get(name, "").strip()
        if not text:
            continue
        try:
            found[name] = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
            if not 2000 <= found[name].year <= 9000:
                raise ValueError
        except ValueError:
            errors[name] = f"{text[:20]!r} is no day as 2026-01-31 is one"
    if not errors and "from" in found and found["from"] > found.get("to", found["from"]):
        errors["to"] = "is before the first day"
    if errors:
        raise InvalidInput("The export was not made.", errors)
    if "to" in found:
        found["to"] += timedelta(days=1)
    return found


def _show(person: User, errors: Mapping[str, str] | None = None) -> Any:
    groups = [
        (_TITLES[what], [(f"{what}:{form}", _WORDS[form]) for form in forms if _may(person, form)])
        for what, forms in EXPORTS.items()
    ]
    return render_template("exports.html", groups=groups, errors=errors or {}, given=request.args)


def _may(person: User, form: str) -> bool:
    return person.is_admin or form not in OF_ADMINS
