"""What chosen values cost: words for catalogue and forms, and the same while a form is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import jsonify, request
from flask_login import login_required
from flask_wtf import FlaskForm

from ansible_collections.labyard.platform.plugins.module_utils._billing.prices import Price
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Configuration, PhaseSpec
from labyard.billing.prices import PriceList, Quote, read_price_list
from labyard.billing.wording import unit_word
from labyard.catalog.plans import get_plan, require_available
from labyard.context import session
from labyard.forms.phase_form import PREFIX, build_form, read_params
from labyard.models import Plan
from labyard.security import require_person

from .amounts import money, per_hour, per_month, resource_word
from .blueprint import blueprint
from .budgets import budgets_of_launch, left_words


@dataclass(frozen=True)
class ShownPrice:
    """A price in words; `hour` and `month` are empty where there is none."""

    hour: str
    month: str
    beside: str  # what is billed beside that, as it is used; empty if nothing is
    account: str
    shape: str = ""

    @property
    def short(self) -> str:
        """For a card or a quick size."""
        return f"{self.hour} an hour · {self.month} a month" if self.hour else "No price"


def show_quote(quote: Quote) -> ShownPrice:
    """A quote in words."""
    cost = quote.cost
    return ShownPrice(
        hour=per_hour(cost) if cost else "",
        month=per_month(cost) if cost else "",
        beside=", ".join(_say_price(price, cost.currency if cost else "") for price in quote.beside),
        account=quote.account,
    )


def price_of(
    prices: PriceList | None, plan: Plan, configuration: Configuration, params: Mapping[str, Any]
) -> ShownPrice | None:
    """The price of a plan with parameters; None where there is no billing."""
    return None if prices is None else show_quote(prices.quote(plan, configuration, params))


def form_price(
    plan: Plan, configuration: Configuration, phase: PhaseSpec, form: FlaskForm, prices: PriceList | None
) -> ShownPrice | None:
    """The price of what a form holds; None where there is no billing."""
    return price_of(prices, plan, configuration, read_params(phase, form))


def default_params(configuration: Configuration) -> dict[str, Any]:
    """What a form holds that nobody has touched."""
    fields = configuration.phases["install"].fields
    return {field.name: field.default for field in fields if field.default is not None}


def priced_inputs(configuration: Configuration) -> list[str]:
    """The inputs of the form on which the price depends."""
    install = configuration.phases.get("install")
    amounts = {resource.parameter for resource in configuration.resources}
    return [PREFIX + field.name for field in install.fields if field.name in amounts] if install else []


@blueprint.get("/plans/<name>/price")
@login_required
def plan_price(name: str) -> Any:
    """The price of the values in the address, named as in the form, as JSON, and what is left of budgets."""
    person = require_person()
    plan = get_plan(session(), person, name)
    configuration = require_available(plan)
    phase = configuration.phases["install"]
    form = build_form(phase, plan.fixed, default_params(configuration))
    given = {
        field.name: request.args[PREFIX + field.name]
        for field in phase.fields
        if PREFIX + field.name in request.args and PREFIX + field.name in form
    }
    project = request.args.get("project", "")
    prices = read_price_list(session(), person, project)
    shown = price_of(prices, plan, configuration, {**read_params(phase, form), **given})
    words = {name: getattr(shown, name) if shown else "" for name in ("hour", "month", "beside")}
    left = [left_words(status) for status in budgets_of_launch(person, project)]
    return jsonify({**words, "left": left})


def _say_price(price: Price, currency: str) -> str:
    if price.tiers:
        return f"{resource_word(price.resource).lower()} by tiers"
    amount = money(price.price, currency)
    if price.model == "flat":
        return f"{price.name} {amount} a month"
    unit = unit_word(price.per)
    size = f"for {price.size:f} {unit}" if price.model == "package" else f"a {unit.removesuffix('s')}"
    return f"{resource_word(price.resource).lower()} at {amount} {size}"
