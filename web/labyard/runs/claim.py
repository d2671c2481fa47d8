"""Claiming commands: compare-and-set on the row, a lease and a fencing number."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import Command, State

LEASE = timedelta(seconds=30)


class LeaseLost(Exception):
    """Another worker holds the command now: this one must not write about it any more."""


def claim_command(session: Session, command_id: str, owner: str, clock: Clock = utc_now) -> int | None:
    """Take the command for `owner`; the new fencing number, or None if it is not to be had.

    A command that is over, or that another living worker holds, is not. Exactly one of any
    number of workers that try at the same time gets it.
    """
    now = clock()
    claimed = session.execute(
        update(Command)
        .where(Command.id == command_id, Command.state.in_((State.INITIATED, State.PENDING)))
        .where(or_(Command.lease_until.is_(None), Command.lease_until < now))
        .values(lease_owner=owner, lease_until=now + LEASE, fence=Command.fence + 1)
        .execution_options(synchronize_session=False)
    )
    if claimed.rowcount != 1:  # type: ignore[attr-defined]
        return None
    return session.scalar(select(Command.fence).where(Command.id == command_id))


def renew_lease(session: Session, command_id: str, fence: int, clock: Clock = utc_now) -> None:
    """Say that the work goes on; raises LeaseLost if the claim is no longer the last one."""
    renewed = session.execute(
        update(Command)
        .where(Command.id == command_id, Command.fence == fence)
        .values(lease_until=clock() + LEASE)
        .execution_options(synchronize_session=False)
    )
    if renewed.rowcount != 1:  # type: ignore[attr-defined]
        raise LeaseLost(command_id)


def hold_command(session: Session, command_id: str, fence: int) -> Command:
    """The command for writing under the claim `fence`; raises LeaseLost."""
    command = session.scalar(
        select(Command)
        .where(Command.id == command_id, Command.fence == fence)
        .execution_options(populate_existing=True)
    )
    if command is None:
        raise LeaseLost(command_id)
    return command


def commands_to_look_at(session: Session, clock: Clock = utc_now) -> list[str]:
    """Ids of commands that wait for a worker: new ones, and those whose worker went silent."""
    query = (
        select(Command.id)
        .where(Command.state.in_((State.INITIATED, State.PENDING)))
        .where(or_(Command.lease_until.is_(None), Command.lease_until < clock()))
        .order_by(Command.created_at)
    )
    return list(session.scalars(query))
