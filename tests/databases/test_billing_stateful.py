"""Billing as a machine that Hypothesis drives: whatever happens in whatever order, the books are right.

Steps are of one writer, of several at once, and of one that is killed in the middle of it. 300 cases on each
database; `LABYARD_TEST_CASES=10000 pytest tests/databases/test_billing_stateful.py` tries more.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from apiflask import APIFlask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from labyard.billing.accounts import ensure_accounts, find_account
from labyard.billing.correcting import credit, make_void
from labyard.billing.drafting import draft_invoice
from labyard.context import session
from labyard.errors import DomainError, NotFound
from labyard.models import BillingAccount, Invoice, UsageRow, db
from labyard.models.billing_invoices import INVOICE
from tests.billing_data import JANUARY, LATER, add_standard_tariff, bill, faults, hours, take, write
from tests.cases import CASES

from .conftest import at_once
from .killing import do_and_be_killed

HOUR = Decimal("0.05")  # what an hour costs: whole cents, so nothing is rounded
MONTHS = ("2026-01", "2026-02", "2026-03")
_cases = itertools.count(1)

months = st.sampled_from(range(3))
people = st.sampled_from("ab")
counts = st.integers(1, 12)
picks = st.integers(0, 5)


class Books(RuleBasedStateMachine):
    """Accounts of this case alone, in a database that all cases share; the model is a set of keys."""

    app: APIFlask
    killed = 0  # how many processes were killed in the middle of a step, in all cases

    def __init__(self) -> None:
        super().__init__()
        self.case = next(_cases)
        self.used: dict[str, set[str]] = {}  # keys by account

    def records(self, person: str, month: int, number: int) -> list[dict[str, Any]]:
        user = f"{person}{self.case}"
        return hours(number, JANUARY.replace(month=month + 1), user=user, source=f"case:{self.case}")

    @rule(person=people, month=months, number=counts, again=st.booleans())
    def use(self, person: str, month: int, number: int, again: bool) -> None:
        sent = self.records(person, month, number)
        known = self.used.setdefault(self.name(person), set())
        new = {record["key"] for record in sent} - known
        found = take(*sent, *(sent if again else ()))
        assert (found.taken, found.known, found.refused) == (
            len(new),
            len(sent) * (1 + again) - len(new),
            [],
        )
        known |= new

    @rule(person=people, month=months, number=counts)
    def contradict(self, person: str, month: int, number: int) -> None:
        sent = [{**record, "quantity": "1"} for record in self.records(person, month, number)]
        known = self.used.get(self.name(person), set())
        wrong = [record for record in sent if record["key"] in known]
        assert len(take(*wrong).refused) == len(wrong)

    @rule(person=people, month=st.sampled_from(MONTHS))
    def finalize(self, person: str, month: str) -> None:
        self.attempt(lambda: bill(self.name(person), month))

    @rule(person=people, month=st.sampled_from(MONTHS))
    def draft(self, person: str, month: str) -> None:
        self.attempt(lambda: draft_of(self.name(person), month))

    @rule(person=people, pick=picks)
    def void(self, person: str, pick: int) -> None:
        self.attempt(lambda: undo(self.choose(person, pick)))

    @rule(person=people, pick=picks, cents=st.one_of(st.none(), st.integers(0, 300)))
    def credit(self, person: str, pick: int, cents: int | None) -> None:
        self.attempt(lambda: give_back(self.choose(person, pick), cents))

    @rule(first=months, later=months, number=counts, month=st.sampled_from(MONTHS))
    def all_at_once(self, first: int, later: int, number: int, month: str) -> None:
        """Two bill the same account, one drafts another's invoice; usage comes of both, in part twice."""
        mine, others = self.name("a"), self.name("b")
        sent = {mine: self.records("a", first, number), others: self.records("b", later, number)}
        self.start()
        done = at_once(
            self.app,
            [
                lambda: take(*sent[mine], *sent[others]),
                lambda: take(*reversed(sent[mine])),
                lambda: bill(mine, month),
                lambda: bill(mine, month),
                lambda: draft_of(others, month),
            ],
        )
        assert [one for one in done if isinstance(one, Exception) and not isinstance(one, DomainError)] == []
        for name, records in sent.items():
            self.used.setdefault(name, set()).update(record["key"] for record in records)

    @rule(
        person=people,
        kind=st.sampled_from(["bill", "bill", "take", "void", "credit"]),
        month=st.sampled_from(MONTHS),
        pick=picks,
        step=st.integers(1, 40),
    )
    def be_killed(self, person: str, kind: str, month: str, pick: int, step: int) -> None:
        """Somebody is killed while they number an invoice, take records, make void or give back."""
        name = self.name(person)
        sent = self.records(person, 1, 6)
        jobs: dict[str, Callable[[], Any]] = {
            "bill": lambda: bill(name, month),
            "take": lambda: take(*sent),
            "void": lambda: undo(self.choose(person, pick)),
            "credit": lambda: give_back(self.choose(person, pick), None),
        }
        self.start()
        Books.killed += do_and_be_killed(self.app, jobs[kind], step)
        known = self.used.setdefault(name, set())
        new = set(session().scalars(select(UsageRow.key).where(UsageRow.account == name))) - known
        assert new in (set(), {record["key"] for record in sent} - known), "taken together or not at all"
        known |= new

    @rule()
    def look(self) -> None:
        """Every record is there, and on exactly one invoice that stands; sums and numbers are right."""
        numbers = select(func.max(Invoice.sequence), func.count(Invoice.sequence))
        last, count = session().execute(numbers).one()
        assert (last or 0) == count, "numbers have no gap"
        for name, keys in self.used.items():
            rows = (
                session()
                .execute(select(UsageRow.key, UsageRow.invoice_id).where(UsageRow.account == name))
                .all()
            )
            assert {key for key, _ in rows} == keys
            standing = [i for i in self.invoices(name) if i.state not in ("draft", "void")]
            billed = [ident for _, ident in rows if ident is not None]
            assert set(billed) == {invoice.id for invoice in standing}
            assert sum((invoice.net for invoice in standing), Decimal(0)) == HOUR * len(billed)
            for invoice in standing:
                assert invoice.net + invoice.tax == invoice.total
                assert 0 <= invoice.credited <= invoice.total
        session().rollback()

    def teardown(self) -> None:
        session().rollback()
        self.look()

    def start(self) -> None:
        """End our own transaction, for which others would wait, and see that both accounts are there."""
        db.session.remove()
        write(lambda: ensure_accounts(session(), [self.name("a"), self.name("b")]))
        db.session.remove()

    def invoices(self, name: str | None = None) -> list[Invoice]:
        names = [name] if name else list(self.used)
        query = select(Invoice).join(BillingAccount).where(BillingAccount.name.in_(names))
        return list(session().scalars(query.where(Invoice.kind == INVOICE).order_by(Invoice.created_at)))

    def name(self, person: str) -> str:
        return f"user:{person}{self.case}"

    def choose(self, person: str, pick: int) -> Invoice:
        """Any invoice of the person's; raises NotFound if there is none."""
        found = self.invoices(self.name(person))
        if not found:
            raise NotFound("There is no invoice yet.")
        return found[pick % len(found)]

    @staticmethod
    def attempt(job: Callable[[], Any]) -> None:
        """Something that may be refused; then nothing of it is left."""
        try:
            job()
        except DomainError:
            session().rollback()


def draft_of(name: str, month: str) -> Invoice | None:
    """The draft of an account's invoice, in a transaction of its own."""
    return write(lambda: draft_invoice(session(), find_account(session(), name), read_period(month)))


def undo(invoice: Invoice) -> None:
    """Make an invoice void, in a transaction of its own."""
    number = invoice.id
    write(lambda: make_void(session(), session().get_one(Invoice, number), "a test", lambda: LATER))


def give_back(invoice: Invoice, cents: int | None) -> None:
    """Credit so much of the first line, or all that is left, in a transaction of its own."""
    number, amounts = invoice.id, None if cents is None else {1: Decimal(cents) / 100}
    write(lambda: credit(session(), session().get_one(Invoice, number), "a test", amounts, lambda: LATER))


def test_books_when_anything_happens_in_any_order_then_are_right(console: APIFlask) -> None:
    Books.app, Books.killed = console, 0
    with console.app_context():
        add_standard_tariff(tax=None)
        run_state_machine_as_test(
            Books,
            settings=settings(
                max_examples=CASES,
                stateful_step_count=8,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        assert faults() == []
        assert Books.killed >= CASES // 20, "kills hit work that was under way"
