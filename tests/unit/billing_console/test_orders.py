"""Payments and refunds at Stripe, against a program that answers as Stripe does."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from labyard.billing.carrying_out import carry_out_orders
from labyard.billing.gateway_stripe import StripeGateway, from_smallest, to_smallest
from labyard.billing.gateways import Forged, GatewayRefused, Order, Report
from labyard.billing.messages import take_message
from labyard.billing.orders import order_checkout, order_refund
from labyard.billing.payments import NewPayment, refundable
from labyard.billing.verify_money import verify_money
from labyard.billing.wallets import balance
from labyard.clock import utc_now
from labyard.context import session
from labyard.errors import Conflict
from labyard.models import BillingAccount, GatewayEvent, GatewayOrder, Invoice, Payment
from labyard.models.base import begin_writing
from tests.services.stripe_server import KEY, StripeServer, sign
from tests.unit.billing_console.money_factories import make_account, make_gateway, make_invoice

PAGE = "https://checkout.stripe.com/c/pay/"


@pytest.fixture
def gateway(app: APIFlask, tmp_path: Path, stripe_server: StripeServer) -> StripeGateway:
    return make_gateway(tmp_path / "secrets", stripe_server)


@pytest.fixture
def account(app: APIFlask) -> BillingAccount:
    """Who pays."""
    return make_account(email="ada@example.org")


@pytest.fixture
def invoice(account: BillingAccount) -> Invoice:
    """What there is to pay: 100.00 EUR."""
    return make_invoice(account)


def work(gateway: StripeGateway, later: timedelta = timedelta()) -> int:
    """What a worker does, as if it were `later`."""
    return carry_out_orders(
        session(), begin_writing, {"stripe": gateway}, "http://here", lambda: utc_now() + later
    )


def ask(
    gateway: StripeGateway, account: BillingAccount, invoice: Invoice | None, amount: str, key: str = ""
) -> GatewayOrder:
    begin_writing()
    new = NewPayment(Decimal(amount), "EUR", key=key, username="ada")
    order = order_checkout(session(), gateway, account, invoice, new)
    session().commit()
    return order


def open_page(
    gateway: StripeGateway, account: BillingAccount, invoice: Invoice | None, amount: str
) -> GatewayOrder:
    """An order for which there is a page to pay at."""
    order = ask(gateway, account, invoice, amount)
    work(gateway)
    return order


def pay(server: StripeServer, order: GatewayOrder) -> tuple[bytes, str]:
    """A person pays on the order's page; the message that tells of it."""
    return server.event("checkout.session.completed", server.pay(str(order.reference)))


def ask_back(gateway: StripeGateway, payment: Payment, amount: str, key: str = "") -> GatewayOrder:
    begin_writing()
    new = NewPayment(Decimal(amount), "EUR", key=key, username="root")
    order = order_refund(session(), gateway, payment, new, "a mistake")
    session().commit()
    return order


def tell(gateway: StripeGateway, message: tuple[bytes, str]) -> str:
    """Take a message as the console does."""
    begin_writing()
    outcome = take_message(session(), gateway, *message)
    session().commit()
    return outcome


def paid_order(
    gateway: StripeGateway,
    server: StripeServer,
    invoice: Invoice | None,
    amount: str,
    account: BillingAccount,
) -> Payment:
    """An order that was paid, and of which a message has told; its payment."""
    order = open_page(gateway, account, invoice, amount)
    assert tell(gateway, pay(server, order)) == "taken"
    return session().scalars(select(Payment).where(Payment.key == f"order {order.id}")).one()


