"""Whatever is exported is read back to the same, whatever people call their things."""

from __future__ import annotations

import csv
import io
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.charges import (
    Charge,
    list_charges,
    sign_of,
    spread,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.csv_cells import (
    guard,
    show_row,
    unguard,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.documents import Invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import (
    BillingError,
    ExportError,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_csv import (
    read_charges_csv,
    read_usage_csv,
    write_charges_csv,
    write_usage_csv,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_dlab import (
    DlabPeriod,
    read_dlab,
    write_dlab,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_eosc import (
    EoscNames,
    read_eosc,
    write_eosc,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_focus import (
    read_focus,
    write_focus,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.export_jsonl import (
    read_charges_jsonl,
    read_usage_jsonl,
    write_charges_jsonl,
    write_usage_jsonl,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord
from tests.unit.billing.examples import make_invoices, make_record, notebook_records
from tests.unit.billing.exports import UNTIL
from tests.unit.billing.focus_rules import check_focus
from tests.unit.billing.strategies import cases, invoices, names, records, texts

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


DAYS = [datetime(2026, *day, tzinfo=UTC) for day in ((1, 1), (1, 9), (2, 3))]


def charge_below_zero() -> Charge:
    """A charge that gives back money."""
    charge = next(list_charges(make_invoices()[0]))
    return replace(charge, amount=Decimal("-12.34"), discounted=None)


def as_file(lines: Iterable[str]) -> io.StringIO:
    """What was written, as a file that was opened for CSV."""
    return io.StringIO("".join(lines), newline="")


@cases
@given(texts | st.text(max_size=10))
def test_cell_when_written_then_no_spreadsheet_runs_it_and_reading_gives_the_text(text: str) -> None:
    cell = guard(text)
    assert not cell.startswith(FORMULA_SIGNS)
    assert next(csv.reader(as_file([show_row([cell, "x"])]), strict=True))[0] == cell
    assert unguard(cell) == text


@pytest.mark.parametrize("sign", FORMULA_SIGNS)
def test_cell_when_it_begins_with_a_sign_of_formulas_then_it_is_marked_as_text(sign: str) -> None:
    assert guard(f"{sign}cmd|' /C calc'!A0") == f"'{sign}cmd|' /C calc'!A0"


def test_number_when_below_zero_then_it_stays_a_number() -> None:
    assert ",-12.34," in "".join(write_charges_csv([charge_below_zero()]))


@cases
@given(st.lists(records(), max_size=5))
def test_usage_when_written_then_it_is_read_back(found: list[UsageRecord]) -> None:
    assert list(read_usage_csv(as_file(write_usage_csv(found)))) == found
    assert list(read_usage_jsonl(as_file(write_usage_jsonl(found)))) == found


@cases
@given(st.lists(invoices(), max_size=3))
def test_charges_when_written_then_they_are_read_back_and_add_up(found: list[Invoice]) -> None:
    charges = [charge for invoice in found for charge in list_charges(invoice)]
    assert list(read_charges_csv(as_file(write_charges_csv(charges)))) == charges
    assert list(read_charges_jsonl(as_file(write_charges_jsonl(charges)))) == charges
    assert sum(charge.amount for charge in charges) == sum(invoice.total for invoice in found)


@cases
@given(invoices())
def test_focus_when_written_then_its_rules_are_kept_and_costs_are_read_back(invoice: Invoice) -> None:
    text = "".join(write_focus([invoice]))
    assert check_focus(text, {invoice.number: sign_of(invoice) * invoice.total}) == []
    rows = list(read_focus(io.StringIO(text, newline="")))
    assert sum(row["BilledCost"] for row in rows) == invoice.total
    assert {row["BillingAccountName"] for row in rows} <= {invoice.customer.name}
    usage = [row for row in rows if row["ChargeCategory"] == "Usage"]
    listed = sum(Fraction(line.amount) for line in invoice.lines)
    # What is listed is what the lines cost before they are rounded, half a unit at most for each line.
    assert abs(sum(Fraction(row["ListCost"]) for row in usage) - listed) <= len(invoice.lines)


def test_focus_when_a_name_is_but_spaces_then_it_is_null() -> None:
    invoice = make_invoices()[0]
    lines = tuple(replace(line, project=" ", plan=" ", deployment_name=" ") for line in invoice.lines)
    text = "".join(write_focus([replace(invoice, lines=lines)]))
    assert check_focus(text, {invoice.number: invoice.total}) == []


@cases
@given(invoices(), texts)
def test_dlab_when_written_then_it_is_read_back(invoice: Invoice, base_name: str) -> None:
    charges = list(list_charges(invoice))
    period = DlabPeriod(base_name)
    found, lines, _ = read_dlab(as_file(write_dlab(charges, period)))
    assert found == period
    assert [(line.user, line.project, line.cost) for line in lines] == [
        (charge.user, charge.project, charge.amount) for charge in charges
    ]


@cases
@given(st.lists(records(resource="wall", unit="second", plan="p"), max_size=6))
def test_eosc_when_written_day_by_day_then_it_is_what_is_written_at_once(found: list[UsageRecord]) -> None:
    names_of = EoscNames({"p": "m"})
    at_once = list(write_eosc(found, names_of, None, DAYS[-1]))
    in_parts = []
    for since, until in itertools.pairwise(DAYS):
        in_parts += write_eosc(found, names_of, since, until)
    assert in_parts == at_once
    metrics = list(read_eosc(at_once))
    hours = sum((Fraction(record.quantity) for record in found), Fraction(0)) / 3600
    # Each is rounded to 9 decimals.
    assert abs(sum((Fraction(metric.hours) for metric in metrics), Fraction(0)) - hours) <= Fraction(
        60 * len(found), 10**9
    )


@cases
@given(st.decimals(0, 1000, places=2), st.lists(st.integers(0, 100), max_size=8))
def test_spread_when_parts_are_rounded_then_no_cent_is_lost(amount: Decimal, weights: list[int]) -> None:
    parts = spread(amount, [Fraction(weight) for weight in weights], "EUR")
    assert len(parts) == len(weights)
    assert sum(parts) == (amount if weights else 0)
    assert all(part >= 0 and part == round(part, 2) for part in parts)


def test_writer_when_records_never_end_then_lines_come_as_it_reads() -> None:
    endless = (make_record(key=str(number)) for number in itertools.count())
    lines = write_usage_csv(endless)
    assert [line.split(",")[1] for line in itertools.islice(lines, 1, 4)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("core_second,7200", "core_second,7201", 1), "the total says 32400.5"),
        (lambda text: text.replace("\n", "\nx,y\n", 1), "line 2: 2 cells, where 15 are needed"),
        (lambda text: text.replace("7200", "7200.x", 1), "line 3: quantity"),
        (lambda text: text[10:], "line 1: the columns must be source,key"),
        (lambda text: text.replace("{", "{{", 1), "line 2: "),
    ],
    ids=["another-number", "other-cells", "no-number", "no-header", "no-json"],
)
def test_usage_csv_when_it_was_changed_then_reading_says_where(
    change: Callable[[str], str], words: str
) -> None:
    text = change("".join(write_usage_csv(notebook_records())))
    with pytest.raises(BillingError, match=words):
        list(read_usage_csv(as_file([text])))


@pytest.mark.parametrize("cut", [1, 2])
def test_dlab_when_it_was_cut_then_reading_says_so(cut: int) -> None:
    lines = list(write_dlab([charge_below_zero()], DlabPeriod("lab")))
    with pytest.raises(ExportError, match="not whole"):
        read_dlab(lines[:-cut])


@cases
@given(names)
def test_focus_when_a_supplier_is_named_then_it_is_provider_and_issuer(name: str) -> None:
    invoice = make_invoices()[0]
    invoice = replace(invoice, supplier=replace(invoice.supplier, name=name))
    for row in read_focus(as_file(write_focus([invoice]))):
        assert {row["ProviderName"], row["PublisherName"], row["InvoiceIssuerName"]} == {name}


def test_eosc_when_a_deployment_runs_over_midnight_then_each_day_has_its_hours() -> None:
    by_day = defaultdict(Decimal)
    lines = write_eosc(notebook_records(), EoscNames({"notebook": "m"}), None, UNTIL)
    for metric in read_eosc(lines):
        by_day[metric.day.date().isoformat()] += metric.hours
    assert by_day == {"2026-01-10": Decimal("3.000138889"), "2026-01-11": Decimal(2)}
