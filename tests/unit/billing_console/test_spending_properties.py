"""Money that budgets count: from sums that are kept, and the same to the cent as rated from all records."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from apiflask import APIFlask
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import BillingError
from ansible_collections.labyard.platform.plugins.module_utils._billing.lines import Line
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import (
    Period,
    month_of,
    read_period,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff, show_tariff
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord, read_record
from labyard.billing import kept_spending
from labyard.billing.correcting import credit, make_void
from labyard.billing.kept_spending import ENDLESS, add_new, keep_up
from labyard.billing.rated import line_of
from labyard.billing.spending import Who, spent_in_all, spent_in_month
from labyard.billing.tariffs import add_tariff, read_versions
from labyard.context import session
from labyard.errors import DomainError
from labyard.models import BillingAccount, Invoice, InvoiceLine, SpendingMark, SpendingSum, UsageRow
from labyard.models.base import begin_writing
from labyard.models.billing_invoices import INVOICE, VOID
from tests.billing_data import LATER, bill, take, write
from tests.cases import CASES
from tests.unit.billing.makers import tariffs, usage

MONTHS = [read_period(month) for month in ("2025-12", "2026-01", "2026-02")]
BEGIN = datetime.min.replace(tzinfo=UTC)
CASE = itertools.count(1)
in_database = settings(
    max_examples=max(1, CASES // 10),  # each is a life of two accounts, in a database that grows
    deadline=None,
    derandomize=CASES <= 300,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.lists(usage("x"), min_size=1, max_size=4)),
        st.tuples(st.sampled_from(["keep", "add", "tariff"]), st.none()),
        st.tuples(st.just("bill"), st.sampled_from(MONTHS)),
        st.tuples(st.sampled_from(["void", "credit"]), st.integers(0, 5)),
    ),
    min_size=1,
    max_size=10,
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_spending, "PART", 3)
    monkeypatch.setattr(kept_spending, "LARGE_PART", 2)


@dataclass
class World:
    """Two people, one of whom pays for some of what the other uses, and how we reckon their money."""

    versions: list[Tariff]
    number: int = field(default_factory=lambda: next(CASE))
    records: list[UsageRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.project = f"project-{self.number}"
        self.people = [f"a{self.number}", f"b{self.number}"]
        self.accounts = [f"user:{person}" for person in self.people]
        self.versions = [replace(version, name=f"tariff-{self.number}") for version in self.versions]
        self.currency = self.versions[0].currency
        begin_writing()
        self.add_version()
        for name in self.accounts:
            session().add(BillingAccount(name=name, tariff=self.versions[0].name))
        session().commit()

    def add_version(self) -> None:
        """The next version, if there is one; the one before it ends where it begins."""
        written = len(self.stored())
        if written < len(self.versions):
            add_tariff(session(), show_tariff(replace(self.versions[written], valid_to=None)))

    def stored(self) -> list[Tariff]:
        try:
            return read_versions(session(), self.versions[0].name)
        except DomainError:
            return []

    def use(self, documents: list[dict[str, Any]]) -> None:
        for document in documents:
            key = str(len(self.records))
            person = self.people[document["deployment"] == "d2"]
            about = {"source": f"case:{self.number}", "key": key, "project": self.project, "user": person}
            payer = self.accounts[person == self.people[1] and document["shape"] == "small"]
            sent = {**document, **about, "account": payer}
            found = take({**sent, "start": sent["start"].isoformat(), "end": sent["end"].isoformat()})
            assert found.taken == 1, found
            self.records.append(read_record(sent))

    def step(self, kind: str, about: Any) -> None:
        """Do something; what is refused leaves nothing behind."""
        jobs: dict[str, Callable[[], Any]] = {
            "use": lambda: self.use(about),
            "keep": lambda: keep_up(session(), begin_writing),
            "add": lambda: add_new(session(), begin_writing),
            "tariff": lambda: write(self.add_version),
            "bill": lambda: [bill(account, str(about)) for account in self.accounts],
            "void": lambda: write(lambda: make_void(session(), self.invoices()[about], "t", lambda: LATER)),
            "credit": lambda: write(
                lambda: credit(session(), self.invoices()[about], "t", None, lambda: LATER)
            ),
        }
        try:
            jobs[kind]()
        except (DomainError, IndexError):
            session().rollback()

    def invoices(self) -> list[Invoice]:
        query = select(Invoice).join(BillingAccount).where(BillingAccount.name.in_(self.accounts))
        return list(session().scalars(query.where(Invoice.kind == INVOICE).order_by(Invoice.number)))

    def standing(self, account: str) -> list[tuple[str, Line]]:
        """Lines of what is final and not void, with the kind of their document."""
        query = (
            select(Invoice.kind, InvoiceLine)
            .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
            .join(BillingAccount, BillingAccount.id == Invoice.account_id)
            .where(BillingAccount.name == account, Invoice.number.is_not(None), Invoice.state != VOID)
        )
        return [(kind, line_of(row)) for kind, row in session().execute(query)]

    def of(self, account: str, people: list[str]) -> list[UsageRecord]:
        return [one for one in self.records if one.account == account and one.user in people]

    def in_month(self, people: list[str], month: Period) -> Decimal:
        """All records of the month, rated at once."""
        return sum(
            (
                self.rate([one for one in self.of(account, people) if month_of(one.start) == month])
                for account in self.accounts
            ),
            Decimal(0),
        )

    def in_all(self, people: list[str]) -> Decimal:
        """Lines that stand, less those given back, and what no invoice covers, rated after them."""
        free = select(UsageRow.key).where(UsageRow.project == self.project, UsageRow.invoice_id.is_(None))
        keys = set(session().scalars(free))
        total = Decimal(0)
        for account in self.accounts:
            lines = [
                pair for pair in self.standing(account) if people == self.people or pair[1].user in people
            ]
            left = [one for one in self.of(account, people) if one.key in keys]
            total += add_up(lines) + self.rate(left, [line for kind, line in lines if kind == INVOICE])
        return total

    def rate(self, records: list[UsageRecord], before: list[Line] | None = None) -> Decimal:
        rater = Rater(self.stored(), BEGIN, ENDLESS, before or ())
        try:
            for record in records:
                rater.add(record)
            return sum((line.amount for line in rater.lines(self.currency)), Decimal(0))
        except BillingError:
            return Decimal(0)

    def check(self) -> None:
        for who, people in self.whose():
            for month in MONTHS:
                assert spent_in_month(session(), who, month, self.currency) == self.in_month(people, month)
            assert spent_in_all(session(), who, self.currency) == self.in_all(people)
        session().rollback()

    def whose(self) -> Iterator[tuple[Who, list[str]]]:
        yield Who(project=self.project), self.people
        yield Who(user=self.people[1]), self.people[1:]


several = tariffs().filter(lambda versions: len(versions) > 1)


@given(versions=several, first=st.lists(usage("x"), min_size=1, max_size=6), done=steps)
@in_database
def test_spending_when_anything_happens_then_is_what_all_records_cost(
    app: APIFlask, versions: list[Tariff], first: list[dict[str, Any]], done: list[tuple[str, Any]]
) -> None:
    world = World(versions)
    world.use(first)
    for kind in ("keep", "tariff"):
        world.step(kind, None)
        world.check()
    for kind, about in done:
        world.step(kind, about)
    world.check()
    world.step("keep", None)
    world.check()
    assert forget_and_compare(world)


def add_up(lines: list[tuple[str, Line]]) -> Decimal:
    """What lines of invoices come to, less those of credit notes."""
    return sum((line.amount if kind == INVOICE else -line.amount for kind, line in lines), Decimal(0))


def forget_and_compare(world: World) -> bool:
    """Whether the platform has spent the same with all sums as without any."""

    def everything() -> list[Decimal]:
        found = [spent_in_month(session(), Who(), month, world.currency) for month in MONTHS]
        return [*found, spent_in_all(session(), Who(), world.currency)]

    if world.number % 20:
        return True
    kept = everything()
    session().rollback()
    begin_writing()
    session().execute(delete(SpendingSum))
    session().execute(update(SpendingMark).values(upto=0))
    found = everything() == kept
    session().rollback()
    return found


@given(versions=tariffs(), done=steps)
@in_database
def test_spending_when_all_is_billed_then_was_what_the_invoices_say(
    app: APIFlask, versions: list[Tariff], done: list[tuple[str, Any]]
) -> None:
    """Of usage within months; what lasts beyond the end of one is rounded in two lines instead of one."""
    world = World(versions)
    for kind, about in done:
        if kind == "use":
            about = [u for u in about if u["end"] <= month_of(u["start"]).end]
        world.step(kind, about)
    assume(world.records)
    said = spent_in_all(session(), Who(project=world.project), world.currency)
    of_month = {m: spent_in_month(session(), Who(project=world.project), m, world.currency) for m in MONTHS}
    session().rollback()
    fresh = not any(world.standing(account) for account in world.accounts)
    for month in MONTHS:
        world.step("bill", month)
    billed = [pair for account in world.accounts for pair in world.standing(account)]
    free = select(UsageRow.id).where(UsageRow.project == world.project, UsageRow.invoice_id.is_(None))
    if session().scalars(free).first() is None:  # else the last month was billed before
        event("all is billed")
        assert said == add_up(billed)
        if fresh:
            event("nothing was billed before")
            for month, amount in of_month.items():
                assert amount == add_up([(kind, it) for kind, it in billed if month_of(it.start) == month])
