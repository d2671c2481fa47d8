"""People with the longest names there may be are billed as others are."""

from __future__ import annotations

import pytest
from apiflask import APIFlask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from labyard.billing.accounts import find_account
from labyard.billing.kept_spending import keep_up
from labyard.billing.spending import Who, spent_in_all
from labyard.context import session
from labyard.migrate import upgrade_tables
from labyard.models import Project, User, db
from labyard.models.base import begin_writing
from tests.billing_data import add_standard_tariff, bill, by_number, faults, hours, take, usage

LONGEST = "m" * 64  # as much as its column has room for
PROJECT = "p" * 64


def test_person_with_the_longest_name_when_billed_then_is_as_others_are(console: APIFlask) -> None:
    with console.app_context():
        begin_writing()
        session().add(User(username=LONGEST, password_hash="", projects=[Project(name=PROJECT)]))
        session().commit()
        add_standard_tariff()
        found = take(*hours(3, user=LONGEST, project=PROJECT), usage("p", account=f"project:{PROJECT}"))
        assert (found.taken, found.refused) == (4, [])
        keep_up(session(), begin_writing)
        assert str(spent_in_all(session(), Who(user=LONGEST), "EUR")) == "0.15"
        assert [person.username for person in find_account(session(), f"user:{LONGEST}").people] == [LONGEST]
        for account, net in ((f"user:{LONGEST}", "0.15"), (f"project:{PROJECT}", "0.05")):
            invoice = by_number(bill(account))
            assert (invoice.account.name, str(invoice.net)) == (account, net)
        assert faults() == []
        db.session.remove()


def test_names_of_accounts_when_the_tables_are_upgraded_then_are_kept_and_still_guarded(
    app: APIFlask,
) -> None:
    with app.app_context():
        upgrade_tables()
        add_standard_tariff()
        take(*hours(2))
        db.session.remove()
        downgrade(revision="0013")
        upgrade(revision="0014")
        assert take(usage("new", user=LONGEST)).taken == 1
        for change in ("UPDATE usage_records SET account = 'user:eve'", "DELETE FROM usage_records"):
            begin_writing()
            with pytest.raises(DBAPIError):
                session().execute(text(change))
            session().rollback()
        by_account = text("SELECT count(*) FROM usage_records WHERE account = 'user:ada'")
        assert session().scalar(by_account) == 2
        (name,) = [one for one in inspect(db.engine).get_columns("billing_accounts") if one["name"] == "name"]
        if db.engine.dialect.name == "postgresql":
            assert (name["type"].length, name["type"].collation) == (80, "C")
        db.session.remove()
