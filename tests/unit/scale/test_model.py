"""Limits, where they end, and the unit costs that they follow from."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scale.limits import LIMITS
from benchmarks.scale.model import MOST, Limit, Use, breaks_at, hosts_for, line_through, order, share
from benchmarks.scale.settings import addresses, read_settings
from benchmarks.scale.units import Cost, cost, number, read_units, write_units

SETTINGS = read_settings()
USE = Use()


def limit(each: float, room: float, name: str = "a limit") -> Limit:
    """One of which every notebook takes as much."""
    return Limit(name, "both", "pieces", lambda n, *_: n * each, lambda _: room, "more of it", "measured")


@pytest.mark.parametrize(("each", "room", "wanted"), [(1, 100, 101), (2, 100, 51), (0.3, 1, 4), (5, 1, 1)])
def test_breaks_at_when_need_grows_then_is_the_first_number_that_is_too_large(
    each: float, room: float, wanted: int
) -> None:
    assert breaks_at(limit(each, room), SETTINGS, {}, USE) == wanted


def test_breaks_at_when_nothing_is_needed_then_is_never() -> None:
    assert breaks_at(limit(0, 1), SETTINGS, {}, USE) == MOST


def test_breaks_at_when_there_is_too_little_for_none_then_is_zero() -> None:
    bad = Limit("bad", "both", "x", lambda n, *_: n + 5, lambda _: 1.0, "", "measured")
    assert breaks_at(bad, SETTINGS, {}, USE) == 0


def test_share_when_all_is_taken_then_is_one() -> None:
    assert share(limit(0.5, 50), 100, SETTINGS, {}, USE) == 1.0


def test_order_when_several_then_the_first_to_break_is_first() -> None:
    late, soon = limit(1, 1000, "late"), limit(1, 10, "soon")
    assert [found.name for found, _ in order([late, soon], SETTINGS, {}, USE)] == ["soon", "late"]


def test_hosts_for_when_memory_is_full_then_one_more_may_fail() -> None:
    # 60 of 64 GiB are for notebooks of 1 GiB
    assert hosts_for(60, SETTINGS, USE) == 2
    assert hosts_for(61, SETTINGS, USE) == 3


def test_hosts_for_when_notebooks_are_tiny_then_a_bridge_has_1000() -> None:
    tiny = Use(memory=0.001, cores=0.001)
    assert hosts_for(2500, SETTINGS, tiny) == 4


def test_line_through_when_times_grow_then_is_drawn_on() -> None:
    costs = {f"call_at_{n}": Cost(9, 1 + n / 100, 99, 3, "ms", "") for n in (100, 200, 400)}
    assert line_through(costs, "call", 1000) == pytest.approx(11)


def test_line_through_when_times_fall_by_chance_then_stays_level() -> None:
    costs = {"call_at_50": Cost(4, 4, 4, 1, "ms", ""), "call_at_100": Cost(2, 2, 2, 1, "ms", "")}
    assert line_through(costs, "call", 10_000) == 3


def test_line_through_when_measured_once_then_says_so() -> None:
    with pytest.raises(ValueError, match="measured at 1 numbers"):
        line_through({"call_at_50": Cost(4, 4, 4, 1, "ms", "")}, "call", 100)


@pytest.mark.parametrize("one", LIMITS, ids=lambda one: one.name)
def test_limits_when_notebooks_grow_then_need_grows_or_stays(one: Limit) -> None:
    units = read_units()
    needs = [one.need(n, SETTINGS, units, USE) for n in (1, 100, 1000, 10_000, 100_000)]
    assert needs == sorted(needs)
    assert one.room(SETTINGS) > 0


@pytest.mark.parametrize("one", LIMITS, ids=lambda one: one.name)
def test_limits_when_looked_at_then_say_where_they_come_from_and_what_to_do(one: Limit) -> None:
    assert one.source in ("measured", "set by the role") or one.source.startswith("https://")
    assert one.remedy


def test_addresses_when_a_24_then_swarm_gives_253() -> None:
    assert (addresses("10.0.1.0/24"), addresses("10.96.0.0/20")) == (253, 4093)


def test_cost_when_several_runs_then_median_and_spread() -> None:
    found = cost([3, 1, 8], "ms", "a call")
    assert (found.median, found.low, found.high, found.runs) == (3, 1, 8, 3)
    with pytest.raises(ValueError, match="nothing was measured: a call"):
        cost([], "ms", "a call")


def test_number_when_large_or_small_then_three_digits_count() -> None:
    assert [number(value) for value in (12345.6, 45.67, 0.123)] == ["12,346", "45.7", "0.12"]


def test_write_units_when_some_are_there_then_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "units.json"
    write_units({"a": cost([1], "ms", "one"), "b": cost([2], "ms", "two")}, path)
    write_units({"b": cost([3], "ms", "two")}, path)
    assert {name: each.median for name, each in read_units(path).items()} == {"a": 1, "b": 3}
