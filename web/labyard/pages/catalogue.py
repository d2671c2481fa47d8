"""The catalogue: what there is to launch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import render_template
from flask_login import login_required

from labyard.billing.prices import PriceList, read_price_list
from labyard.catalog.plans import plans_for, require_available
from labyard.context import session
from labyard.errors import NotFound
from labyard.models import Plan
from labyard.security import require_person

from .blueprint import blueprint
from .prices import ShownPrice, default_params, price_of
from .words import show_shape


@dataclass(frozen=True)
class Card:
    """A plan as the catalogue shows it."""

    plan: Plan
    icon: str
    summary: str
    shapes: dict[str, str]  # name of the shape to what it sets, in words
    price: ShownPrice | None  # as it is without a choice; None where there is no billing
    shape_prices: dict[str, ShownPrice | None]


@blueprint.get("/")
@login_required
def catalogue() -> Any:
    """All plans that the person may order."""
    person = require_person()
    prices = read_price_list(session(), person, person.projects[0].name if person.projects else "")
    cards, broken = [], []
    for plan in session().scalars(plans_for(person)):
        try:
            cards.append(_card(plan, prices))
        except NotFound as error:  # the other plans stay usable
            broken.append(error.detail)
    return render_template("catalogue.html", cards=cards, broken=broken)


def _card(plan: Plan, prices: PriceList | None) -> Card:
    configuration = require_available(plan)
    defaults = default_params(configuration)
    return Card(
        plan,
        configuration.icon,
        plan.summary or configuration.summary,
        {name: show_shape(configuration, values) for name, values in plan.shapes.items()},
        price_of(prices, plan, configuration, defaults),
        {
            name: price_of(prices, plan, configuration, {**defaults, **values})
            for name, values in plan.shapes.items()
        },
    )
