"""Exports of the examples against files that were checked by hand, and read back to the same numbers."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.export_apel import read_apel
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_csv import (
    read_charges_csv,
    read_usage_csv,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_dlab import read_dlab
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_eosc import read_eosc
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_focus import read_focus
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_jsonl import (
    read_charges_jsonl,
    read_usage_jsonl,
)
from tests.unit.billing.examples import make_invoices, notebook_records, read_golden
from tests.unit.billing.exports import EXPORTS, JANUARY, example_charges
from tests.unit.billing.focus_rules import check_focus


def lines_of(name: str) -> io.StringIO:
    """A golden file as Python reads CSV."""
    return io.StringIO(read_golden(name), newline="")


@pytest.mark.parametrize("name", EXPORTS)
def test_export_when_written_then_it_is_the_file_that_was_checked(name: str) -> None:
    assert "".join(EXPORTS[name]()) == read_golden(name)


def test_usage_when_read_back_then_the_records_are_the_same() -> None:
    assert list(read_usage_csv(lines_of("usage.csv"))) == notebook_records()
    assert list(read_usage_jsonl(lines_of("usage.jsonl"))) == notebook_records()


def test_charges_when_read_back_then_they_are_the_same() -> None:
    assert list(read_charges_csv(lines_of("charges.csv"))) == list(example_charges())
    assert list(read_charges_jsonl(lines_of("charges.jsonl"))) == list(example_charges())


def test_dlab_when_read_back_then_its_costs_are_those_of_the_charges() -> None:
    period, lines, currency = read_dlab(lines_of("dlab.csv"))
    assert (period, currency) == (JANUARY, "EUR")
    assert [line.cost for line in lines] == [charge.amount for charge in example_charges()]
    # 5.78 and 5.95 to be paid, 0.28 given back.
    assert sum(line.cost for line in lines) == Decimal("11.45")


def test_apel_when_read_back_then_durations_are_those_of_the_records() -> None:
    ada, bob = read_apel(lines_of("apel.txt"))
    assert (ada["WallDuration"], ada["CpuDuration"], ada["CpuCount"]) == (4 * 3600, 8 * 3600, 2)
    assert (ada["Memory"], ada["NetworkOutbound"]) == (4096, 5)
    assert (bob["WallDuration"], bob["Disk"]) == (3600, 10)  # 3600.5 s, halves to even


def test_eosc_when_read_back_then_hours_of_a_user_are_those_of_the_records() -> None:
    metrics = list(read_eosc(lines_of("eosc.jsonl")))
    assert [metric.hours for metric in metrics if metric.user == "ada@id"] == [2, 2]
    assert [metric.hours for metric in metrics if metric.user == "bob"] == [Decimal("1.000138889")]


def test_focus_when_read_back_then_billed_costs_add_up_to_the_invoices() -> None:
    rows = list(read_focus(lines_of("focus.csv")))
    billed = {row["InvoiceId"]: Decimal(0) for row in rows}
    for row in rows:
        billed[row["InvoiceId"]] += row["BilledCost"]
    assert billed == {
        "CC-000001": Decimal("5.78"),
        "CC-000002": Decimal("5.95"),
        "CC-000003": Decimal("-0.28"),
    }


def test_focus_when_checked_by_its_published_rules_then_all_are_kept() -> None:
    payable = {
        invoice.number: -invoice.total if invoice.kind == "credit_note" else invoice.total
        for invoice in make_invoices()
    }
    assert check_focus(read_golden("focus.csv"), payable) == []
