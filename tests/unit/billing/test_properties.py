"""What must hold for any tariff and any usage."""

from __future__ import annotations

import json
import os
import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.credit_notes import build_credit_note
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import InvoiceError
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoice import (
    Credit,
    Invoice,
    build_invoice,
    check_invoice,
    finalize_invoice,
    read_invoice,
    show_invoice,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoicing import (
    Order,
    make_draft,
    make_final,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.ledger import Ledger
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import (
    currency_decimals,
    round_money,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import month_of, read_period
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater, row_of
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff, find_version
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord
from tests.cases import many_cases
from tests.unit.billing.makers import (
    CUSTOMER,
    JANUARY,
    START,
    SUPPLIER,
    make_record,
    make_tariff,
    rate,
    records,
    tariffs,
)

MONTHS = [read_period(month) for month in ("2025-12", "2026-01", "2026-02")]


def bill(versions: list[Tariff], usage: list[UsageRecord], *credits: Credit) -> Invoice:
    lines = rate(versions, *usage)
    return build_invoice(lines, versions, CUSTOMER, SUPPLIER, JANUARY, credits=credits)


def order(versions: list[Tariff], month: str = "2026-01") -> Order:
    return Order(CUSTOMER, SUPPLIER, read_period(month), versions, "", date(2026, 6, 1))


@st.composite
def credits(draw: st.DrawFn, currency: str) -> list[Credit]:
    amounts = draw(st.lists(st.integers(0, 10**6), max_size=3))
    return [Credit("Wallet", Decimal(amount).scaleb(-currency_decimals(currency))) for amount in amounts]


@many_cases
@given(tariffs(), records(), st.data())
def test_invoice_when_made_then_items_and_tax_less_credits_are_the_total_and_it_is_not_below_nothing(
    versions: list[Tariff], usage: list[UsageRecord], data: st.DataObject
) -> None:
    found = bill(versions, usage, *data.draw(credits(versions[0].currency)))
    items = sum(line.amount for line in found.lines) - sum(s.amount for s in found.discounts) + found.minimum
    taxes = sum(share.amount for share in found.taxes)
    assert items + taxes - sum(one.amount for one in found.credits) == found.total
    assert (
        min(found.subtotal, found.discount, found.minimum, found.net, found.tax, found.credit, found.total)
        >= 0
    )
    last = find_version(versions, JANUARY.end - timedelta(microseconds=1))
    assert found.net >= (last.minimum or 0)
    assert check_invoice(found) == []
    smallest = Decimal(1).scaleb(-currency_decimals(found.currency))
    for amount in (found.total, found.net, found.tax, *(line.amount for line in found.lines)):
        assert amount.same_quantum(smallest)


@many_cases
@given(tariffs(), records(), st.integers(0, 10**6))
def test_line_when_rounded_then_once_and_half_to_even(
    versions: list[Tariff], usage: list[UsageRecord], number: int
) -> None:
    currency = versions[0].currency
    unit = Fraction(1, 10 ** currency_decimals(currency))
    between = Fraction(2 * number + 1, 2) * unit
    pairs = [(line.exact, line.amount) for line in rate(versions, *usage)]
    for exact, amount in [*pairs, (between, round_money(between, currency))]:
        whole, away = Fraction(amount) / unit, abs(exact - Fraction(amount)) / unit
        assert whole.denominator == 1
        assert away < Fraction(1, 2) or (away == Fraction(1, 2) and whole % 2 == 0)


@many_cases
@given(tariffs(), records())
def test_invoice_when_stored_as_json_then_it_is_read_back_to_the_same(
    versions: list[Tariff], usage: list[UsageRecord]
) -> None:
    found = finalize_invoice(bill(versions, usage), "1", date(2026, 2, 1))
    assert read_invoice(json.loads(json.dumps(show_invoice(found)))) == found


@many_cases
@given(tariffs(), records(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_invoice_when_records_come_in_any_order_and_again_then_it_is_the_same_byte_for_byte(
    versions: list[Tariff], usage: list[UsageRecord], chance: random.Random, batch: int
) -> None:
    nowhere = Ledger(Path("/nonexistent"))
    shuffled = usage + chance.choices(usage, k=len(usage)) if usage else []
    chance.shuffle(shuffled)
    one = make_draft(nowhere, order(versions), (("", record) for record in usage), check=True)
    other = make_draft(nowhere, order(versions), (("", record) for record in shuffled), check=True)
    assert json.dumps(one.after) == json.dumps(other.after)
    assert other.counts["known"] == len(shuffled) - len(usage)

    whole, parts = (Rater(versions, JANUARY.start, JANUARY.end) for _ in range(2))
    whole.add_many(row_of(record) for record in usage)
    chance.shuffle(usage)
    for start in range(0, len(usage), batch):
        parts.add_many([row_of(record) for record in usage[start : start + batch]])
    assert (whole.lines(), whole.digest()) == (parts.lines(), parts.digest())
    assert [line.exact for line in whole.lines()] == [line.exact for line in parts.lines()]


@many_cases
@given(
    tariffs(("unit",)),
    st.lists(st.integers(0, 61 * 86400 * 10**6), min_size=3, max_size=3),
    st.integers(1, 9999),
)
def test_cost_when_usage_is_cut_in_two_then_it_is_the_same_before_rounding(
    versions: list[Tariff], moments: list[int], speed: int
) -> None:
    a, b, c = (START + timedelta(microseconds=moment) for moment in sorted(moments))

    def cost(*cuts: tuple[datetime, datetime]) -> Fraction:
        usage = []
        for start, end in cuts:
            quantity = Decimal((end - start) // timedelta(microseconds=1) * speed).scaleb(-9)
            usage.append(make_record(f"{start}", start=start, end=end, quantity=f"{quantity:f}"))
        return sum((line.exact for line in rate(versions, *usage)), Fraction(0))

    assert cost((a, b), (b, c)) == cost((a, c))


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[int, UsageRecord]]:
    """Records of whole seconds, and in which of three monthly runs each is known first."""
    made = []
    for number in range(draw(st.integers(0, 8))):
        start = START + timedelta(seconds=draw(st.integers(0, 80 * 86400)))
        length = draw(st.integers(0, 40 * 86400))
        about = {
            "resource": "wall",
            "quantity": str(length),
            "deployment": draw(st.sampled_from(["d1", "d2"])),
        }
        record = make_record(str(number), start=start, end=start + timedelta(seconds=length), **about)
        made.append((draw(st.integers(0, 2)), record))
    return made


@many_cases
@given(arrivals(), st.sets(st.integers(1, 90 * 24), max_size=2))
def test_seconds_when_tariffs_change_and_usage_is_late_then_each_is_billed_exactly_once(
    usage: list[tuple[int, UsageRecord]], turns: set[int]
) -> None:
    price = {"name": "Wall", "resource": "wall", "model": "unit", "per": "second", "price": "1"}
    moments = [START.replace(year=2024), *(START + timedelta(hours=turn) for turn in sorted(turns)), None]
    versions = [make_tariff(price, valid_from=start, valid_to=end) for start, end in pairwise(moments)]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # no power is cut here, and disks are slow
        ledger = Ledger(Path(folder) / "invoices")
        for run, month in enumerate(MONTHS):
            known = [("", record) for since, record in usage if since <= run]
            make_final(ledger, order(versions, str(month)), known, check=False)
        billed = [mark[1] for entry in ledger.entries() for mark in ledger.records_of(entry)]
        due = [
            record for _, record in usage if record.end <= MONTHS[-1].end and record.start < MONTHS[-1].end
        ]
        assert sorted(billed) == sorted(record.key for record in due)
        lines = [line for entry in ledger.entries() for line in entry.invoice.lines]
        assert sum(line.quantity for line in lines) == sum(record.quantity for record in due)
        for line in lines:  # each within one version of the tariff and one month
            version = find_version(versions, line.start)
            assert version.valid_from == line.tariff_version
            assert line.end <= month_of(line.start).end
            assert version.valid_to is None or line.end <= version.valid_to


@many_cases
@given(tariffs(), records(), st.data())
def test_credit_notes_when_all_is_given_back_in_parts_then_they_are_exactly_the_invoice(
    versions: list[Tariff], usage: list[UsageRecord], data: st.DataObject
) -> None:
    invoice = finalize_invoice(bill(versions, usage), "1", date(2026, 2, 1))
    assume(invoice.net)
    left = [line.amount for line in invoice.lines]
    notes: list[Invoice] = []
    for number in range(data.draw(st.integers(0, 3))):
        places = [place for place, amount in enumerate(left) if amount]
        if not places:
            break
        unit = Decimal(1).scaleb(-currency_decimals(invoice.currency))
        amounts = {
            place: data.draw(st.integers(1, int(left[place] / unit))) * unit
            for place in data.draw(st.lists(st.sampled_from(places), min_size=1, unique=True))
        }
        note = build_credit_note(invoice, "wrong", amounts, notes)
        notes.append(finalize_invoice(note, str(number + 2), date(2026, 2, 2)))
        left = [amount - amounts.get(place, 0) for place, amount in enumerate(left)]
    try:
        notes.append(build_credit_note(invoice, "the rest", None, notes))
    except InvoiceError:
        assert not any(left)
        assert not invoice.minimum
    assert all(check_invoice(note) == [] for note in notes)
    for name in ("subtotal", "discount", "minimum", "net", "tax"):
        assert sum(getattr(note, name) for note in notes) == getattr(invoice, name)
    assert sum(note.total for note in notes) == invoice.net + invoice.tax
