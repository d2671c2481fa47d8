# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of FOCUS 1.2 (FinOps Open Cost and Usage Specification): columns and their types, units, services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import ExportError
from .units import UNITS

STRING, NUMBER, TIME, OBJECT = "string", "number", "time", "object"

#: The columns of our data set, in their order (the alphabet's, ColumnHandling-A-014-O), and their types.
#: All that are mandatory in 1.2, and those that its conditions demand of a platform with prices per unit,
#: a published price list, prices by account, resources that are provisioned, sub accounts and tags.
COLUMNS: Mapping[str, str] = {
    "BilledCost": NUMBER,
    "BillingAccountId": STRING,
    "BillingAccountName": STRING,
    "BillingAccountType": STRING,
    "BillingCurrency": STRING,
    "BillingPeriodEnd": TIME,
    "BillingPeriodStart": TIME,
    "ChargeCategory": STRING,
    "ChargeClass": STRING,
    "ChargeDescription": STRING,
    "ChargeFrequency": STRING,
    "ChargePeriodEnd": TIME,
    "ChargePeriodStart": TIME,
    "ConsumedQuantity": NUMBER,
    "ConsumedUnit": STRING,
    "ContractedCost": NUMBER,
    "ContractedUnitPrice": NUMBER,
    "EffectiveCost": NUMBER,
    "InvoiceId": STRING,
    "InvoiceIssuerName": STRING,
    "ListCost": NUMBER,
    "ListUnitPrice": NUMBER,
    "PricingCategory": STRING,
    "PricingQuantity": NUMBER,
    "PricingUnit": STRING,
    "ProviderName": STRING,
    "PublisherName": STRING,
    "ResourceId": STRING,
    "ResourceName": STRING,
    "ResourceType": STRING,
    "ServiceCategory": STRING,
    "ServiceName": STRING,
    "ServiceSubcategory": STRING,
    "SkuId": STRING,
    "SkuMeter": STRING,
    "SkuPriceDetails": OBJECT,
    "SkuPriceId": STRING,
    "SubAccountId": STRING,
    "SubAccountName": STRING,
    "Tags": OBJECT,
}

#: The name under which what no plan brought is listed: minimum, taxes, prepaid credits.
PLATFORM = "Platform"
_SERVICE = ("Compute", "Containers")
_PLATFORM = ("Other", "Other (Other)")

#: Categories of services and their subcategories (ServiceCategory-C-003-M, ServiceSubcategory-C-004-M).
SERVICES: Mapping[str, tuple[str, ...]] = {
    "AI and Machine Learning": (
        *("AI Platforms", "Bots", "Generative AI", "Machine Learning", "Natural Language Processing"),
        "Other (AI and Machine Learning)",
    ),
    "Analytics": (
        *("Analytics Platforms", "Business Intelligence", "Data Processing", "Search"),
        *("Streaming Analytics", "Other (Analytics)"),
    ),
    "Business Applications": ("Productivity and Collaboration", "Other (Business Applications)"),
    "Compute": (
        *("Containers", "End User Computing", "Quantum Compute", "Serverless Compute"),
        *("Virtual Machines", "Other (Compute)"),
    ),
    "Databases": (
        *("Caching", "Data Warehouses", "Ledger Databases", "NoSQL Databases", "Relational Databases"),
        *("Time Series Databases", "Other (Databases)"),
    ),
    "Developer Tools": (
        *("Developer Platforms", "Continuous Integration and Deployment", "Development Environments"),
        *("Source Code Management", "Quality Assurance", "Other (Developer Tools)"),
    ),
    "Identity": ("Identity and Access Management", "Other (Identity)"),
    "Integration": ("API Management", "Messaging", "Workflow Orchestration", "Other (Integration)"),
    "Internet of Things": ("IoT Analytics", "IoT Platforms", "Other (Internet of Things)"),
    "Management and Governance": (
        *("Architecture", "Compliance", "Cost Management", "Data Governance", "Disaster Recovery"),
        *("Endpoint Management", "Observability", "Support", "Other (Management and Governance)"),
    ),
    "Media": ("Content Creation", "Gaming", "Media Streaming", "Mixed Reality", "Other (Media)"),
    "Migration": ("Data Migration", "Resource Migration", "Other (Migration)"),
    "Mobile": ("Other (Mobile)",),
    "Multicloud": ("Multicloud Integration", "Other (Multicloud)"),
    "Networking": (
        *("Application Networking", "Content Delivery", "Network Connectivity", "Network Infrastructure"),
        *("Network Routing", "Network Security", "Other (Networking)"),
    ),
    "Security": (
        *("Secret Management", "Security Posture Management", "Threat Detection and Response"),
        "Other (Security)",
    ),
    "Storage": (
        *("Backup Storage", "Block Storage", "File Storage", "Object Storage", "Storage Platforms"),
        "Other (Storage)",
    ),
    "Web": ("Application Platforms", "Other (Web)"),
    "Other": ("Other (Other)",),
}

_TIMES = {"second": "Seconds", "minute": "Minutes", "hour": "Hours", "day": "Days"}
_THINGS = {"core": "Core", "gpu": "GPU", "byte": "B", "kB": "KB"}
_WHOLE = {"piece": "Units", "byte": "B", "kB": "KB", **_TIMES}


@dataclass(frozen=True, slots=True)
class FocusNames:
    """What an operator may say about the names in the data set."""

    provider: str = "Labyard"  # where the invoice names no supplier
    #: Plan to category and subcategory, where it is not Compute and Containers.
    services: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def service(self, plan: str) -> tuple[str, str, str]:
        """Name, category and subcategory: one of each for a name, as ServiceName-C-005-C demands."""
        name = plan if plan.strip() else PLATFORM
        default = _PLATFORM if name == PLATFORM else _SERVICE
        return (name, *self.services.get(name, default))


def focus_unit(name: str) -> str:
    """A unit of ours in FOCUS's Unit Format: `core_hour` is Core-Hours. Raises ExportError."""
    if name in FOCUS_UNITS:
        return FOCUS_UNITS[name]
    raise ExportError(f"unit: {name!r} has no name in FOCUS")


def _unit(name: str) -> str:
    thing, _, time = name.rpartition("_")
    if thing:
        return f"{_THINGS.get(thing, thing)}-{_TIMES[time]}"
    return _WHOLE.get(name, name)


#: Units by our name. A monthly fee has no unit with us.
FOCUS_UNITS = {**{name: _unit(name) for name in UNITS}, "": "Months", "month": "Months"}
