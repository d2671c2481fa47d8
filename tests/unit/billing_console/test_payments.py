"""Payments, refunds and the states of invoices."""

from __future__ import annotations

from decimal import Decimal

import pytest
from apiflask import APIFlask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from labyard.billing.balances import read_amount
from labyard.billing.numbers import settle
from labyard.billing.payments import (
    NewPayment,
    balance_of,
    pay_invoice,
    refund_payment,
)
from labyard.billing.verify_money import verify_money
from labyard.context import session
from labyard.errors import Conflict, InvalidInput
from labyard.models import Invoice, Payment
from labyard.models.base import begin_writing
from tests.unit.billing_console.money_factories import make_account, make_invoice


def pay(invoice: Invoice, amount: str, key: str = "", **changes: str) -> Payment:
    """Record a payment by hand."""
    begin_writing()
    new = NewPayment(Decimal(amount), changes.get("currency", "EUR"), key=key)
    payment = pay_invoice(session(), invoice, new)
    session().commit()
    return payment


def give_back(payment: Payment, amount: str, key: str = "") -> Payment:
    begin_writing()
    made = refund_payment(session(), payment, NewPayment(Decimal(amount), "EUR", key=key), "a mistake")
    session().commit()
    return made


def test_invoice_when_paid_in_parts_then_its_state_follows(app: APIFlask) -> None:
    invoice = make_invoice(make_account())
    pay(invoice, "30.00")
    assert (invoice.state, balance_of(invoice).payable) == ("partly_paid", Decimal(70))
    pay(invoice, "70.00")
    assert (invoice.state, balance_of(invoice).payable) == ("paid", 0)
    assert list(verify_money(session())) == []


def test_payment_when_above_what_is_left_then_is_refused_and_says_what_is_left(app: APIFlask) -> None:
    invoice = make_invoice(make_account())
    pay(invoice, "99.99")
    with pytest.raises(
        Conflict, match=r"0.02 EUR is more than what is left to pay of R-1: 0.01 EUR"
    ) as refused:
        pay(invoice, "0.02")
    assert refused.value.errors == {"amount": "0.01 EUR is left to pay; pay that or less"}
    session().rollback()
    assert invoice.paid == Decimal("99.99")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"number": None}, "is not final"),
        ({"state": "void"}, "is void"),
        ({"kind": "credit_note"}, "is a credit note"),
        ({"currency": "USD"}, "is in USD"),
        ({"credited": Decimal(100)}, "0.00 EUR is left"),
    ],
)
def test_payment_when_nothing_can_be_paid_then_is_refused(
    app: APIFlask, changes: dict[str, object], words: str
) -> None:
    invoice = make_invoice(make_account(), **changes)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match=words):
        pay(invoice, "1.00")


def test_payment_when_its_key_is_known_then_nothing_is_paid_again(app: APIFlask) -> None:
    invoice = make_invoice(make_account())
    first = pay(invoice, "60.00", key="transfer 7")
    assert pay(invoice, "60.00", key="transfer 7").id == first.id
    assert invoice.paid == Decimal(60)
    with pytest.raises(Conflict, match="stands for another payment"):
        pay(invoice, "10.00", key="transfer 7")


def test_refund_when_above_what_was_paid_then_is_refused(app: APIFlask) -> None:
    invoice = make_invoice(make_account())
    payment = pay(invoice, "60.00")
    give_back(payment, "50.00", key="back")
    give_back(payment, "50.00", key="back")
    assert (invoice.state, invoice.paid) == ("partly_paid", Decimal(10))
    with pytest.raises(Conflict, match=r"10.00 EUR is left of the payment"):
        give_back(payment, "10.01")
    session().rollback()
    refund = give_back(payment, "10.00")
    assert (invoice.state, invoice.paid) == ("finalized", 0)
    with pytest.raises(Conflict, match="is a refund itself"):
        give_back(refund, "1.00")


def test_invoice_when_credited_after_it_was_paid_then_nothing_is_payable_and_the_rest_can_go_back(
    app: APIFlask,
) -> None:
    invoice = make_invoice(make_account())
    payment = pay(invoice, "100.00")
    begin_writing()
    invoice.credited = Decimal(40)
    settle(invoice)
    session().commit()
    assert (balance_of(invoice).payable, balance_of(invoice).overpaid, invoice.state) == (
        0,
        Decimal(40),
        "paid",
    )
    give_back(payment, "40.00")
    assert (balance_of(invoice).overpaid, invoice.state) == (0, "paid")
    assert list(verify_money(session())) == []


@pytest.mark.parametrize("statement", ["UPDATE payments SET amount = 1", "DELETE FROM payments"])
def test_payment_when_somebody_changes_it_in_the_database_then_it_refuses(
    app: APIFlask, statement: str
) -> None:
    pay(make_invoice(make_account()), "10.00")
    begin_writing()
    with pytest.raises(IntegrityError, match="payments"):
        session().execute(text(statement))
    session().rollback()


def test_books_when_what_is_paid_was_changed_then_say_so(app: APIFlask) -> None:
    invoice = make_invoice(make_account())
    pay(invoice, "10.00")
    begin_writing()
    invoice.paid = Decimal(11)
    session().commit()
    assert list(verify_money(session())) == [
        ("R-1", "its payments less refunds are 10, and it says 11"),
    ]


@pytest.mark.parametrize("value", ["0", "-1", "1.001", 1.5, "1e3", "NaN", "", None, True, "1000000000000000"])
def test_amount_when_it_is_none_then_is_refused_at_its_field(value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_amount(value, "EUR")
    assert list(refused.value.errors) == ["amount"]


@pytest.mark.parametrize(
    ("value", "currency", "amount"), [("1.5", "EUR", "1.50"), (7, "JPY", "7"), ("0.001", "TND", "0.001")]
)
def test_amount_when_it_is_one_then_has_the_decimals_of_its_currency(
    value: object, currency: str, amount: str
) -> None:
    assert str(read_amount(value, currency)) == amount
