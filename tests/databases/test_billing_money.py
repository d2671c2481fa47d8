"""Payments, wallets and budgets when many want them at the same time, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labyard.accounts.people import create_user
from labyard.billing.budget_check import check_budgets
from labyard.billing.budget_requests import approve, ask_for_more, decline
from labyard.billing.carrying_out import carry_out_orders
from labyard.billing.gateway_stripe import StripeGateway
from labyard.billing.messages import take_message
from labyard.billing.orders import order_checkout
from labyard.billing.payments import NewPayment, pay_invoice, refund_payment
from labyard.billing.verify_money import verify_money
from labyard.billing.wallets import balance, pay_from_wallet, top_up
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.errors import Conflict, InvalidInput
from labyard.models import Budget, Deployment, GatewayOrder, Invoice, Payment, User, WalletEntry, db
from labyard.models.base import begin_writing
from tests.services.stripe_server import StripeServer
from tests.unit.billing_console.money_factories import make_account, make_gateway, make_invoice

from .conftest import at_once

MANY = 8


@pytest.fixture
def gateway(tmp_path: Path, stripe_server: StripeServer) -> StripeGateway:
    return make_gateway(tmp_path / "secrets", stripe_server)


@pytest.fixture
def bill(console: APIFlask) -> str:
    """The id of an invoice over 100 EUR, of an account whose wallet holds 100 EUR."""
    with console.app_context():
        account = make_account()
        invoice = make_invoice(account)
        begin_writing()
        top_up(session(), account, NewPayment(Decimal(100), "EUR"))
        session().commit()
        ident = invoice.id
        db.session.remove()
    return ident


def write(job: Callable[[Session], Any]) -> Any:
    """What `job` gives, in a transaction of its own."""
    begin_writing()
    result = job(session())
    session().commit()
    return result


def invoice_of(s: Session, ident: str) -> Invoice:
    return s.get_one(Invoice, ident)


def pay(ident: str, amount: int, key: str = "") -> str:
    new = NewPayment(Decimal(amount), "EUR", key=key)
    return str(write(lambda s: pay_invoice(s, invoice_of(s, ident), new).id))


def assert_right(console: APIFlask) -> None:
    with console.app_context():
        assert list(verify_money(session())) == []


def test_payments_when_many_come_at_once_then_never_exceed_the_balance(console: APIFlask, bill: str) -> None:
    results = at_once(console, [lambda: pay(bill, 30)] * MANY)
    refused = [r for r in results if isinstance(r, Conflict)]
    assert len(refused) == MANY - 3, results
    assert all("10.00 EUR is left to pay" in r.detail for r in refused)
    with console.app_context():
        assert session().get_one(Invoice, bill).paid == Decimal(90)
    assert_right(console)


def test_payment_when_sent_many_times_at_once_under_one_key_then_is_written_once(
    console: APIFlask, bill: str
) -> None:
    results = at_once(console, [lambda: pay(bill, 60, "transfer 7")] * MANY)
    assert len(set(map(str, results))) == 1, results
    with console.app_context():
        assert session().get_one(Invoice, bill).paid == Decimal(60)
    assert_right(console)


def test_refunds_when_many_are_made_at_once_then_never_exceed_what_was_paid(
    console: APIFlask, bill: str
) -> None:
    with console.app_context():
        payment = pay(bill, 100)

    def give_back() -> str:
        new = NewPayment(Decimal(40), "EUR")
        return str(write(lambda s: refund_payment(s, s.get_one(Payment, payment), new, "twice").id))

    results = at_once(console, [give_back] * MANY)
    assert len([r for r in results if isinstance(r, str)]) == 2, results
    assert all("20.00 EUR is left of the payment" in r.detail for r in results if isinstance(r, Conflict))
    assert_right(console)


def test_wallet_when_many_charge_it_at_once_then_never_holds_less_than_it_may(
    console: APIFlask, bill: str
) -> None:
    with console.app_context():
        account = session().get_one(Invoice, bill).account
        others = [make_invoice(account, "30.00", f"W-{n}").id for n in range(MANY)]

    def charge(ident: str) -> str:
        return str(write(lambda s: pay_from_wallet(s, invoice_of(s, ident), Decimal(30), "", "ada").id))

    results = at_once(console, [lambda ident=ident: charge(ident) for ident in others])
    assert len([r for r in results if isinstance(r, str)]) == 3, results
    with console.app_context():
        found = session().scalars(select(Invoice).where(Invoice.id == bill)).one()
        assert balance(session(), found.account_id) == Decimal(10)
        assert session().scalars(select(func.max(WalletEntry.position))).one() == 4
    assert_right(console)


def test_wallet_when_made_by_many_at_once_then_there_is_one(console: APIFlask) -> None:
    with console.app_context():
        ident = make_account("project:physics").id

    def fill() -> None:
        def job(s: Session) -> None:
            from labyard.models import BillingAccount

            top_up(s, s.get_one(BillingAccount, ident), NewPayment(Decimal(1), "EUR"))

        write(job)

    assert at_once(console, [fill] * MANY) == [None] * MANY
    with console.app_context():
        assert balance(session(), ident) == Decimal(MANY)
    assert_right(console)


def test_message_when_it_comes_many_times_at_once_then_is_taken_once(
    console: APIFlask, bill: str, gateway: StripeGateway, stripe_server: StripeServer
) -> None:
    with console.app_context():
        write(lambda s: _order(s, gateway, bill))
        _work(gateway)
        (page,) = stripe_server.sessions
        message = stripe_server.event("checkout.session.completed", stripe_server.pay(page))
        db.session.remove()
    results = at_once(console, [lambda: write(lambda s: take_message(s, gateway, *message))] * MANY)
    assert sorted(map(str, results)) == ["known"] * (MANY - 1) + ["taken"]
    with console.app_context():
        assert session().get_one(Invoice, bill).paid == Decimal(100)
    assert_right(console)


def test_message_and_worker_when_both_find_out_at_once_then_the_payment_counts_once(
    console: APIFlask, bill: str, gateway: StripeGateway, stripe_server: StripeServer
) -> None:
    with console.app_context():
        write(lambda s: _order(s, gateway, bill))
        _work(gateway)
        (page,) = stripe_server.sessions
        paid = stripe_server.pay(page)
        write(lambda s: [setattr(o, "next_at", o.created_at) for o in s.scalars(select(GatewayOrder))])
        messages = [stripe_server.event("checkout.session.completed", paid) for _ in range(MANY // 2)]
        db.session.remove()
    jobs: list[Callable[[], Any]] = [lambda: _work(gateway)] * (MANY // 2)
    jobs += [lambda m=m: write(lambda s: take_message(s, gateway, *m)) for m in messages]
    results = at_once(console, jobs)
    assert not [r for r in results if isinstance(r, Exception)], results
    with console.app_context():
        assert session().scalars(select(func.count()).where(Payment.invoice_id == bill)).one() == 1
    assert_right(console)


def test_orders_when_many_workers_look_at_once_then_one_page_is_made(
    console: APIFlask, bill: str, gateway: StripeGateway, stripe_server: StripeServer
) -> None:
    with console.app_context():
        write(lambda s: _order(s, gateway, bill))
    results = at_once(console, [lambda: _work(gateway)] * MANY)
    assert sum(r for r in results if isinstance(r, int)) == 1, results
    assert len(stripe_server.sessions) == 1


def test_launches_when_many_come_at_once_then_never_exceed_the_budget(console: APIFlask) -> None:
    with console.app_context():
        write(lambda s: _set_budget(s, "deployments", 3))

    def launch(number: int) -> str:
        def job(s: Session) -> str:
            person = s.scalars(select(User).where(User.username == "ada")).one()
            wanted = CommandRequest("install", plan="notebook", name=f"demo{number}")
            return str(submit_command(s, person, wanted, context().sealer, guard=check_budgets).id)

        return str(write(job))

    results = at_once(console, [lambda n=n: launch(n) for n in range(MANY)])
    assert len([r for r in results if isinstance(r, str)]) == 3, results
    assert all(isinstance(r, str | InvalidInput) for r in results), results
    with console.app_context():
        assert len(session().scalars(select(Deployment)).all()) == 3


def test_request_when_answered_by_many_at_once_then_by_one(console: APIFlask) -> None:
    with console.app_context():

        def ask(s: Session) -> str:
            budget = _set_budget(s, "deployments", 3)
            ada = s.scalars(select(User).where(User.username == "ada")).one()
            return ask_for_more(s, ada, budget.id, "9", "a course").id

        ident = write(ask)

    def answer(number: int) -> str:
        def job(s: Session) -> str:
            root = s.scalars(select(User).where(User.username == "root")).one()
            done = approve(s, root, ident) if number % 2 else decline(s, root, ident, "no")
            return str(done.state)

        return str(write(job))

    results = at_once(console, [lambda n=n: answer(n) for n in range(MANY)])
    assert len([r for r in results if isinstance(r, Conflict)]) == MANY - 1, results
    with console.app_context():
        (state,) = [r for r in results if isinstance(r, str)]
        own = session().scalars(select(Budget.most).where(Budget.subject == "ada")).one()
        assert own == (9 if state == "approved" else 3)


def _order(s: Session, gateway: StripeGateway, ident: str) -> GatewayOrder:
    found = invoice_of(s, ident)
    return order_checkout(s, gateway, found.account, found, NewPayment(Decimal(100), "EUR"))


def _work(gateway: StripeGateway) -> int:
    return carry_out_orders(session(), begin_writing, {"stripe": gateway}, "http://here")


def _set_budget(s: Session, measure: str, most: int) -> Budget:
    root = create_user(s, "root", "correct horse battery", is_admin=True)
    budget = Budget(scope="user", subject="ada", measure=measure, most=Decimal(most), action="refuse")
    budget.set_by = root
    s.add(budget)
    s.flush()
    return budget
