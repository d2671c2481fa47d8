"""Removing a deployment whose service configuration is gone: an admin may, by the name of its stack alone."""

from __future__ import annotations

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import (
    FIRST_STEP,
    Configuration,
    PhaseSpec,
)
from labyard.models import Plan, User

from .configurations import ConfigurationUnavailable
from .plans import configuration_of

# What playbooks/removal.yml does.
_REMOVE = PhaseSpec(
    name="remove",
    title="Remove",
    timeout=300,
    steps=(FIRST_STEP, "Remove what stands on the swarm", "Hand over the result"),
    fields=(),
    operator_fields=(),
    loses=("All that runs, with its networks, secrets and settings",),
    keeps=("All volumes",),
)


def configuration_for(plan: Plan, phase: str, person: User) -> Configuration:
    """The configuration behind the plan, for `person` who wants `phase`.

    For an admin's `remove` there always is one: the removal that is built in, with that phase alone.
    Raises ConfigurationUnavailable if the plan's own is gone or broken otherwise.
    """
    try:
        return configuration_of(plan)
    except ConfigurationUnavailable as error:
        if phase != "remove":
            raise
        if not person.is_admin:
            words = f"{error.detail} Until that is mended only an admin can remove the deployment."
            raise ConfigurationUnavailable(words) from error
    return Configuration(plan.configuration, "", plan.title, "box", "", (), {"remove": _REMOVE})


def goes_by_name(plan: Plan, phase: str, person: User) -> bool:
    """Whether the run of `phase` that `person` asked for is the removal that is built in."""
    return person.is_admin and phase == "remove" and not configuration_for(plan, phase, person).role
