"""The checker of FOCUS's rules finds what breaks them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.unit.billing.examples import read_golden
from tests.unit.billing.focus_rules import Row, check_focus

PAYABLE = {"CC-000001": Decimal("5.78"), "CC-000002": Decimal("5.95"), "CC-000003": Decimal("-0.28")}
USAGE, TAX, CREDIT, CORRECTION = 0, 6, 7, 13


def broken_rules(place: int, **cells: str) -> set[str]:
    """The rules that the golden file breaks once cells of one row are others."""
    rows: list[Row] = list(csv.DictReader(io.StringIO(read_golden("focus.csv"), newline="")))
    rows[place].update(cells)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return {broken.rule for broken in check_focus(file.getvalue(), PAYABLE)}


@pytest.mark.parametrize(
    ("place", "cells", "rule"),
    [
        (USAGE, {"BilledCost": "2.41"}, "BilledCost-C-007-M"),
        (USAGE, {"InvoiceId": ""}, "InvoiceId-C-004-C"),
        (USAGE, {"ListCost": ""}, "ListCost-C-003-M"),
        (USAGE, {"EffectiveCost": ""}, "EffectiveCost-C-003-M"),
        (USAGE, {"ContractedCost": "2,4"}, "ContractedCost-C-002-M"),
        (USAGE, {"ListCost": "+3"}, "ListCost-C-002-M"),
        (USAGE, {"ListCost": "4"}, "ListCost-C-009-C"),
        (USAGE, {"ContractedUnitPrice": "9"}, "ContractedCost-C-009-C"),
        (USAGE, {"ChargeCategory": "usage"}, "ChargeCategory-C-003-M"),
        (USAGE, {"ChargeClass": "correction"}, "ChargeClass-C-005-C"),
        (USAGE, {"ChargeFrequency": "Monthly"}, "ChargeFrequency-C-003-M"),
        (USAGE, {"ChargeCategory": "Purchase", "ChargeFrequency": "Usage-Based"}, "ChargeFrequency-C-004-C"),
        (USAGE, {"ServiceCategory": "Containers"}, "ServiceCategory-C-003-M"),
        (USAGE, {"ServiceCategory": "Storage"}, "ServiceName-C-005-C"),
        (USAGE, {"ChargePeriodStart": "2026-01-10T22:00:00+00:00"}, "ChargePeriodStart-C-002-M"),
        (USAGE, {"BillingPeriodEnd": "2026-02-01"}, "BillingPeriodEnd-C-002-M"),
        (USAGE, {"ChargePeriodEnd": "2026-01-10T22:00:00Z"}, "ChargePeriodEnd-C-004-M"),
        (USAGE, {"BillingCurrency": "XLC"}, "BillingCurrency-C-006-M"),
        (USAGE, {"ProviderName": "Reseller"}, "BilledCost-C-005-C"),
        (USAGE, {"PricingQuantity": ""}, "PricingQuantity-C-005-C"),
        (USAGE, {"PricingUnit": ""}, "PricingUnit-C-006-C"),
        (USAGE, {"PricingUnit": "core_hour"}, "PricingUnit-C-003-O"),
        (USAGE, {"ConsumedQuantity": ""}, "ConsumedQuantity-C-006-C"),
        (USAGE, {"SkuId": ""}, "SkuId-C-005-C"),
        (USAGE, {"SkuPriceId": "standard/2026-01-01T00:00:00Z/Processor"}, "SkuPriceId-C-008-M"),
        (USAGE, {"SkuMeter": "cpu", "SkuId": "standard/Memory"}, "SkuMeter-C-006-O"),
        (USAGE, {"ResourceType": ""}, "ResourceType-C-005-C"),
        (USAGE, {"SubAccountName": ""}, "SubAccountName-C-005-C"),
        (USAGE, {"Tags": '{"plan": "notebook"}'}, "Tags-C-012-M"),
        (USAGE, {"Tags": '{"labyard/plan": ["notebook"]}'}, "Tags-C-001-M"),
        (USAGE, {"SkuPriceDetails": '{"model": "flat"}'}, "SkuPriceDetails-C-017-C"),
        (USAGE, {"ChargeDescription": "Not Applicable"}, "NullHandling-A-002-M"),
        (TAX, {"PricingQuantity": "1"}, "PricingQuantity-C-004-C"),
        (TAX, {"ConsumedQuantity": "1"}, "ConsumedQuantity-C-004-C"),
        (CREDIT, {"EffectiveCost": "0"}, "EffectiveCost-C-010-C"),
        (CORRECTION, {"ChargeClass": ""}, "ListUnitPrice-C-005-C"),
    ],
)
def test_rule_when_a_cell_breaks_it_then_it_is_found(place: int, cells: Row, rule: str) -> None:
    assert rule in broken_rules(place, **cells)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda text: text.replace("BilledCost", "Billed_Cost", 1), "CostAndUsage-D-006-M"),
        (lambda text: text.replace("PricingUnit", "MyUnit", 1), "ColumnHandling-A-010-M"),
    ],
)
def test_rule_when_a_column_is_missing_then_it_is_found(change: Callable[[str], str], rule: str) -> None:
    header = change(read_golden("focus.csv").splitlines()[0])
    assert rule in {broken.rule for broken in check_focus(header, {})}
