"""Correcting the health of deployments from what the swarm shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import stack_name
from labyard.clock import Clock, utc_now
from labyard.models import Deployment, Health, State

from .health import ServiceView, judge_health

_LOOKED_AT = (State.COMPLETED, State.FAILED)


def reconcile(session: Session, seen: Mapping[str, Sequence[ServiceView]], clock: Clock = utc_now) -> int:
    """Set the health of every deployment that no command works on; how many changed.

    State is left alone: health alone says what the swarm shows.
    """
    changed = 0
    now = clock()
    for deployment in session.scalars(select(Deployment).where(Deployment.state.in_(_LOOKED_AT))):
        services = seen.get(deployment.id, ())
        health, detail = judge_health(services)
        if (deployment.health, deployment.health_detail) != (health.value, detail):
            deployment.health, deployment.health_detail = health.value, detail
            deployment.health_at = now
            changed += 1
        if health != Health.MISSING:
            stack = stack_name(deployment.plan.name, deployment.id)
            deployment.services = [
                {
                    "name": s.name.removeprefix(f"{stack}_"),
                    "image": s.image,
                    "replicas": s.desired,
                    "running": s.running,
                }
                for s in services
            ]
    return changed
