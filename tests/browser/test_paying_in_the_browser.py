"""Paying as a person does it, with the keyboard: to a page that stands in for Stripe's, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.steps import arrive, choose, sign_in, write
from tests.browser.test_costs_in_the_browser import bill
from tests.conftest import RunningConsole, console_environment, free_port, write_plans
from tests.integration.site_console import started
from tests.services.stripe_server import StripeServer
from tests.unit.billing_console.money_factories import write_secrets


@pytest.fixture
def paying_console(tmp_path: Path) -> Iterator[RunningConsole]:
    """A console of its own where people pay at Stripe; Stripe's messages come to it."""
    server = StripeServer()
    url = f"http://127.0.0.1:{free_port()}"
    settings = write_secrets(tmp_path / "secrets", server)
    made = RunningConsole(url, tmp_path, console_environment(tmp_path, LABYARD_PUBLIC_URL=url, **settings))
    server.serve_pages(lambda body, signature: tell(url, body, signature))
    with closing(server), started(made, write_plans(tmp_path)):
        yield made


def tell(url: str, body: bytes, signature: str) -> None:
    """Bring a message of Stripe's to the console."""
    place, headers = f"{url}/api/v1/payments/webhooks/stripe", {"Stripe-Signature": signature}
    answer = requests.post(place, data=body, headers=headers, timeout=30)
    assert answer.json() == {"outcome": "taken"}, answer.text


def test_invoice_and_wallet_are_paid_on_stripes_page(paying_console: RunningConsole, page: Page) -> None:
    number = bill(paying_console)
    sign_in(page, paying_console.url, paying_console.username, paying_console.password)
    page.goto(f"{paying_console.url}/costs/invoices/{number}/pay")
    choose(page, "Pay 0.20 EUR by card")
    pay_at_stripe(page, "0.20 EUR at Stripe")
    page.goto(f"{paying_console.url}/costs/invoices/{number}")
    expect(page.get_by_role("table", name="Payments and refunds")).to_contain_text("Stripe")

    page.goto(f"{paying_console.url}/costs/wallets/user:{paying_console.username}")
    write(page, "Amount", "25.00")
    write(page, "Currency", "EUR")
    page.keyboard.press("Enter")
    pay_at_stripe(page, "25.00 EUR at Stripe")
    page.goto(f"{paying_console.url}/costs/wallets/user:{paying_console.username}")
    expect(page.get_by_role("table", name="Entries of the wallet")).to_contain_text("25.00 EUR")


def pay_at_stripe(page: Page, heading: str) -> None:
    """From the page of an order, which loads itself until there is a page to pay at, and back to it."""
    arrive(page, heading)
    expect(page.get_by_role("link", name="Pay at Stripe")).to_be_visible(timeout=60_000)
    choose(page, "Pay at Stripe")
    arrive(page, "Stripe")
    choose(page, "Pay")
    arrive(page, heading)
    expect(page.get_by_role("status")).to_contain_text("It is done.")
