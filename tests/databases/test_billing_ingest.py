"""Usage records: taken in once, whatever comes again, and never changed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from apiflask import APIFlask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from labyard.billing.accounts import find_account, make_account
from labyard.context import session
from labyard.models import BillingAccount, ImportedCost, UsageRow, db
from labyard.models.decimals import exact_sum
from tests.billing_data import hours, take, usage, write

from .conftest import at_once


def count() -> int:
    return session().scalar(select(func.count()).select_from(UsageRow)) or 0


def test_records_when_sent_again_in_any_batch_then_are_there_once(console: APIFlask) -> None:
    with console.app_context():
        records = hours(30)
        first = take(*records[:20])
        again = take(*records, *records[5:10])
        assert (first.taken, first.known, first.refused) == (20, 0, [])
        assert (again.taken, again.known, again.refused) == (10, 25, [])
        assert count() == 30
        stored = session().scalars(select(UsageRow).where(UsageRow.key == records[0]["key"])).one()
        assert (stored.account, stored.quantity, stored.details) == ("user:ada", Decimal(3600), {})
        assert stored.start.isoformat() == "2026-01-01T00:00:00+00:00"


def test_key_when_sent_with_other_content_then_is_a_conflict_and_the_rest_goes_on(console: APIFlask) -> None:
    with console.app_context():
        take(usage("1"))
        found = take(usage("2"), usage("1", quantity="3601"), usage("3"), usage("3", user="bob"))
        assert (found.taken, found.known) == (2, 0)
        assert [(r.index, r.conflict) for r in found.refused] == [(1, True), (3, True)]
        assert "with other content" in found.refused[0].error
        assert take(usage("1", quantity="3600.000")).known == 1  # the same number
        assert session().scalars(select(UsageRow.quantity).where(UsageRow.key == "1")).one() == 3600


BAD = (
    (usage(end="2026-01-10T09:00:00Z"), "end: "),
    (usage(unit="core_hour"), "unit: "),
    (usage(quantity=1.5), "quantity: "),
    (usage(quantity="-1"), "quantity: "),
    (usage(start="2026-01-10T10:00:00"), "start: "),
    (usage(user="", project=""), "account: is missing"),
    (usage(account="nobody-made-this"), "account: there is no account"),
    (usage(colour="blue"), "colour: "),
    ("what", "a mapping"),
    (usage(key=""), "key: is missing"),
    (usage(details={"node": "half \ud800"}), "details: half of a character"),
)


def test_records_that_are_none_are_set_aside_with_their_places(console: APIFlask) -> None:
    with console.app_context():
        found = take(usage("good"), *(bad for bad, _ in BAD), usage("good too"))
        assert (found.taken, [r.index for r in found.refused]) == (2, list(range(1, len(BAD) + 1)))
        for refusal, (_, words) in zip(found.refused, BAD, strict=True):
            assert refusal.error.startswith(words)
        assert count() == 2


def test_records_when_taken_by_many_writers_at_once_then_are_there_once(console: APIFlask) -> None:
    records = hours(300)
    jobs = [lambda n=n: take(*records[n * 40 :], *records[: n * 40]).taken for n in range(6)]
    taken = at_once(console, jobs)
    assert sum(n for n in taken if isinstance(n, int)) == 300, taken
    with console.app_context():
        assert count() == 300
        assert session().scalar(select(func.count()).select_from(BillingAccount)) == 1


def test_payer_is_the_projects_account_from_then_on_and_known_records_stay_known(console: APIFlask) -> None:
    with console.app_context():
        take(usage("1"))
        write(lambda: make_account(session(), {"name": "department", "projects": ["default"]}))
        found = take(usage("1"), usage("2"), usage("3", account="user:ada"))
        assert (found.taken, found.known, found.refused) == (2, 1, [])
        rows = dict(session().execute(select(UsageRow.key, UsageRow.account)).all())
        assert rows == {"1": "user:ada", "2": "department", "3": "user:ada"}
        assert [person.username for person in find_account(session(), "user:ada").people] == ["ada"]


def test_quantities_of_any_size_are_kept_and_summed_up_exactly(console: APIFlask) -> None:
    large, small = "999999999999999999999999.999999999999", "0.000000000001"
    with console.app_context():
        take(usage("1", quantity=large), usage("2", quantity=small), usage("3", quantity=small))
        kept = session().scalars(select(UsageRow.quantity).order_by(UsageRow.key)).all()
        assert kept == [Decimal(large), Decimal(small), Decimal(small)]
        assert session().scalar(select(exact_sum(UsageRow.quantity))) == Decimal(
            "1000000000000000000000000.000000000001"
        )


CHANGES = (
    "UPDATE usage_records SET quantity = '1'",
    "UPDATE usage_records SET account = 'user:bob'",
    'UPDATE usage_records SET "end" = start',
    """UPDATE usage_records SET "user" = 'bob', details = '{}'""",
    "DELETE FROM usage_records",
    "DELETE FROM imported_costs",
    "UPDATE imported_costs SET amount = '0'",
)


def test_statements_that_change_usage_are_refused_by_the_database(console: APIFlask) -> None:
    with console.app_context():
        take(usage("1"))
        cost = {"source": "cloud", "key": "1", "account": "user:ada", "day": func.current_date()}
        cost |= {"amount": Decimal("1.5"), "currency": "EUR", "fingerprint": "x"}
        write(lambda: session().add(ImportedCost(**cost)))
        for statement in CHANGES:
            with pytest.raises(IntegrityError), db.engine.begin() as connection:
                connection.execute(text(statement))


def test_invoice_of_a_record_is_written_once(console: APIFlask) -> None:
    with console.app_context():
        take(usage("1"))
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE usage_records SET invoice_id = 'one'"))
        for value in ("'two'", "NULL"):
            with pytest.raises(IntegrityError), db.engine.begin() as connection:
                connection.execute(text(f"UPDATE usage_records SET invoice_id = {value}"))  # noqa: S608 - two words


def test_tables_of_what_is_final_are_never_emptied(console: APIFlask) -> None:
    with console.app_context():
        if db.engine.dialect.name == "sqlite":
            return  # has no such statement
        for table in ("usage_records", "invoice_lines", "imported_costs"):
            with pytest.raises(DBAPIError), db.engine.begin() as connection:
                connection.execute(text(f"TRUNCATE {table} CASCADE"))
