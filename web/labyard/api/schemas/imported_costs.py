"""Imported costs. Amounts are text: they are exact."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Dict, String
from apiflask.validators import Length

from labyard.billing.imported_costs import SOURCE
from labyard.billing.imported_lists import FORMATS, GROUPS

from .billing import ACCOUNT_NAME
from .fields import USERNAME, Day, day_out, named, number_out, object_out, short, text_out, time_out
from .lists import export_query, sums_query


class ImportedCostOut(Schema):
    """A line of somebody's cost report. It never changes, and is on no invoice."""

    id = number_out()
    source = text_out("whose report")
    key = text_out("what the line is known by")
    account = text_out("who pays for its user or project here; empty: it names neither")
    day = day_out("in UTC")
    description = text_out("what the report calls the product")
    deployment = text_out("the id that the report gives it")
    project = text_out()
    user = text_out()
    amount = text_out("decimal")
    currency = text_out()
    details = object_out("what else the line says")
    received_at = time_out()


FILTERS = {
    "account": named(ACCOUNT_NAME, "the name of an account"),
    "user": named(USERNAME, "a user name", metadata={"description": "others than yourself: for admins"}),
    "deployment": short(64),
    "project": short(64),
    "source": short(64),
    "currency": named("[A-Z]{3}", "three capital letters"),
    "from": Day(metadata={"description": "that day and later"}),
    "to": Day(metadata={"description": "that day and before"}),
}


class ImportedCostsIn(Schema):
    """A cost report as text, with what its columns are: see docs/billing-formats.md.

    Without `mapping`, its columns are those of DLab's own import.
    """

    source = named(SOURCE, "1 to 64 printable characters of ASCII", required=True)
    mapping = Dict(allow_none=True)
    csv = String(required=True, validate=Length(1, 1_000_000))


ImportedSumQuery = sums_query("ImportedSumQuery", FILTERS, GROUPS, "day")


class ImportedSumOut(Schema):
    """A sum of imported costs."""

    group = text_out("what `by` names: a day as 2026-01-31, the name of a project, ...")
    currency = text_out()
    amount = text_out("decimal")
    lines = number_out("of reports")


ImportedExportQuery = export_query("ImportedExportQuery", FILTERS, FORMATS)
