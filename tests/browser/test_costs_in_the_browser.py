"""Costs as a person looks at them, with the keyboard: from the price before a launch to a line's records."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.steps import arrive, choose, sign_in, tab_to, write
from tests.conftest import PLAN, RunningConsole

TARIFF = {
    "name": "standard",
    "currency": "EUR",
    "valid_from": "2025-01-01",
    "prices": [
        {"name": "cores", "resource": "cpu", "model": "unit", "per": "core_hour", "price": "0.10"},
        {"name": "memory", "resource": "memory", "model": "unit", "per": "GiB_hour", "price": "0.02"},
    ],
}


def test_costs_from_the_price_before_a_launch_to_the_records_of_a_line(
    console: RunningConsole, page: Page
) -> None:
    number = bill(console)
    sign_in(page, console.url, console.username, console.password)

    choose(page, "Launch Notebook")
    arrive(page, "Launch Notebook")
    price = page.locator("[data-price-words]")
    write(page, "Memory", "2048")
    expect(price).to_have_text("0.05 EUR an hour, 36.50 EUR a month")
    choose(page, "Small")
    expect(price).not_to_have_text("0.05 EUR an hour, 36.50 EUR a month")

    choose(page, "Costs")
    arrive(page, "Usage and costs")
    page.goto(f"{console.url}/costs?from=2026-01-01&to=2026-01-31")
    total = page.locator(".total-row").first
    expect(total).to_contain_text("0.20 EUR")
    expect(page.get_by_role("img", name="Cost by day in EUR")).to_be_visible()
    choose(page, "The same as a table")
    expect(page.get_by_role("table", name="Usage and cost by day")).to_be_visible()

    page.goto(f"{console.url}/costs/invoices")
    choose(page, number)
    arrive(page, f"Invoice {number}")
    prints_the_document_alone(page)
    choose(page, "field-notes: cores")
    arrive(page, "field-notes: cores")
    expect(page.get_by_role("table", name="Usage records of this line")).to_contain_text("7200 core-seconds")

    gives_back_a_cent(page, console.url, number)

    page.goto(f"{console.url}/costs/budgets")
    tab_to(page, "Limit")
    page.keyboard.type("many")
    page.keyboard.press("Enter")
    expect(page.locator("#errors")).to_be_focused()
    expect(page.get_by_label("Limit")).to_have_accessible_description(re.compile("many"))
    fits_on_a_phone(page, console.url, number)


def bill(console: RunningConsole) -> str:
    """A tariff, two hours of use and their final invoice; gives its number."""
    answer = console.call("POST", "tariffs", {"tariff": TARIFF})
    assert answer.status_code in (200, 201), answer.text
    record = {
        "source": "swarm:browser",
        "key": "one",
        "resource": "cpu",
        "unit": "core_second",
        "quantity": "7200",
        "start": "2026-01-05T10:00:00Z",
        "end": "2026-01-05T12:00:00Z",
        "deployment": "abcd1234",
        "deployment_name": "field-notes",
        "plan": PLAN,
        "project": "default",
        "user": console.username,
    }
    answer = console.call("POST", "usage", {"records": [record]})
    assert answer.status_code == 200, answer.text
    account = f"user:{console.username}"
    known = console.call("GET", f"invoices?account={account}&period=2026-01&kind=invoice").json()["items"]
    if known and known[0]["number"]:
        return str(known[0]["number"])
    draft = console.call("POST", "invoices", {"account": account, "period": "2026-01"}).json()
    final = console.call("POST", f"invoices/{draft['id']}/finalize")
    assert final.status_code == 200, final.text
    return str(final.json()["number"])


def gives_back_a_cent(page: Page, url: str, number: str) -> None:
    """A credit note on a line; what is wrong with the amount stands at it, and the reason is kept."""
    page.goto(f"{url}/costs/invoices/{number}")
    choose(page, "Credit note")
    arrive(page, f"Give back something of Invoice {number}")
    tab_to(page, "All that is left")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("So much of these lines")).to_be_checked()
    write(page, "Given back of line 1", "a cent")
    write(page, "Reason", "it was down")
    choose(page, "Make the credit note")
    amount = page.get_by_label("Given back of line 1")
    expect(amount).to_have_accessible_description(re.compile("is no amount"))
    write(page, "Given back of line 1", "0.01")
    expect(page.get_by_label("Reason")).to_have_value("it was down")
    choose(page, "Make the credit note")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Credit note "))
    expect(page.get_by_text("gives back 0.01 EUR")).to_be_visible()


def prints_the_document_alone(page: Page) -> None:
    """On paper there are no bar, buttons or ways elsewhere."""
    page.emulate_media(media="print")
    expect(page.locator(".topbar")).to_be_hidden()
    expect(page.get_by_role("link", name="PDF")).to_be_hidden()
    expect(page.get_by_text("To be paid").last).to_be_visible()
    page.emulate_media(media="screen")


def fits_on_a_phone(page: Page, url: str, number: str) -> None:
    """No page of the narrowest phone scrolls sideways."""
    page.set_viewport_size({"width": 320, "height": 640})
    for path in (
        "/costs?from=2026-01-01&to=2026-01-31",
        "/costs/invoices",
        f"/costs/invoices/{number}",
        f"/costs/invoices/{number}/lines/1",
        f"/costs/invoices/{number}/pay",
        f"/costs/invoices/{number}/credit",
        f"/costs/invoices/{number}/void",
        "/costs/exports",
        "/costs/payments",
        "/costs/budgets",
        "/costs/tariffs",
        "/costs/runs?period=2026-01",
        "/costs/accounts",
        "/costs/allocation?period=2026-01",
        "/costs/imports",
    ):
        page.goto(f"{url}{path}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, f"{path} is {width} px wide"
