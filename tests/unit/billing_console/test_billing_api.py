"""Billing over REST: what admins do, what people see of it, and what they are told."""

from __future__ import annotations

import csv
import io
import json
from contextvars import Context
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from labyard.context import session
from labyard.models import AuditEntry
from tests.billing_data import faults, hours, tariff, usage
from tests.unit.conftest import Key, key_of, make_person

API = "/api/v1"


def post(client: FlaskClient, key: Key, path: str, body: Any = None) -> Any:
    return client.post(f"{API}/{path}", json=body, headers=key)


def get(client: FlaskClient, key: Key, path: str, **headers: str) -> Any:
    return client.get(f"{API}/{path}", headers={**key, **headers})


def streamed(client: FlaskClient, key: Key, path: str) -> str:
    """The text of an answer that is read in the context in which it was begun."""
    session().commit()
    return Context().run(lambda: str(FlaskClient.open(client, f"{API}/{path}", headers=key).text))


@pytest.fixture
def billed(client: FlaskClient, ada: Key, admin: Key) -> str:
    """The number of an invoice of ada's, of ten hours."""
    assert post(client, admin, "tariffs", {"tariff": tariff()}).status_code == 201
    assert post(client, admin, "usage", {"records": hours(10)}).json["taken"] == 10
    draft = post(client, admin, "invoices", {"account": "user:ada", "period": "2026-01"})
    assert (draft.status_code, draft.json["number"], draft.json["total"]) == (201, None, "0.60")
    final = post(client, admin, f"invoices/{draft.json['id']}/finalize")
    assert final.status_code == 200, final.json
    return str(final.json["number"])


def test_records_when_posted_twice_then_are_known_and_conflicts_are_told(
    client: FlaskClient, admin: Key, ada: Key
) -> None:
    first = post(client, admin, "usage", {"records": [usage("1"), usage("2")]})
    assert (first.status_code, first.json) == (200, {"taken": 2, "known": 0, "late": 0, "refused": []})
    again = post(client, admin, "usage", {"records": [usage("1"), usage("2", quantity="1"), {}]}).json
    assert (again["taken"], again["known"], [r["index"] for r in again["refused"]]) == (0, 1, [1, 2])
    assert [r["conflict"] for r in again["refused"]] == [True, False]
    (entry,) = session().scalars(select(AuditEntry).where(AuditEntry.action == "usage taken in"))
    assert (entry.username, entry.detail) == ("root", {"records": "2"})


def test_usage_is_seen_by_who_used_and_who_pays_and_by_admins(
    client: FlaskClient, ada: Key, admin: Key
) -> None:
    eve = key_of(make_person("eve"))
    assert post(client, admin, "accounts", {"name": "lab", "people": ["eve"]}).status_code == 201
    post(client, admin, "usage", {"records": [usage("1"), usage("2", account="lab"), usage("3", user="bob")]})
    assert [u["key"] for u in get(client, ada, "usage?sort=start").json["items"]] == ["1", "2"]
    assert get(client, eve, "usage").json["items"] == []
    assert [u["key"] for u in get(client, eve, "usage?account=lab").json["items"]] == ["2"]
    assert len(get(client, admin, "usage?fields=key").json["items"]) == 3
    for path in ("usage?account=lab", "usage?user=bob", "usage/summary?user=bob", "usage/export?user=bob"):
        assert get(client, ada, path).status_code == 403, path
    assert [a["name"] for a in get(client, ada, "accounts").json["items"]] == ["user:ada"]


def test_summary_is_exact_and_by_what_was_asked(client: FlaskClient, ada: Key, admin: Key) -> None:
    thirds = [usage(str(n), quantity="0.333333333333", plan=f"p{n % 2}") for n in range(3)]
    post(client, admin, "usage", {"records": [*thirds, usage("m", resource="memory", unit="byte_second")]})
    found = get(client, ada, "usage/summary?by=plan&resource=cpu").json["items"]
    assert [(f["group"], f["quantity"], f["records"]) for f in found] == [
        ("p0", "0.666666666666", 2),
        ("p1", "0.333333333333", 1),
    ]
    (day,) = get(client, ada, "usage/summary?by=day&resource=memory").json["items"]
    assert (day["group"], day["unit"]) == ("2026-01-10", "byte_second")


def test_export_is_whole_in_both_forms_and_safe_for_spreadsheets(
    client: FlaskClient, ada: Key, admin: Key
) -> None:
    post(client, admin, "usage", {"records": [*hours(3), usage("f", deployment_name="=cmd()")]})
    *lines, total = csv.DictReader(io.StringIO(streamed(client, ada, "usage/export")))
    assert [line["deployment_name"] for line in lines] == ["demo", "demo", "demo", "'=cmd()"]
    assert (total["source"], total["resource"], total["quantity"]) == ("Total", "cpu", "14400")
    rows = [json.loads(line) for line in streamed(client, ada, "usage/export?format=jsonl").splitlines()]
    listed = get(client, ada, "usage?sort=start").json["items"]
    assert [(row["key"], row["quantity"]) for row in rows] == [(u["key"], u["quantity"]) for u in listed]
    assert get(client, ada, "usage/export?format=apel").status_code == 403
    assert streamed(client, admin, "usage/export?format=apel").startswith("APEL-cloud-message: v0.4")


