"""What budgets of money need to know of a launch's payers, added up before the transaction that decides.

Adding up may take a second, and SQLite has one writer at a time. What is added up here is true of one moment
just before that transaction. Usage that comes between the two may as well have come after the launch: no
usage depends on whether something was launched, so nothing is decided that could not have been without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period
from labyard.errors import Unavailable

from .budget_usage import Subject, money_spent
from .kept_spending import is_behind

_TRY_AGAIN = 60  # s


@dataclass(frozen=True)
class Wanted:
    """An amount of money that a budget is compared with."""

    subject: Subject
    measure: str  # one of MONEY
    currency: str
    month: Period


@dataclass
class Looked:
    """The amounts that are known to a request, and those that it turned out to need."""

    amounts: dict[Wanted, Decimal] = field(default_factory=dict)
    missing: set[Wanted] = field(default_factory=set)
    behind: bool = False  # too much has come since the sums were made: nothing was added up

    def amount(self, wanted: Wanted) -> Decimal | None:
        """The amount; None if it is missing, which is noted. Raises Unavailable while sums are being made."""
        if self.behind:
            raise Unavailable(
                "What was used is still being summed up, so your budget of money cannot be checked. Nothing"
                " was launched. Try again in a minute.",
                retry_after=_TRY_AGAIN,
            )
        if wanted not in self.amounts:
            self.missing.add(wanted)
        return self.amounts.get(wanted)


def add_up_missing(session: Session, looked: Looked) -> None:
    """Add up what is missing, outside of any writing transaction.

    Where many records are in no sum yet, as right after an upgrade or a large import, nobody waits for them.
    """
    looked.behind = is_behind(session)
    if not looked.behind:
        for wanted in looked.missing:
            looked.amounts[wanted] = money_spent(
                session, wanted.subject, wanted.measure, wanted.currency, wanted.month
            )
    looked.missing.clear()