def test_checkout_when_paid_then_the_message_settles_the_invoice_once(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    order = ask(gateway, account, invoice, "40.00")
    assert work(gateway) == 1
    assert (order.state, order.url) == ("open", f"{PAGE}{order.reference}")
    message = pay(stripe_server, order)
    assert [tell(gateway, message), tell(gateway, message)] == ["taken", "known"]
    assert (order.state, invoice.state, invoice.paid) == ("done", "partly_paid", Decimal(40))
    payment = session().scalars(select(Payment)).one()
    assert payment.reference.startswith("pi_")
    assert payment.gateway == "stripe"
    assert work(gateway, timedelta(hours=1)) == 0


def test_checkout_when_no_message_comes_then_the_worker_finds_out(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    order = open_page(gateway, account, invoice, "100.00")
    stripe_server.pay(order.reference)
    assert work(gateway, timedelta(minutes=2)) == 1
    assert (order.state, invoice.state) == ("done", "paid")
    late = stripe_server.event("checkout.session.completed", stripe_server.sessions[order.reference])
    assert tell(gateway, late) == "taken"
    assert invoice.paid == Decimal(100)


def test_checkout_when_the_answer_is_lost_then_is_made_once(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    order = ask(gateway, account, invoice, "100.00")
    stripe_server.lost = 1
    work(gateway)
    assert order.state == "open"
    assert len(stripe_server.sessions) == 1


def test_checkout_when_stripe_is_away_then_is_tried_again_later(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount
) -> None:
    order = ask(gateway, account, None, "10.00")
    stripe_server.away = 3
    work(gateway)
    assert (order.state, order.attempts) == ("waiting", 1)
    assert work(gateway) == 0
    work(gateway, timedelta(seconds=20))
    assert (order.state, order.error) == ("open", "")


def test_checkout_when_the_key_is_wrong_then_waits_and_says_so_without_it(
    gateway: StripeGateway,
    stripe_server: StripeServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    account: BillingAccount,
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "secrets" / "stripe_key").write_text("sk_test_another_secret", encoding="ascii")
    order = open_page(gateway, account, None, "10.00")
    assert order.error == "Stripe does not accept the key in LABYARD_STRIPE_KEY_FILE."
    assert "another_secret" not in caplog.text
    assert KEY not in caplog.text


def test_checkout_when_the_key_cannot_be_read_then_waits_and_others_go_on(
    gateway: StripeGateway, stripe_server: StripeServer, tmp_path: Path, account: BillingAccount
) -> None:
    (tmp_path / "secrets" / "stripe_key").unlink()
    order = open_page(gateway, account, None, "10.00")
    assert order.error.startswith("LABYARD_STRIPE_KEY_FILE: ")
    make_gateway(tmp_path / "secrets", stripe_server)
    work(gateway, timedelta(minutes=1))
    assert order.state == "open"


def test_orders_when_one_meets_a_fault_of_ours_then_the_others_go_on(
    gateway: StripeGateway,
    stripe_server: StripeServer,
    monkeypatch: pytest.MonkeyPatch,
    account: BillingAccount,
) -> None:
    first, second = ask(gateway, account, None, "10.00"), ask(gateway, account, None, "20.00")
    begin = gateway.begin_checkout

    def trip(order: Order) -> Report:
        if order.key == first.id:
            raise ZeroDivisionError
        return begin(order)

    monkeypatch.setattr(gateway, "begin_checkout", trip)
    assert work(gateway) == 2
    assert (first.state, second.state) == ("waiting", "open")
    assert "ZeroDivisionError" in first.error
    monkeypatch.undo()
    work(gateway, timedelta(minutes=1))
    assert first.state == "open"


def test_checkout_when_asked_for_again_with_another_amount_then_the_older_page_is_closed(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    first = open_page(gateway, account, invoice, "100.00")
    assert ask(gateway, account, invoice, "100.00").id == first.id
    second = open_page(gateway, account, invoice, "60.00")
    assert [first.state, second.state] == ["cancelled", "open"]
    assert stripe_server.sessions[str(first.reference)]["status"] == "expired"


def test_checkout_when_two_pages_are_paid_then_what_is_too_much_goes_into_the_wallet(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    first = open_page(gateway, account, invoice, "100.00")
    paid = stripe_server.pay(str(first.reference))
    second = open_page(gateway, account, invoice, "60.00")
    assert first.state == "done"
    again = pay(stripe_server, second)
    tell(gateway, stripe_server.event("checkout.session.completed", paid))
    tell(gateway, again)
    assert (invoice.state, invoice.paid) == ("paid", Decimal(100))
    assert balance(session(), account.id) == Decimal(60)
    assert list(verify_money(session())) == []


def test_checkout_when_it_expires_then_is_cancelled_and_money_that_comes_late_counts(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    order = open_page(gateway, account, invoice, "100.00")
    page = stripe_server.sessions[str(order.reference)]
    expired = stripe_server.event("checkout.session.expired", {**page, "status": "expired", "url": None})
    assert tell(gateway, expired) == "taken"
    assert order.state == "cancelled"
    tell(gateway, pay(stripe_server, order))
    assert (order.state, invoice.state) == ("done", "paid")


def test_checkout_when_another_currency_comes_then_a_person_must_look(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    order = open_page(gateway, account, invoice, "100.00")
    page = {**stripe_server.pay(str(order.reference)), "currency": "usd"}
    tell(gateway, stripe_server.event("checkout.session.completed", page))
    assert (order.state, invoice.paid) == ("review", 0)
    assert "100.00 USD came for an order in EUR" in order.error


def test_checkout_when_above_what_is_left_then_is_refused_before_anybody_pays(
    gateway: StripeGateway, account: BillingAccount, invoice: Invoice
) -> None:
    with pytest.raises(Conflict, match="is more than what is left to pay"):
        ask(gateway, account, invoice, "100.01")


def test_order_when_its_key_is_known_then_is_the_same(
    gateway: StripeGateway, account: BillingAccount
) -> None:
    first = ask(gateway, account, None, "10.00", key="k")
    assert ask(gateway, account, None, "10.00", key="k").id == first.id
    with pytest.raises(Conflict, match="stands for another order"):
        ask(gateway, account, None, "11.00", key="k")


def test_refund_when_done_then_goes_back_and_its_key_is_handed_on(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    payment = paid_order(gateway, stripe_server, invoice, "100.00", account)
    stripe_server.lost = 3
    order = ask_back(gateway, payment, "30.00", key="r")
    assert ask_back(gateway, payment, "30.00", key="r").id == order.id
    assert refundable(session(), payment) == Decimal(70)
    work(gateway)
    work(gateway, timedelta(minutes=1))
    assert (order.state, invoice.state, invoice.paid) == ("done", "partly_paid", Decimal(70))
    assert [r["amount"] for r in stripe_server.refunds.values()] == [3000]
    assert refundable(session(), payment) == Decimal(70)


def test_refund_when_asked_for_twice_then_never_exceeds_what_was_paid(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    payment = paid_order(gateway, stripe_server, invoice, "100.00", account)
    ask_back(gateway, payment, "60.00")
    with pytest.raises(Conflict, match=r"40.00 EUR is left of the payment"):
        ask_back(gateway, payment, "60.00")


def test_refund_when_it_fails_later_then_its_amount_is_free_again(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount
) -> None:
    payment = paid_order(gateway, stripe_server, None, "100.00", account)
    stripe_server.refund_status = "pending"
    order = ask_back(gateway, payment, "60.00")
    assert balance(session(), account.id) == Decimal(40)
    work(gateway)
    assert order.state == "open"
    failed = {
        **stripe_server.end_refund(str(order.reference), "failed"),
        "failure_reason": "lost_or_stolen_card",
    }
    assert tell(gateway, stripe_server.event("refund.failed", failed)) == "taken"
    assert (order.state, order.error) == ("failed", "Stripe says: lost_or_stolen_card")
    assert (balance(session(), account.id), refundable(session(), payment)) == (Decimal(100), Decimal(100))


def test_refund_when_stripe_refuses_then_ends_with_its_reason(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount
) -> None:
    payment = paid_order(gateway, stripe_server, None, "100.00", account)
    stripe_server.payments.clear()
    order = ask_back(gateway, payment, "60.00")
    work(gateway)
    assert order.state == "failed"
    assert "No such payment_intent" in order.error
    assert balance(session(), account.id) == Decimal(100)


def test_refund_when_made_at_stripe_then_is_written_down_once(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    payment = paid_order(gateway, stripe_server, invoice, "100.00", account)
    made = stripe_server.refund_there(payment.reference, 7500)
    assert tell(gateway, stripe_server.event("refund.created", made)) == "taken"
    assert tell(gateway, stripe_server.event("refund.updated", made)) == "taken"
    assert (invoice.state, invoice.paid) == ("partly_paid", Decimal(25))


def test_message_when_it_is_forged_or_old_or_broken_then_is_refused(
    gateway: StripeGateway, stripe_server: StripeServer, account: BillingAccount, invoice: Invoice
) -> None:
    order = open_page(gateway, account, invoice, "100.00")
    body, good = pay(stripe_server, order)
    old = sign(body, at=utc_now().timestamp() - 301)
    wrong = sign(body, secret="whsec_another")
    begin_writing()
    for text, signature in (
        (body, ""),
        (body, "t=x,v1=y"),
        (body, old),
        (body, wrong),
        (body.replace(b"10000", b"99999"), good),
        (b"\xff\xfe", sign(b"\xff\xfe")),
        (b"[]", sign(b"[]")),
        (b"{}", sign(b"{}")),
        (b"no json", sign(b"no json")),
    ):
        with pytest.raises(Forged):
            take_message(session(), gateway, text, signature)
    session().rollback()
    assert session().scalars(select(GatewayEvent)).all() == []
    assert order.state == "open"
    assert take_message(session(), gateway, body, sign(body, secret="whsec_old")) == "taken"


def test_message_when_it_is_about_something_else_then_is_ignored(
    gateway: StripeGateway, stripe_server: StripeServer
) -> None:
    assert (
        tell(gateway, stripe_server.event("customer.created", {"id": "cus_1", "object": "customer"}))
        == "ignored"
    )
    page = {
        "id": "cs_9",
        "payment_status": "paid",
        "status": "complete",
        "currency": "eur",
        "amount_total": 5,
    }
    assert tell(gateway, stripe_server.event("checkout.session.completed", page)) == "ignored"
    refund = {"id": "re_9", "status": "succeeded", "currency": "eur", "amount": 5, "payment_intent": "pi_9"}
    assert tell(gateway, stripe_server.event("refund.created", refund)) == "ignored"


@pytest.mark.parametrize(
    ("amount", "currency", "number"),
    [
        ("10.00", "EUR", 1000),
        ("500", "JPY", 500),
        ("5", "UGX", 500),
        ("5", "ISK", 500),
        ("1.230", "KWD", 1230),
    ],
)
def test_amount_when_sent_to_stripe_then_comes_back_the_same(amount: str, currency: str, number: int) -> None:
    assert to_smallest(Decimal(amount), currency) == number
    assert str(from_smallest(number, currency)) == amount


@pytest.mark.parametrize(("amount", "currency"), [("1.001", "KWD"), ("1.50", "MGA"), ("1.00", "XLC")])
def test_amount_when_stripe_cannot_take_it_then_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(GatewayRefused):
        to_smallest(Decimal(amount), currency)
