"""Cost reports of others: taken in once, shown beside usage, counted by budgets, on no invoice."""

from __future__ import annotations

import csv
import io
import json
from contextvars import Context
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from ansible_collections.labyard.platform.plugins.module_utils._billing.months import read_period
from labyard.billing.budget_usage import Subject, used
from labyard.billing.imported_days import add_to_days, imported_in_all, imported_in_month
from labyard.billing.spending import Who
from labyard.context import session
from labyard.models import AuditEntry, ImportedCost, ImportedDay, Invoice
from tests.billing_data import JANUARY, add_standard_tariff, bill, by_number, faults, hours, take, write
from tests.unit.conftest import Key, key_of, make_person

API = "/api/v1"
MAPPING = {
    "columns": {
        "usage_date": "day",
        "cost": "cost",
        "line_id": "id",
        "user": "who",
        "project": "project",
        "datalab_id": "box",
        "product": "product",
    },
    "currency": "EUR",
}
HEADER = "day,cost,id,who,project,box,product\n"
LINES = (
    "2026-01-10,0.10,1,ada,default,aaaaaaaa,Disk\n"
    "2026-01-10,0.20,2,ada,default,aaaaaaaa,Box\n"
    "2026-01-11,-0.05,3,bob,default,,Box\n"
    "2026-02-01,7,4,ada,other,,Box\n"
)


def send(client: FlaskClient, key: Key, text: str = HEADER + LINES, **changes: Any) -> Any:
    body = {"source": "cloud", "mapping": MAPPING, "csv": text, **changes}
    return client.post(f"{API}/imported-costs", json=body, headers=key)


def get(client: FlaskClient, key: Key, path: str) -> Any:
    return client.get(f"{API}/imported-costs{path}", headers=key)


def streamed(client: FlaskClient, key: Key, path: str) -> str:
    session().commit()
    return Context().run(
        lambda: str(FlaskClient.open(client, f"{API}/imported-costs/export{path}", headers=key).text)
    )


def test_report_when_sent_twice_then_counts_once_and_bad_lines_are_set_aside(
    client: FlaskClient, admin: Key
) -> None:
    first = send(client, admin, HEADER + LINES + "yesterday,1,5,ada,default,,Box\n")
    assert first.status_code == 200
    assert (first.json["taken"], first.json["known"]) == (4, 0)
    ((refused,)) = first.json["refused"]
    assert (refused["index"], refused["conflict"]) == (6, False)
    assert "usage_date: 'yesterday' is no day" in refused["error"]
    again = send(client, admin, HEADER + LINES.replace("0.20", "0.30")).json
    assert (again["taken"], again["known"]) == (0, 3)
    assert [(r["index"], r["conflict"]) for r in again["refused"]] == [(3, True)]
    (entry,) = session().scalars(select(AuditEntry).where(AuditEntry.action == "costs imported"))
    assert (entry.username, entry.detail) == ("root", {"source": "cloud", "lines": "4"})
    assert faults() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mapping": {"columns": {"usage_date": "day"}}}, "columns.cost: is missing"),
        ({"mapping": {**MAPPING, "currency": "EUROS"}}, "EUROS"),
        ({"mapping": {**MAPPING, "date_format": "%d%d"}}, "date_format"),
        ({"mapping": {**MAPPING, "date_format": "%Q"}}, "date_format"),
        ({"csv": "nothing\n"}, "is not in the header"),
    ],
)
def test_report_when_the_mapping_does_not_fit_then_nothing_is_taken(
    client: FlaskClient, admin: Key, changes: dict[str, Any], words: str
) -> None:
    answer = send(client, admin, **changes)
    assert answer.status_code == 422
    assert words in answer.json["errors"]["mapping"]
    assert session().scalars(select(ImportedCost)).all() == []


