"""What can be done with a deployment now."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.labyard.platform.plugins.module_utils._request.spec import Configuration
from labyard.models import Deployment, Health, State

_ORDER = ("install", "start", "stop", "update", "scale", "check", "remove")
_ICONS = {
    "install": "arrow-clockwise",
    "start": "play-fill",
    "stop": "stop-fill",
    "update": "sliders",
    "scale": "arrows-angle-expand",
    "check": "heart-pulse",
    "remove": "trash3",
}
_NEEDS_SERVICES = ("start", "stop", "update", "scale")


@dataclass(frozen=True)
class Action:
    """A phase as a button."""

    phase: str
    title: str
    icon: str
    obstacle: str  # why it cannot be done now; empty if it can
    direct: bool  # nothing to fill in and nothing to lose: done without a page in between
    danger: bool


def list_actions(configuration: Configuration, deployment: Deployment, busy: bool) -> list[Action]:
    """The phases of `deployment` in the order of their buttons; none for a removed one.

    `busy`: a command is waiting or running for it.
    """
    if deployment.state == State.REMOVED:
        return []
    actions = []
    for name in _ORDER:
        phase = configuration.phases.get(name)
        if phase is None or (name == "install" and not _can_install(deployment)):
            continue
        obstacle = "Wait until the running command has ended." if busy else _obstacle(name, deployment)
        title = phase.title if name != "install" else f"{phase.title} again"
        direct = not phase.fields and not phase.loses
        actions.append(Action(name, title, _ICONS[name], obstacle, direct, name == "remove"))
    return actions


def never_installed(deployment: Deployment) -> bool:
    """Whether its install failed, so that there is nothing to work with."""
    return deployment.state == State.FAILED and not deployment.services


def _can_install(deployment: Deployment) -> bool:
    return never_installed(deployment) or deployment.health == Health.MISSING


def _obstacle(phase: str, deployment: Deployment) -> str:
    if never_installed(deployment) and phase not in ("install", "remove"):
        return "It was never installed. Launch it again first."
    if deployment.health == Health.MISSING and phase in _NEEDS_SERVICES:
        return "Nothing of it is on the swarm. Launch it again first."
    if phase == "start" and deployment.health == Health.RUNNING:
        return "It is running already."
    if phase == "stop" and deployment.health == Health.STOPPED:
        return "It is stopped already."
    return ""
