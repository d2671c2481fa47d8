"""What credit notes give back, and what they refuse."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.credit_notes import build_credit_note
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import InvoiceError
from ansible_collections.labyard.platform.plugins.module_utils._billing.invoice import (
    Invoice,
    build_invoice,
    check_invoice,
    finalize_invoice,
)
from tests.unit.billing.makers import CPU, CUSTOMER, JANUARY, SUPPLIER, make_record, make_tariff, rate

DAY = date(2026, 2, 1)


@pytest.fixture
def invoice() -> Invoice:
    """60.00 for one deployment and 40.00 for another, 10 % off, 19 % tax: 90.00 and 17.10."""
    tariff = make_tariff(
        {**CPU, "price": "1"},
        tax={"name": "VAT", "percent": "19"},
        discounts=[{"name": "Tenth", "percent": "10"}],
    )
    usage = [
        make_record("1", deployment="d1", deployment_name="a", quantity=str(60 * 3600)),
        make_record("2", deployment="d2", deployment_name="b", quantity=str(40 * 3600)),
    ]
    made = build_invoice(rate(tariff, *usage), [tariff], CUSTOMER, SUPPLIER, JANUARY, usage="digest")
    return finalize_invoice(made, "7", DAY)


def test_credit_note_when_for_all_then_it_mirrors_the_invoice(invoice: Invoice) -> None:
    note = build_credit_note(invoice, " never ran ")
    assert (note.kind, note.number, note.corrects, note.reason) == ("credit_note", "", "7", "never ran")
    assert (note.subtotal, note.discount, note.net, note.tax, note.total) == tuple(
        map(Decimal, ("100.00", "10.00", "90.00", "17.10", "107.10"))
    )
    assert note.lines == invoice.lines
    assert (note.usage, note.issued, note.due) == ("", None, None)
    assert check_invoice(note) == []


def test_credit_note_when_for_a_part_then_discount_tax_and_quantity_are_parts_too(invoice: Invoice) -> None:
    note = build_credit_note(invoice, "was down", {1: Decimal("10.00")})
    assert (note.subtotal, note.discount, note.tax, note.total) == tuple(
        map(Decimal, ("10.00", "1.00", "1.71", "10.71"))
    )
    assert (note.of_lines, note.lines[0].deployment, str(note.lines[0].quantity)) == (
        (1,),
        "d2",
        "10.000000000000",
    )
    assert [(share.base, share.lines) for share in note.taxes] == [(Decimal("9.00"), (0,))]


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        ({1: "40.01"}, r"lines\[1\]: 40.01 is more than the 40.00 that can be given back"),
        ({2: "1.00"}, r"lines\[2\]: 7 has 2 lines"),
        ({0: "0.00"}, r"lines\[0\]: 0.00 is no amount above 0 of EUR"),
        ({0: "-1.00"}, r"lines\[0\]: -1.00 is no amount above 0 of EUR"),
        ({0: "0.001"}, r"lines\[0\]: 0.001 is no amount above 0 of EUR"),
    ],
)
def test_credit_note_when_the_amount_cannot_be_given_back_then_it_is_refused(
    invoice: Invoice, amounts: dict[int, str], said: str
) -> None:
    with pytest.raises(InvoiceError, match=said):
        build_credit_note(invoice, "wrong", {place: Decimal(amount) for place, amount in amounts.items()})


def test_credit_note_when_some_was_given_back_then_only_the_rest_is_left(invoice: Invoice) -> None:
    first = finalize_invoice(build_credit_note(invoice, "was down", {0: Decimal("60.00")}), "8", DAY)
    with pytest.raises(InvoiceError, match=r"0\.01 is more than the 0\.00"):
        build_credit_note(invoice, "again", {0: Decimal("0.01")}, [first])
    rest = build_credit_note(invoice, "the rest", None, [first])
    assert (rest.of_lines, rest.total) == ((1,), Decimal("42.84"))
    with pytest.raises(InvoiceError, match="7: nothing is left of it to give back"):
        build_credit_note(invoice, "more", None, [first, finalize_invoice(rest, "9", DAY)])


def test_credit_note_when_there_is_no_reason_or_no_invoice_then_it_is_refused(invoice: Invoice) -> None:
    with pytest.raises(InvoiceError, match="reason: say why 7 is corrected"):
        build_credit_note(invoice, " ")
    note = finalize_invoice(build_credit_note(invoice, "wrong"), "8", DAY)
    with pytest.raises(InvoiceError, match="corrects an invoice that has a number"):
        build_credit_note(note, "wrong")


def test_credit_note_when_a_minimum_was_billed_then_it_is_given_back_with_the_whole_alone() -> None:
    tariff = make_tariff({**CPU, "price": "1"}, minimum="10.00", tax={"name": "VAT", "percent": "10"})
    made = build_invoice(rate(tariff, make_record()), [tariff], CUSTOMER, SUPPLIER, JANUARY)
    invoice = finalize_invoice(made, "7", DAY)
    part = build_credit_note(invoice, "was down", {0: Decimal("1.00")})
    assert (part.minimum, part.total) == (Decimal("0.00"), Decimal("1.10"))
    rest = build_credit_note(invoice, "the rest", None, [finalize_invoice(part, "8", DAY)])
    assert (rest.minimum, rest.total, rest.lines) == (Decimal("9.00"), Decimal("9.90"), ())
