"""What people see of usage and invoices: their own, and what accounts of theirs pay for; admins see all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Select, false, func, or_, select
from sqlalchemy.orm import Session

from labyard.errors import Forbidden, NotFound
from labyard.models import AccountPerson, BillingAccount, Invoice, UsageRow, User
from labyard.models.decimals import exact_sum

from .accounts import account_names_of
from .rated import covered_by

# What sums can be made by, beside resource and unit.
GROUPS = ("account", "day", "deployment", "plan", "project", "resource", "shape", "user")
_PLAIN = ("source", "deployment", "plan", "project", "resource", "shape")


def select_usage(session: Session, person: User | None, query: Mapping[str, Any]) -> Select[Any]:
    """The usage records that `query` asks for: those of `person`, or of an account that they may see.

    Raises Forbidden for other people's. Nobody is who works on the console's own machine, and sees all.
    """
    found = select(UsageRow)
    if person is not None and not person.is_admin:
        check_own(session, person, query)
        if "account" not in query:
            found = found.where(UsageRow.user == person.username)
    for name in (*_PLAIN, "account", "user"):
        if name in query:
            found = found.where(getattr(UsageRow, name) == query[name])
    if "from" in query:
        found = found.where(UsageRow.start >= query["from"])
    if "to" in query:
        found = found.where(UsageRow.start < query["to"])
    if "invoice" in query:
        known = or_(Invoice.id == query["invoice"], Invoice.number == query["invoice"])
        invoice = session.scalar(select(Invoice).where(known))
        found = found.where(false() if invoice is None else covered_by(invoice))
    return found


def sum_usage(session: Session, person: User, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Exact sums by `by` and resource, of what `query` asks for; usage counts on the day when it begins."""
    by = query["by"]
    column = func.date(UsageRow.start) if by == "day" else getattr(UsageRow, by)
    columns = [column.label("group"), UsageRow.resource, UsageRow.unit]
    found = select_usage(session, person, query).with_only_columns(
        *columns, exact_sum(UsageRow.quantity), func.count()
    )
    groups = [column, UsageRow.resource, UsageRow.unit]
    ordered = found.group_by(*groups).order_by(*groups).limit(query["limit"])
    rows: Iterable[Any] = session.execute(ordered)
    return [
        {
            "group": str(group),
            "resource": resource,
            "unit": unit,
            "quantity": f"{quantity:f}",
            "records": records,
        }
        for group, resource, unit, quantity, records in rows
    ]


def invoices_of(person: User | None) -> Select[Any]:
    """The invoices and drafts that `person` may see; nobody sees all, as above."""
    query = select(Invoice)
    if person is None or person.is_admin:
        return query
    mine = select(AccountPerson.account_id).where(AccountPerson.user_id == person.id)
    return query.where(Invoice.account_id.in_(mine))


def select_invoices(person: User | None, query: Mapping[str, Any]) -> Select[Any]:
    """Those that `query` asks for."""
    found = invoices_of(person)
    if "account" in query:
        number = select(BillingAccount.id).where(BillingAccount.name == query["account"])
        found = found.where(Invoice.account_id == number.scalar_subquery())
    for name in ("state", "kind"):
        if name in query:
            found = found.where(getattr(Invoice, name) == query[name])
    if "period" in query:
        found = found.where(Invoice.period_start == query["period"].start)
    if "created_after" in query:
        found = found.where(Invoice.created_at >= query["created_after"])
    if "created_before" in query:
        found = found.where(Invoice.created_at < query["created_before"])
    return found


def get_invoice(session: Session, person: User, name: str) -> Invoice:
    """The invoice with that number or id; raises NotFound if there is none that `person` may see."""
    found = session.scalar(invoices_of(person).where(or_(Invoice.number == name, Invoice.id == name)))
    if found is None:
        raise NotFound(f"There is no invoice {name[:32]} of yours.")
    invoice: Invoice = found
    return invoice


def check_own(session: Session, person: User, query: Mapping[str, Any]) -> None:
    """Raises Forbidden if `query` asks for what `person`, who is no admin, may not see."""
    if "account" in query:
        mine = account_names_of(person).where(BillingAccount.name == query["account"])
        if session.scalar(mine) is None:
            raise Forbidden("Only admins may look at what other accounts pay for.")
    elif "user" in query and query["user"] != person.username:
        raise Forbidden("Only admins may look at what others use.")
