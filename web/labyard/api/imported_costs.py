"""What cost reports of others say: taken in from CSV by a mapping, listed and summed up."""

from __future__ import annotations

import io
from typing import Any

from flask import Response

from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_lines import split_lines
from ansible_collections.labyard.platform.plugins.module_utils._billing.cost_mapping import read_mapping
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from labyard.billing.imported_costs import take_report
from labyard.billing.imported_lists import imported_lines, select_imported, show_imported, sum_imported
from labyard.context import session
from labyard.errors import InvalidInput
from labyard.models import ImportedCost
from labyard.security import require_person

from . import blueprint
from .admins import require_admin
from .paging import Listing, answer_page, whole_list
from .schemas.billing import IntakeOut
from .schemas.imported_costs import (
    FILTERS,
    ImportedCostOut,
    ImportedCostsIn,
    ImportedExportQuery,
    ImportedSumOut,
    ImportedSumQuery,
)
from .schemas.lists import list_of, query_of
from .usage import answer_intake, streamed_lines

_IMPORTED = Listing("imported_costs", ImportedCost.id, {"day": ImportedCost.day}, "-day")
_EXAMPLE = {
    "source": "cloud",
    "mapping": {"columns": {"usage_date": "day", "cost": "amount", "user": "user"}, "currency": "USD"},
    "csv": "day,amount,user\n2026-01-31,0.10,ada\n",
}


@blueprint.get("/imported-costs")
@blueprint.input(query_of(_IMPORTED, ImportedCostOut, FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(ImportedCostOut))
@blueprint.doc(
    summary="Imported costs of yours, of an account of yours, or (admins) all; newest first", security="key"
)
def list_imported_costs(query: dict[str, Any]) -> Response:
    found = select_imported(session(), require_person(), query)
    return answer_page(found, _IMPORTED, query, show_imported)


@blueprint.post("/imported-costs")
@blueprint.input(ImportedCostsIn, arg_name="document", example=_EXAMPLE)
@blueprint.output(IntakeOut)
@blueprint.doc(
    summary="Take in the lines of a cost report (admins), each once however often it is sent",
    description="A line that is wrong, or whose id is known with other content, is refused alone.",
    security="key",
)
def take_imported_costs(document: dict[str, Any]) -> Response:
    admin = require_admin()
    lines = split_lines(io.BytesIO(document["csv"].encode()))
    try:
        mapping = read_mapping(document.get("mapping") or {})
        intake = take_report(session(), document["source"], lines, mapping)
    except BillingError as error:
        raise InvalidInput("No line was taken in.", {"mapping": str(error)}) from error
    about = {"source": document["source"], "lines": str(intake.taken)}
    return answer_intake(intake, admin, "costs imported", **about)


@blueprint.get("/imported-costs/summary")
@blueprint.input(ImportedSumQuery, location="query", arg_name="query")
@blueprint.output(list_of(ImportedSumOut))
@blueprint.doc(
    summary="Sums of imported costs by day, source, account, project, user or deployment", security="key"
)
def sum_up_imported_costs(query: dict[str, Any]) -> Response:
    return whole_list(sum_imported(session(), require_person(), query))


@blueprint.get("/imported-costs/export")
@blueprint.input(ImportedExportQuery, location="query", arg_name="query")
@blueprint.doc(
    summary="All imported costs that the filters leave: CSV or JSON lines",
    security="key",
    extensions={"x-export": ["text/csv", "application/jsonl"]},
)
def export_imported_costs(query: dict[str, Any]) -> Response:
    found = select_imported(session(), require_person(), query)
    return streamed_lines(query["format"], imported_lines(session(), found, query["format"]))
