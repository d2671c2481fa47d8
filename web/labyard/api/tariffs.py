"""Tariffs. Everybody may see what things cost."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from labyard.accounts.audit import record_action
from labyard.billing.tariffs import add_tariff, end_tariff, find_tariff, is_used, select_tariffs
from labyard.context import session
from labyard.models import TariffVersion
from labyard.models.base import lock_row
from labyard.security import require_person
from labyard.views import show_time
from labyard.web_requests import commit_request, remote_address

from . import blueprint
from .admins import require_admin
from .answers import check_match, tagged_answer
from .paging import Listing, answer_page
from .schemas.billing import TARIFF_FILTERS, TariffChange, TariffIn, TariffOut
from .schemas.lists import list_of, query_of

_TARIFFS = Listing("tariffs", TariffVersion.id, {"valid_from": TariffVersion.valid_from}, "-valid_from")
_EXAMPLE = {
    "tariff": {
        "name": "standard",
        "currency": "EUR",
        "valid_from": "2026-01-01",
        "prices": [
            {"name": "cores", "resource": "cpu", "per": "core_hour", "model": "unit", "price": "0.05"}
        ],
    }
}


@blueprint.get("/tariffs")
@blueprint.input(query_of(_TARIFFS, TariffOut, TARIFF_FILTERS), location="query", arg_name="query")
@blueprint.output(list_of(TariffOut))
@blueprint.doc(summary="The versions of all tariffs, newest first", security="key")
def list_tariffs(query: dict[str, Any]) -> Response:
    require_person()
    found = select_tariffs(query)
    return answer_page(found, _TARIFFS, query, lambda rows: [show_tariff_version(row) for row in rows])


@blueprint.post("/tariffs")
@blueprint.input(TariffIn, arg_name="document", example=_EXAMPLE)
@blueprint.output(TariffOut)
@blueprint.doc(
    summary="Add a version of a tariff (admins); the one before it ends where it begins",
    security="key",
    extensions={"x-created": True},
)
def add_one_tariff(document: dict[str, Any]) -> Response:
    admin = require_admin()
    row, is_new = add_tariff(session(), document["tariff"])
    if is_new:
        record_action(
            session(),
            admin.username,
            "tariff added",
            remote_address(),
            tariff=row.name,
            valid_from=str(show_time(row.valid_from)),
        )
    commit_request()
    place = url_for("api.show_one_tariff", tariff_id=row.id)
    return tagged_answer(show_tariff_version(row), 201 if is_new else 200, {"Location": place})


@blueprint.get("/tariffs/<int:tariff_id>")
@blueprint.output(TariffOut)
@blueprint.doc(summary="One version of a tariff", security="key")
def show_one_tariff(tariff_id: int) -> Response:
    require_person()
    return tagged_answer(show_tariff_version(find_tariff(session(), tariff_id)))


@blueprint.patch("/tariffs/<int:tariff_id>")
@blueprint.input(TariffChange, arg_name="document", example={"valid_to": "2027-01-01T00:00:00Z"})
@blueprint.output(TariffOut)
@blueprint.doc(summary="Set the end of a version (admins)", security="key")
def change_tariff(tariff_id: int, document: dict[str, Any]) -> Response:
    admin = require_admin()
    row = find_tariff(session(), tariff_id)
    lock_row(session(), row)
    check_match(row.version)
    end_tariff(session(), row, document["valid_to"])
    end = show_time(row.valid_to) or "none"
    record_action(session(), admin.username, "tariff ended", remote_address(), tariff=row.name, valid_to=end)
    commit_request()
    return tagged_answer(show_tariff_version(row))


def show_tariff_version(row: TariffVersion) -> dict[str, Any]:
    """A version as a document."""
    return {
        "id": row.id,
        "name": row.name,
        "currency": row.currency,
        "valid_from": show_time(row.valid_from),
        "valid_to": show_time(row.valid_to),
        "used": is_used(session(), row),
        "document": row.document,
        "version": row.version,
        "created_at": show_time(row.created_at),
    }
