"""From lines to what is to be paid."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

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
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import Tariff
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord
from tests.unit.billing.makers import CPU, CUSTOMER, JANUARY, SUPPLIER, make_record, make_tariff, rate

WORKED = Path(__file__).with_name("worked_invoice.txt").read_text(encoding="utf-8")
VAT = {"name": "VAT", "percent": "19"}
EUROS = {**CPU, "price": "1"}  # an hour of a core costs 1.00


def bill(tariff: Tariff | list[Tariff], *records: UsageRecord, **about: Any) -> Invoice:
    versions = [tariff] if isinstance(tariff, Tariff) else tariff
    lines = rate(versions, *records)
    return build_invoice(lines, versions, about.pop("customer", CUSTOMER), SUPPLIER, JANUARY, **about)


def euros(amount: str, key: str = "1", **changes: Any) -> UsageRecord:
    """Usage that costs so many euros by the price EUROS."""
    return make_record(key, quantity=str(Decimal(amount) * 3600), **changes)


def in_words(invoice: Invoice) -> str:
    """As the worked example shows it."""
    rows = [
        f"{line.deployment_name}  {line.price_name:9} {line.quantity:>19f} {line.unit:9}"
        f" {line.unit_price if line.unit_price is not None else '-':>6} {line.amount:>6}"
        for line in invoice.lines
    ]
    rows += [f"subtotal {invoice.subtotal:>6}"]
    rows += [f"{s.name:9} {s.percent} % of {s.base}: {s.amount:>5}" for s in invoice.discounts]
    rows += [f"net      {invoice.net:>6}"]
    rows += [f"{s.name:9} {s.percent} % of {s.base}: {s.amount:>5}" for s in invoice.taxes]
    rows += [f"{one.name:9}{one.amount:>6}" for one in invoice.credits]
    rows += [f"total    {invoice.total:>6} {invoice.currency}, due {invoice.due}"]
    return "\n".join(rows) + "\n"


def test_invoice_when_computed_by_hand_then_it_is_the_same() -> None:
    def version(price: str, **validity: str) -> Tariff:
        return make_tariff(
            {**CPU, "price": price},
            {"name": "Memory", "resource": "memory", "model": "graduated", "per": "GiB_hour",
             "tiers": [{"up_to": "500", "price": "0.005"}, {"price": "0.004"}]},
            {"name": "Fee", "resource": "wall", "model": "flat", "price": "3.10", "prorated": True},
            {"name": "Network", "resource": "network_in", "model": "package", "per": "GB", "size": "10",
             "price": "2.00"},
            tax=VAT, discounts=[{"name": "Staff", "percent": "20", "groups": ["staff"]}], **validity,
        )  # fmt: skip

    turn = "2026-01-16"
    versions = [version("0.04", valid_to=turn), version("0.05", valid_from=turn)]
    ten_days = {"start": "2026-01-10T00:00:00Z", "end": "2026-01-20T00:00:00Z"}
    seconds = 240 * 3600
    draft = bill(
        versions,
        make_record("1", quantity=str(2 * seconds), **ten_days),
        make_record("2", resource="memory", quantity=str(4 * 1024**3 * seconds), **ten_days),
        make_record("3", resource="wall", quantity=str(seconds), **ten_days),
        make_record("4", resource="network_in", quantity="23500000000",
                    start="2026-01-12T00:00:00Z", end="2026-01-13T00:00:00Z"),
        make_record("5", quantity="1000", deployment="d2", deployment_name="burst",
                    start="2026-01-20T10:00:00Z", end="2026-01-20T11:00:00Z"),
        credits=[Credit("Voucher", Decimal("5.00"))],
    )  # fmt: skip
    invoice = finalize_invoice(draft, "1", date(2026, 2, 1))
    assert in_words(invoice) == WORKED.split("The invoice\n-----------\n")[1]
    assert check_invoice(invoice) == []


@pytest.mark.parametrize(
    ("about", "amount", "expected"),
    [
        ({}, "10", {"net": "10.00", "tax": "0.00", "total": "10.00"}),
        ({"tax": VAT}, "10", {"net": "10.00", "tax": "1.90", "total": "11.90"}),
        ({"tax": VAT, "minimum": "25.00"}, "10", {"minimum": "15.00", "net": "25.00", "tax": "4.75"}),
        ({"tax": VAT, "minimum": "10.00"}, "10", {"minimum": "0.00", "net": "10.00"}),
        ({"minimum": "5.00"}, "0", {"minimum": "5.00", "total": "5.00"}),
        ({"tax": {"name": "VAT", "percent": "5"}}, "0.30", {"tax": "0.02"}),  # 0.015, half to even
        ({"tax": {"name": "VAT", "percent": "5"}}, "0.50", {"tax": "0.02"}),  # 0.025, half to even
    ],
)
def test_invoice_when_summed_up_then_minimum_comes_before_tax(
    about: dict[str, Any], amount: str, expected: dict[str, str]
) -> None:
    found = bill(make_tariff(EUROS, **about), euros(amount))
    assert {name: str(getattr(found, name)) for name in expected} == expected


@pytest.mark.parametrize(
    ("who", "customer", "expected"),
    [
        ({}, CUSTOMER, "50.00"),
        ({"groups": ["staff"]}, CUSTOMER, "50.00"),
        ({"groups": ["students"]}, CUSTOMER, "0.00"),
        ({"accounts": ["user:ada"]}, CUSTOMER, "50.00"),
        ({"projects": ["physics"]}, CUSTOMER, "20.00"),
        ({"users": ["bob"], "projects": ["physics"]}, CUSTOMER, "50.00"),
        ({"groups": ["staff"]}, Party("Ada", "user:ada"), "0.00"),
    ],
)
def test_discount_when_it_is_for_some_then_only_their_lines_have_it(
    who: dict[str, Any], customer: Party, expected: str
) -> None:
    tariff = make_tariff(EUROS, discounts=[{"name": "Half", "percent": "50", **who}])
    records = (euros("40", "1", project="physics"), euros("60", "2", user="bob"))
    assert str(bill(tariff, *records, customer=customer).discount) == expected


def test_discount_when_several_fit_then_the_first_counts() -> None:
    discounts = [
        {"name": "Physics", "percent": "10", "projects": ["physics"]},
        {"name": "All", "percent": "50"},
    ]
    tariff = make_tariff(EUROS, discounts=discounts)
    found = bill(tariff, euros("40", "1", project="physics"), euros("60", "2"))
    assert {(s.name, str(s.base), str(s.amount)) for s in found.discounts} == {
        ("Physics", "40.00", "4.00"),
        ("All", "60.00", "30.00"),
    }


def test_tax_when_it_changes_within_the_month_then_each_line_has_its_own() -> None:
    turn = "2026-01-15"
    about: dict[str, Any] = {"discounts": [{"name": "Half", "percent": "50"}]}
    old = make_tariff(EUROS, tax={"name": "VAT", "percent": "16"}, valid_to=turn, **about)
    new = make_tariff(EUROS, tax=VAT, valid_from=turn, minimum="100.00", **about)
    later = {"start": "2026-01-20T00:00:00Z", "end": "2026-01-20T01:00:00Z"}
    found = bill([old, new], euros("40", "1"), euros("60", "2", **later))
    assert [(str(s.percent), str(s.base), str(s.amount)) for s in found.taxes] == [
        ("16", "20.00", "3.20"),
        ("19", "80.00", "15.20"),  # 30 and the 50 that are missing for the minimum
    ]
    assert (str(found.minimum), str(found.net), str(found.total)) == ("50.00", "100.00", "118.40")


def test_tax_when_only_the_minimum_is_taxed_then_it_is_there_as_well() -> None:
    found = bill(make_tariff(EUROS, tax=VAT, minimum="10.00"))
    assert [(str(s.base), str(s.amount), s.lines) for s in found.taxes] == [("10.00", "1.90", ())]
    assert check_invoice(found) == []


def test_credits_when_more_than_is_to_be_paid_then_no_more_is_used() -> None:
    given = [
        Credit("Wallet", Decimal("7.00")),
        Credit("Voucher", Decimal("7.00")),
        Credit("More", Decimal("7.00")),
    ]
    found = bill(make_tariff(EUROS), euros("10"), credits=given)
    assert [(one.name, str(one.amount)) for one in found.credits] == [("Wallet", "7.00"), ("Voucher", "3.00")]
    assert str(found.total) == "0.00"


@pytest.mark.parametrize("amount", ["-1.00", "0.001"])
def test_credit_when_it_is_no_amount_then_it_is_refused(amount: str) -> None:
    with pytest.raises(InvoiceError, match="credit 'Wallet'"):
        bill(make_tariff(EUROS), euros("10"), credits=[Credit("Wallet", Decimal(amount))])


def test_invoice_when_final_then_it_has_its_days_and_cannot_be_numbered_again() -> None:
    final = finalize_invoice(bill(make_tariff(EUROS, due_days=14), euros("1")), "A-7", date(2026, 2, 25))
    assert (final.number, final.issued, final.due) == ("A-7", date(2026, 2, 25), date(2026, 3, 11))
    with pytest.raises(InvoiceError, match="A-7 is final already; correct it by a credit note"):
        finalize_invoice(final, "A-8", date(2026, 2, 26))


def test_invoice_when_the_tariff_names_a_supplier_then_it_is_that() -> None:
    tariff = make_tariff(EUROS, supplier={"name": "Faculty", "tax_id": "X1"})
    assert bill(tariff, euros("1")).supplier == Party("Faculty", tax_id="X1")
    assert bill(make_tariff(EUROS), euros("1")).supplier == SUPPLIER


def test_invoice_when_lines_are_of_another_version_then_it_is_refused() -> None:
    lines = rate(make_tariff(EUROS), euros("1"))
    with pytest.raises(
        InvoiceError, match=r"lines\[0\]: was rated by a version of the tariff that is not given"
    ):
        build_invoice(lines, [make_tariff(EUROS, valid_from="2025-01-01")], CUSTOMER, SUPPLIER, JANUARY)
    with pytest.raises(InvoiceError, match="period 2026-01: no version of the tariff"):
        build_invoice([], [make_tariff(EUROS, valid_from="2026-02-01")], CUSTOMER, SUPPLIER, JANUARY)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("total", Decimal("1.00"), "total is not what the lines give"),
        ("total", Decimal("-1.00"), "total is below 0"),
        ("tax", Decimal("0.00"), "tax is not what the lines give"),
        ("subtotal", Decimal("11.00"), "net is not subtotal - discount + minimum"),
    ],
)
def test_check_when_a_sum_was_changed_then_it_is_said(name: str, value: Decimal, said: str) -> None:
    found = bill(make_tariff(EUROS, tax=VAT), euros("10"))
    assert check_invoice(found) == []
    assert said in check_invoice(replace(found, **{name: value}))  # type: ignore[arg-type]


def test_check_when_the_amount_of_a_line_was_changed_then_its_steps_tell() -> None:
    found = bill(make_tariff(EUROS), euros("10"))
    wrong = replace(found, lines=(replace(found.lines[0], amount=Decimal("10.01")),))
    assert "lines[0].amount is not what its steps give" in check_invoice(wrong)


@pytest.mark.parametrize(
    "change",
    [
        {"total": "ten"},
        {"lines": None},
        {"period": {}},
        {"issued": "never"},
        {"supplier": {"name": "", "x": 1}},
    ],
)
def test_document_when_it_is_none_of_an_invoice_then_it_is_refused(change: dict[str, Any]) -> None:
    document = show_invoice(bill(make_tariff(EUROS), euros("10")))
    assert read_invoice(json.loads(json.dumps(document))) == bill(make_tariff(EUROS), euros("10"))
    with pytest.raises(InvoiceError, match="this is no document of an invoice"):
        read_invoice({**document, **change})