@pytest.mark.parametrize("day", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"])
def test_line_when_its_day_cannot_be_in_utc_then_is_set_aside(
    client: FlaskClient, admin: Key, day: str
) -> None:
    answer = send(client, admin, f"{HEADER}{day},1,5,ada,default,,Box\n")
    assert (answer.status_code, len(answer.json["refused"])) == (200, 1)


def test_costs_are_seen_by_whose_they_are_and_who_pays_and_by_admins(
    client: FlaskClient, ada: Key, admin: Key
) -> None:
    send(client, admin)
    mine = get(client, ada, "").json["items"]
    assert [(c["day"], c["amount"], c["description"]) for c in mine] == [
        ("2026-02-01", "7", "Box"),
        ("2026-01-10", "0.2", "Box"),
        ("2026-01-10", "0.1", "Disk"),
    ]
    assert len(get(client, admin, "").json["items"]) == 4
    for path in ("?user=bob", "?account=user:bob", "/summary?user=bob", "/export?user=bob"):
        assert get(client, ada, path).status_code == 403, path
    eve = key_of(make_person("eve"))
    assert get(client, eve, "").json["items"] == []


def test_list_when_paged_and_filtered_then_goes_on_where_it_ended(client: FlaskClient, admin: Key) -> None:
    send(client, admin)
    first = get(client, admin, "?limit=3&sort=day&fields=day,amount").json
    second = get(client, admin, f"?limit=3&sort=day&fields=day,amount&cursor={first['next']}").json
    assert [c["day"] for c in first["items"] + second["items"]] == [
        "2026-01-10",
        "2026-01-10",
        "2026-01-11",
        "2026-02-01",
    ]
    assert second["next"] is None
    found = get(client, admin, "?from=2026-01-11&to=2026-01-31&source=cloud&currency=EUR").json["items"]
    assert [c["user"] for c in found] == ["bob"]
    assert get(client, admin, "?from=yesterday").status_code == 422


def test_summary_is_exact_and_by_what_was_asked(client: FlaskClient, admin: Key) -> None:
    send(client, admin)
    days = get(client, admin, "/summary").json["items"]
    assert [(d["group"], d["amount"], d["lines"]) for d in days] == [
        ("2026-01-10", "0.3", 2),
        ("2026-01-11", "-0.05", 1),
        ("2026-02-01", "7", 1),
    ]
    people = get(client, admin, "/summary?by=user&to=2026-01-31").json["items"]
    assert [(p["group"], p["amount"]) for p in people] == [("ada", "0.3"), ("bob", "-0.05")]


def test_export_is_whole_and_safe_for_spreadsheets(client: FlaskClient, admin: Key) -> None:
    send(client, admin, HEADER + LINES + "2026-01-12,1,9,ada,default,,=cmd()\n")
    *lines, total = csv.DictReader(io.StringIO(streamed(client, admin, "")))
    assert [line["description"] for line in lines] == ["Disk", "Box", "Box", "'=cmd()", "Box"]
    assert (total["source"], total["amount"], total["currency"]) == ("Total", "8.25", "EUR")
    rows = [json.loads(line) for line in streamed(client, admin, "?format=jsonl").splitlines()]
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal("8.25")


def test_line_of_a_deployment_when_it_says_not_whose_then_is_its_owners(
    client: FlaskClient, admin: Key, ada: Key
) -> None:
    launched = client.post(
        f"{API}/commands", json={"plan": "notebook", "phase": "install", "name": "demo"}, headers=ada
    ).json
    ident = launched["deployment"]["id"]
    text = f"{HEADER}2026-01-10,1,1,,,{ident},Box\n2026-01-10,1,2,,,elsewhere,Box\n"
    assert send(client, admin, text).json["taken"] == 2
    (mine,) = get(client, ada, "").json["items"]
    assert (mine["deployment"], mine["project"], mine["account"]) == (ident, "default", "user:ada")
    assert send(client, admin, text).json["known"] == 2


def test_budgets_of_money_count_what_is_imported_by_month_and_in_all(client: FlaskClient, admin: Key) -> None:
    make_person("ada")
    add_standard_tariff()
    take(*hours(10))  # 0.50 EUR
    send(client, admin)
    now = JANUARY + timedelta(days=20)
    for subject, month, total in (
        (Subject("user", "ada"), "0.80", "7.80"),
        (Subject("project", "default"), "0.75", "0.75"),
        (Subject("platform"), "0.75", "7.75"),
    ):
        assert used(session(), subject, "money_month", "EUR", now) == Decimal(month)
        assert used(session(), subject, "money_total", "EUR", now) == Decimal(total)
        assert used(session(), subject, "money_month", "USD", now) == 0
    assert imported_in_month(session(), Who(), read_period("2026-03"), "EUR") == 0


def test_invoices_when_made_then_have_nothing_that_is_imported(client: FlaskClient, admin: Key) -> None:
    make_person("ada")
    add_standard_tariff()
    take(*hours(10))
    send(client, admin)
    assert by_number(bill()).net == Decimal("0.50")
    assert session().query(Invoice).count() == 1


def test_sums_of_days_when_changed_then_verify_says_which(client: FlaskClient, admin: Key) -> None:
    send(client, admin)
    assert faults() == []
    row = session().scalars(select(ImportedDay).where(ImportedDay.user == "bob")).one()
    about = {name: getattr(row, name) for name in ("source", "day", "account", "deployment", "project")}
    more = {**about, "user": "bob", "currency": "EUR", "amount": Decimal(1)}
    write(lambda: add_to_days(session(), [more]))
    assert imported_in_all(session(), Who(user="bob"), "EUR") == Decimal("0.95")
    ((name, fault),) = faults()
    assert name == "cloud 2026-01-11"
    assert "not what its lines add up to" in fault
