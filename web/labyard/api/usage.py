"""Usage: records, sums of them, and how they are taken in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask import Response, stream_with_context

from labyard.accounts.audit import record_action
from labyard.billing.exports import KINDS, OF_ADMINS, usage_lines
from labyard.billing.ingest import Intake, take_records
from labyard.billing.looking import select_usage, sum_usage
from labyard.context import context, session
from labyard.models import UsageRow, User
from labyard.security import require_person
from labyard.views import show_time
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import answer
from .paging import Listing, answer_page, whole_list
from .schemas.billing import USAGE_FILTERS, ExportQuery, IntakeOut, SummaryQuery, SumOut, UsageIn, UsageOut
from .schemas.lists import list_of, query_of

USAGE = Listing("usage", UsageRow.id, {"start": UsageRow.start}, "-start")
_PLAIN = (
    *("id", "source", "key", "account", "resource", "unit", "deployment", "deployment_name", "plan"),
    *("shape", "project", "user", "details"),
)
_RECORD = {
    "source": "swarm:one",
    "key": "task-1",
    "resource": "cpu",
    "unit": "core_second",
    "quantity": "3600",
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-01T01:00:00Z",
    "user": "ada",
}


@blueprint.get("/usage")
@blueprint.input(query_of(USAGE, UsageOut, USAGE_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(UsageOut))
@blueprint.doc(summary="Your usage records, of an account of yours, or (admins) all", security="key")
def list_usage(query: dict[str, Any]) -> Response:
    return answer_page(select_usage(session(), require_person(), query), USAGE, query, show_usage)


@blueprint.post("/usage")
@blueprint.input(UsageIn, arg_name="document", example={"records": [_RECORD]})
@blueprint.output(IntakeOut)
@blueprint.doc(
    summary="Take in usage records (admins), each once however often it is sent",
    description="A record that is wrong, or whose key is known with other content, is refused alone.",
    security="key",
)
def take_usage(document: dict[str, Any]) -> Response:
    admin = require_admin()
    intake = take_records(session(), document["records"])
    return answer_intake(intake, admin, "usage taken in", records=str(intake.taken))


@blueprint.get("/usage/summary")
@blueprint.input(SummaryQuery, location="query", arg_name="query")
@blueprint.output(list_of(SumOut))
@blueprint.doc(summary="Sums of usage by deployment, plan, project, user, resource or day", security="key")
def sum_up_usage(query: dict[str, Any]) -> Response:
    return whole_list(sum_usage(session(), require_person(), query))


@blueprint.get("/usage/export")
@blueprint.input(ExportQuery, location="query", arg_name="query")
@blueprint.doc(
    summary="All usage that the filters leave: CSV, JSON lines; (admins) APEL's records, EOSC's metrics",
    security="key",
    extensions={"x-export": ["text/csv", "application/jsonl", "text/plain"]},
)
def export_usage(query: dict[str, Any]) -> Response:
    person = require_admin() if query["format"] in OF_ADMINS else require_person()
    lines = usage_lines(session(), person, query, context().settings.eosc_file)
    return streamed_lines(query["format"], lines)


def streamed_lines(form: str, lines: Iterator[str]) -> Response:
    """The lines of an export, written while they are read."""
    return Response(stream_with_context(lines), content_type=KINDS[form])


def show_usage(rows: Sequence[UsageRow]) -> list[dict[str, Any]]:
    """Usage records as documents."""
    return [_show(row) for row in rows]


def answer_intake(intake: Intake, admin: User, action: str, **about: str) -> Response:
    """Commit what was taken in, on the trail as `action`, and tell what became of each record or line."""
    if intake.taken:
        record_action(session(), admin.username, action, remote_address(), **about)
    commit_request()
    refused = [{"index": r.index, "error": r.error, "conflict": r.conflict} for r in intake.refused]
    shown = {"taken": intake.taken, "known": intake.known, "late": intake.late, "refused": refused}
    return answer(shown)


def _show(row: UsageRow) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in _PLAIN}
    for name in ("start", "end", "received_at"):
        shown[name] = show_time(getattr(row, name))
    return {**shown, "quantity": f"{row.quantity:f}", "invoice": row.invoice_id}
