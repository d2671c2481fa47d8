"""Lists by pages: sorted by what has an index, going on where the last page ended.

A page does not count the rows before it, so the last one comes as fast as the first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Response, current_app, request, url_for
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import Date, Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from labyard.context import session
from labyard.errors import InvalidInput
from labyard.models.base import UtcDateTime

from .answers import answer

_PAGING = ("limit", "cursor", "sort", "fields")


@dataclass(frozen=True)
class Listing:
    """What a list may be sorted by. No column may hold null; each has an index that ends with `ident`."""

    name: str
    ident: InstrumentedAttribute[Any]  # unique: puts rows with the same value in order
    sorts: Mapping[str, InstrumentedAttribute[Any]]  # by public name
    default: str  # as `sort` is written: "-created_at" is newest first
    of_search: str = ""  # the order of a search for how names begin: that of the index which finds them

    def order(self, query: Mapping[str, Any]) -> str:
        """The order that `query` asks for, or that goes with its filters."""
        return query.get("sort") or (self.of_search if "search" in query else "") or self.default


def answer_page(
    found: Select[Any],
    listing: Listing,
    query: Mapping[str, Any],
    show: Callable[[Sequence[Any]], list[dict[str, Any]]],
) -> Response:
    """The page of `found` that the validated `query` asks for, each row as `show` makes it.

    Raises InvalidInput for a cursor that is broken or belongs to another list, order or filter.
    """
    sort = listing.order(query)
    name, down = sort.removeprefix("-"), sort.startswith("-")
    column, ident = listing.sorts[name], listing.ident
    if query.get("cursor"):
        value, last = _open_cursor(query["cursor"], _purpose(listing, sort, query))
        place = tuple_(literal(_typed(value, column), column.type), literal(last, ident.type))
        here = tuple_(column, ident)
        found = found.where(here < place if down else here > place)
    order = (column.desc(), ident.desc()) if down else (column.asc(), ident.asc())
    rows = list(session().scalars(found.order_by(*order).limit(query["limit"] + 1)))
    more = len(rows) > query["limit"]
    rows = rows[: query["limit"]]
    cursor = None
    if more:
        end = rows[-1]
        cursor = _seal_cursor(getattr(end, column.key), getattr(end, ident.key), listing, sort, query)
    return answer({"items": _thin(show(rows), query.get("fields")), "next": cursor}, headers=_link(cursor))


def whole_list(items: list[dict[str, Any]]) -> Response:
    """A list that is short by nature, in one page."""
    return answer({"items": items, "next": None})


def _thin(items: list[dict[str, Any]], fields: Sequence[str] | None) -> list[dict[str, Any]]:
    if not fields:
        return items
    return [{name: item[name] for name in fields} for item in items]


def _link(cursor: str | None) -> dict[str, str]:
    if cursor is None:
        return {}
    arguments = {**request.args.to_dict(), "cursor": cursor}
    values = {**(request.view_args or {}), **arguments}
    return {"Link": f'<{url_for(str(request.endpoint), **values)}>; rel="next"'}


def _purpose(listing: Listing, sort: str, query: Mapping[str, Any]) -> str:
    """What a cursor is good for: the same list, order and filters."""
    filters = {name: str(value) for name, value in query.items() if name not in _PAGING}
    about = json.dumps([listing.name, request.view_args or {}, sort, filters], sort_keys=True)
    return hashlib.sha256(about.encode()).hexdigest()[:16]


def _seal_cursor(value: Any, ident: Any, listing: Listing, sort: str, query: Mapping[str, Any]) -> str:
    plain = value.isoformat() if isinstance(value, date) else value
    return _serializer().dumps([_purpose(listing, sort, query), plain, ident])


def _open_cursor(cursor: str, purpose: str) -> tuple[Any, Any]:
    try:
        for_what, value, ident = _serializer().loads(cursor)
    except BadData as error:
        raise _no_cursor("is not a cursor of this console: take the one in `next`, unchanged") from error
    if for_what != purpose:
        raise _no_cursor("belongs to a list with another order or other filters: begin that list anew")
    return value, ident


def _no_cursor(text: str) -> InvalidInput:
    return InvalidInput("The list cannot go on from there.", {"cursor": text})


def _typed(value: Any, column: InstrumentedAttribute[Any]) -> Any:
    if isinstance(column.type, Date):
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if isinstance(column.type, UtcDateTime) else value


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="labyard.cursor")
