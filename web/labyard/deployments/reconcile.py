"""Correcting the health of deployments from what the swarm shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import stack_name
from labyard.clock import Clock, utc_now
from labyard.models import Deployment, Health, State
from labyard.models.base import lock_row

from .health import ServiceView, judge_health

_LOOKED_AT = (State.COMPLETED, State.FAILED)
# What has changed since the look, or so shortly before that clocks may disagree, is judged at the next one.
_MARGIN = timedelta(seconds=5)


def reconcile(
    session: Session,
    seen: Mapping[str, Sequence[ServiceView]],
    clock: Clock = utc_now,
    *,
    looked_at: datetime | None = None,
) -> int:
    """Set the health of every deployment that no command works on; how many changed.

    `seen` are the services on the swarm, by deployment; `looked_at` is when it was asked for them. A
    deployment that a command has changed since then is left alone, and so is one that has no service
    and never had: it says itself how it is. State is left alone: health alone says what the swarm shows.
    """
    changed = 0
    now = clock()
    for deployment in session.scalars(select(Deployment).where(Deployment.state.in_(_LOOKED_AT))):
        services = seen.get(deployment.id, ())
        if not _is_outdated(deployment, services, looked_at):
            continue
        # A command may have begun or ended since the row was read.
        lock_row(session, deployment)
        if not _is_outdated(deployment, services, looked_at):
            continue
        health, detail = judge_health(services)
        if (deployment.health, deployment.health_detail) != (health.value, detail):
            deployment.health, deployment.health_detail = health.value, detail
            deployment.health_at = now
            changed += 1
        if health != Health.MISSING:
            deployment.services = _describe(deployment, services)
    return changed


def _is_outdated(deployment: Deployment, services: Sequence[ServiceView], looked_at: datetime | None) -> bool:
    """Whether the row says something else than the swarm, and may be corrected."""
    if deployment.state not in _LOOKED_AT:
        return False
    if looked_at is not None and deployment.updated_at > looked_at - _MARGIN:
        return False
    if deployment.state == State.COMPLETED and not services and not deployment.services:
        return False
    health, detail = judge_health(services)
    if (deployment.health, deployment.health_detail) != (health.value, detail):
        return True
    return health != Health.MISSING and deployment.services != _describe(deployment, services)


def _describe(deployment: Deployment, services: Sequence[ServiceView]) -> list[dict[str, object]]:
    stack = stack_name(deployment.plan.name, deployment.id)
    return [
        {
            "name": s.name.removeprefix(f"{stack}_"),
            "image": s.image,
            "replicas": s.desired,
            "running": s.running,
        }
        for s in sorted(services, key=lambda service: service.name)
    ]
