"""What runs now, and what this month will cost: what was used so far, and what was measured last going on.

What reports of others say is counted beside it, never together with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.estimate import Cost, estimate
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import PLACES, round_fraction
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater, Row
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import find_price
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict
from labyard.models import Deployment, Health, State, UsageRow, User

from .accounts import account_names_of
from .cost_sums import Selection, Sums
from .costs import check_many, find_accounts, tariffs_of
from .imported_forecast import add_imported
from .summed import read_sums

_FRESH = timedelta(hours=24)  # what was measured longer ago says nothing of now
_TOGETHER = timedelta(minutes=65)  # an hour, in which each running task is measured, and some more
_HELD = ("wall", "cpu", "memory", "gpu", "volume")  # what is held now; the rest is spent


@dataclass
class Running:
    """A deployment that was metered last: what it holds, and what that costs."""

    deployment: str
    name: str
    plan: str
    project: str
    user: str
    account: str
    shape: str = ""
    held: dict[str, Fraction] = field(default_factory=dict)  # cores, bytes, ..., by resource
    cost: Cost | None = None  # None: it has no price


@dataclass
class Forecast:
    """This month, as it looks now."""

    end: datetime  # of the month
    measured: datetime | None  # when the last measuring ended; None: nothing was measured for a day
    running: list[Running] = field(default_factory=list)
    so_far: Sums = field(default_factory=Sums)
    until_end: Sums = field(default_factory=Sums)


def read_forecast(session: Session, person: User, clock: Clock = utc_now) -> Forecast:
    """What `person` may see of this month. Raises InvalidInput for more records than a page rates."""
    now = clock()
    month = month_of(now)
    selection = Selection(month.start, month.end)
    accounts = find_accounts(session, person, month.start, selection)
    check_many(session, accounts, month.start, month.end)
    last = _read_last(session, now)
    forecast = Forecast(month.end, max((row.end for row in last), default=None))
    mine = set(session.scalars(account_names_of(person)))
    for account in accounts:
        only = "" if person.is_admin or account in mine else person.username
        going_on = [row for row in last if row.account == account]
        _add_account(session, forecast, account, only, going_on, now)
    add_imported(session, person, forecast.so_far, forecast.until_end, now)
    forecast.running.sort(key=lambda one: (one.name, one.deployment))
    return forecast


def _read_last(session: Session, now: datetime) -> list[UsageRow]:
    """Of each deployment and resource what was measured last, unless it has ended since."""
    newest = session.execute(
        select(UsageRow.source, func.max(UsageRow.end, type_=UsageRow.end.type))
        .where(UsageRow.start > now - 2 * _FRESH)
        .where(UsageRow.end > now - _FRESH, UsageRow.end <= now + _FRESH)
        .group_by(UsageRow.source)
    ).all()
    last: dict[tuple[str, ...], list[UsageRow]] = {}
    for source, end in newest:
        rows = select(UsageRow).where(
            UsageRow.source == source,
            UsageRow.start > now - 2 * _FRESH,
            UsageRow.end >= end - _TOGETHER,
            UsageRow.end > UsageRow.start,
        )
        for row in session.scalars(rows):
            key = (source, row.account, row.deployment, row.project, row.user, row.resource)
            known = last.setdefault(key, [])
            if known and row.end > known[0].end:
                known.clear()
            if not known or row.end == known[0].end:
                known.append(row)
    found = [row for rows in last.values() for row in rows]
    ended = _ended(session, {row.deployment for row in found})
    return [row for row in found if row.deployment not in ended.get(row.resource == "volume", ())]


def _ended(session: Session, deployments: Collection[str]) -> dict[bool, set[str]]:
    """Deployments that hold nothing now: volumes of removed ones (True), and the rest of stopped ones."""
    rows = session.execute(
        select(Deployment.id, Deployment.state, Deployment.health).where(Deployment.id.in_(deployments))
    ).all()
    gone = {number for number, state, _ in rows if state == State.REMOVED}
    idle = {number for number, _, health in rows if health in (Health.STOPPED, Health.MISSING)}
    return {True: gone, False: gone | idle}


def _add_account(
    session: Session,
    forecast: Forecast,
    account: str,
    only: str,
    going_on: Sequence[UsageRow],
    now: datetime,
) -> None:
    month = month_of(now)
    try:
        tariffs = tariffs_of(session, account)
        rater = Rater(tariffs, month.start, datetime.max.replace(tzinfo=now.tzinfo))
        for rows in read_sums(session, account, month.start, month.end, tariffs):
            rater.add_many(rows)
        currency = next((tariff.currency for tariff in tariffs if tariff.holds_at(now)), "")
        currency = currency or tariffs[-1].currency
        _sum(forecast.so_far, rater, only, currency)
        rater.add_many([row for one in going_on if (row := _go_on(one, month.end))])
        _sum(forecast.until_end, rater, only, currency)
        tariff = next((found for found in tariffs if found.holds_at(now)), None)
    except (BillingError, Conflict):  # the page's costs say why
        tariff = None
    running: dict[str, Running] = {}
    for row in going_on:
        if row.deployment and (not only or row.user == only):
            _hold(running, row)
    for one in running.values():
        held = {name: Decimal(0) + round_fraction(amount, PLACES) for name, amount in one.held.items()}
        if tariff is not None:
            names = (one.plan, one.shape, one.project, one.user)
            priced = {name: amount for name, amount in held.items() if find_price(tariff, *names, name)}
            one.cost = estimate(tariff, *names[:2], priced, *names[2:]) if priced else None
    forecast.running += running.values()


def _hold(running: dict[str, Running], row: UsageRow) -> None:
    one = running.setdefault(
        row.deployment,
        Running(
            row.deployment,
            row.deployment_name or row.deployment,
            row.plan,
            row.project,
            row.user,
            row.account,
            row.shape,
        ),
    )
    if row.resource in _HELD:
        one.held[row.resource] = one.held.get(row.resource, Fraction(0)) + _rate_of(row)


def _rate_of(row: UsageRow) -> Fraction:
    """Of the record's base unit in a second."""
    return Fraction(row.quantity) / Fraction((row.end - row.start) / timedelta(microseconds=1)) * 1_000_000


def _go_on(row: UsageRow, end: datetime) -> Row | None:
    """The record of what comes, if all goes on as it was; None if the month is over."""
    if row.end >= end:
        return None
    seconds = Fraction((end - row.end) // timedelta(microseconds=1), 1_000_000)
    quantity = round_fraction(_rate_of(row) * seconds, PLACES)
    names = (row.deployment, row.deployment_name, row.plan, row.shape, row.project, row.user)
    return (*names, row.resource, row.unit, quantity, row.end, end, "")


def _sum(sums: Sums, rater: Rater, only: str, currency: str) -> None:
    for line in rater.lines():
        if not only or line.user == only:
            sums.add_cost(line.amount, currency)
