"""Tariffs and their versions: kept without gaps, and as they were once they were used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import TariffError
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import (
    Tariff,
    check_no_gap,
    read_tariff,
    show_tariff,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import show_moment
from labyard.errors import Conflict, InvalidInput, NotFound
from labyard.models import BillingAccount, Invoice, InvoiceLine, TariffVersion
from labyard.models.base import lock_name

STANDARD = "standard"  # the tariff of accounts that have no other


def tariff_name_of(account: BillingAccount) -> str:
    """The name of the tariff by which the account is billed."""
    return account.tariff or STANDARD


def select_tariffs(filters: Mapping[str, Any]) -> Select[Any]:
    """All versions, or those of the tariff `name`."""
    found = select(TariffVersion)
    return found.where(TariffVersion.name == filters["name"]) if "name" in filters else found


def as_tariff(row: TariffVersion) -> Tariff:
    """What `_billing` rates by."""
    return replace(read_tariff({**row.document, "valid_to": None}), valid_to=row.valid_to)


def read_versions(session: Session, name: str, *, share: bool = False) -> list[Tariff]:
    """All versions of a tariff, the first one first; with `share`, nobody changes one until the transaction
    ends. Raises Conflict if there is none."""
    query = select(TariffVersion).where(TariffVersion.name == name).order_by(TariffVersion.valid_from)
    rows = session.scalars(query.with_for_update(read=True) if share else query).all()
    if not rows:
        raise Conflict(f"There is no tariff {name}. Add one: `labyard billing tariffs add FILE`.")
    return [as_tariff(row) for row in rows]


def find_tariff(session: Session, number: int) -> TariffVersion:
    """The version with that number; raises NotFound."""
    row = session.get(TariffVersion, number)
    if row is None:
        raise NotFound(f"There is no version {number} of a tariff.")
    return row


def add_tariff(session: Session, document: object) -> tuple[TariffVersion, bool]:
    """Add a version; the version before it ends where it begins. False: that version is there already.

    Raises InvalidInput for what is no tariff, Conflict if it would overlap, leave a gap, replace another
    version, or end one before the last usage that was billed by it.
    """
    try:
        tariff = read_tariff(document)
    except TariffError as error:
        raise _refused(error) from error
    lock_name(session, f"tariff {tariff.name}")
    known = session.scalars(
        select(TariffVersion).where(TariffVersion.name == tariff.name).order_by(TariffVersion.valid_from)
    ).all()
    written = _document_of(tariff)
    for row in known:
        if row.valid_from == tariff.valid_from:
            if row.document == written and row.valid_to == tariff.valid_to:
                return row, False
            since = show_moment(tariff.valid_from)
            raise Conflict(f"There is another version of {tariff.name} from {since}. Begin a new one later.")
    before = [row for row in known if row.valid_from < tariff.valid_from]
    if before and before[-1].valid_to is None:
        _end(session, before[-1], tariff.valid_from)
    made = TariffVersion(
        name=tariff.name,
        currency=tariff.currency,
        valid_from=tariff.valid_from,
        valid_to=tariff.valid_to,
        document=written,
    )
    session.add(made)
    _check_together([*known, made])
    session.flush()
    return made, True


def end_tariff(session: Session, row: TariffVersion, valid_to: datetime | None) -> None:
    """Set the end of a version: the only thing about it that may change.

    Raises InvalidInput for an end before the begin, Conflict for a gap, an overlap, or an end before the last
    usage that was billed by it.
    """
    lock_name(session, f"tariff {row.name}")
    session.refresh(row, with_for_update=True)
    if valid_to is not None and valid_to <= row.valid_from:
        raise InvalidInput("The tariff was not changed.", {"valid_to": "must be after valid_from"})
    _end(session, row, valid_to)
    others = session.scalars(
        select(TariffVersion).where(TariffVersion.name == row.name).order_by(TariffVersion.valid_from)
    ).all()
    _check_together(others)
    session.flush()


def is_used(session: Session, row: TariffVersion) -> bool:
    """Whether something final was rated by it."""
    return _last_billed(session, row) is not None


def _end(session: Session, row: TariffVersion, valid_to: datetime | None) -> None:
    billed = _last_billed(session, row)
    if valid_to is not None and billed is not None and valid_to < billed:
        raise Conflict(
            f"{row.name} from {show_moment(row.valid_from)} has billed usage until {show_moment(billed)}."
            " It cannot end before.",
            {"valid_to": f"must not be before {show_moment(billed)}"},
        )
    row.valid_to = valid_to


def _last_billed(session: Session, row: TariffVersion) -> datetime | None:
    return session.scalar(
        select(func.max(InvoiceLine.end))
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .where(InvoiceLine.tariff == row.name, InvoiceLine.tariff_version == row.valid_from)
        .where(Invoice.number.is_not(None))
    )


def _check_together(rows: Sequence[TariffVersion]) -> None:
    try:
        check_no_gap([as_tariff(row) for row in rows])
    except TariffError as error:
        raise Conflict(f"{error}.", {"valid_to": str(error)}) from error


def _document_of(tariff: Tariff) -> dict[str, Any]:
    """As it is kept: the end stands beside it, because it may change."""
    shown = show_tariff(tariff)
    del shown["valid_to"]
    return shown


def _refused(error: TariffError) -> InvalidInput:
    place, colon, _ = str(error).partition(": ")
    return InvalidInput("The tariff is not right.", {place if colon else "tariff": str(error)})
