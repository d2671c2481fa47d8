"""How times, durations, states and values read on a page."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Configuration, Field
from labyard.catalog.plans import configuration_of
from labyard.errors import NotFound
from labyard.models import Command, Deployment, Health, Plan, State
from labyard.views import show_time

from .blueprint import blueprint

_STATE_ICONS = {
    State.INITIATED: "circle",
    State.PENDING: "arrow-repeat",
    State.COMPLETED: "check-circle-fill",
    State.REMOVED: "archive",
    State.FAILED: "x-circle-fill",
}
_HEALTH_ICONS = {
    Health.RUNNING: "play-circle-fill",
    Health.STOPPED: "stop-circle",
    Health.DEGRADED: "exclamation-triangle-fill",
    Health.MISSING: "x-octagon",
    Health.UNKNOWN: "question-circle",
}


@dataclass(frozen=True)
class ShownValue:
    """A parameter as a page shows it: `lines` has one text for a value, several for a list or mapping."""

    title: str
    lines: tuple[str, ...]


@blueprint.app_template_filter()
def state_word(state: State) -> str:
    """The state as a word: Completed."""
    return state.name.capitalize()


@blueprint.app_template_filter()
def state_icon(state: State) -> str:
    """The name of the icon of a state."""
    return _STATE_ICONS[state]


@blueprint.app_template_filter()
def health_icon(health: str) -> str:
    """The name of the icon of a health."""
    return _HEALTH_ICONS[Health(health)]


@blueprint.app_template_filter()
def moment(value: datetime | None) -> Markup:
    """A time element: UTC for everybody, turned into the reader's own time by a script."""
    if value is None:
        return Markup("")
    return Markup('<time datetime="{}">{} UTC</time>').format(
        show_time(value), value.strftime("%Y-%m-%d %H:%M")
    )


@blueprint.app_template_filter()
def seconds(value: float | None) -> str:
    """A duration: 4.2 s, 38 s, 3 min 12 s, 2 h 5 min."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@blueprint.app_template_filter()
def lasted(command: Command) -> str:
    """How long the command took, from its start to its end; empty while it has none."""
    if command.started_at is None or command.finished_at is None:
        return ""
    return seconds((command.finished_at - command.started_at).total_seconds())


@blueprint.app_template_filter()
def command_title(command: Command) -> str:
    """What the command does to what: Launch demo."""
    return f"{phase_title(command.deployment.plan, command.phase)} {command.deployment.name}"


@blueprint.app_template_filter()
def difference_lines(part: Mapping[str, str]) -> list[str]:
    """An object's difference as the lines that people know from diff: - goes, + comes, the rest stays."""
    before, after = part["before"].splitlines(), part["after"].splitlines()
    lines = difflib.unified_diff(before, after, n=3, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@blueprint.app_template_global()
def phase_title(plan: Plan, phase: str) -> str:
    """The title of a phase of the plan's configuration; its name, if the role is gone."""
    try:
        spec = configuration_of(plan).phases.get(phase)
    except NotFound:
        spec = None
    return spec.title if spec else phase.capitalize()


@blueprint.app_template_filter()
def plan_icon(plan: Plan) -> str:
    """The icon of the plan's configuration."""
    try:
        return configuration_of(plan).icon
    except NotFound:
        return "box"


def show_params(configuration: Configuration, deployment: Deployment) -> list[ShownValue]:
    """The parameters of `deployment` that a person may set, in the order of the form."""
    install = configuration.phases["install"]
    return [
        ShownValue(field.title, tuple(_lines(field, deployment.params[field.name])))
        for field in install.fields
        if field.name in deployment.params
    ]


def show_shape(configuration: Configuration, values: Mapping[str, Any]) -> str:
    """What a shape of a plan sets, in a line: CPU 2 cores, Memory 4096 MiB."""
    install = configuration.phases["install"]
    parts = []
    for name, value in values.items():
        field = install.field(name)
        if field is not None:
            parts.append(f"{field.title} {', '.join(_lines(field, value))}")
    return " · ".join(parts)


def _lines(field: Field, value: Any) -> list[str]:
    if isinstance(value, bool):
        return ["Yes" if value else "No"]
    if isinstance(value, Mapping):
        return [f"{key}={text}" for key, text in value.items()] or ["none"]
    if isinstance(value, list):
        return [str(item) for item in value] or ["none"]
    if value == "":
        return ["none"]
    return [_with_unit(value, field.unit)]


def _with_unit(value: Any, unit: str) -> str:
    """1 core, 2 cores, 4 GiB for 4096 MiB."""
    if unit == "MiB" and isinstance(value, int) and value and value % 1024 == 0:
        value, unit = value // 1024, "GiB"
    if value == 1 and len(unit) > 2:
        unit = unit.removesuffix("s")
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}" if unit else text
