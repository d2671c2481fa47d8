"""What a deployment would cost, before it is there: by the tariff of who would pay for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.estimate import Cost, estimate
from ansible_collections.labyard.platform.plugins.module_utils._billing.prices import Price
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff, find_price
from ansible_collections.labyard.platform.plugins.module_utils._request.resources import read_needs
from ansible_collections.labyard.platform.plugins.module_utils._request.shapes import shape_of
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Configuration
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict
from labyard.models import BillingAccount, Budget, Plan, TariffVersion, User

from .accounts import read_payers
from .tariffs import STANDARD, read_versions

#: What is billed as it is used: nobody knows before how much that will be.
BY_USE = ("volume", "network_in", "network_out", "cpu_used", "memory_used")


@dataclass(frozen=True)
class Quote:
    """What the chosen values cost; `cost` is None where nothing that is known before has a price."""

    account: str  # who would pay
    cost: Cost | None
    beside: tuple[Price, ...]  # what is billed beside that, as it is used


@dataclass(frozen=True)
class PriceList:
    """The tariff by which a person would pay in a project; without a version that is valid now, no tariff."""

    account: str
    tariff: Tariff | None
    project: str
    user: str

    def quote(self, plan: Plan, configuration: Configuration, params: Mapping[str, Any]) -> Quote:
        """What a deployment of the plan with these parameters (by public name) costs while it runs."""
        if self.tariff is None:
            return Quote(self.account, None, ())
        shape = shape_of(plan.shapes, {**params, **plan.fixed})
        needs = needs_of(configuration, {**params, **plan.fixed})
        priced = {name: amount for name, amount in needs.items() if self._find(plan, shape, name)}
        beside = tuple(price for name in BY_USE if (price := self._find(plan, shape, name)))
        cost = None
        if priced:
            try:
                cost = estimate(self.tariff, plan.name, shape, priced, self.project, self.user)
            except BillingError:  # counted in a unit of which nobody knows how many an hour has
                cost = None
        return Quote(self.account, cost, beside)

    def _find(self, plan: Plan, shape: str, resource: str) -> Price | None:
        if self.tariff is None:
            return None
        return find_price(self.tariff, plan.name, shape, self.project, self.user, resource)


def billing_is_on(session: Session) -> bool:
    """Whether there is any tariff: without one, nothing has a price, and no page speaks of prices."""
    return session.scalar(select(TariffVersion.id).limit(1)) is not None


def has_budgets(session: Session) -> bool:
    """Whether anything is limited by a budget."""
    return session.scalar(select(Budget.id).limit(1)) is not None


def read_price_list(session: Session, person: User, project: str, clock: Clock = utc_now) -> PriceList | None:
    """The prices for `person` in `project`; None where there is no billing at all."""
    if not billing_is_on(session):
        return None
    account = read_payers(session).payer(project, person.username)
    name = session.scalar(select(BillingAccount.tariff).where(BillingAccount.name == account)) or STANDARD
    return PriceList(account, tariff_now(session, name, clock), project, person.username)


def tariff_now(session: Session, name: str, clock: Clock = utc_now) -> Tariff | None:
    """The version of a tariff that is valid now; None if there is none."""
    now = clock()
    try:
        versions = read_versions(session, name)
    except Conflict:  # there is no such tariff
        return None
    return next((tariff for tariff in versions if tariff.holds_at(now)), None)


def needs_of(configuration: Configuration, params: Mapping[str, Any]) -> dict[str, Decimal | int]:
    """What a running deployment holds, by resource: what is metered of it, see `usage_info`.

    Cores and memory are those that are set aside or, where none are, the limit.
    """
    held: dict[str, Decimal | int] = {"wall": 1}
    try:
        needs = read_needs(configuration, params)
    except (OverflowError, TypeError, ValueError):  # no number; the form says so at its field
        needs = None
    if needs is not None and math.isfinite(cores := needs.cpu or needs.cpu_limit):
        held |= {"cpu": Decimal(str(cores)), "memory": needs.memory, "gpu": needs.gpus}
    return {name: amount for name, amount in held.items() if amount > 0}
