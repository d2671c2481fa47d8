"""Invoices in the database: final once, numbered without gaps, kept as they are, proven."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from labyard.billing.accounts import find_account, make_account
from labyard.billing.correcting import credit, make_void
from labyard.billing.drafting import draft_invoice
from labyard.billing.explain import explain_line
from labyard.billing.finalizing import run_month
from labyard.billing.tariffs import add_tariff, end_tariff
from labyard.billing.verify import verify
from labyard.context import session
from labyard.errors import Conflict, InvalidInput
from labyard.models import Invoice, InvoiceLine, TariffVersion, UsageRow, db
from labyard.models.base import begin_writing
from tests.billing_data import (
    LATER,
    add_standard_tariff,
    bill,
    by_number,
    faults,
    hours,
    take,
    tariff,
    usage,
    write,
)

from .conftest import at_once


def bill_all(month: str = "2026-01") -> dict[str, str]:
    """The month's run; what came of each account."""
    found = run_month(session(), begin_writing, read_period(month), lambda: LATER, "root")
    return {outcome.account: outcome.number or outcome.error for outcome in found}


def test_invoice_when_final_then_covers_what_was_used_and_is_proven(console: APIFlask) -> None:
    with console.app_context():
        add_standard_tariff()
        write(lambda: make_account(session(), {"name": "supplier", "holder": "The Lab", "tax_id": "X1"}))
        take(
            *hours(10),
            *hours(4, user="bob", deployment="bbbbbbbb"),
            usage("free", resource="gpu", unit="gpu_second"),
        )
        january = read_period("2026-01")
        draft = write(lambda: draft_invoice(session(), find_account(session(), "user:ada"), january))
        assert (draft.total, draft.number, draft.records) == (Decimal("0.60"), None, 11)
        assert bill() == "L-000001"
        made = by_number("L-000001")
        assert (made.id, made.state, made.net, made.tax) == (
            draft.id,
            "finalized",
            Decimal("0.50"),
            Decimal("0.10"),
        )
        assert made.document["supplier"]["name"] == "The Lab"
        assert made.due_at.date().isoformat() == "2026-07-01"
        line = session().scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == made.id)).one()
        assert (line.quantity, line.unit_price, line.records) == (Decimal(10), Decimal("0.05"), 10)
        explained = explain_line(session(), made, 1)
        assert {row.key for row in session().scalars(explained.records)} == {r["key"] for r in hours(10)}
        assert bill_all() == {"user:bob": "L-000002"}
        assert bill_all() == {}
        assert faults() == []


def test_what_comes_late_is_on_the_next_invoice_and_tiers_go_on(console: APIFlask) -> None:
    tiers = [{"up_to": "10", "price": "1"}, {"price": "0.5"}]
    price = {"name": "cores", "resource": "cpu", "per": "core_hour", "model": "graduated", "tiers": tiers}
    with console.app_context():
        add_standard_tariff(prices=[price], tax=None)
        take(*hours(8))
        bill()
        found = take(*hours(12))
        assert (found.taken, found.known, found.late) == (4, 8, 4)
        with pytest.raises(Conflict, match="is final"):
            bill()
        session().rollback()
        assert bill_all() == {}
        assert bill(month="2026-02") == "L-000002"
        assert [by_number(n).total for n in ("L-000001", "L-000002")] == [Decimal(8), Decimal(3)]
        assert faults() == []


def test_month_that_is_not_over_is_drafted_but_not_billed(console: APIFlask) -> None:
    with console.app_context():
        add_standard_tariff()
        take(*hours(3))
        with pytest.raises(Conflict, match="not over"):
            bill(now=LATER.replace(month=1))
        session().rollback()
        assert session().scalars(select(Invoice)).all() == []


def test_usage_without_a_tariff_is_not_billed_and_keeps_nobody_else_from_it(console: APIFlask) -> None:
    with console.app_context():
        take(*hours(2))
        assert "no tariff standard" in bill_all()["user:ada"]
        add_standard_tariff(valid_from="2026-01-02")
        take(*hours(2, LATER.replace(month=1, day=5), user="bob", deployment="bbbbbbbb"))
        outcome = bill_all()
        assert outcome["user:bob"] == "L-000001"
        assert "no version is valid" in outcome["user:ada"]
        assert faults() == []


def test_void_invoice_keeps_its_number_and_its_records_go_to_another(console: APIFlask) -> None:
    with console.app_context():
        add_standard_tariff()
        take(*hours(10))
        bill()
        write(lambda: make_void(session(), by_number("L-000001"), "wrong address", lambda: LATER))
        with pytest.raises(Conflict, match="void already"):
            make_void(session(), by_number("L-000001"), "again")
        session().rollback()
        assert bill() == "L-000002"
        assert by_number("L-000001").state == "void"
        assert {row.invoice_id for row in session().scalars(select(UsageRow))} == {by_number("L-000002").id}
        assert faults() == []


def test_credit_notes_give_back_to_the_cent_and_never_more(console: APIFlask) -> None:
    with console.app_context():
        add_standard_tariff()
        take(*hours(10))
        bill()

        def give(amounts: Any = None) -> str:
            return str(credit(session(), by_number("L-000001"), "it was down", amounts, lambda: LATER).number)

        assert write(lambda: give({1: Decimal("0.13")})) == "L-000002"
        for wrong in ({1: Decimal("0.38")}, {2: Decimal("0.01")}, {1: Decimal("0.001")}, {1: Decimal(0)}):
            with pytest.raises(InvalidInput):
                give(wrong)
            session().rollback()
        assert write(give) == "L-000003"
        notes = [by_number(number) for number in ("L-000002", "L-000003")]
        assert sum(note.total for note in notes) == by_number("L-000001").total == Decimal("0.60")
        assert (by_number("L-000001").state, by_number("L-000001").credited) == ("paid", Decimal("0.60"))
        with pytest.raises(Conflict, match="credit note"):
            make_void(session(), by_number("L-000001"), "too late")
        session().rollback()
        assert len(session().scalars(explain_line(session(), notes[0], 1).records).all()) == 10
        assert faults() == []


