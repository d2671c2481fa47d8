"""Claiming commands: compare-and-set on the row, a lease and a fencing number.

The lease says until when no other host may take the command. On the host of its run a shorter
silence is enough: whoever takes over there watches the same process, so nothing can be doubled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.commands.order import next_commands
from labyard.models import Command, Run, State
from labyard.models.base import lock_name
from labyard.settings import Settings

# How long a claim holds without being renewed; it is renewed every second.
LEASE = timedelta(seconds=60)
# After so long without a renewal a worker ends its run: 20 s are left for that before others may
# start another. A database that is away for less than this ends nothing.
GIVE_UP = timedelta(seconds=40)
# After so long without a renewal another thread or worker of the same host takes over the run.
SILENCE = timedelta(seconds=15)

_UNFINISHED = (State.INITIATED, State.PENDING)


class LeaseLost(Exception):
    """Another worker holds the command now: this one must not write about it any more."""


@dataclass(frozen=True)
class Claim:
    """A command, and the number under which its holder may write about it."""

    command_id: str
    fence: int


def lease_clock(session: Session) -> Clock:
    """The clock that leases go by: the database's own where several hosts share one."""
    if session.get_bind().dialect.name != "postgresql":
        return utc_now

    def read() -> datetime:
        now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return now

    return read


def claim_command(
    session: Session,
    command_id: str,
    owner: str,
    clock: Clock = utc_now,
    silence: timedelta = LEASE,
) -> int | None:
    """Take the command for `owner`; the new fencing number, or None if it is not to be had.

    A command that is over, or whose lease was renewed less than `silence` ago, is not. Exactly one
    of any number of workers that try at the same time gets it.
    """
    now = clock()
    claimed: Any = session.execute(
        update(Command)
        .where(Command.id == command_id, Command.state.in_(_UNFINISHED))
        .where(_free(now, silence))
        .values(lease_owner=owner, lease_until=now + LEASE, fence=Command.fence + 1)
        .execution_options(synchronize_session=False)
    )
    if claimed.rowcount != 1:
        return None
    return session.scalar(select(Command.fence).where(Command.id == command_id))


def claim_next(
    session: Session,
    owner: str,
    host: str,
    limit: int = Settings.command_limit,
    clock: Clock = utc_now,
) -> Claim | None:
    """Take the command that comes next for `owner` on `host`, or None if nothing waits.

    What was cut off comes first: its person's place is taken already. One worker at a time
    chooses, so that the limits hold for all workers together.
    """
    lock_name(session, "labyard.claims")
    for command_id in (*_cut_off(session, host, clock), *next_commands(session, limit, clock)):
        fence = claim_command(session, command_id, owner, clock)
        if fence is not None:
            return Claim(command_id, fence)
    return None


def reclaim_command(session: Session, claim: Claim, owner: str, clock: Clock = utc_now) -> Claim:
    """The same command under a new number, for another run of it; raises LeaseLost."""
    _set_lease(session, claim, lease_owner=owner, lease_until=clock() + LEASE, fence=claim.fence + 1)
    return Claim(claim.command_id, claim.fence + 1)


def renew_lease(session: Session, command_id: str, fence: int, clock: Clock = utc_now) -> None:
    """Say that the work goes on; raises LeaseLost if the claim is no longer the last one."""
    _set_lease(session, Claim(command_id, fence), lease_until=clock() + LEASE)


def postpone_command(session: Session, claim: Claim, seconds: float, clock: Clock = utc_now) -> None:
    """Give the command back, to be taken again after `seconds`; raises LeaseLost."""
    _set_lease(session, claim, lease_owner=None, lease_until=clock() + timedelta(seconds=seconds))


def release_commands(session: Session, owner: str, clock: Clock = utc_now) -> None:
    """Let others of this host take over at once what `owner`, who is gone, had claimed.

    What it had not begun may be begun by anybody.
    """
    values: dict[State, datetime | None] = {State.INITIATED: None, State.PENDING: clock() + LEASE - SILENCE}
    for state, until in values.items():
        session.execute(
            update(Command)
            .where(Command.lease_owner == owner, Command.state == state)
            .values(lease_until=until)
            .execution_options(synchronize_session=False)
        )


def hold_command(session: Session, command_id: str, fence: int) -> Command:
    """The command for writing under the claim `fence`; raises LeaseLost.

    Nobody else can claim it until the transaction ends.
    """
    command = session.scalar(
        select(Command)
        .where(Command.id == command_id, Command.fence == fence)
        .with_for_update(of=Command, key_share=True)
        .execution_options(populate_existing=True)
    )
    if command is None:
        raise LeaseLost(command_id)
    return command


def commands_to_look_at(session: Session, clock: Clock = utc_now) -> list[str]:
    """Ids of commands that no worker has: new ones, and those whose worker went silent."""
    query = select(Command.id).where(Command.state.in_(_UNFINISHED)).where(_free(clock(), LEASE))
    return list(session.scalars(query.order_by(Command.created_at)))


def commands_left_here(session: Session, host: str, clock: Clock = utc_now) -> list[str]:
    """Ids of commands with a run on `host` that nobody has said anything of for a while."""
    query = (
        select(Command.id)
        .where(Command.state == State.PENDING, _free(clock(), SILENCE))
        .where(select(Run.id).where(_is_open_run, Run.host.in_(("", host))).exists())
    )
    return list(session.scalars(query.order_by(Command.created_at)))


def cancelled_commands(session: Session, clock: Clock = utc_now) -> list[str]:
    """Ids of commands that were cancelled while they waited: to end them takes no place of a worker."""
    runs = select(Run.id).where(Run.command_id == Command.id, Run.ended_at.is_(None)).exists()
    query = (
        select(Command.id)
        .where(Command.state.in_(_UNFINISHED), Command.cancel_requested.is_(True))
        .where(_free(clock(), LEASE), ~runs)
    )
    return list(session.scalars(query))


# A row without a host is older than the column: its host is the only one there was.
_is_open_run = and_(Run.command_id == Command.id, Run.ended_at.is_(None))


def _cut_off(session: Session, host: str, clock: Clock) -> list[str]:
    """Begun commands whose lease ran out and of which nothing runs on `host`."""
    here = select(Run.id).where(_is_open_run, Run.host.in_(("", host))).exists()
    query = select(Command.id).where(Command.state == State.PENDING, _free(clock(), LEASE), ~here)
    return list(session.scalars(query.order_by(Command.created_at)))


def _free(now: datetime, silence: timedelta) -> ColumnElement[bool]:
    """Never claimed, or not renewed for `silence`; a postponed command is free after its time."""
    silent = and_(Command.lease_owner.is_not(None), Command.lease_until < now + (LEASE - silence))
    return or_(Command.lease_until.is_(None), Command.lease_until < now, silent)


def _set_lease(session: Session, claim: Claim, **values: Any) -> None:
    held: Any = session.execute(
        update(Command)
        .where(Command.id == claim.command_id, Command.fence == claim.fence)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if held.rowcount != 1:
        raise LeaseLost(claim.command_id)
