"""What operators look at: the audit trail and the workers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from flask import Response, request
from sqlalchemy import select

from labyard.clock import utc_now
from labyard.models import AuditEntry, Worker
from labyard.views import show_audit_entry, show_worker

from . import blueprint
from .admins import require_admin
from .paging import Listing, answer_page
from .schemas.accounts import AUDIT_FILTERS, AuditOut, WorkerOut
from .schemas.lists import list_of, query_of
from .selections import created_between

_AUDIT = Listing("audit", AuditEntry.id, {"at": AuditEntry.at}, "-at")
_WORKERS = Listing("workers", Worker.name, {"name": Worker.name, "started_at": Worker.started_at}, "name")
_COLUMNS = ("id", "at", "username", "action", "address", "detail")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the begin of a formula


@blueprint.get("/audit")
@blueprint.input(query_of(_AUDIT, AuditOut, AUDIT_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(AuditOut))
@blueprint.doc(
    summary="Who did what (admins), newest first; as CSV where `Accept: text/csv` asks for it",
    security="key",
    extensions={"x-csv": True},
)
def list_audit(query: dict[str, Any]) -> Response:
    require_admin()
    found = select(AuditEntry)
    for name in ("username", "action"):
        if name in query:
            found = found.where(getattr(AuditEntry, name) == query[name])
    found = created_between(found, AuditEntry.at, query)
    page = answer_page(found, _AUDIT, query, lambda rows: [show_audit_entry(row) for row in rows])
    wants_csv = request.accept_mimetypes.best_match(("application/json", "text/csv")) == "text/csv"
    return as_csv(page, query.get("fields") or _COLUMNS) if wants_csv else page


@blueprint.get("/workers")
@blueprint.input(query_of(_WORKERS, WorkerOut), location="query", arg_name="query")
@blueprint.output(list_of(WorkerOut))
@blueprint.doc(summary="The worker processes (admins)", security="key")
def list_workers(query: dict[str, Any]) -> Response:
    require_admin()
    now = utc_now()
    return answer_page(select(Worker), _WORKERS, query, lambda rows: [show_worker(row, now) for row in rows])


def as_csv(page: Response, columns: Sequence[str]) -> Response:
    """The items of `page` as lines, with its `Link` to the next one."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for item in page.get_json()["items"]:
        writer.writerow([cell(item[column]) for column in columns])
    headers = {"Link": page.headers["Link"]} if "Link" in page.headers else {}
    return Response(text.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def cell(value: Any) -> str:
    """A value for a spreadsheet, which takes it for text whatever it begins with."""
    text = value if isinstance(value, str) else json.dumps(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
