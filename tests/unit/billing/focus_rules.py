"""The rules of FOCUS 1.2, each with its id, checked row by row over the text of a CSV file.

Ids and rules are those of the specification's own requirements model: FOCUS_Spec of
github.com/FinOps-Open-Cost-and-Usage-Spec, specification/requirements_model, built as model-1.2.json in
focus_validator of github.com/finopsfoundation. The file is read here without the code that writes it, so that
no mistake is made twice.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tests.unit.billing.focus_tables import (
    ALLOWED,
    CONDITIONAL,
    MANDATORY,
    NOT_NULL,
    NULL,
    NUMBERS,
    NUMERIC,
    PRICED,
    TIME,
    TIMES,
    TOGETHER,
    UNIT,
)

Row = dict[str, str]


@dataclass(frozen=True)
class Broken:
    """A rule that a line does not keep."""

    rule: str
    line: int
    what: str


def check_focus(text: str, payable: dict[str, Decimal]) -> list[Broken]:
    """All rules over a file; `payable` is what is to be paid of each invoice, by its number."""
    rows = list(csv.reader(io.StringIO(text), strict=True))
    header, found = rows[0], [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    broken = list(_check_header(header))
    for line, row in enumerate(found, start=2):
        broken += [Broken(rule, line, what) for rule, what in _check_row(row)]
    return broken + list(_check_all(found, payable))


def _check_header(header: list[str]) -> Iterator[Broken]:
    for column, rule in {**MANDATORY, **CONDITIONAL}.items():
        if column not in header:
            yield Broken(f"CostAndUsage-D-{rule}", 1, f"{column} is not there")
    for column in header:
        if not re.fullmatch(r"([A-Z][a-z]+)+|x_\w+", column):
            yield Broken("ColumnHandling-A-001-M", 1, f"{column} is not in Pascal case")
        if column not in {**MANDATORY, **CONDITIONAL} and not column.startswith("x_"):
            yield Broken("ColumnHandling-A-010-M", 1, f"{column} is no column of FOCUS, and has no x_")
    if len(set(header)) != len(header):
        yield Broken("CostAndUsage-D-000-M", 1, "a column is there twice")


def _check_row(row: Row) -> Iterator[tuple[str, str]]:
    checks: list[Callable[[Row], Iterable[tuple[str, str]]]] = [
        _check_nulls,
        _check_formats,
        _check_objects,
        _check_values,
        _check_priced,
        _check_consumed,
        _check_products,
        _check_others,
    ]
    broken = [found for check in checks[:-2] for found in check(row)]
    yield from broken
    if not any(rule.split("-")[0] in NUMBERS for rule, _ in broken):  # else there is nothing to reckon with
        for check in checks[-2:]:
            yield from check(row)


def _check_nulls(row: Row) -> Iterator[tuple[str, str]]:
    for column, rule in NOT_NULL.items():
        if row[column] == NULL:
            yield f"{column}-C-{rule}", "is null"
    for column, cell in row.items():
        if cell != NULL and not cell.strip():
            yield "StringHandling-A-007-M", f"{column} has only spaces"
        if cell in ("Not Applicable", "N/A", "null", "NULL", "None"):
            yield "NullHandling-A-002-M", f"{column} has {cell!r} for null"
    for column, other, rule, opposite in TOGETHER:
        if row[other] == NULL and row[column] != NULL:
            yield f"{column}-C-{rule}", f"is not null, and {other} is"
        if opposite and row[other] != NULL and row[column] == NULL:
            yield f"{column}-C-{opposite}", f"is null, and {other} is not"


def _check_formats(row: Row) -> Iterator[tuple[str, str]]:
    for column, rule in NUMBERS.items():
        if row[column] != NULL and not NUMERIC.fullmatch(row[column]):
            yield f"{column}-C-{rule}", f"{row[column]!r} is not in NumericFormat"
    for column in TIMES:
        if not TIME.fullmatch(row[column]):
            yield f"{column}-C-002-M", f"{row[column]!r} is not in DateTimeFormat"
    for column in ("PricingUnit", "ConsumedUnit"):
        if row[column] != NULL and not UNIT.fullmatch(row[column]):
            yield f"{column}-C-003-O", f"{row[column]!r} is not in UnitFormat"


def _check_objects(row: Row) -> Iterator[tuple[str, str]]:
    for column in ("Tags", "SkuPriceDetails"):
        if row[column] == NULL:
            continue
        pairs = json.loads(row[column], object_pairs_hook=list)  # KeyValueFormat-A-001-M to A-004-M
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys) or any(isinstance(value, list | dict) for _, value in pairs):
            yield f"{column}-C-001-M", f"{row[column]!r} is not in KeyValueFormat"
        if column == "Tags" and not all(key.startswith("labyard/") for key in keys):
            yield "Tags-C-012-M", f"{row[column]!r} has a provider's tag without its prefix"
        if column == "SkuPriceDetails" and not all(key.startswith("x_") for key in keys):
            yield "SkuPriceDetails-C-017-C", f"{row[column]!r} has a key of its own without x_"


def _check_values(row: Row) -> Iterator[tuple[str, str]]:
    for rule, values in ALLOWED.items():
        column = rule.split("-")[0]
        if row[column] not in values:
            yield rule, f"{row[column]!r} is not allowed"
    if not re.fullmatch("[A-Z]{3}", row["BillingCurrency"]) or row["BillingCurrency"].startswith("X"):
        yield "BillingCurrency-C-006-M", f"{row['BillingCurrency']!r} is no national currency"
    if row["ChargeCategory"] == "Purchase" and row["ChargeFrequency"] == "Usage-Based":
        yield "ChargeFrequency-C-004-C", "a purchase is not usage-based"


def _check_priced(row: Row) -> Iterator[tuple[str, str]]:
    category, corrects = row["ChargeCategory"], row["ChargeClass"] == "Correction"
    for column, (of_taxes, of_usage) in PRICED.items():
        if category == "Tax" and row[column] != NULL:
            yield f"{column}-C-{of_taxes}", "is not null for a tax"
        if category in ("Usage", "Purchase") and not corrects and row[column] == NULL:
            yield f"{column}-C-{of_usage}", f"is null for {category}"


def _check_consumed(row: Row) -> Iterator[tuple[str, str]]:
    if row["ChargeCategory"] != "Usage" and row["ConsumedQuantity"] != NULL:
        yield "ConsumedQuantity-C-004-C", "is not null, and it is no usage"
    # The text of the rule is taken; the condition in the model says the opposite.
    if row["ChargeCategory"] == "Usage" and row["ChargeClass"] == NULL and row["ConsumedQuantity"] == NULL:
        yield "ConsumedQuantity-C-006-C", "is null for usage"


def _check_products(row: Row) -> Iterator[tuple[str, str]]:
    for price, cost, rule in (
        ("ListUnitPrice", "ListCost", "ListCost-C-009-C"),
        ("ContractedUnitPrice", "ContractedCost", "ContractedCost-C-009-C"),
    ):
        if NULL in (row[price], row["PricingQuantity"]) or row["ChargeClass"] == "Correction":
            continue
        if Fraction(row[price]) * Fraction(row["PricingQuantity"]) != Fraction(row[cost]):
            yield rule, f"{row[price]} times {row['PricingQuantity']} is not {row[cost]}"
        if Fraction(row[price]) < 0:
            yield f"{price}-C-{'008-M' if price == 'ListUnitPrice' else '009-C'}", "is below 0"


def _check_others(row: Row) -> Iterator[tuple[str, str]]:
    if row["ProviderName"] != row["InvoiceIssuerName"] and Fraction(row["BilledCost"]) != 0:
        yield "BilledCost-C-005-C", "is not 0, and somebody else issues the invoice"
    if row["ChargeCategory"] == "Purchase" and Fraction(row["EffectiveCost"]) != 0:
        yield "EffectiveCost-C-005-C", "is not 0 for a purchase"
    if row["ChargeCategory"] == "Credit":
        for column, rule in (("ListCost", "008-C"), ("ContractedCost", "008-C"), ("EffectiveCost", "010-C")):
            if row[column] != row["BilledCost"]:
                yield f"{column}-C-{rule}", "a credit has one cost"
    for end, start in (("BillingPeriodEnd", "BillingPeriodStart"), ("ChargePeriodEnd", "ChargePeriodStart")):
        if row[end] <= row[start]:
            yield f"{end}-C-004-M", "the period ends, exclusively, before it begins"
    if row["ResourceName"] != NULL and row["ResourceName"] == row["ResourceId"]:
        yield "ResourceName-C-006-C", "is the id again"


def _check_all(rows: list[Row], payable: dict[str, Decimal]) -> Iterator[Broken]:
    """What is true of several rows together."""
    for rule, column, other in (
        ("SkuPriceId-C-008-M", "SkuPriceId", "SkuId"),
        ("ServiceName-C-005-C", "ServiceName", "ServiceCategory"),
        ("ServiceName-C-008-C", "ServiceName", "ServiceSubcategory"),
        ("InvoiceId-C-007-C", "InvoiceId", "BillingAccountId"),
        ("BillingCurrency-C-005-M", "InvoiceId", "BillingCurrency"),
        ("SkuMeter-C-006-O", "SkuId", "SkuMeter"),
    ):
        parents = defaultdict(set)
        for row in rows:
            if row[column] != NULL:
                parents[row[column]].add(row[other])
        for name, found in parents.items():
            if len(found) != 1:
                yield Broken(rule, 0, f"{name} has {sorted(found)}")
    yield from _check_payable(rows, payable)


def _check_payable(rows: list[Row], payable: dict[str, Decimal]) -> Iterator[Broken]:
    billed: dict[str, Fraction] = defaultdict(Fraction)
    for row in rows:
        if NUMERIC.fullmatch(row["BilledCost"]):
            billed[row["InvoiceId"]] += Fraction(row["BilledCost"])
    for invoice, amount in payable.items():
        if billed.pop(invoice, Fraction(0)) != Fraction(amount):
            yield Broken("BilledCost-C-007-M", 0, f"{invoice} does not add up to {amount}")
    for invoice in billed:
        yield Broken("InvoiceId-C-004-C", 0, f"{invoice!r} is no invoice")
