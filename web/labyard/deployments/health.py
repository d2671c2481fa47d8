"""From what the swarm shows of a stack to its health. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labyard.models import Health


@dataclass(frozen=True)
class ServiceView:
    """One service as the Engine shows it."""

    id: str
    name: str
    image: str
    desired: int  # tasks that should run
    running: int  # tasks that run
    detail: str = ""  # the last error of a task, if it lacks any


def judge_health(services: Sequence[ServiceView]) -> tuple[Health, str]:
    """The health of a deployment with these services, and what is wrong with it, in words."""
    if not services:
        return Health.MISSING, "None of its services is on the swarm."
    if all(s.desired == 0 and s.running == 0 for s in services):
        return Health.STOPPED, ""
    short = [s for s in services if s.running < s.desired]
    if not short:
        return Health.RUNNING, ""
    if all(s.running == 0 for s in services) and not any(s.detail for s in short):
        return Health.STOPPED, "Its containers have ended."
    words = [f"{s.name}: {s.running} of {s.desired} run{'; ' + s.detail if s.detail else ''}" for s in short]
    return Health.DEGRADED, ". ".join(words)
