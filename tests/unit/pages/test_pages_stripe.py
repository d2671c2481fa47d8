"""Paying at Stripe in the console: to a page of Stripe's and back, where a program stands in for Stripe."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from labyard.billing.verify_money import verify_money
from labyard.clock import utc_now
from labyard.models import Payment, db
from labyard.settings import Settings
from labyard.settings_payments import read_payment_settings
from labyard.worker import look_at_payments
from tests.services.stripe_server import StripeServer, sign
from tests.unit.billing_console.money_factories import write_secrets
from tests.unit.pages.billing_data import bill, january, make_tariff, take
from tests.unit.pages.test_pages_costs import table_of, words

MESSAGES = "/api/v1/payments/webhooks/stripe"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path, stripe_server: StripeServer) -> Settings:
    """Those of a console where people pay at Stripe."""
    secrets = write_secrets(tmp_path / "secrets", stripe_server)
    return replace(settings, payments=read_payment_settings(secrets), public_url="http://lab")


@pytest.fixture
def number(app: Flask, maria: FlaskClient) -> str:
    """An invoice of maria's over 0.39 EUR."""
    make_tariff(app)
    take(app, january())
    return bill(app)


@pytest.fixture
def tell(app: Flask) -> Callable[[bytes, str], Any]:
    """Send the console a message with that signature, as Stripe does: without a key."""

    def send(body: bytes, signature: str) -> Any:
        return app.test_client().post(MESSAGES, data=body, headers={"Stripe-Signature": signature})

    return send


def order(app: Flask, maria: FlaskClient, place: str, **about: str) -> tuple[str, str]:
    """Send the form of `place` to pay at Stripe; the page of the order, and Stripe's page to pay at."""
    answer = maria.post(place, data={"gateway": "stripe", "key": "k", **about})
    assert answer.status_code == 303, answer.text
    assert "The page to pay at is being made." in maria.get(answer.location).text
    with app.app_context():
        look_at_payments()
    page = maria.get(answer.location).text
    assert "It waits for the payment." in page
    link = re.search(r'<a class="btn btn-main" href="([^"]+)"', page)
    assert link, page
    return answer.location, link[1]


def pay_there(page: str) -> str:
    """Pay on Stripe's page; where it leads back to."""
    assert "<h1>Stripe</h1>" in requests.get(page, timeout=60).text
    paid = requests.post(page, allow_redirects=False, timeout=60)
    assert paid.status_code == 303
    assert requests.get(page, timeout=60).status_code == 404, "a page takes one payment"
    return paid.headers["Location"]


def count_payments(app: Flask) -> int:
    with app.app_context():
        assert list(verify_money(db.session)) == []
        return db.session.query(Payment).count()


def test_invoice_when_paid_on_stripes_page_then_is_paid_when_the_person_comes_back(
    app: Flask, maria: FlaskClient, number: str, stripe_server: StripeServer, tell: Callable[..., Any]
) -> None:
    stripe_server.serve_pages(tell)
    assert "Pay 0.39 EUR by card" in maria.get(f"/costs/invoices/{number}/pay").text
    mine, theirs = order(app, maria, f"/costs/invoices/{number}/pay")
    assert pay_there(theirs) == f"http://lab{mine}"
    assert "It is done." in maria.get(mine).text
    page = maria.get(f"/costs/invoices/{number}").text
    assert "Open: 0.00 EUR" in words(page)
    assert table_of(page, "Payments and refunds")[1][2] == "Stripe"
    assert "Nothing is owed." in maria.get("/costs/payments").text
    assert count_payments(app) == 1


def test_wallet_when_topped_up_on_stripes_page_then_holds_it_and_pays_the_invoice(
    app: Flask, maria: FlaskClient, number: str, stripe_server: StripeServer, tell: Callable[..., Any]
) -> None:
    stripe_server.serve_pages(tell)
    place = "/costs/wallets/user:maria"
    mine, theirs = order(app, maria, f"{place}/top-up", amount="25.00", currency="EUR")
    assert pay_there(theirs) == f"http://lab{mine}"
    assert "It is done." in maria.get(mine).text
    assert table_of(maria.get(place).text, "Entries of the wallet")[1][2:] == ["25.00 EUR", "25.00 EUR"]
    sent = {"gateway": "wallet", "key": "w"}
    assert maria.post(f"/costs/invoices/{number}/pay", data=sent).status_code == 303
    assert table_of(maria.get(place).text, "Entries of the wallet")[1][2:] == ["-0.39 EUR", "24.61 EUR"]
    assert count_payments(app) == 2


def test_message_when_forged_or_replayed_then_changes_nothing(
    app: Flask, maria: FlaskClient, number: str, stripe_server: StripeServer, tell: Callable[..., Any]
) -> None:
    sent: list[tuple[bytes, str]] = []
    stripe_server.serve_pages(lambda *message: sent.append(message))
    mine, theirs = order(app, maria, f"/costs/invoices/{number}/pay")
    pay_there(theirs)
    ((body, signature),) = sent
    for forged, by in (
        (body, sign(body, secret="whsec_guessed")),
        (body.replace(b'"amount_total": 39', b'"amount_total": 1'), signature),
        (body, sign(body, at=utc_now().timestamp() - 301)),  # kept by somebody, and sent again later
        (body, ""),
    ):
        assert tell(forged, by).status_code == 400
    assert "It waits for the payment." in maria.get(mine).text
    assert count_payments(app) == 0
    assert [tell(body, signature).json["outcome"] for _ in range(3)] == ["taken", "known", "known"]
    assert "It is done." in maria.get(mine).text
    assert count_payments(app) == 1


def test_order_when_taken_back_then_stripes_page_takes_no_money(
    app: Flask, maria: FlaskClient, number: str, stripe_server: StripeServer
) -> None:
    stripe_server.serve_pages()
    mine, theirs = order(app, maria, f"/costs/invoices/{number}/pay")
    assert maria.post(f"{mine}/close").status_code == 303
    with app.app_context():
        look_at_payments()
    assert "It was taken back." in maria.get(mine).text
    assert requests.post(theirs, timeout=60).status_code == 404
    assert count_payments(app) == 0
