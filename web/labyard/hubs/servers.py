"""Who may see and stop which notebook of the hub."""

from __future__ import annotations

from sqlalchemy.orm import Session

from labyard.accounts.audit import record_action
from labyard.errors import NotFound
from labyard.models import User
from labyard.models.accounts import LDAP
from labyard.settings import Settings

from .client import HubClient, HubServer


def open_hub(settings: Settings) -> HubClient | None:
    """The hub of this console, None where there is none; raises InvalidInput for a token that is away."""
    if not settings.hub_url:
        return None
    return HubClient(settings.hub_url, settings.hub_token(), settings.ca_bundle)


def list_hub_servers(person: User, settings: Settings) -> list[HubServer]:
    """The notebooks of `person` at the hub, an admin's are all, by owner; raises Unavailable."""
    hub = open_hub(settings)
    owner = None if person.is_admin else _name_at_hub(person)
    if hub is None or owner == "":
        return []
    return sorted(hub.list_servers(owner), key=lambda server: (server.owner, server.name))


def stop_hub_server(
    session: Session, person: User, settings: Settings, owner: str, name: str, *, address: str = ""
) -> None:
    """Have a notebook of the hub stopped, and write down who wanted it.

    Raises NotFound for what `person` may not see, too, and Conflict or Unavailable as the hub says.
    """
    hub = open_hub(settings)
    if hub is None or not (person.is_admin or owner == _name_at_hub(person)):
        raise NotFound("You have no such notebook at a hub.")
    hub.stop(owner, name)
    record_action(session, person.username, "hub notebook stopped", address, owner=owner, server=name)


def _name_at_hub(person: User) -> str:
    """The name of `person` at the hub, empty if there can be none.

    Only the directory's people are the same persons there: a local account of that name is somebody
    else's. The hub writes names small.
    """
    return person.username.lower() if person.source == LDAP else ""
