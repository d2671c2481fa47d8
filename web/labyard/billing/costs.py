"""What usage costs, by day and by what one likes: rated as invoices are, before discount and tax.

Tiers and monthly fees count by calendar months, so whole months are rated, however few days are asked for:
what a day costs is what all until its end cost less what all before it cost. So days add up to their month.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.lines import Line
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import EXACT
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater, Row
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff
from ansible_collections.labyard.platform.plugins.module_utils._billing.units import factor_between
from labyard.errors import Conflict, InvalidInput
from labyard.models import BillingAccount, UsageRow, User

from .accounts import account_names_of
from .cost_sums import FILTERS, SHOWN_UNITS, USAGE, Costs, Selection, Sums
from .summed import read_sums
from .tariffs import STANDARD, read_versions

__all__ = ["Costs", "Selection", "check_many", "find_accounts", "read_costs", "shown_amount", "tariffs_of"]
MOST_RECORDS = 1_000_000  # that one page rates: some seconds
_MOST_DAYS = 62  # that are shown day by day
_MOST_ACCOUNTS = 100  # of which days are shown
_ZERO = Decimal(0)


def read_costs(session: Session, person: User, selection: Selection) -> Costs:
    """What `person` may see of the usage that is asked for, and what it costs.

    People see what they used themselves, and all that accounts of theirs pay for; admins see all. Raises
    InvalidInput if that is more than a page can rate.
    """
    first = month_of(selection.start).start
    accounts: list[str] = []
    if selection.source in ("", USAGE):
        accounts = find_accounts(session, person, first, selection)
        check_many(session, accounts, first, selection.end)
    daily = (selection.end - selection.start).days <= _MOST_DAYS and len(accounts) <= _MOST_ACCOUNTS
    costs = Costs(daily=daily)
    borders = _borders(selection, daily)
    for start, _ in pairwise(borders):
        costs.spans[start] = Sums()
    mine = set(session.scalars(account_names_of(person)))
    for account in accounts:
        sees_all = person.is_admin or account in mine
        sight = _Sight(selection, account, "" if sees_all else person.username)
        _read_account(session, costs, sight, first, borders)
    return costs


def find_accounts(session: Session, person: User, start: datetime, selection: Selection) -> list[str]:
    """The accounts that pay for usage that `person` may see."""
    found = select(UsageRow.account).where(UsageRow.start >= start, UsageRow.start < selection.end)
    if selection.account:
        found = found.where(UsageRow.account == selection.account)
    return list(session.scalars(found.where(_seen(person)).distinct().order_by(UsageRow.account)))


def tariffs_of(session: Session, account: str) -> list[Tariff]:
    """All versions of the tariff of an account, by its name. Raises Conflict if there is no such tariff."""
    name = session.scalar(select(BillingAccount.tariff).where(BillingAccount.name == account))
    return read_versions(session, name or STANDARD)


def shown_amount(resource: str, unit: str, quantity: Decimal) -> Fraction:
    """A quantity of a record in the unit in which people read it."""
    per = SHOWN_UNITS.get(resource, unit)
    return Fraction(quantity) * factor_between(unit, per)


@dataclass(frozen=True)
class _Sight:
    """What of an account is looked at."""

    selection: Selection
    account: str
    only: str  # the user whose usage alone is seen; empty: everybody's

    def of_line(self, line: Line) -> bool:
        return (not self.only or line.user == self.only) and self.selection.fits(
            self.account, line.project, line.user, line.plan, line.deployment
        )

    def group(self, thing: dict[str, str]) -> str:
        return self.account if self.selection.by == "account" else thing[self.selection.by]


def _read_account(
    session: Session, costs: Costs, sight: _Sight, first: datetime, borders: Sequence[datetime]
) -> None:
    """Count what an account pays for. `borders`: the selection's begin, and the ends of its days."""
    fault, tariffs = "", []
    try:
        tariffs = tariffs_of(session, sight.account)
    except Conflict as error:
        fault = error.detail
    parts = _sort_rows(session, sight.account, first, borders, tariffs)
    for start, rows in zip([None, *borders[:-1]], parts, strict=True):
        if start is not None:
            _count_usage(costs, sight, start, rows)
    try:
        states = [] if fault else list(_rate(tariffs, first, parts))
    except BillingError as error:
        fault = f"{error}."
    if fault:
        costs.faults.append(f"{sight.account}: {fault}")
        return
    _count_cost(costs, sight, borders, states, {tariff.valid_from: tariff for tariff in tariffs})


