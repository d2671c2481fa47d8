"""Payments, orders and wallets over REST, and Stripe's messages."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from labyard.billing.carrying_out import carry_out_orders
from labyard.billing.paying import gateways_of
from labyard.context import context, session
from labyard.models import AuditEntry, Invoice
from labyard.models.base import begin_writing
from labyard.settings import Settings, read_settings
from labyard.worker import look_at_payments
from tests.services.stripe_server import KEY, WEBHOOK_SECRET, StripeServer
from tests.unit.billing_console.money_factories import make_account, make_invoice, write_secrets
from tests.unit.conftest import key_of, make_person

WEBHOOK = "/api/v1/payments/webhooks/stripe"


@pytest.fixture
def settings(
    tmp_path: Path, console_home: Path, console_database: dict[str, str], stripe_server: StripeServer
) -> Settings:
    """A console where people pay at Stripe."""
    secrets = write_secrets(tmp_path / "secrets", stripe_server)
    return read_settings({"LABYARD_HOME": str(console_home), **console_database, **secrets})


@pytest.fixture
def ada(client: FlaskClient) -> dict[str, str]:
    """Ada, who has an account with an invoice over 100 EUR."""
    person = make_person("ada")
    make_invoice(make_account("user:ada", person))
    return key_of(person)


@pytest.fixture
def root(client: FlaskClient) -> dict[str, str]:
    return key_of(make_person("root", is_admin=True))


def post(client: FlaskClient, who: dict[str, str], path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", json=body, headers=who)


def test_payment_when_an_admin_records_it_then_is_in_the_book_and_the_trail(
    client: FlaskClient, ada: dict[str, str], root: dict[str, str]
) -> None:
    about = {
        "invoice": "R-1",
        "amount": "40.00",
        "reference": "bank 7",
        "received_at": "2026-01-05T00:00:00Z",
    }
    made = post(client, root, "payments", **about)
    assert made.status_code == 201
    assert made.json.items() >= {"amount": "40.00", "gateway": "manual", "reference": "bank 7"}.items()
    assert client.get(made.location, headers=ada).json == made.json
    (seen,) = client.get("/api/v1/payments?invoice=R-1", headers=ada).json["items"]
    assert seen["id"] == made.json["id"]
    entry = session().scalars(select(AuditEntry).where(AuditEntry.action == "payment recorded")).one()
    assert entry.detail["amount"] == "40.00 EUR"
    too_much = post(client, root, "payments", invoice="R-1", amount="60.01")
    assert (too_much.status_code, too_much.json["errors"]) == (
        409,
        {"amount": "60.00 EUR is left to pay; pay that or less"},
    )


def test_payments_when_they_are_others_then_cannot_be_seen_or_made(
    client: FlaskClient, ada: dict[str, str], root: dict[str, str]
) -> None:
    made = post(client, root, "payments", invoice="R-1").json
    eve = key_of(make_person("eve"))
    assert client.get("/api/v1/payments", headers=eve).json["items"] == []
    assert client.get(f"/api/v1/payments/{made['id']}", headers=eve).status_code == 404
    assert post(client, eve, "payments", invoice="R-1", gateway="wallet").status_code == 422
    assert post(client, eve, "payments/orders", invoice="R-1").status_code == 422
    assert post(client, ada, "payments", invoice="R-1").status_code == 409  # paid
    assert post(client, ada, "payments", account="user:ada", amount="1", currency="EUR").status_code == 403
    assert post(client, ada, f"payments/{made['id']}/refund", reason="x").status_code == 403
    assert client.get("/api/v1/wallets/user:ada", headers=eve).status_code == 404


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"invoice", "account"}),
        ({"invoice": "R-1", "account": "user:ada"}, {"invoice", "account"}),
        ({"invoice": "R-9"}, {"invoice"}),
        ({"account": "nobody", "amount": "1"}, {"account"}),
        ({"account": "user:ada", "amount": "1"}, {"currency"}),
        ({"account": "user:ada", "currency": "EUR"}, {"amount"}),
        ({"account": "user:ada", "currency": "ABC", "amount": "1"}, {"amount"}),
        ({"invoice": "R-1", "amount": "1.001"}, {"amount"}),
        ({"invoice": "R-1", "amount": 1.5}, {"json.amount"}),
        ({"invoice": "R-1", "amount": "0"}, {"amount"}),
        ({"invoice": "R-1", "received_at": "2999-01-01T00:00:00Z"}, {"received_at"}),
        ({"account": "user:ada", "currency": "EUR", "amount": "1", "gateway": "wallet"}, {"invoice"}),
    ],
)
def test_payment_when_a_field_is_wrong_then_the_message_stands_there(
    client: FlaskClient, ada: dict[str, str], root: dict[str, str], body: dict[str, Any], fields: set[str]
) -> None:
    refused = post(client, root, "payments", **body)
    assert refused.status_code == 422, refused.json
    assert {name.removeprefix("json.") for name in refused.json["errors"]} == {
        n.removeprefix("json.") for n in fields
    }


def test_order_when_paid_at_stripe_then_its_message_settles_it_and_a_refund_goes_back(
    client: FlaskClient, ada: dict[str, str], root: dict[str, str], stripe_server: StripeServer
) -> None:
    asked = post(client, ada, "payments/orders", invoice="R-1", key="mine")
    assert (asked.status_code, asked.json["state"], asked.json["url"]) == (202, "waiting", "")
    look_at_payments()
    order = client.get(asked.location, headers=ada).json
    assert order["state"] == "open"
    page = order["url"].rpartition("/")[2]
    assert stripe_server.sessions[page]["success_url"].endswith(f"/costs/orders/{order['id']}")
    body, signature = stripe_server.event("checkout.session.completed", stripe_server.pay(page))
    for outcome in ("taken", "known"):
        told = client.post(WEBHOOK, data=body, headers={"Stripe-Signature": signature})
        assert (told.status_code, told.json) == (200, {"outcome": outcome})
    (payment,) = client.get("/api/v1/payments", headers=ada).json["items"]
    assert (payment["amount"], payment["gateway"]) == ("100.00", "stripe")
    assert session().scalars(select(Invoice.state)).one() == "paid"
    back = post(client, root, f"payments/{payment['id']}/refund", amount="30.00", reason="too much")
    assert (back.status_code, back.json["payment"], back.json["order"]["kind"]) == (202, None, "refund")
    look_at_payments()
    (refund,) = client.get("/api/v1/payments?kind=refund", headers=ada).json["items"]
    assert (refund["amount"], refund["refund_of"], refund["reason"]) == ("30.00", payment["id"], "too much")
    assert session().scalars(select(Invoice.paid)).one() == Decimal(70)


def test_order_when_taken_back_then_its_page_is_closed(
    client: FlaskClient, ada: dict[str, str], stripe_server: StripeServer
) -> None:
    order = post(client, ada, "payments/orders", invoice="R-1").json
    look_at_payments()
    assert post(client, ada, f"payments/orders/{order['id']}/cancel").status_code == 202
    look_at_payments()
    assert client.get(f"/api/v1/payments/orders/{order['id']}", headers=ada).json["state"] == "cancelled"
    assert [s["status"] for s in stripe_server.sessions.values()] == ["expired"]
    assert post(client, ada, f"payments/orders/{order['id']}/cancel").status_code == 409


def test_message_when_forged_then_is_refused_with_400_and_when_strange_ignored_with_200(
    client: FlaskClient, stripe_server: StripeServer
) -> None:
    body, signature = stripe_server.event("payout.paid", {"id": "po_1", "object": "payout"})
    assert client.post(WEBHOOK, data=body, headers={"Stripe-Signature": signature}).json == {
        "outcome": "ignored"
    }
    for headers in ({}, {"Stripe-Signature": signature.replace("v1=", "v1=0")}):
        refused = client.post(WEBHOOK, data=body, headers=headers)
        assert refused.status_code == 400
        assert refused.json["type"] == "urn:labyard:problem:forged-message"
        assert "whsec" not in refused.text


def test_message_when_two_events_come_with_the_same_payment_then_it_counts_once(
    client: FlaskClient, ada: dict[str, str], stripe_server: StripeServer
) -> None:
    post(client, ada, "payments/orders", invoice="R-1")
    look_at_payments()
    (page,) = stripe_server.sessions
    paid = stripe_server.pay(page)
    for kind in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
        body, signature = stripe_server.event(kind, paid)
        assert client.post(WEBHOOK, data=body, headers={"Stripe-Signature": signature}).json == {
            "outcome": "taken"
        }
    assert len(client.get("/api/v1/payments", headers=ada).json["items"]) == 1


def test_wallet_when_topped_up_then_pays_and_is_corrected(
    client: FlaskClient, ada: dict[str, str], root: dict[str, str]
) -> None:
    up = post(client, root, "payments", account="user:ada", amount="50.00", currency="EUR", key="t1")
    assert post(client, root, "payments", account="user:ada", amount="50.00", key="t1").json == up.json
    assert post(client, ada, "payments", invoice="R-1", gateway="wallet").status_code == 409
    change = {"currency": "EUR", "debt_limit": "60.00", "low_at": "5.00"}
    assert client.patch("/api/v1/wallets/user:ada", json=change, headers=ada).status_code == 403
    assert client.patch("/api/v1/wallets/user:ada", json=change, headers=root).status_code == 200
    assert post(client, ada, "payments", invoice="R-1", gateway="wallet").status_code == 201
    wallet = client.get("/api/v1/wallets/user:ada", headers=ada).json
    assert (wallet["balance"], wallet["status"]) == ("-50.00", "in_debt")
    corrected = post(client, root, "wallets/user:ada/corrections", amount="53.00", reason="a gift")
    assert (corrected.status_code, corrected.json["balance"]) == (201, "3.00")
    assert client.get("/api/v1/wallets", headers=ada).json["items"][0]["status"] == "low"
    entries = client.get("/api/v1/wallets/user:ada/entries", headers=ada).json["items"]
    assert [(e["kind"], e["status"]) for e in entries] == [
        ("correction", "BILLED"),
        ("charge", "IN_DEBT"),
        ("top_up", "BILLED"),
    ]
    back = post(client, root, f"payments/{up.json['id']}/refund", reason="wrong")
    assert (back.status_code, back.json["errors"]) == (409, {"amount": "the wallet holds 3.00 EUR"})
    assert (
        post(client, root, f"payments/{up.json['id']}/refund", amount="3.00", reason="wrong").status_code
        == 202
    )


def test_console_when_asked_for_anything_then_shows_and_keeps_no_secret(
    app: APIFlask, client: FlaskClient, ada: dict[str, str], stripe_server: StripeServer
) -> None:
    post(client, ada, "payments/orders", invoice="R-1")
    begin_writing()
    session().commit()
    carry_out_orders(session(), begin_writing, gateways_of(context().settings.payments), "http://here")
    assert KEY not in repr(context().settings)
    connection = session().connection()
    for table in ("gateway_orders", "gateway_events", "payments", "audit"):
        rows = connection.exec_driver_sql(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - names of ours
        assert KEY not in str(rows)
        assert WEBHOOK_SECRET not in str(rows)