def test_invoices_are_exported_in_the_formats_of_others(client: FlaskClient, ada: Key, billed: str) -> None:
    eve = key_of(make_person("eve"))
    for form, words in (("csv", "0.50"), ("jsonl", billed), ("focus", "BilledCost"), ("dlab", "Total")):
        assert words in streamed(client, ada, f"invoices/export?format={form}"), form
    assert billed not in streamed(client, eve, "invoices/export?format=jsonl")


def test_invoice_is_seen_by_its_payer_and_explained_down_to_the_records(
    client: FlaskClient, ada: Key, billed: str
) -> None:
    eve = key_of(make_person("eve"))
    shown = get(client, ada, f"invoices/{billed}")
    assert (shown.json["state"], shown.json["open"], shown.json["records"]) == ("finalized", "0.60", 10)
    assert (
        get(client, ada, f"invoices/{billed}", **{"If-None-Match": shown.headers["ETag"]}).status_code == 304
    )
    assert get(client, eve, f"invoices/{billed}").status_code == 404
    assert [i["number"] for i in get(client, ada, "invoices?period=2026-01").json["items"]] == [billed]
    (line,) = get(client, ada, f"invoices/{billed}/lines").json["items"]
    assert (line["quantity"], line["unit_price"], line["amount"]) == ("10", "0.05", "0.50")
    why = get(client, ada, f"invoices/{billed}/lines/1").json
    assert (why["records"], why["sum"], why["sum_unit"], why["price"]["price"]) == (
        10,
        "36000",
        "core_second",
        "0.05",
    )
    records = get(client, ada, f"invoices/{billed}/lines/1/records").json["items"]
    assert {r["key"] for r in records} == {r["key"] for r in hours(10)}
    text = get(client, ada, f"invoices/{billed}/lines", Accept="text/csv").text
    assert text.splitlines()[0].startswith("position,deployment")
    document = get(client, ada, f"invoices/{billed}/document").json
    assert (document["document"]["number"], len(document["hash"])) == (billed, 64)


def test_corrections_over_rest_leave_a_database_that_is_proven(
    client: FlaskClient, ada: Key, admin: Key, billed: str
) -> None:
    lines = {"reason": "it was down", "lines": [{"position": 1, "amount": "0.10"}]}
    note = post(client, admin, f"invoices/{billed}/credit", lines)
    assert (note.status_code, note.json["kind"], note.json["total"]) == (201, "credit_note", "0.12")
    assert get(client, ada, f"invoices/{billed}").json["open"] == "0.48"
    late = post(client, admin, f"invoices/{billed}/void", {"reason": "too late"})
    assert (late.status_code, "credit note" in late.json["detail"]) == (409, True)
    wrong = {"reason": "again", "lines": [{"position": 1, "amount": "9"}]}
    assert post(client, admin, f"invoices/{billed}/credit", wrong).status_code == 422
    assert post(client, admin, f"invoices/{billed}/finalize").status_code == 409
    assert post(client, admin, "invoices", {"account": "user:ada", "period": "2026-01"}).status_code == 409
    assert post(client, admin, "invoices", {"account": "nobody", "period": "2026-01"}).status_code == 422
    assert post(client, admin, "invoices", {"account": "user:ada", "period": "2026-13"}).status_code == 422
    assert faults() == []
    actions = set(session().scalars(select(AuditEntry.action)))
    assert {"tariff added", "invoice finalized", "credit note made"} <= actions


def test_tariff_changes_only_in_its_end_and_by_the_version_that_was_seen(
    client: FlaskClient, ada: Key, admin: Key, billed: str
) -> None:
    (shown,) = get(client, ada, "tariffs").json["items"]
    assert (shown["used"], shown["valid_to"]) == (True, None)
    path = f"{API}/tariffs/{shown['id']}"
    early = client.patch(path, json={"valid_to": "2026-01-01T05:00:00Z"}, headers=admin)
    assert (early.status_code, list(early.json["errors"])) == (409, ["valid_to"])
    stale = client.patch(path, json={"valid_to": None}, headers={**admin, "If-Match": '"9"'})
    assert stale.status_code == 412
    good = client.patch(path, json={"valid_to": "2027-01-01T00:00:00Z"}, headers={**admin, "If-Match": '"1"'})
    assert (good.status_code, good.json["version"]) == (200, 2)
    bad = post(client, admin, "tariffs", {"tariff": {**tariff(), "prices": [{"name": "x"}]}})
    assert (bad.status_code, list(bad.json["errors"])) == (422, ["prices[0].resource"])


def test_account_of_a_project_is_changed_with_its_version_and_pays_from_then_on(
    client: FlaskClient, ada: Key, admin: Key
) -> None:
    made = post(client, admin, "accounts", {"name": "lab", "projects": ["default"]})
    assert made.json["projects"] == ["default"]
    taken = post(client, admin, "accounts", {"name": "other", "projects": ["default"]})
    assert (taken.status_code, list(taken.json["errors"])) == (409, ["projects"])
    for wrong in ({"people": ["nobody"]}, {"projects": ["none"]}, {"tariff": "none"}):
        assert client.patch(f"{API}/accounts/lab", json=wrong, headers=admin).status_code == 422
    stale = client.patch(f"{API}/accounts/lab", json={}, headers={**admin, "If-Match": '"7"'})
    assert stale.status_code == 412
    good = client.patch(f"{API}/accounts/lab", json={"people": ["ada"], "holder": "Lab"}, headers=admin)
    assert (good.json["people"], good.json["holder"]) == (["ada"], "Lab")
    post(client, admin, "usage", {"records": [usage("1")]})
    assert [u["account"] for u in get(client, ada, "usage?account=lab").json["items"]] == ["lab"]
