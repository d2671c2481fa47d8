"""One look at the swarm, and all that follows from it: health, orphans, repairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from labyard.clock import Clock, utc_now
from labyard.models import installation_id
from labyard.models.base import lock_name

from .nodes import save_nodes
from .orphans import find_orphans
from .reconcile import reconcile
from .repairs import Hands, carry_out, nodes_of, read_wishes, record_step
from .swarm import EngineClient, has_volume, read_objects, read_services, remove_object


def sweep_swarm(
    session: Session, begin_writing: Callable[[], None], client: EngineClient, clock: Clock = utc_now
) -> None:
    """Correct the health of all deployments, note orphans and nodes, and take the next steps of repairs.

    No transaction is open while the engine is asked. Raises Unavailable.
    """
    console = installation_id(session)
    session.rollback()
    looked_at = clock()
    seen, objects, nodes = read_services(client), read_objects(client, console), client.nodes()
    begin_writing()
    lock_name(session, "labyard.sweep")  # every worker sweeps, one at a time
    reconcile(session, seen, clock, looked_at=looked_at)
    save_nodes(session, nodes)
    find_orphans(session, objects, looked_at, clock)
    wishes, alone = read_wishes(session), nodes_of(session) <= 1
    session.commit()
    if not wishes:
        return
    hands = Hands(partial(remove_object, client), partial(has_volume, client), alone)
    steps = [(wish, carry_out(wish, objects, hands)) for wish in wishes]
    begin_writing()
    for wish, left in steps:
        record_step(session, wish, left)
    session.commit()
