"""The way to a deployment: who may go it, and where it leads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from ansible_collections.labyard.platform.plugins.module_utils._request.request import stack_name
from labyard.accounts.scope import get_deployment
from labyard.errors import Forbidden, NotFound, Unavailable
from labyard.models import Deployment, Health, State, User
from labyard.sealing import Sealer

from .passes import Pass

_UPSTREAM = re.compile(r"([a-z0-9][a-z0-9_.-]{0,250}):([0-9]{1,5})")
_NOT_RUNNING = (Health.STOPPED.value, Health.MISSING.value)


@dataclass(frozen=True)
class Way:
    """Where the ingress sends what is for a deployment."""

    upstream: str  # NAME:PORT in the network of the ingress
    authorization: str = field(default="", repr=False)  # the header that opens it, if it needs one


def find_deployment(session: Session, person: User, deployment_id: str) -> Deployment:
    """The deployment that `person` may pass to; raises Forbidden, in the same words if there is none."""
    try:
        return get_deployment(session, person, deployment_id)
    except NotFound as error:
        raise Forbidden(
            f"There is no deployment {deployment_id[:8]} that you may open. Its owner can, and an admin."
        ) from error


def find_way(deployment: Deployment, sealer: Sealer) -> Way:
    """The way to `deployment`.

    Raises NotFound if it is removed or not reached by way of the ingress, Unavailable while it does not run.
    """
    if deployment.state == State.REMOVED:
        raise NotFound(f"{deployment.name} is removed.")
    if not deployment.endpoints or deployment.health in _NOT_RUNNING:
        raise Unavailable(f"{deployment.name} does not run now. Start it on its page, then come back.")
    endpoint = deployment.endpoints[0]
    upstream = _own_upstream(deployment, endpoint)
    secrets = sealer.open(deployment.sealed_secrets) if deployment.sealed_secrets else {}
    secret = secrets.get(str(endpoint.get("access") or ""))
    return Way(upstream, f"Bearer {secret}" if secret else "")


def find_person(session: Session, entry: Pass) -> User | None:
    """Whose pass it is, while their account and their sessions last."""
    person = session.get(User, entry.user)
    return person if person is not None and person.active and person.session_epoch == entry.epoch else None


def _own_upstream(deployment: Deployment, endpoint: dict[str, Any]) -> str:
    """The place that the role named, if it is a service of this very deployment."""
    upstream = str(endpoint.get("upstream") or "")
    if not upstream:
        raise NotFound(f"{deployment.name} is not reached by way of the ingress: {endpoint.get('url')}.")
    found = _UPSTREAM.fullmatch(upstream)
    stack = stack_name(deployment.plan.name, deployment.id)
    if found is None or not found[1].startswith(f"{stack}_") or not 0 < int(found[2]) < 65536:
        raise NotFound(f"{deployment.name} names a place that is none of its own: {upstream[:80]}.")
    return upstream
