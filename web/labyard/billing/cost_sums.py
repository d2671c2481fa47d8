"""What is asked for of usage and costs, and what is found: sums of resources and of money."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from ansible_collections.labyard.platform.plugins.module_utils._billing.money import EXACT, round_fraction

#: What costs can be grouped by.
GROUPS = ("deployment", "plan", "project", "user", "account", "resource")
FILTERS = ("account", "project", "user", "plan", "deployment")
#: Sources: what was used here, what reports of others say, and one of these, with its name behind it.
USAGE, REPORTS, REPORT = "usage", "reports", "report:"
#: Units in which people read usage.
SHOWN_UNITS = {
    "wall": "hour",
    "cpu": "core_hour",
    "cpu_used": "core_hour",
    "memory": "GiB_hour",
    "memory_used": "GiB_hour",
    "gpu": "gpu_hour",
    "volume": "GiB_hour",
    "network_in": "GiB",
    "network_out": "GiB",
}
_PLACES = 4  # decimals of usage in these units
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Selection:
    """Usage that began in [start, end), full days in UTC; an empty filter filters nothing."""

    start: datetime
    end: datetime
    account: str = ""
    project: str = ""
    user: str = ""
    plan: str = ""
    deployment: str = ""
    by: str = "deployment"
    source: str = ""  # what is looked at: all, USAGE, REPORTS, or REPORT and the name of one

    def fits(self, account: str, project: str, user: str, plan: str, deployment: str) -> bool:
        """Whether usage of these names is asked for."""
        pairs = (
            (self.account, account),
            (self.project, project),
            (self.user, user),
            (self.plan, plan),
            (self.deployment, deployment),
        )
        return all(not wanted or wanted == found for wanted, found in pairs)


@dataclass
class Sums:
    """Usage by resource, in its unit of SHOWN_UNITS; by currency, its cost and what reports of others say."""

    usage: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    cost: dict[str, Decimal] = field(default_factory=dict)
    imported: dict[str, Decimal] = field(default_factory=dict)

    def add_cost(self, amount: Decimal, currency: str) -> None:
        """Count an amount."""
        self.cost[currency] = EXACT.add(self.cost.get(currency, _ZERO), amount)

    def add_imported(self, amount: Decimal, currency: str) -> None:
        """Count an amount of a report."""
        self.imported[currency] = EXACT.add(self.imported.get(currency, _ZERO), amount)

    @property
    def together(self) -> dict[str, Decimal]:
        """Cost and imported cost by currency."""
        found = Sums(cost=dict(self.cost))
        for currency, amount in self.imported.items():
            found.add_cost(amount, currency)
        return found.cost

    def used(self, resource: str) -> Decimal:
        """How much of a resource, to four decimals."""
        return round_fraction(self.usage.get(resource, Fraction(0)), _PLACES)


@dataclass
class Costs:
    """What was used and what it costs."""

    groups: dict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))  # by what was asked for
    names: dict[str, str] = field(default_factory=dict)  # of deployments, by id
    spans: dict[datetime, Sums] = field(default_factory=dict)  # by the first moment of a day or month
    daily: bool = True
    total: Sums = field(default_factory=Sums)
    choices: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # for the filters
    reports: set[str] = field(default_factory=set)  # whose reports say something of this time
    faults: list[str] = field(default_factory=list)  # why some usage has no cost

    @property
    def resources(self) -> list[str]:
        """The resources that were used, those known before others."""
        known = [name for name in SHOWN_UNITS if name in self.total.usage]
        return known + sorted(set(self.total.usage) - set(known))
