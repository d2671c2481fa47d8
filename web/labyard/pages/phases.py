"""A phase of an existing deployment: its form, or the question whether it is meant."""

from __future__ import annotations

from typing import Any

from flask import render_template, request
from flask_login import login_required
from flask_wtf import FlaskForm

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import (
    PHASES,
    Configuration,
    PhaseSpec,
)
from labyard.accounts.scope import get_deployment
from labyard.billing.prices import read_price_list
from labyard.catalog.removal import configuration_for
from labyard.commands.submit import CommandRequest, running_command
from labyard.context import session
from labyard.errors import Conflict, InvalidInput, NotFound, Unavailable
from labyard.forms.phase_form import build_form, form_groups, read_params
from labyard.models import Deployment
from labyard.security import require_person

from .actions import list_actions
from .blueprint import blueprint
from .issuing import issue_command, take_back
from .prices import ShownPrice, price_of, priced_inputs

_PREVIEWED = ("update", "scale")  # phases whose form offers to show what would change
_PRICED = ("install", "update", "scale", "start")  # after which it runs, and costs something


@blueprint.route(f"/deployments/<deployment_id>/<any({', '.join(PHASES)}):phase>", methods=["GET", "POST"])
@login_required
def phase(deployment_id: str, phase: str) -> Any:
    """Ask for the phase with its parameters and what it loses and keeps; carry out what was sent."""
    person = require_person()
    deployment = get_deployment(session(), person, deployment_id)
    configuration = configuration_for(deployment.plan, phase, person)
    spec = configuration.phases.get(phase)
    if spec is None:
        raise NotFound(f"{configuration.title} has no phase {phase}.")
    form = build_form(spec, deployment.plan.fixed, deployment.params)
    left: dict[str, str] = {}
    status = 422 if form.is_submitted() else 200
    if form.validate_on_submit():
        params, preview = read_params(spec, form), "preview" in request.form
        wanted = CommandRequest(phase, deployment=deployment.id, params=params, check=preview)
        try:
            return issue_command(wanted)
        except (InvalidInput, Conflict, Unavailable) as error:
            left, status = take_back(error, form), error.status
    running = running_command(session(), deployment)
    actions = list_actions(configuration, deployment, running is not None)
    return render_template(
        "phase.html",
        deployment=deployment,
        phase=spec,
        form=form,
        groups=form_groups(spec, form),
        action=next((a for a in actions if a.phase == phase), None),
        running=running,
        preview=phase in _PREVIEWED,
        price=_price(deployment, configuration, spec, form) if phase in _PRICED else None,
        priced_inputs=priced_inputs(configuration),
        mine=deployment.owner_id == person.id,
        left=left,
        refused=status != 200,
    ), status


def _price(
    deployment: Deployment, configuration: Configuration, phase: PhaseSpec, form: FlaskForm
) -> ShownPrice | None:
    """What it costs with what the form holds, for who pays for it."""
    prices = read_price_list(session(), deployment.owner, deployment.project.name)
    params = {**deployment.params, **read_params(phase, form)}
    return price_of(prices, deployment.plan, configuration, params)
