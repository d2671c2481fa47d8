"""Columns, vocabularies and ids of rules of FOCUS 1.2, as its requirements model has them."""

from __future__ import annotations

import re

NULL = ""
# CostAndUsage-D-<number>: columns that must be there, whatever a provider supports.
MANDATORY = {
    "BillingAccountName": "005-M",
    "BilledCost": "006-M",
    "ChargeCategory": "008-M",
    "BillingPeriodStart": "009-M",
    "BillingPeriodEnd": "010-M",
    "PublisherName": "021-M",
    "InvoiceIssuerName": "023-M",
    "BillingAccountId": "024-M",
    "ChargeDescription": "025-M",
    "ChargeClass": "026-M",
    "ChargePeriodEnd": "028-M",
    "ContractedCost": "030-M",
    "EffectiveCost": "031-M",
    "ListCost": "032-M",
    "BillingCurrency": "035-M",
    "PricingQuantity": "036-M",
    "ChargePeriodStart": "037-M",
    "ProviderName": "038-M",
    "ServiceCategory": "040-M",
    "ServiceName": "041-M",
    "PricingUnit": "068-M",
}
# Those that must or should be there because of what the platform supports.
CONDITIONAL = {
    "ListUnitPrice": "004-C",
    "BillingAccountType": "007-C",
    "ConsumedQuantity": "011-C",
    "SubAccountId": "019-C",
    "PricingCategory": "022-C",
    "ChargeFrequency": "027-O",
    "SubAccountName": "029-C",
    "InvoiceId": "033-O",
    "ContractedUnitPrice": "034-C",
    "ResourceType": "039-C",
    "ServiceSubcategory": "042-O",
    "ResourceId": "043-C",
    "ResourceName": "044-C",
    "SkuPriceId": "058-C",
    "SkuMeter": "059-C",
    "SkuId": "060-C",
    "SkuPriceDetails": "061-C",
    "Tags": "064-C",
    "ConsumedUnit": "066-C",
}
# The rule of each column that says it is never null.
NOT_NULL = {
    "BilledCost": "003-M",
    "BillingAccountId": "001-M",
    "BillingAccountName": "003-C",
    "BillingCurrency": "004-M",
    "BillingPeriodEnd": "003-M",
    "BillingPeriodStart": "003-M",
    "ChargeCategory": "002-M",
    "ChargeDescription": "003-O",
    "ChargeFrequency": "002-M",
    "ChargePeriodEnd": "003-M",
    "ChargePeriodStart": "003-M",
    "ContractedCost": "003-M",
    "EffectiveCost": "003-M",
    "InvoiceIssuerName": "003-M",
    "ListCost": "003-M",
    "ProviderName": "003-M",
    "PublisherName": "003-M",
    "ServiceCategory": "002-M",
    "ServiceName": "003-M",
    "ServiceSubcategory": "002-M",
    "BillingAccountType": "005-C",
}
# The rule of each column that says it has a number, and that the number is in NumericFormat.
NUMBERS = {
    "BilledCost": "002-M",
    "ConsumedQuantity": "002-M",
    "ContractedCost": "002-M",
    "ContractedUnitPrice": "003-M",
    "EffectiveCost": "002-M",
    "ListCost": "002-M",
    "ListUnitPrice": "002-M",
    "PricingQuantity": "002-M",
}
TIMES = (
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargePeriodEnd",
    "ChargePeriodStart",
)  # rule 002-M of each
ALLOWED = {
    "ChargeCategory-C-003-M": ("Usage", "Purchase", "Tax", "Credit", "Adjustment"),
    "ChargeClass-C-005-C": ("Correction", NULL),
    "ChargeFrequency-C-003-M": ("One-Time", "Recurring", "Usage-Based"),
    "PricingCategory-C-007-M": ("Standard", "Committed", "Dynamic", "Other", NULL),
    "ServiceCategory-C-003-M": (
        "AI and Machine Learning",
        "Analytics",
        "Business Applications",
        "Compute",
        "Databases",
        "Developer Tools",
        "Multicloud",
        "Identity",
        "Integration",
        "Internet of Things",
        "Management and Governance",
        "Media",
        "Migration",
        "Mobile",
        "Networking",
        "Security",
        "Storage",
        "Web",
        "Other",
    ),
}
# Null for a tax (first rule), not null for usage and purchases that correct nothing (second rule).
PRICED = {
    "ListUnitPrice": ("004-C", "005-C"),
    "PricingQuantity": ("004-C", "005-C"),
    "SkuPriceId": ("004-C", "005-C"),
    "SkuId": ("004-C", "005-C"),
    "PricingCategory": ("003-C", "004-C"),
    "ContractedUnitPrice": ("005-C", "006-C"),
}
# Null where the other column is null (rule), and not null where it is not (rule, if there is one).
TOGETHER = [
    ("PricingUnit", "PricingQuantity", "005-C", "006-C"),
    ("ConsumedUnit", "ConsumedQuantity", "005-C", "006-C"),
    ("ResourceType", "ResourceId", "004-C", "005-C"),
    ("SubAccountName", "SubAccountId", "004-C", "005-C"),
    ("SkuMeter", "SkuId", "004-C", "005-C"),
    ("SkuPriceDetails", "SkuPriceId", "004-C", ""),
    ("ResourceName", "ResourceId", "004-C", ""),
]
NUMERIC = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(E-?\d+)?")  # NumericFormat-A-003-M to A-011-M
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")  # DateTimeFormat-A-003-M to A-006-M
_SIZES = "B|KB|MB|GB|TB|PB|EB|KiB|MiB|GiB|TiB|PiB|EiB"
_SPANS = "Year|Month|Day|Hour|Minute|Second"
# UnitFormat: a unit, or one times a time; a count-based unit is a capitalized noun.
UNIT = re.compile(rf"([1-9]\d* )?((({_SIZES})|[A-Z][A-Za-z]*)-)?(({_SIZES})|({_SPANS})s|[A-Z][a-z]+s)")