CHANGES = (
    "UPDATE invoices SET total = '1' WHERE number IS NOT NULL",
    "UPDATE invoices SET document = '{}' WHERE number IS NOT NULL",
    "UPDATE invoices SET number = 'L-000009' WHERE number IS NOT NULL",
    "UPDATE invoices SET state = 'draft' WHERE number IS NOT NULL",
    "DELETE FROM invoices WHERE number IS NOT NULL",
    "UPDATE invoice_lines SET amount = '0'",
    "DELETE FROM invoice_lines",
    "INSERT INTO invoice_lines SELECT * FROM invoice_lines",
    "UPDATE invoice_series SET last = 0",
    "DELETE FROM invoice_series",
    "UPDATE tariffs SET document = '{}'",
    "UPDATE tariffs SET valid_from = valid_from",
    "DELETE FROM tariffs",
    "UPDATE usage_records SET invoice_id = NULL",
)


def test_statements_that_change_what_is_final_are_refused_by_the_database(console: APIFlask) -> None:
    with console.app_context():
        add_standard_tariff()
        take(*hours(2))
        bill()
        db.session.remove()
        for statement in CHANGES:
            with pytest.raises(IntegrityError), db.engine.begin() as connection:
                connection.execute(text(statement))
        assert faults() == []


# What somebody with all rights does to the rows behind our backs, and a word of what is found.
FORGERIES = (
    ("UPDATE invoices SET total = '9' WHERE number = 'L-000002'", "total is not what"),
    ("UPDATE invoices SET document = '{}' WHERE number = 'L-000002'", "its hash does not fit"),
    ("DELETE FROM invoice_lines WHERE position = 1", "its lines are not"),
    ("UPDATE invoices SET sequence = 9, number = 'L-000009' WHERE number = 'L-000003'", "missing"),
    ("UPDATE invoice_series SET last = 7", "the counter stands at 7"),
    ("UPDATE usage_records SET quantity = '1'", "is not what was taken in"),
    ("UPDATE usage_records SET invoice_id = 'nothing' WHERE key LIKE '%01'", "not there"),
    ("UPDATE usage_records SET invoice_id = NULL WHERE key LIKE '%01'", "it covers 1 usage records"),
)


def test_forgeries_behind_the_triggers_are_found(console: APIFlask) -> None:
    with console.app_context():
        add_standard_tariff()
        for name in ("ada", "bob", "eve"):
            take(*hours(2, user=name))
            bill(f"user:{name}")
        assert faults() == []
        db.session.remove()
        with db.engine.connect() as connection:
            if db.engine.dialect.name == "sqlite":
                for (name,) in connection.execute(
                    text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                ).all():
                    connection.execute(text(f"DROP TRIGGER {name}"))
                connection.commit()
            for statement, words in FORGERIES:
                if db.engine.dialect.name == "postgresql":
                    connection.execute(text("SET session_replication_role = replica"))
                connection.execute(text(statement))
                found = faults_on(connection)
                assert any(words in fault for fault in found), (statement, found)
                connection.rollback()


def faults_on(connection: Any) -> list[str]:
    """What is found wrong within a transaction that will be undone."""
    with Session(bind=connection, join_transaction_mode="rollback_only") as own:
        found = verify(own).faults
    return [words for _, words in found]


def test_tariff_versions_leave_no_gap_and_end_after_what_was_billed(console: APIFlask) -> None:
    with console.app_context():
        first = add_standard_tariff()
        take(*hours(2))
        bill()
        assert write(lambda: add_tariff(session(), tariff()))[1] is False  # the same again
        for wrong in (tariff(currency="CHF"), tariff(valid_from="2026-01-01T01:00:00Z")):
            with pytest.raises(Conflict):
                add_tariff(session(), wrong)
            session().rollback()
        write(lambda: add_tariff(session(), tariff(valid_from="2026-03-01")))
        row = session().get_one(TariffVersion, first)
        assert row.valid_to.isoformat() == "2026-03-01T00:00:00+00:00"
        with pytest.raises(Conflict, match="gap"):
            end_tariff(session(), row, row.valid_to.replace(day=1, month=2))
        session().rollback()
        with pytest.raises(InvalidInput, match="tariff is not right"):
            add_tariff(session(), {**tariff(), "prices": [{"name": "x"}]})
        session().rollback()


def test_invoices_when_made_by_many_at_once_then_have_all_numbers(console: APIFlask) -> None:
    people = [f"p{n}" for n in range(6)]
    with console.app_context():
        add_standard_tariff()
        for name in people:
            take(*hours(5, user=name))
        db.session.remove()
    # Each account is wanted by two.
    results = at_once(console, [lambda n=name: bill(f"user:{n}") for name in people * 2])
    numbers = [r for r in results if isinstance(r, str)]
    assert sorted(numbers) == [f"L-{n:06d}" for n in range(1, 7)], results
    assert all(isinstance(r, str | Conflict) for r in results), results
    with console.app_context():
        assert faults() == []
