"""Paying, wallets and giving back, in the console."""

from __future__ import annotations

import re

import pytest

from labyard.models import Payment, db
from tests.unit.pages.billing_data import bill, january, make_tariff, take
from tests.unit.pages.test_pages_costs import table_of, words


@pytest.fixture
def number(app, maria) -> str:
    """An invoice of maria's over 0.39 EUR."""
    make_tariff(app)
    take(app, january())
    return bill(app)


@pytest.fixture
def root(make_person, sign_in):
    """An admin's browser."""
    return sign_in(make_person("root", is_admin=True))


def count_payments(app) -> int:
    with app.app_context():
        return db.session.query(Payment).count()


def test_payments_when_nothing_is_owed_then_says_so(app, maria):
    make_tariff(app)
    page = maria.get("/costs/payments").text
    assert "Nothing is owed." in page
    assert "Nothing came in yet." in page


def test_pay_when_by_transfer_then_says_how_much_and_which_reference(app, maria, number):
    assert table_of(maria.get("/costs/payments").text, "Invoices that are not paid")[1][4] == "0.39 EUR"
    page = words(maria.get(f"/costs/invoices/{number}/pay").text)
    assert f"Transfer 0.39 EUR to Labyard and name {number} as the reference" in page
    assert "Write down what came in" not in page
    assert "Stripe" not in page


def test_pay_when_an_admin_writes_it_down_then_the_invoice_shows_it(app, maria, number, root):
    sent = {"gateway": "manual", "amount": "0.30", "reference": "bank 7", "key": "k1"}
    assert root.post(f"/costs/invoices/{number}/pay", data=sent).status_code == 303
    assert root.post(f"/costs/invoices/{number}/pay", data=sent).status_code == 303, "sent twice"
    assert count_payments(app) == 1
    page = maria.get(f"/costs/invoices/{number}").text
    assert "Partly paid" in page
    assert table_of(page, "Payments and refunds")[1][2:] == ["Manual", "bank 7", "0.30 EUR"]
    assert "Open: 0.09 EUR" in words(page)
    assert "Give back" not in maria.get("/costs/payments").text


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"amount": "0.001"}, "amount"),
        ({"amount": "much"}, "amount"),
        ({"amount": "0.10", "received_at": "soon"}, "received_at"),
        ({"amount": "0.10", "received_at": "2999-01-01"}, "received_at"),
    ],
)
def test_pay_when_the_form_is_wrong_then_says_so_at_the_field(app, number, root, sent, field):
    answer = root.post(f"/costs/invoices/{number}/pay", data={"gateway": "manual", "key": "k", **sent})
    assert answer.status_code == 422
    assert re.search(rf'<input[^>]* id="{field}"[^>]*aria-invalid="true"', answer.text)
    assert count_payments(app) == 0


def test_pay_when_more_than_is_open_or_not_an_admin_then_is_refused(app, maria, number, root):
    more = {"gateway": "manual", "amount": "5.00", "key": "k"}
    answer = root.post(f"/costs/invoices/{number}/pay", data=more)
    assert answer.status_code in (409, 422)
    assert 'role="alert"' in answer.text or "field-error" in answer.text
    mine = {"gateway": "manual", "amount": "0.39", "key": "k"}
    assert maria.post(f"/costs/invoices/{number}/pay", data=mine).status_code == 403
    stripe = maria.post(f"/costs/invoices/{number}/pay", data={"gateway": "stripe", "key": "k"})
    assert stripe.status_code == 409
    assert "Ask an admin how to pay" in stripe.text
    assert maria.post(f"/costs/invoices/{number}/pay", data={"gateway": "barter"}).status_code == 422
    assert count_payments(app) == 0


def test_wallet_when_money_comes_in_then_pays_an_invoice(app, maria, number, root):
    assert "It has none yet" in maria.get("/costs/wallets/user:maria").text
    sent = {"gateway": "manual", "amount": "10.00", "currency": "EUR", "key": "k"}
    assert root.post("/costs/wallets/user:maria/top-up", data=sent).status_code == 303
    page = maria.get("/costs/wallets/user:maria").text
    assert "10.00 EUR" in words(page)
    assert "Put money in" not in page, "nobody but an admin writes money down"
    assert "Pay 0.39 EUR from the wallet" in words(maria.get(f"/costs/invoices/{number}/pay").text)
    paid = maria.post(f"/costs/invoices/{number}/pay", data={"gateway": "wallet", "key": "w"})
    assert paid.status_code == 303
    assert "Paid" in maria.get(f"/costs/invoices/{number}").text
    rows = table_of(maria.get("/costs/wallets/user:maria").text, "Entries of the wallet")
    assert [row[2:] for row in rows[1:]] == [["-0.39 EUR", "9.61 EUR"], ["10.00 EUR", "10.00 EUR"]]


def test_wallet_when_it_is_anothers_then_is_not_found(app, number, make_person, sign_in):
    ben = sign_in(make_person("ben"))
    assert ben.get("/costs/wallets/user:maria").status_code == 404
    assert ben.post("/costs/wallets/user:maria/corrections", data={}).status_code == 403
    assert ben.post("/costs/wallets/user:maria/limits", data={}).status_code == 403


def test_wallet_when_corrected_without_a_reason_then_says_so_at_the_field(app, number, root):
    sent = {"gateway": "manual", "amount": "10.00", "currency": "EUR", "key": "k"}
    root.post("/costs/wallets/user:maria/top-up", data=sent)
    answer = root.post("/costs/wallets/user:maria/corrections", data={"change": "-1.00"})
    assert answer.status_code == 422
    assert 'id="reason-error"' in answer.text
    good = {"change": "-1.00", "reason": "paid out in cash", "key": "c"}
    assert root.post("/costs/wallets/user:maria/corrections", data=good).status_code == 303
    assert "paid out in cash" in root.get("/costs/wallets/user:maria").text
    limits = {"currency": "EUR", "debt_limit": "lots", "low_at": "1"}
    assert 'id="debt_limit-error"' in root.post("/costs/wallets/user:maria/limits", data=limits).text


def test_refund_when_an_admin_gives_back_then_both_stand_there(app, maria, number, root):
    root.post(f"/costs/invoices/{number}/pay", data={"gateway": "manual", "amount": "0.39", "key": "k"})
    with app.app_context():
        payment = db.session.query(Payment).one().id
    without = root.post(f"/costs/payments/{payment}/refund", data={"amount": "0.10"})
    assert without.status_code == 422
    assert "say why" in without.text
    too_much = root.post(f"/costs/payments/{payment}/refund", data={"amount": "9.00", "reason": "x"})
    assert too_much.status_code == 409
    good = {"amount": "0.10", "reason": "paid too much", "key": "r"}
    assert root.post(f"/costs/payments/{payment}/refund", data=good).status_code == 303
    page = maria.get(f"/costs/invoices/{number}").text
    assert "paid too much" in page
    assert "Open: 0.10 EUR" in words(page)
    assert maria.post(f"/costs/payments/{payment}/refund", data=good).status_code == 403
