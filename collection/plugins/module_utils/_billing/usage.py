# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Usage records: so much of a resource, for a deployment, from one moment to another."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from operator import le
from typing import Any

from .errors import BillingError, UsageError
from .money import read_decimal
from .units import RESOURCES, UNITS

_RESOURCE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_LENGTHS = {
    "source": 64,
    "key": 128,
    "account": 80,
    "deployment": 64,
    "deployment_name": 63,
    "plan": 64,
    "shape": 64,
    "project": 64,
    "user": 64,
}
_NEEDED = ("source", "key", "account", "resource", "unit", "quantity", "start", "end")
_TEXTS = tuple(_LENGTHS)
_EMPTY = ("",) * len(_TEXTS)
_MOST = tuple(_LENGTHS.values())
_NO_DETAILS: Mapping[str, str] = {}
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """Names are copied into it: it outlives what they name. `source` and `key` together are unique for ever.

    The interval is half-open, [start, end), in UTC; `quantity` is in the base unit `unit`, at least 0.
    """

    source: str  # who measured, as in `swarm:<id of the swarm>`
    key: str  # the source's own name of this record
    account: str  # who pays: `user:ada`, `project:physics`
    resource: str  # of RESOURCES, or another of lower-case letters, digits and underscores
    unit: str  # a base unit of units.py
    quantity: Decimal
    start: datetime
    end: datetime
    deployment: str = ""  # its id
    deployment_name: str = ""
    plan: str = ""
    shape: str = ""
    project: str = ""
    user: str = ""
    details: Mapping[str, str] = field(default_factory=dict)  # node, image, site, status ...


def read_record(document: Mapping[str, Any]) -> UsageRecord:
    """A record from a mapping of its fields as JSON has them; raises UsageError that names the field."""
    if not _FIELDS.issuperset(document):
        raise UsageError(f"{min(set(document) - _FIELDS)}: no field of a usage record")
    get = document.get
    for name in _NEEDED:
        if not get(name) and get(name) in (None, ""):
            raise UsageError(f"{name}: is missing")
    resource, unit = _name_resource(document["resource"]), document["unit"]
    if not isinstance(unit, str) or unit not in UNITS or UNITS[unit].base != unit:
        raise UsageError(
            f"unit: {unit!r} is no base unit; records of {resource} are in {RESOURCES.get(resource, 'one')}"
        )
    if RESOURCES.get(resource, unit) != unit:
        raise UsageError(f"unit: {resource} is counted in {RESOURCES[resource]}, not in {unit}")
    start, end = read_moment(document["start"], "start"), read_moment(document["end"], "end")
    if end < start:
        raise UsageError(f"end: {show_moment(end)} is before the start, {show_moment(start)}")
    source, key, account, deployment, deployment_name, plan, shape, project, user = _read_texts(document)
    return UsageRecord(
        *(source, key, account, resource, unit, _read_quantity(document["quantity"]), start, end),
        *(deployment, deployment_name, plan, shape, project, user),
        _read_details(get("details") or _NO_DETAILS),
    )


_ORDER = tuple(known.name for known in fields(UsageRecord))
_FIELDS = frozenset(_ORDER)


def show_record(record: UsageRecord) -> dict[str, Any]:
    """The record as JSON has it; `read_record` reads it back to the same."""
    shown: dict[str, Any] = {name: getattr(record, name) for name in _ORDER}
    shown.update(
        quantity=f"{record.quantity:f}",
        start=show_moment(record.start),
        end=show_moment(record.end),
        details=dict(record.details),
    )
    return shown


def show_texts(record: UsageRecord) -> tuple[str, ...]:
    """All fields as texts, in their order: the same for records of which only the way that a number is
    written differs; no details are an empty text."""
    return (
        record.source,
        record.key,
        record.account,
        record.resource,
        record.unit,
        _plain(record.quantity),
        show_moment(record.start),
        show_moment(record.end),
        record.deployment,
        record.deployment_name,
        record.plan,
        record.shape,
        record.project,
        record.user,
        _encode(dict(record.details)) if record.details else "",
    )


def fingerprint_texts(texts: Sequence[str]) -> str:
    """32 hexadecimal digits that differ if any of these texts of a record does."""
    # None of them holds a line break, so lines tell the fields apart.
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]


def fingerprint(record: UsageRecord) -> str:
    """32 hexadecimal digits that differ if anything of two records differs but how a number is written."""
    return fingerprint_texts(show_texts(record))


def read_moment(value: object, where: str) -> datetime:
    """An aware time in UTC from one or from ISO 8601 text with a zone; raises UsageError."""
    if isinstance(value, str):
        try:
            value = _parse_moment(value)
        except (OverflowError, ValueError) as error:
            raise UsageError(f"{where}: {value!r:.60} is no time as 2026-01-31T23:00:00Z is one") from error
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise UsageError(
            f"{where}: a time with its zone is needed, as in 2026-01-31T23:00:00Z; got {value!r}"
        )
    return value if value.tzinfo is UTC else value.astimezone(UTC)


@lru_cache(maxsize=8192)
def _parse_moment(text: str) -> datetime:
    """Records of one measuring share their times; a time without a zone keeps having none."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC)


@lru_cache(maxsize=8192)
def show_moment(moment: datetime) -> str:
    """ISO 8601 in UTC with Z; microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _name_resource(value: object) -> str:
    if isinstance(value, str) and value in RESOURCES:
        return value
    if not isinstance(value, str) or not _RESOURCE.fullmatch(value):
        raise UsageError(f"resource: {value!r} is no name of lower-case letters, digits and underscores")
    return value


def _read_quantity(value: object) -> Decimal:
    try:
        quantity = read_decimal(value, "quantity")
    except BillingError as error:
        raise UsageError(str(error)) from error
    if quantity < 0:
        raise UsageError(
            f"quantity: {quantity} is below 0; what was billed wrongly is mended by a credit note"
        )
    return quantity


def _plain(quantity: Decimal) -> str:
    """The number without zeros that say nothing, whatever the digits of the decimal context."""
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _read_texts(document: Mapping[str, Any]) -> list[str]:
    """All texts of a record, looked at together: there may be millions of records."""
    values = list(map(document.get, _TEXTS, _EMPTY))
    try:
        good = "".join(values).isprintable() and all(map(le, map(len, values), _MOST))
    except TypeError:
        good = False
    return values if good else list(map(_read_text, values, _TEXTS))


def _read_text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name}: text is needed; got {value!r}")
    if len(value) > _LENGTHS[name] or not value.isprintable():
        raise UsageError(f"{name}: at most {_LENGTHS[name]} printable characters; got {value[:70]!r}")
    return value


def _read_details(value: object) -> dict[str, str]:
    if value is _NO_DETAILS:
        return {}
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for pair in value.items() for part in pair
    ):
        raise UsageError("details: a mapping of text to text is needed")
    if len(json.dumps(dict(value))) > 2000:
        raise UsageError("details: at most 2000 characters in all")
    try:
        _encode(dict(value)).encode()
    except UnicodeEncodeError as error:
        raise UsageError("details: half of a character (a lone surrogate) is in them") from error
    return dict(value)
