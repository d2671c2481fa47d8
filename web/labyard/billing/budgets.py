"""Budgets: what is measured, which thresholds are reached, what is refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from ansible_collections.labyard.platform.plugins.module_utils._billing.money import round_money

USER, PROJECT, PLATFORM = "user", "project", "platform"
SCOPES = (USER, PROJECT, PLATFORM)
DEPLOYMENTS, CPU, MEMORY, STORAGE = "deployments", "cpu", "memory", "storage"
MONEY_MONTH, MONEY_TOTAL = "money_month", "money_total"
MONEY = (MONEY_MONTH, MONEY_TOTAL)
MEASURES = (DEPLOYMENTS, CPU, MEMORY, STORAGE, *MONEY)
WARN, REFUSE, STOP = "warn", "refuse", "stop"
ACTIONS = (WARN, REFUSE, STOP)
# What a stop makes less, or keeps from growing: a stopped deployment is still there with its files.
STOPPABLE = (CPU, MEMORY, *MONEY)

THRESHOLDS = (70, 90, 100)  # percent; people are told at each
EXCEEDED = 101  # the level at which is stopped what can be stopped: more than there may be

GIB = 1024**3
_UNITS = {DEPLOYMENTS: "deployments", CPU: "cores", MEMORY: "GiB", STORAGE: "GiB"}
_WORDS = {
    DEPLOYMENTS: "deployments",
    CPU: "CPU",
    MEMORY: "memory",
    STORAGE: "storage",
    MONEY_MONTH: "money this month",
    MONEY_TOTAL: "money in all",
}


@dataclass(frozen=True)
class Level:
    """How much of a budget is used."""

    measure: str  # one of MEASURES
    used: Decimal  # deployments, cores, GiB or money
    most: Decimal

    @property
    def left(self) -> Decimal:
        """What is left; never below 0."""
        return max(Decimal(0), self.most - self.used)

    @property
    def percent(self) -> int:
        """How much is used, rounded down; of nothing, all."""
        if self.most <= 0:
            return 100 if self.used <= 0 else 999
        return min(999, int(100 * Fraction(self.used) / Fraction(self.most)))

    @property
    def exceeded(self) -> bool:
        """Whether more is used than may be. Money that is used up is: the next minute costs some."""
        return self.used >= self.most if self.measure in MONEY else self.used > self.most

    @property
    def reached(self) -> tuple[int, ...]:
        """The thresholds that are reached, and EXCEEDED."""
        found = tuple(t for t in THRESHOLDS if 100 * self.used >= t * self.most)
        return (*found, EXCEEDED) if self.exceeded else found

    def refuses(self, before: Decimal, after: Decimal) -> bool:
        """Whether a budget that refuses lets something take `after` that takes `before` of `used` now.

        Nothing is refused that takes no more than it did.
        """
        return after > before and self.used - before + after > self.most


def show_used(measure: str, amount: Decimal, currency: str) -> str:
    """An amount of a measure with its unit, for people: 1.5 GiB, 12.50 EUR, 3 deployments."""
    if measure in MONEY:
        return f"{round_money(Fraction(amount), currency):f} {currency}"
    number = f"{amount.quantize(Decimal('0.01')).normalize():f}"
    unit = _UNITS[measure]
    return f"{number} {unit.removesuffix('s') if number == '1' else unit}"


def name_budget(scope: str, subject: str, measure: str) -> str:
    """A budget for people: the budget of ada for CPU."""
    whose = {PLATFORM: "the platform", PROJECT: f"the project {subject}"}.get(scope, subject)
    return f"the budget of {whose} for {_WORDS[measure]}"


def unit_of(measure: str, currency: str) -> str:
    """The unit in which a measure is written."""
    return _UNITS.get(measure, currency)
