"""What holds of money whatever happens.

300 cases of each; LABYARD_TEST_CASES says how many others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from apiflask import APIFlask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labyard.billing.balances import Balance
from labyard.billing.budgets import EXCEEDED, MEASURES, MONEY, Level
from labyard.billing.gateway_stripe import from_smallest, to_smallest
from labyard.billing.numbers import settle
from labyard.billing.payments import NewPayment, balance_of, pay_invoice, refund_payment, refundable
from labyard.billing.verify_money import verify_money
from labyard.billing.wallets import balance, correct, ensure_wallet, pay_from_wallet, top_up, wallet_status
from labyard.context import session
from labyard.errors import Conflict
from labyard.models import BillingAccount, Invoice, Payment
from labyard.models.base import begin_writing
from tests.cases import CASES
from tests.unit.billing_console.money_factories import make_account, make_invoice

AT_MOST = settings(max_examples=CASES, deadline=None, derandomize=CASES <= 300)
IN_DATABASE = settings(AT_MOST, suppress_health_check=[HealthCheck.function_scoped_fixture])
CENTS = st.integers(0, 20_000).map(lambda n: Decimal(n).scaleb(-2))
ABOVE_ZERO = st.integers(1, 20_000).map(lambda n: Decimal(n).scaleb(-2))
NUMBERS = itertools.count()


@given(total=CENTS, credited=CENTS, paid=CENTS)
@AT_MOST
def test_balance_whatever_was_paid_and_credited(total: Decimal, credited: Decimal, paid: Decimal) -> None:
    credited = min(credited, total)
    left = Balance(total, credited, paid)
    assert left.payable >= 0
    assert left.overpaid >= 0
    assert left.payable == 0 or left.overpaid == 0
    assert paid + left.payable - left.overpaid == total - credited
    assert (left.state == "paid") == (left.payable == 0)


@given(measure=st.sampled_from(MEASURES), most=CENTS, one=CENTS, more=CENTS)
@AT_MOST
def test_thresholds_when_more_is_used_then_none_is_left_again(
    measure: str, most: Decimal, one: Decimal, more: Decimal
) -> None:
    before, after = Level(measure, one, most), Level(measure, one + more, most)
    assert set(before.reached) <= set(after.reached)
    assert before.percent <= after.percent
    assert before.left >= after.left >= 0
    for level in (before, after):
        assert level.reached == tuple(sorted(level.reached))
        assert (100 in level.reached) == (level.used >= level.most)
        assert (EXCEEDED in level.reached) == (
            level.used > level.most or (measure in MONEY and level.used >= most)
        )


@given(most=CENTS, others=CENTS, before=CENTS, after=CENTS)
@AT_MOST
def test_refusal_when_taken_together_then_never_exceeds_what_may_be(
    most: Decimal, others: Decimal, before: Decimal, after: Decimal
) -> None:
    refused = Level("cpu", others + before, most).refuses(before, after)
    assert refused == (after > before and others + after > most)
    if not refused and others + before <= most:
        assert others + after <= most


@given(number=st.integers(1, 10**12), currency=st.sampled_from(["EUR", "JPY", "ISK", "UGX", "USD"]))
@AT_MOST
def test_amount_when_sent_to_stripe_then_comes_back_exactly(number: int, currency: str) -> None:
    amount = from_smallest(number * 100, currency)
    assert Fraction(to_smallest(amount, currency)) == number * 100


Step = tuple[str, Decimal, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pay", "refund", "credit", "top up", "wallet", "correct", "again"]),
        ABOVE_ZERO,
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=12,
)


@given(total=ABOVE_ZERO, steps=STEPS)
@IN_DATABASE
def test_books_whatever_is_paid_refunded_credited_and_in_which_order(
    app: APIFlask, total: Decimal, steps: Sequence[Step]
) -> None:
    number = next(NUMBERS)
    account = make_account(f"account-{number}")
    invoice = make_invoice(account, str(total), number=f"R-{number}")
    made: list[Payment] = []
    jobs: list[Callable[[], Any]] = []
    held = paid = credited = Decimal(0)
    for place, step in enumerate(steps):
        begin_writing()
        before = held, paid, credited
        job = jobs[step[2] % len(jobs)] if step[0] == "again" and jobs else None
        try:
            if job is not None:
                job()  # the same under the same key: nothing happens
            else:
                held, paid, credited = _carry_out(step, f"k{place}", account, invoice, made, jobs, before)
            session().commit()
        except Conflict:
            session().rollback()
            held, paid, credited = before
        left = balance_of(invoice)
        assert (invoice.paid, invoice.credited) == (paid, credited)
        assert left.payable >= 0
        assert paid + left.payable - left.overpaid == total - credited
        assert balance(session(), account.id) == held
        assert (wallet_status(held, Decimal(0)) == "in_debt") == (held < 0)
        assert all(refundable(session(), payment) >= 0 for payment in made)
    assert list(verify_money(session())) == []


def _carry_out(
    step: Step,
    key: str,
    account: BillingAccount,
    invoice: Invoice,
    made: list[Payment],
    jobs: list[Callable[[], Any]],
    sums: tuple[Decimal, Decimal, Decimal],
) -> tuple[Decimal, Decimal, Decimal]:
    """What the wallet holds, and what is paid and credited of the invoice after `step`, as we reckon it."""
    kind, amount, pick = step
    held, paid, credited = sums
    new = NewPayment(amount, "EUR", key=key)
    if kind == "credit":
        part = min(amount, invoice.total - invoice.credited)
        invoice.credited += part
        settle(invoice)
        return held, paid, credited + part
    job: Callable[[], Any] = partial(pay_invoice, session(), invoice, new)
    if kind == "top up":
        job, held = partial(top_up, session(), account, new), held + amount
    elif kind == "correct":
        change = amount if pick % 2 else -amount
        wallet = ensure_wallet(session(), account, "EUR")
        job, held = partial(correct, session(), wallet, change, "because", "root", key), held + change
    elif kind == "wallet":
        job = partial(pay_from_wallet, session(), invoice, amount, key, "ada")
        held, paid = held - amount, paid + amount
    elif kind == "refund" and made:
        job = partial(refund_payment, session(), made[pick % len(made)], new, "because")
        paid -= amount
    else:
        paid += amount
    done = job()
    if isinstance(done, Payment) and done.kind == "payment" and done.invoice_id:
        made.append(done)
    jobs.append(job)
    return held, paid, credited
