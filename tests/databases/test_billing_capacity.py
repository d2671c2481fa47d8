"""What nodes had, as looks of the meter write it down, and core-hours and GiB-hours from that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from labyard.billing.capacity import NodeHours, note_capacities, read_node_hours
from labyard.context import session
from labyard.models import NodeCapacity
from labyard.models.base import begin_writing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)
GIB = 1024**3


def node(name: str = "n1", cores: int = 4, gibibytes: int = 8, *, up: bool = True) -> dict[str, Any]:
    """A node as usage_info returns it."""
    return {
        "node": name,
        "name": f"host-{name}",
        "cpu": cores * 10**9,
        "memory": gibibytes * GIB,
        "gpu": 1,
        "up": up,
    }


def look(minutes: int, *nodes: dict[str, Any]) -> None:
    """A look so many minutes after noon."""
    begin_writing()
    note_capacities(session(), nodes, NOON + timedelta(minutes=minutes), PATIENCE)
    session().commit()


def spans() -> list[tuple[str, int, int, int, bool]]:
    """Node, cores, first and last minute, and whether it goes on, in the order of their begins."""
    rows = session().scalars(select(NodeCapacity).order_by(NodeCapacity.start, NodeCapacity.node))
    minute = timedelta(minutes=1)
    return [
        (row.node, row.cpu // 10**9, (row.start - NOON) // minute, (row.end - NOON) // minute, row.is_open)
        for row in rows
    ]


def hours(start: int = 0, end: int = 600) -> NodeHours:
    """What there was between two minutes after noon."""
    return read_node_hours(session(), NOON + timedelta(minutes=start), NOON + timedelta(minutes=end))


def test_capacity_when_looks_see_the_same_then_one_interval_grows(console: APIFlask) -> None:
    with console.app_context():
        for minutes in (0, 5, 10, 25):
            look(minutes, node(), node("n2", 2))
        assert spans() == [("n1", 4, 0, 25, True), ("n2", 2, 0, 25, True)]
        assert hours() == NodeHours(
            Fraction(6 * 25, 60), Fraction(16 * 25, 60), Fraction(2 * 25, 60), 2, NOON
        )
        assert hours(20, 22).cpu == Fraction(6 * 2, 60), "what lies within counts"
        assert hours(25, 600) == NodeHours(Fraction(0), Fraction(0), Fraction(0), 0, NOON)


def test_capacity_when_a_node_grows_then_counts_to_that_look_as_it_was(console: APIFlask) -> None:
    with console.app_context():
        look(0, node(cores=4))
        look(5, node(cores=8))
        look(10, node(cores=8))
        assert spans() == [("n1", 4, 0, 5, False), ("n1", 8, 5, 10, True)]
        assert hours().cpu == Fraction(4 * 5 + 8 * 5, 60)
        assert hours().nodes == 1


@pytest.mark.parametrize("seen", [[node("n2")], [node("n2"), node(up=False)]])
def test_capacity_when_a_node_is_not_up_then_ends_at_the_look_before(
    console: APIFlask, seen: list[dict[str, Any]]
) -> None:
    with console.app_context():
        look(0, node(), node("n2"))
        look(5, node(), node("n2"))
        look(10, *seen)
        look(15, node(), node("n2"))
        look(20, node(), node("n2"))
        assert spans() == [("n1", 4, 0, 5, False), ("n2", 4, 0, 20, True), ("n1", 4, 15, 20, True)]


def test_capacity_when_looks_were_missing_for_too_long_then_the_silence_does_not_count(
    console: APIFlask,
) -> None:
    with console.app_context():
        for minutes in (0, 5, 21, 26):
            look(minutes, node())
        assert spans() == [("n1", 4, 0, 5, False), ("n1", 4, 21, 26, True)]


def test_capacity_when_the_clock_goes_back_then_nothing_counts_twice(console: APIFlask) -> None:
    with console.app_context():
        look(0, node())
        look(10, node())
        look(5, node(cores=16), node("n2"))
        look(10, node(cores=16))
        assert spans() == [("n1", 4, 0, 10, True)]
        look(15, node())
        assert spans() == [("n1", 4, 0, 15, True)]


def test_capacity_when_nobody_has_looked_then_nothing_is_known(console: APIFlask) -> None:
    with console.app_context():
        assert hours() == NodeHours(Fraction(0), Fraction(0), Fraction(0), 0, None)


def test_capacity_when_a_node_would_be_open_twice_then_the_database_refuses(console: APIFlask) -> None:
    with console.app_context():
        look(0, node())
        again = NodeCapacity(node="n1", name="n1", cpu=1, memory=1, gpu=0, start=NOON, end=NOON)
        session().add(again)
        with pytest.raises(IntegrityError):
            session().flush()
        session().rollback()
