"""Lists are found and sorted by indexes: the database says so of each of their statements."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from labyard.accounts.people import get_user
from labyard.context import session
from labyard.models import db
from labyard.models.base import begin_writing
from tests.billing_data import add_standard_tariff, bill, hours, take
from tests.unit.api.test_lists import fill, make_commands, make_deployments
from tests.unit.conftest import key_of, make_person

# By an admin, and by a person.
LISTS = [
    "deployments",
    "deployments?removed=true",
    "deployments?sort=name",
    "deployments?sort=-updated_at",
    "deployments?search=p",
    "deployments?state=9",
    "deployments?state=8",
    "deployments?health=degraded",
    "deployments?plan=notebook",
    "deployments?project=default",
    "deployments?created_before=2999-01-01T00:00:00Z",
    "commands",
    "commands?state=9",
    "commands?phase=scale",
    "commands?plan=notebook",
    "commands?project=default",
    "commands?deployment=aaaaaaaa",
    "commands?created_before=2999-01-01T00:00:00Z",
    "usage",
    "usage?sort=start&resource=cpu",
    "imported-costs",
    "imported-costs?sort=day&source=cloud&from=2026-01-01",
    "invoices",
    "tariffs",
]
# What admins alone may ask.
OF_ADMINS = ["audit", "deployments?owner=ada", "commands?owner=ada", "users", "projects"]
OF_ADMINS += [
    "usage?deployment=aaaaaaaa",
    "usage?user=ada",
    "usage?account=user:ada",
    "imported-costs?account=user:ada",
    "accounts",
    "invoices?state=paid",
]


def statement_of(client: FlaskClient, path: str, headers: dict[str, str]) -> tuple[str, Any]:
    """The statement that reads the second page of a list, with its values."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, values: Any, *_: Any) -> None:
        if "LIMIT" in statement and "ORDER BY" in statement:
            seen.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        answer = client.get(f"/api/v1/{path}{'&' if '?' in path else '?'}limit=1", headers=headers)
        assert answer.status_code == 200, answer.json
        if answer.json["next"]:
            seen.clear()
            address = answer.headers["Link"].removeprefix("<").partition(">")[0]
            assert client.get(address, headers=headers).status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return seen[0]


@pytest.fixture
def filled(app: Any) -> None:
    """Ada has much, others a little."""
    fill(10)
    make_person("ada")
    first, *_ = make_deployments("ada", 40)
    make_commands(first, 40)
    add_standard_tariff()
    take(*hours(40), *hours(40, user="bob", deployment="bbbbbbbb"))
    bill()
    with db.engine.begin() as connection:
        connection.execute(text("ANALYZE"))


@pytest.mark.parametrize("role", ["person", "admin"])
def test_lists_are_read_in_the_order_of_an_index(
    client: FlaskClient, app: Any, filled: None, role: str
) -> None:
    """A few rows tell no database to take an index, so it is asked with other ways shut."""
    person = get_user(session(), "ada")
    begin_writing()
    person.is_admin = role == "admin"
    session().commit()
    headers = key_of(person)
    for path in [*LISTS, *OF_ADMINS] if role == "admin" else LISTS:
        plan = explain(*statement_of(client, path, headers))
        assert "TEMP B-TREE" not in plan, f"{path}: {plan}"
        assert not re.search(r"^(?:\S+ )?Sort", plan, re.MULTILINE), f"{path}: {plan}"
        assert not re.search(r"SCAN (?:deployments|commands|audit)(?! USING)", plan), f"{path}: {plan}"
        assert not re.search(r"Seq Scan on (?:deployments|commands|audit)", plan), f"{path}: {plan}"


def explain(statement: str, values: Any) -> str:
    """How the database would carry `statement` out, in its own words."""
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            return "\n".join(str(row[3]) for row in rows)
        for way in ("seqscan", "sort", "bitmapscan", "hashjoin", "mergejoin"):
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        return "\n".join(str(row[0]) for row in rows)
