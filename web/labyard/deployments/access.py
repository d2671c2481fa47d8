"""How an owner gets into a deployment."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from labyard.errors import Conflict, Forbidden
from labyard.models import Deployment, User
from labyard.sealing import Sealer


@dataclass(frozen=True)
class Access:
    """An endpoint and the secret that opens it, if it needs one."""

    name: str
    url: str
    token: str | None = field(repr=False)

    @property
    def address(self) -> str:
        """What a browser is sent to; it holds the secret."""
        return f"{self.url}?{urlencode({'token': self.token})}" if self.token else self.url


def open_access(person: User, deployment: Deployment, sealer: Sealer) -> Access:
    """The first endpoint of `deployment`, with its secret, for its owner.

    Raises Forbidden for everybody else, admins too, and Conflict while there is no endpoint.
    """
    if deployment.owner_id != person.id:
        raise Forbidden("Only its owner can open a deployment.")
    if not deployment.endpoints:
        raise Conflict(f"{deployment.name} has no endpoint now. Look at its state and health.")
    endpoint = deployment.endpoints[0]
    if endpoint.get("upstream"):
        # The ingress knows who is asking and adds the secret itself.
        return Access(str(endpoint["name"]), str(endpoint["url"]), None)
    secrets = sealer.open(deployment.sealed_secrets) if deployment.sealed_secrets else {}
    return Access(str(endpoint["name"]), str(endpoint["url"]), secrets.get(str(endpoint.get("access") or "")))
