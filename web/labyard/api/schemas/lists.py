"""The shapes of lists and of what they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from apiflask import Schema
from apiflask.fields import Integer, List, Nested, String
from apiflask.validators import Length, OneOf, Range
from webargs.fields import DelimitedList

from labyard.api.paging import Listing

from .fields import Timestamp

DEFAULT_LIMIT = 50
MOST = 200


@cache
def list_of(schema: type[Schema]) -> type[Schema]:
    """A page: `{"items": [...], "next": cursor or null}`. With `fields`, an item has only these."""
    name = schema.__name__.removesuffix("Out")
    fields: dict[str, Any] = {
        "items": List(Nested(schema(partial=True)), required=True),
        "next": String(
            required=True,
            allow_none=True,
            metadata={"description": "`cursor` of the next page; null: the end"},
        ),
        "__doc__": f"A page of a list. {schema.__doc__}",
    }
    return type(f"{name}List", (Schema,), fields)


def query_of(listing: Listing, shown: type[Schema], filters: Mapping[str, Any] | None = None) -> type[Schema]:
    """What the list `listing` of documents of the schema `shown` may be asked for."""
    orders = [order for name in listing.sorts for order in (name, f"-{name}")]
    names = list(shown().fields)
    fields: dict[str, Any] = {
        "limit": Integer(
            load_default=DEFAULT_LIMIT,
            validate=Range(1, MOST),
            metadata={"description": "rows of a page"},
        ),
        "cursor": String(
            validate=Length(1, 1000), metadata={"description": "`next` of the page before this one"}
        ),
        "sort": String(
            validate=OneOf(orders),
            metadata={"description": f"a `-` before the name: downwards; {_default(listing)}"},
        ),
        "fields": DelimitedList(
            String(validate=OneOf(names)),
            validate=Length(1, 100),
            metadata={"description": "show only these, parted by commas"},
        ),
        **(filters or {}),
        "__doc__": "Which part of the list.",
    }
    return type(f"{listing.name.title().replace('_', '')}Query", (Schema,), fields)


def sums_query(name: str, filters: Mapping[str, Any], groups: Sequence[str], by: str) -> type[Schema]:
    """What is summed up and by which of `groups`; by `by`, if nothing is said."""
    fields: dict[str, Any] = {
        **filters,
        "by": String(load_default=by, validate=OneOf(groups)),
        "limit": Integer(
            load_default=1000, validate=Range(1, 10000), metadata={"description": "rows at most"}
        ),
        "__doc__": "What is summed up, and by what.",
    }
    return type(name, (Schema,), fields)


def export_query(
    name: str, filters: Mapping[str, Any], formats: Sequence[str], **further: Any
) -> type[Schema]:
    """What is written in which of `formats`; in CSV, if nothing is said."""
    fields: dict[str, Any] = {
        **filters,
        "format": String(load_default="csv", validate=OneOf(formats)),
        **further,
        "__doc__": "What is written, and how.",
    }
    return type(name, (Schema,), fields)


def _default(listing: Listing) -> str:
    of_search = f", of a search `{listing.of_search}`" if listing.of_search else ""
    return f"the default is `{listing.default}`{of_search}"


def created_between() -> dict[str, Any]:
    """Filters by the time of making."""
    return {
        "created_after": Timestamp(metadata={"description": "made then or later"}),
        "created_before": Timestamp(metadata={"description": "made before then"}),
    }
