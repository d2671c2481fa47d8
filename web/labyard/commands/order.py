"""Which waiting command comes next: the larger priority, then fair between people, then the older one.

Fair means: who has fewer commands running goes first, then who was served longer ago. A person
with as many running as they may have waits, whatever the priority.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import Command, State, User
from labyard.settings import Settings

_NEVER = datetime.min.replace(tzinfo=UTC)
_UNFINISHED = (State.INITIATED, State.PENDING)


@dataclass(frozen=True)
class Waiting:
    """A command that no worker has yet."""

    id: str
    priority: int
    created_at: datetime

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """What its issuer's own commands are sorted by."""
        return (-self.priority, self.created_at, self.id)


@dataclass
class Queue:
    """The commands of one person that wait, best first, and what the person has had."""

    issuer_id: int
    limit: int  # commands that may run at once
    running: int = 0
    served: datetime = _NEVER  # when a command of theirs was started last
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether no further command of the person may start now."""
        return self.running >= self.limit


@dataclass(frozen=True)
class Place:
    """Where a waiting command stands, and why it waits, in words."""

    position: int | None  # 1 is next; None: it does not wait
    reason: str


def next_commands(session: Session, limit: int = Settings.command_limit, clock: Clock = utc_now) -> list[str]:
    """Ids of the commands that may start now, best first. `limit`: of people without one of their own."""
    queues = _read_queues(session, limit, clock)
    return [w.id for w in sort_fairly(q for q in queues if not q.full)]


def queue_position(
    session: Session, command: Command, limit: int = Settings.command_limit, clock: Clock = utc_now
) -> int | None:
    """The place of `command` among those that wait, 1 for the next; None if it does not wait."""
    return find_place(session, command, limit, clock).position


def queue_positions(
    session: Session, limit: int = Settings.command_limit, clock: Clock = utc_now
) -> dict[str, int]:
    """The place of every command that waits, by its id: what a page of a list asks for at once."""
    queues = _read_queues(session, limit, clock)
    free, full = ([q for q in queues if q.full is state] for state in (False, True))
    order = [*sort_fairly(free), *sort_fairly(full)]
    return {waiting.id: place for place, waiting in enumerate(order, start=1)}


def find_place(
    session: Session, command: Command, limit: int = Settings.command_limit, clock: Clock = utc_now
) -> Place:
    """The place of `command` and why it has to wait. Those whose issuer is at the limit come last."""
    if command.state != State.INITIATED:
        return Place(None, "" if command.state.final else command.message)
    queues = _read_queues(session, limit, clock)
    free, full = ([q for q in queues if q.full is state] for state in (False, True))
    order = [w.id for w in (*sort_fairly(free), *sort_fairly(full))]
    if command.id not in order:
        return Place(None, command.message)
    position = order.index(command.id) + 1
    own = next(q for q in queues if q.issuer_id == command.issuer_id)
    if own.full:
        who = command.issuer.username
        running = "a command" if own.running == 1 else f"{own.running} commands"
        reason = f"{who} has {running} running, as many as may run at once: it starts when one has ended."
    elif position > 1:
        before = "one command goes" if position == 2 else f"{position - 1} commands go"
        reason = f"It waits for a worker; {before} before it."
    else:
        reason = "It is the next one; it waits for a worker."
    return Place(position, reason)


def sort_fairly(queues: Iterable[Queue]) -> list[Waiting]:
    """All that wait in `queues` in the order in which free workers take them. Pure.

    Each step takes the best of the heads of the queues; its person then has one more running and
    was served last.
    """
    sorted_queues = [replace(q, waiting=sorted(q.waiting, key=lambda w: w.rank)) for q in queues]
    heap = [_entry(q, 0, 0) for q in sorted_queues if q.waiting]
    heapq.heapify(heap)
    found: list[Waiting] = []
    while heap:
        *_, queue, taken = heapq.heappop(heap)
        found.append(queue.waiting[taken])
        if taken + 1 < len(queue.waiting):
            heapq.heappush(heap, _entry(queue, taken + 1, len(found)))
    return found


def _entry(queue: Queue, taken: int, turn: int) -> tuple[Any, ...]:
    head = queue.waiting[taken]
    # `turn` stands for the time of the service: whoever was served in this round is after all others.
    served = (turn, queue.served)
    return (-head.priority, queue.running + taken, served, head.created_at, head.id, queue, taken)


def _read_queues(session: Session, limit: int, clock: Clock) -> list[Queue]:
    """What is unfinished, by person. Postponed commands neither wait nor run."""
    now = clock()
    columns = (Command.id, Command.issuer_id, Command.state, Command.priority, Command.created_at)
    leases = (Command.lease_owner, Command.lease_until)
    waiting: dict[int, list[Waiting]] = defaultdict(list)
    running: dict[int, int] = defaultdict(int)
    for row in session.execute(select(*columns, *leases).where(Command.state.in_(_UNFINISHED))):
        free = row.lease_until is None or row.lease_until < now
        if row.state == State.PENDING or (row.lease_owner is not None and not free):
            running[row.issuer_id] += 1
        elif free:
            waiting[row.issuer_id].append(Waiting(row.id, row.priority, row.created_at))
    if not waiting:
        return []
    served = (
        select(func.max(Command.started_at))
        .where(Command.issuer_id == User.id)
        .correlate(User)
        .scalar_subquery()
    )
    people = select(User.id, User.command_limit, served).where(User.id.in_(waiting))
    return [
        Queue(
            issuer_id=issuer_id,
            limit=limit if own is None else own,
            running=running[issuer_id],
            served=last or _NEVER,
            waiting=waiting[issuer_id],
        )
        for issuer_id, own, last in session.execute(people)
    ]
