"""The launch form: made from the argument spec of the plan's role."""

from __future__ import annotations

from itertools import count
from typing import Any

from flask import render_template, request
from flask_login import login_required
from flask_wtf import FlaskForm
from sqlalchemy import select
from wtforms import SelectField, StringField

from labyard.accounts.scope import deployments_of
from labyard.billing.prices import PriceList, read_price_list
from labyard.catalog.plans import configuration_of, get_plan, require_available
from labyard.commands.submit import CommandRequest
from labyard.context import session
from labyard.errors import Conflict, InvalidInput, Unavailable
from labyard.forms.phase_form import PREFIX, build_form, form_groups, read_params
from labyard.models import Deployment, Plan, State, User
from labyard.security import require_person

from .blueprint import blueprint
from .budgets import budgets_of_launch
from .issuing import issue_command, take_back
from .prices import default_params, form_price, price_of, priced_inputs
from .words import show_shape


class AboutForm(FlaskForm):
    """What every deployment has, whatever its plan."""

    name = StringField(
        "Name",
        description="How you will find it again: letters, digits, dots, dashes or underscores.",
        render_kw={"maxlength": 63, "required": True, "autocomplete": "off", "spellcheck": "false"},
    )
    project = SelectField(
        "Project", description="The project that this work belongs to.", validate_choice=False
    )


@blueprint.route("/plans/<name>/launch", methods=["GET", "POST"])
@login_required
def launch(name: str) -> Any:
    """The form for a new deployment of the plan, and what becomes of it."""
    person = require_person()
    plan = get_plan(session(), person, name)
    configuration = require_available(plan)
    phase = configuration.phases["install"]
    shape = request.args.get("shape", "")
    form = build_form(phase, plan.fixed, plan.shapes.get(shape, {}))
    about = _about_form(person, plan)
    left: dict[str, str] = {}
    status = 422 if form.is_submitted() else 200
    asks_price = "price" in request.form  # the button of a browser without scripts
    if asks_price:
        status = 200
    elif form.validate_on_submit():
        wanted = CommandRequest(
            "install",
            plan=plan.name,
            name=(about.name.data or "").strip(),
            project=about.project.data or None,
            params=read_params(phase, form),
        )
        try:
            return issue_command(wanted)
        except (InvalidInput, Conflict, Unavailable) as error:
            left, status = take_back(error, form, about), error.status
    project = about.project.data or next(iter(about.project.choices), "")
    prices = read_price_list(session(), person, project)
    return render_template(
        "launch.html",
        plan=plan,
        configuration=configuration,
        phase=phase,
        form=form,
        about=about,
        groups=form_groups(phase, form),
        shapes=_shapes(plan, form, prices),
        chosen=shape,
        price=form_price(plan, configuration, phase, form, prices),
        priced_inputs=priced_inputs(configuration),
        budgets=budgets_of_launch(person, project),
        left=left,
        refused=status != 200,
    ), status


def _about_form(person: User, plan: Plan) -> AboutForm:
    form = AboutForm(data={"name": _free_name(person, plan)})
    form.project.choices = [project.name for project in person.projects]
    return form


def _free_name(person: User, plan: Plan) -> str:
    """The first of notebook-1, notebook-2, ... that no living deployment of the person has."""
    mine = deployments_of(person).with_only_columns(Deployment.name)
    living = mine.where(Deployment.owner_id == person.id, Deployment.state != State.REMOVED)
    taken = set(session().scalars(select(living.subquery().c.name)))
    return next(name for n in count(1) if (name := f"{plan.name}-{n}") not in taken)


def _shapes(plan: Plan, form: FlaskForm, prices: PriceList | None) -> list[dict[str, Any]]:
    """The plan's shapes with the inputs that each fills, and what each costs."""
    configuration = configuration_of(plan)
    defaults = default_params(configuration)
    return [
        {
            "name": name,
            "words": show_shape(configuration, values),
            "price": price_of(prices, plan, configuration, {**defaults, **values}),
            "inputs": {PREFIX + field: value for field, value in values.items() if PREFIX + field in form},
        }
        for name, values in plan.shapes.items()
    ]
