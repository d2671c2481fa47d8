"""Mornings that are simulated."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.scale.settings import read_settings
from benchmarks.scale.simulate import Morning, simulate
from benchmarks.scale.units import Cost

#: Costs without spread: a start takes 0.1 s of the manager, 0.5 s of the node's engine, 2 s of a core.
UNITS = {
    "state_writes": Cost(10, 10, 10, 1, "writes", ""),
    "create_at_150": Cost(10, 10, 10, 1, "ms", ""),
    "start_20_own": Cost(10, 10, 10, 1, "s", ""),
    "start_20_shared": Cost(10, 10, 10, 1, "s", ""),
    "notebook_cpu": Cost(2, 2, 2, 1, "s", ""),
    "hub_notebook_cpu": Cost(2, 2, 2, 1, "s", ""),
    "hub_start_cpu": Cost(0.2, 0.2, 0.2, 1, "s", ""),
    "install_alone": Cost(4.1, 4.1, 4.1, 1, "s", ""),
}
ALONE = 0.1 + 0.5 + 2
HUB, PLAY = 0.2, 1.6  # before that, the one by the hub, the other by the console
AT_ONCE = 0.001  # seconds within which all come


def waits(people: int, way: Any, **changes: Any) -> list[float]:
    """What each of some people waits who come at once, the quickest first."""
    settings = read_settings(**{"workers": 1, "worker_cores": 64, **changes})
    return sorted(simulate(Morning("m", people, AT_ONCE), way, settings, UNITS).waits)


def test_simulate_when_one_comes_then_waits_for_nobody() -> None:
    assert waits(1, "hub") == [pytest.approx(HUB + ALONE)]
    assert waits(1, "console") == [pytest.approx(PLAY + ALONE)]


def test_simulate_when_workers_have_one_place_then_each_waits_for_those_before() -> None:
    found = waits(3, "console", worker_replicas=1, worker_concurrency=1)
    assert found == [pytest.approx((n + 1) * (PLAY + ALONE), abs=0.01) for n in range(3)]


def test_simulate_when_a_node_has_one_core_then_starts_follow_each_other() -> None:
    assert waits(10, "hub", worker_cores=1)[-1] == pytest.approx(HUB + 0.6 + 10 * 2, abs=0.1)


def test_simulate_when_there_are_more_nodes_then_they_share_the_work() -> None:
    few, many = waits(40, "hub", worker_cores=2), waits(40, "hub", worker_cores=2, workers=4)
    assert many[-1] < few[-1] / 2


def test_simulate_when_the_hub_is_full_then_some_are_sent_away_and_come_again() -> None:
    settings = read_settings(workers=4, worker_cores=64, hub_starts=5)
    seen = simulate(Morning("m", 20, AT_ONCE), "hub", settings, UNITS)
    assert seen.sent_away >= 15
    assert len(seen.waits) == 20
    assert max(seen.waits) >= 30


def test_simulate_when_a_node_is_too_slow_then_starts_pass_their_deadline_and_are_tried_again() -> None:
    settings = read_settings(workers=1, worker_cores=1, hub_start_timeout=20)
    seen = simulate(Morning("m", 15, AT_ONCE), "hub", settings, UNITS)
    assert seen.failed > 0
    assert len(seen.waits) == 15
    assert seen.busiest == "cores of the nodes"


def test_simulate_when_the_seed_is_the_same_then_so_is_the_morning() -> None:
    settings = read_settings(workers=3)
    spread = {**UNITS, "hub_notebook_cpu": Cost(2, 1, 6, 5, "s", "")}
    first, second, other = (
        simulate(Morning("m", 50, 60), "hub", settings, spread, seed).waits for seed in (1, 1, 2)
    )
    assert first == second != other


def test_quantile_when_asked_then_is_a_wait_that_somebody_had() -> None:
    seen = simulate(Morning("m", 20, AT_ONCE), "console", read_settings(), UNITS)
    assert seen.quantile(1.0) == max(seen.waits)
    assert seen.quantile(0.5) == sorted(seen.waits)[9]
