"""Volumes that `remove` left on purpose: their owner sees them and can delete them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from labyard.accounts.audit import record_action
from labyard.accounts.scope import deployments_of
from labyard.clock import Clock, utc_now
from labyard.errors import Conflict, NotFound
from labyard.models import Deployment, Orphan, State, User

from .orphans import FORGET, REMOVE

_KEPT = '"kept": true'  # as it stands in the column


@dataclass(frozen=True)
class KeptVolume:
    """A volume of a deployment that was removed."""

    name: str
    deployment: Deployment
    deleting: bool  # somebody asked for it; a worker does it within a minute
    error: str  # why it could not be deleted so far


def list_kept_volumes(session: Session, person: User) -> list[KeptVolume]:
    """The kept volumes that `person` may see, of the deployment removed last first."""
    query = (
        deployments_of(person)
        .where(Deployment.state == State.REMOVED, cast(Deployment.volumes, Text).contains(_KEPT))
        .order_by(Deployment.removed_at.desc(), Deployment.id)
    )
    wishes = {o.ident: o for o in session.scalars(select(Orphan).where(Orphan.kind == "volume"))}
    return [
        _show(str(volume["name"]), deployment, wishes)
        for deployment in session.scalars(query)
        for volume in deployment.volumes
        if volume.get("kept")
    ]


def delete_kept_volume(
    session: Session, person: User, name: str, *, address: str = "", clock: Clock = utc_now
) -> KeptVolume:
    """Let a worker delete the kept volume `name` with all that is in it.

    Raises NotFound if `person` has no such volume, and Conflict if it is being deleted already.
    """
    found = next((v for v in list_kept_volumes(session, person) if v.name == name), None)
    if found is None:
        raise NotFound(f"You have no kept volume {name[:80]}.")
    if found.deleting and not found.error:
        raise Conflict(f"The volume {name} is being deleted already.")
    deployment = found.deployment
    orphan = session.scalar(select(Orphan).where(Orphan.kind == "volume", Orphan.ident == name))
    if orphan is None:
        orphan = Orphan(kind="volume", ident=name, deployment_id=deployment.id, found_at=clock())
        session.add(orphan)
    # Not confirmed: it is no orphan, and not listed among them.
    orphan.action, orphan.error = REMOVE, ""
    record_action(session, person.username, "volume deleted", address, volume=name, deployment=deployment.id)
    session.flush()
    return KeptVolume(name, deployment, True, "")


def forget_kept_volume(session: Session, person: User, name: str, *, address: str = "") -> None:
    """List a kept volume no longer, for one that was deleted by hand; raises NotFound."""
    found = next((v for v in list_kept_volumes(session, person) if v.name == name), None)
    if found is None:
        raise NotFound(f"You have no kept volume {name[:80]}.")
    deployment = found.deployment
    deployment.volumes = [
        {**volume, "kept": False} if volume.get("name") == name else volume for volume in deployment.volumes
    ]
    orphan = session.scalar(select(Orphan).where(Orphan.kind == "volume", Orphan.ident == name))
    if orphan is not None:
        session.delete(orphan)
    record_action(session, person.username, f"volume {FORGET}", address, volume=name)


def _show(name: str, deployment: Deployment, wishes: dict[str, Orphan]) -> KeptVolume:
    wish = wishes.get(name)
    deleting = wish is not None and wish.action == REMOVE
    return KeptVolume(name, deployment, deleting, wish.error if wish is not None and deleting else "")
