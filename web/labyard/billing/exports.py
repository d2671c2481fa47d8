"""Usage and invoices of the database in the formats of `_billing`, as a stream of lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import Invoice as Document
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import read_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import ExportError
from ansible_collections.labyard.platform.plugins.module_utils._billing.exporting import (
    Names,
    Window,
    export_invoices,
    make_window,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.exporting import (
    export_usage as write_usage,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord
from labyard.clock import Clock, utc_now
from labyard.errors import InvalidInput
from labyard.models import Deployment, Invoice, State, UsageRow, User

from .eosc import read_eosc_names
from .looking import select_usage

USAGE_FORMATS = ("csv", "jsonl", "apel", "eosc")
INVOICE_FORMATS = ("csv", "jsonl", "focus", "dlab")
#: Formats that tell others what everybody used: for admins.
OF_ADMINS = ("apel", "eosc")
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "focus": "text/csv; charset=utf-8",
    "dlab": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "eosc": "application/jsonl",
    "apel": "text/plain; charset=utf-8",
}
_CHUNK = 1000
_EVER = datetime(9990, 1, 1, tzinfo=UTC)
_FIELDS = (
    *("source", "key", "account", "resource", "unit", "quantity", "start", "end", "deployment"),
    *("deployment_name", "plan", "shape", "project", "user", "details"),
)
# What DLab calls a deployment that is not at rest, or is no more; one at rest is called as its health.
_DLAB_STATUSES = {
    State.INITIATED: "creating",
    State.PENDING: "configuring",
    State.REMOVED: "terminated",
    State.FAILED: "failed",
}


def usage_lines(
    session: Session,
    person: User | None,
    query: Mapping[str, Any],
    eosc_file: Path | None = None,
    clock: Clock = utc_now,
) -> Iterator[str]:
    """The usage records that `query` asks for, in the order of their begin; each line has its end.

    `query` has the filters of `select_usage`, the format and, for APEL, the `site`. Raises Forbidden for
    other people's usage, InvalidInput if the format lacks something.
    """
    form = query["format"]
    if form not in OF_ADMINS:  # the filters choose, by when records begin
        found, window, names = select_usage(session, person, query), Window(None, _EVER), Names()
    else:
        window = _window(query, clock())
        found, names = _in_window(session, person, query, window), _names(query, eosc_file)
    columns = found.with_only_columns(*(getattr(UsageRow, name) for name in _FIELDS))
    rows = stream_rows(session, columns.order_by(UsageRow.start, UsageRow.id))
    return write_usage(form, (UsageRecord(*row) for row in rows), window, names)


def invoice_lines(
    session: Session, found: Select[Any], query: Mapping[str, Any], clock: Clock = utc_now
) -> Iterator[str]:
    """The final invoices and credit notes of `found`, in the order of their numbers."""
    names = Names(site="Labyard", statuses=_statuses(session) if query["format"] == "dlab" else {})
    return export_invoices(query["format"], _documents(session, found), Window(None, clock()), names)


def _window(query: Mapping[str, Any], now: datetime) -> Window:
    try:
        return make_window(query["format"], query.get("from"), query.get("to"), now)
    except ExportError as error:
        raise InvalidInput("The export was not made.", {"from": "is after `to`"}) from error


def _in_window(
    session: Session, person: User | None, query: Mapping[str, Any], window: Window
) -> Select[Any]:
    """What the window needs: of APEL all that came before it, too, of EOSC all that reaches into it."""
    filters = {name: value for name, value in query.items() if name not in ("from", "to")}
    found = select_usage(session, person, filters).where(UsageRow.start < window.until)
    if query["format"] == "eosc":
        found = found.where(UsageRow.resource == "wall")
        if window.since is not None:
            found = found.where(UsageRow.end >= window.since)
    return found


def _names(query: Mapping[str, Any], eosc_file: Path | None) -> Names:
    site = query.get("site") or "Labyard"
    if query["format"] != "eosc":
        return Names(site=site)
    known = read_eosc_names(eosc_file)
    return Names(site=site, metrics=known["metrics"], users=known["users"], groups=known["groups"])


def _statuses(session: Session) -> dict[str, str]:
    """How DLab calls what deployments do now, by id."""
    rows = session.execute(select(Deployment.id, Deployment.state, Deployment.health))
    return {ident: _DLAB_STATUSES.get(state, health) for ident, state, health in rows}


def _documents(session: Session, found: Select[Any]) -> Iterator[Document]:
    columns = found.with_only_columns(Invoice.document).where(Invoice.number.is_not(None))
    ordered = columns.order_by(Invoice.series, Invoice.sequence)
    for (document,) in stream_rows(session, ordered):
        yield read_invoice(document)


def stream_rows(session: Session, query: Select[Any]) -> Iterator[Any]:
    """The rows of a query, in a transaction of their own.

    That of the request ends before the last line is sent, and PostgreSQL's cursor with it.
    """
    with Session(session.get_bind()) as own:
        yield from own.execute(query, execution_options={"yield_per": _CHUNK})