def _sort_rows(
    session: Session, account: str, first: datetime, borders: Sequence[datetime], tariffs: Sequence[Tariff]
) -> list[list[Row]]:
    """The account's usage: that before the selection, then that of each of its days."""
    limits = [first, *borders]
    parts: list[list[Row]] = [[] for _ in borders]
    for rows in read_sums(session, account, first, borders[-1], tariffs):
        for row in rows:
            parts[bisect_right(limits, row[9]) - 1].append(row)
    return parts


def _count_usage(costs: Costs, sight: _Sight, start: datetime, rows: Sequence[Row]) -> None:
    """Count what was used on a day: first what has the same names, and fractions at the end alone."""
    together: dict[tuple[str, ...], Decimal] = {}
    for row in rows:
        names = row[:8]
        together[names] = EXACT.add(together.get(names, _ZERO), row[8])
    for (deployment, name, plan, _, project, user, resource, unit), quantity in together.items():
        if sight.only and user != sight.only:
            continue
        about = {"project": project, "user": user, "plan": plan, "deployment": deployment}
        for kind, value in {**about, "account": sight.account}.items():
            costs.choices[kind].add(value)
        if not sight.selection.fits(sight.account, project, user, plan, deployment):
            continue
        costs.names[deployment] = name or deployment
        amount = shown_amount(resource, unit, quantity)
        group = sight.group({**about, "resource": resource})
        for sums in (costs.groups[group], costs.spans[start], costs.total):
            sums.usage[resource] += amount


_Key = tuple[Any, ...]


def _rate(
    tariffs: Sequence[Tariff], first: datetime, parts: Sequence[Sequence[Row]]
) -> Iterator[dict[_Key, Line]]:
    """The lines after each part, by what tells them apart for good."""
    far = datetime.max.replace(tzinfo=first.tzinfo)
    rater = Rater(tariffs, first, far)
    known: dict[_Key, Line] = {}
    for rows in parts:
        if rows:
            rater.add_many(rows)
            known = {_key_of(line): line for line in rater.lines()}
        yield known


def _key_of(line: Line) -> _Key:
    month = month_of(line.start).start
    version = None if line.model == "flat" else line.tariff_version
    shared: _Key = (month, version, line.price_name, line.deployment)
    if not line.deployment:
        return shared if line.model != "unit" else (*shared, line.project, line.user, line.plan, line.shape)
    own = (*shared, line.project, line.user)
    return (*own, line.plan, line.shape) if line.model == "unit" else own


def _count_cost(
    costs: Costs,
    sight: _Sight,
    borders: Sequence[datetime],
    states: Sequence[dict[_Key, Line]],
    versions: dict[datetime, Tariff],
) -> None:
    before, last = states[0], states[-1]
    seen = {key: line for key, line in last.items() if sight.of_line(line)}
    for key, line in seen.items():
        amount = line.amount - (before[key].amount if key in before else _ZERO)
        if amount or key not in before:
            currency = versions[line.tariff_version].currency
            names = {name: getattr(line, name) for name in (*FILTERS[1:], "resource")}
            costs.groups[sight.group(names)].add_cost(amount, currency)
            costs.total.add_cost(amount, currency)
    for start, (one, other) in zip(borders, pairwise(states), strict=False):
        if one is other:
            continue
        for key, line in seen.items():
            if key in other:
                amount = other[key].amount - (one[key].amount if key in one else _ZERO)
                costs.spans[start].add_cost(amount, versions[line.tariff_version].currency)


def _borders(selection: Selection, daily: bool) -> list[datetime]:
    borders = [selection.start]
    while borders[-1] < selection.end:
        after = borders[-1] + timedelta(days=1) if daily else month_of(borders[-1]).end
        borders.append(min(after, selection.end))
    return borders


def _seen(person: User) -> ColumnElement[bool]:
    if person.is_admin:
        return true()
    return or_(UsageRow.user == person.username, UsageRow.account.in_(account_names_of(person)))


def check_many(session: Session, accounts: Sequence[str], start: datetime, end: datetime) -> None:
    """Raises InvalidInput if there is more than a page can rate."""
    count = 0
    for place in range(0, len(accounts), 500):
        which = UsageRow.account.in_(accounts[place : place + 500])
        found = select(func.count()).where(which, UsageRow.start >= start, UsageRow.start < end)
        count += session.scalar(found) or 0
    if count > MOST_RECORDS:
        raise InvalidInput(
            f"These are {count} usage records, and a page rates {MOST_RECORDS}. Choose an account, or fewer"
            " days within one month; `GET /api/v1/usage/summary` sums up more.",
            {"from": "choose fewer days, or one account"},
        )
