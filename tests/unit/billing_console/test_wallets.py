"""Wallets: the ledger, debts, and paying from them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from apiflask import APIFlask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from labyard.billing.payments import NewPayment
from labyard.billing.verify_money import verify_money, verify_wallet
from labyard.billing.wallets import (
    balance,
    change_wallet,
    correct,
    ensure_wallet,
    entries_of,
    pay_from_wallet,
    refund_to_wallet,
    take_out,
    top_up,
    wallet_status,
)
from labyard.context import session
from labyard.errors import Conflict, InvalidInput
from labyard.models import BillingAccount, Payment, WalletEntry
from labyard.models.base import begin_writing
from tests.unit.billing_console.money_factories import make_account, make_invoice


def fill(account: BillingAccount, amount: str, key: str = "") -> Payment:
    begin_writing()
    payment = top_up(session(), account, NewPayment(Decimal(amount), "EUR", key=key))
    session().commit()
    return payment


def test_wallet_when_it_pays_and_gets_back_then_its_ledger_says_how(app: APIFlask) -> None:
    account = make_account()
    invoice = make_invoice(account, "30.00")
    fill(account, "50.00", key="transfer 1")
    fill(account, "50.00", key="transfer 1")
    begin_writing()
    payment = pay_from_wallet(session(), invoice, Decimal(30), "k", "ada")
    assert pay_from_wallet(session(), invoice, Decimal(30), "k", "ada").id == payment.id
    refund_to_wallet(session(), payment, Decimal(5), "r", "too much", "root")
    correct(session(), ensure_wallet(session(), account, "EUR"), Decimal(-1), "a fee", "root")
    session().commit()
    entries = session().scalars(select(WalletEntry).order_by(WalletEntry.position)).all()
    assert [(e.classification, str(e.amount), str(e.balance)) for e in entries] == [
        ("ADD_WALLET_TOP_UP", "50", "50"),
        ("DEDUCT_SERVICE_RUN", "-30", "20"),
        ("ADD_WALLET_EXCHANGE", "5", "25"),
        ("DEDUCT_WALLET_EXCHANGE", "-1", "24"),
    ]
    assert (invoice.state, invoice.paid) == ("partly_paid", Decimal(25))
    assert list(verify_money(session())) == []


def test_wallet_when_an_invoice_is_more_than_it_holds_then_pays_up_to_the_debt_that_is_allowed(
    app: APIFlask,
) -> None:
    account = make_account()
    invoice = make_invoice(account, "30.00")
    fill(account, "10.00")
    begin_writing()
    with pytest.raises(
        Conflict, match=r"30.00 EUR is more than the wallet can pay: the wallet holds 10.00 EUR"
    ):
        pay_from_wallet(session(), invoice, Decimal(30), "", "ada")
    session().rollback()
    begin_writing()
    change_wallet(session(), account, "EUR", debt_limit=Decimal(20))
    pay_from_wallet(session(), invoice, Decimal(30), "", "ada")
    session().commit()
    assert balance(session(), account.id) == Decimal(-20)
    assert wallet_status(balance(session(), account.id), Decimal(0)) == "in_debt"


def test_top_up_when_it_was_spent_then_cannot_be_given_back(app: APIFlask) -> None:
    account = make_account()
    payment = fill(account, "10.00")
    begin_writing()
    pay_from_wallet(session(), make_invoice(account, "8.00"), Decimal(8), "", "ada")
    with pytest.raises(Conflict, match=r"the wallet holds 2.00 EUR, the rest was spent"):
        take_out(session(), payment, Decimal(3), "out", "asked for", "root")
    take_out(session(), payment, Decimal(2), "out", "asked for", "root")
    session().commit()
    assert balance(session(), account.id) == 0


def test_wallet_when_the_currency_is_another_then_is_refused(app: APIFlask) -> None:
    account = make_account()
    fill(account, "10.00")
    begin_writing()
    with pytest.raises(Conflict, match="is in EUR"):
        ensure_wallet(session(), account, "USD")
    with pytest.raises(InvalidInput, match="currency"):
        ensure_wallet(session(), make_account("other"), "ABC")


def test_correction_when_it_has_no_reason_then_is_refused(app: APIFlask) -> None:
    account = make_account()
    begin_writing()
    wallet = ensure_wallet(session(), account, "EUR")
    with pytest.raises(InvalidInput, match="reason"):
        correct(session(), wallet, Decimal(1), " ", "root")


def test_ledger_when_an_entry_is_missing_or_changed_then_is_found(app: APIFlask) -> None:
    account = make_account()
    fill(account, "10.00")
    begin_writing()
    wallet = ensure_wallet(session(), account, "EUR")
    with pytest.raises(IntegrityError, match="wallet entries do not change"):
        session().execute(text("UPDATE wallet_entries SET amount = 20"))
    session().rollback()
    begin_writing()
    fake = WalletEntry(account_id=account.id, position=3, key="x", kind="correction", classification="x")
    fake.amount, fake.balance = Decimal(1), Decimal(11)
    session().add(fake)
    session().commit()
    assert list(verify_wallet(session(), wallet)) == [("user:ada", "entry 2 of the wallet is missing")]
    assert len(session().scalars(entries_of(wallet)).all()) == 2
