"""How money and quantities read on a page: the documents' own digits, without zeros that say nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from ansible_collections.labyard.platform.plugins.module_utils._billing.estimate import Cost
from ansible_collections.labyard.platform.plugins.module_utils._billing.money import currency_decimals
from labyard.billing.wording import unit_word

from .blueprint import blueprint

RESOURCE_WORDS = {
    "wall": "Running time",
    "cpu": "CPU",
    "cpu_used": "CPU used",
    "memory": "Memory",
    "memory_used": "Memory used",
    "gpu": "GPU",
    "volume": "Volumes",
    "network_in": "Network in",
    "network_out": "Network out",
}
STATE_WORDS = {
    "draft": "Draft",
    "finalized": "To be paid",
    "partly_paid": "Partly paid",
    "paid": "Paid",
    "void": "Void",
}
_STATE_ICONS = {
    "draft": "pencil",
    "finalized": "hourglass-split",
    "partly_paid": "circle-half",
    "paid": "check-circle-fill",
    "void": "slash-circle",
}


@blueprint.app_template_filter()
def money(amount: Decimal | str, currency: str) -> str:
    """12.50 EUR: at least the currency's decimals, and all that the number has."""
    return f"{_at_least(Decimal(amount), currency_decimals(currency) if currency else 0)} {currency}".strip()


@blueprint.app_template_filter()
def number(amount: Decimal | str) -> str:
    """A quantity without zeros at its end: 744.5."""
    return _at_least(Decimal(amount), 0)


blueprint.add_app_template_filter(unit_word)


@blueprint.app_template_filter()
def resource_word(resource: str) -> str:
    """CPU for cpu; another name in words as good as may be."""
    return RESOURCE_WORDS.get(resource) or resource.replace("_", " ").capitalize()


@blueprint.app_template_filter()
def invoice_state(state: str) -> str:
    """The state of an invoice in words."""
    return STATE_WORDS.get(state, state)


@blueprint.app_template_filter()
def invoice_icon(state: str) -> str:
    """The name of the icon of an invoice's state."""
    return _STATE_ICONS.get(state, "question-circle")


@blueprint.app_template_filter()
def last_day(end: datetime | str) -> str:
    """The last day of a half-open interval: 2026-01-31 for one that ends at midnight of February 1."""
    moment = datetime.fromisoformat(end) if isinstance(end, str) else end
    return f"{moment - timedelta(microseconds=1):%Y-%m-%d}"


@blueprint.app_template_filter()
def day(moment: datetime | date | str | None) -> str:
    """2026-01-31, in UTC."""
    if moment is None:
        return ""
    return moment[:10] if isinstance(moment, str) else f"{moment:%Y-%m-%d}"


def per_hour(cost: Cost) -> str:
    """0.045 EUR."""
    return money(cost.per_hour, cost.currency)


def per_month(cost: Cost) -> str:
    """32.85 EUR."""
    return money(cost.per_month, cost.currency)


def _at_least(amount: Decimal, decimals: int) -> str:
    text = f"{amount:f}"
    whole, _, rest = text.partition(".")
    rest = rest.rstrip("0").ljust(decimals, "0")
    return f"{whole}.{rest}" if rest else whole
