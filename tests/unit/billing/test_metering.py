"""Metering where something goes wrong: nodes, engines and clocks; and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.beats import (
    Beats,
    read_beats,
    show_beats,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.looks import (
    ContainerSeen,
    Look,
    VolumeSeen,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.metering import (
    Metered,
    accrued,
    meter,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.policies import (
    Policies,
    Policy,
    read_policies,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import read_record, show_record
from tests.unit.billing.swarm_story import ADA, SOURCE, Story, look_at, sample_at

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z
MINUTE = 60_000


def policies(**choices: object) -> Policies:
    return Policies(Policy(**choices))  # type: ignore[arg-type]


def meter_all(looks: Sequence[Look], chosen: Policies | None = None) -> list[Metered]:
    """All looks, one after another, from the first one on."""
    found, beats = [], Beats()
    for look in looks:
        found.append(meter(look, beats, policies=chosen))
        beats = found[-1].beats
    return found


def wall(done: Sequence[Metered]) -> Decimal:
    """Seconds that were billed, and what the last beats hold."""
    records = [record for one in done for record in one.records] + accrued(done[-1].beats)
    return sum((r.quantity for r in records if r.resource == "wall"), Decimal(0))


def task(**about: object) -> Story:
    return Story("t1", NOON, NOON + 1500, **about)  # type: ignore[arg-type]


def at(minutes: float) -> int:
    return NOON + round(minutes * MINUTE)


def test_meter_when_a_task_runs_then_records_end_at_the_hour_and_the_rest_is_pending() -> None:
    done = meter_all([look_at([task()], at(5)), look_at([task()], at(65))])
    assert done[0].records == []
    assert [(r.resource, str(r.quantity), r.key) for r in done[1].records] == [
        ("wall", "3598.5", "t1:wall:20260101T120001.500Z"),
        ("cpu", "899.625", "t1:cpu:20260101T120001.500Z"),
    ]
    assert [(r.resource, str(r.quantity)) for r in accrued(done[1].beats)] == [("wall", "300"), ("cpu", "75")]
    for record in done[1].records:
        assert read_record(show_record(record)) == record


def test_meter_when_a_task_is_killed_then_it_is_billed_to_the_end_that_the_engine_tells() -> None:
    story = task(end=at(7) + 123)
    assert wall(meter_all([look_at([story], at(5)), look_at([story], at(10))])) == Decimal("418.623")


@pytest.mark.parametrize(
    ("choice", "seconds"), [("last_beat", 298.5), ("engine", 3598.5)], ids=["last-beat", "engine"]
)
def test_meter_when_a_task_ended_while_nobody_looked_for_long_then_the_policy_decides(
    choice: str, seconds: float
) -> None:
    story = task(end=at(60))
    looks = [look_at([story], at(5)), look_at([story], at(70))]
    assert float(wall(meter_all(looks, policies(ended_in_silence=choice)))) == seconds


def test_meter_when_a_node_remembers_an_end_in_a_silence_then_that_is_the_end() -> None:
    story = task(end=at(60))
    looks = [look_at([story], at(5)), look_at([story], at(70), evidence=True)]
    assert wall(meter_all(looks)) == Decimal("3598.5")


@pytest.mark.parametrize(("choice", "seconds"), [("bill", 4198.5), ("skip", 298.5)])
def test_meter_when_a_task_still_runs_after_a_silence_then_the_policy_decides(
    choice: str, seconds: float
) -> None:
    looks = [look_at([task()], at(5)), look_at([task()], at(70))]
    assert float(wall(meter_all(looks, policies(running_after_silence=choice)))) == seconds


def test_meter_when_a_node_dies_then_its_tasks_are_billed_to_their_last_beat_once() -> None:
    story = task(away=(at(6), at(60)), end=at(60))  # it comes back, and says that they ended just now
    moments = (5, 10, 15, 25, 30, 61, 65)
    done = meter_all([look_at([story], at(minute)) for minute in moments])
    assert wall(done) == Decimal("298.5")
    assert [len(one.records) for one in done] == [0, 0, 0, 2, 0, 0, 0], "closed after the third missed beat"


def test_meter_when_a_node_is_back_before_the_silence_is_over_then_nothing_is_missing() -> None:
    story = task(away=(at(6), at(14)))
    assert wall(meter_all([look_at([story], at(minute)) for minute in (5, 10, 15)])) == Decimal("898.5")


def test_meter_when_a_node_that_was_given_up_runs_the_same_task_then_it_counts_from_now_on() -> None:
    story = task(away=(at(6), at(39)))
    done = meter_all([look_at([story], at(minute)) for minute in (5, 25, 40, 45)])
    assert wall(done) == Decimal("598.5")


def test_meter_when_the_policy_says_so_then_time_on_a_node_that_is_away_counts() -> None:
    story = task(away=(at(6), at(60)))
    done = meter_all([look_at([story], at(minute)) for minute in (5, 10, 30)], policies(node_away="bill"))
    assert wall(done) == Decimal("1798.5")


def test_meter_when_an_engine_was_restarted_then_the_end_it_tells_counts_within_the_silence_alone() -> None:
    short, long = task(end=at(12)), task(end=at(50))  # the tasks died at 5:30, the engine was back then
    assert wall(meter_all([look_at([short], at(5)), look_at([short], at(13))])) == Decimal("718.5")
    assert wall(meter_all([look_at([long], at(5)), look_at([long], at(51))])) == Decimal("298.5")


def test_meter_when_a_task_was_forgotten_then_a_node_may_know_its_end() -> None:
    story = task(end=at(7), forgotten=at(8))
    assert wall(meter_all([look_at([story], at(5)), look_at([story], at(10))])) == Decimal("298.5")
    looks = [look_at([story], at(5)), look_at([story], at(10), evidence=True)]
    assert wall(meter_all(looks)) == Decimal("418.5")


@pytest.mark.parametrize(
    ("choice", "evidence", "seconds"),
    [("nothing", True, 60), ("nothing", False, 0), ("created", False, 61.5)],
)
def test_meter_when_a_task_began_and_ended_between_two_looks_then_what_is_known_counts(
    choice: str, evidence: bool, seconds: float
) -> None:
    story = task(end=NOON + 1500 + MINUTE)
    looks = [look_at([], NOON - 1), look_at([story], at(5), evidence=evidence), look_at([story], at(10))]
    assert float(wall(meter_all(looks, policies(unseen=choice)))) == seconds


def test_meter_when_a_container_never_started_then_nothing_is_billed() -> None:
    look = look_at([task(end=at(2))], at(5))
    look = replace(look, containers={"t1": ContainerSeen(created=NOON, ran=False)})
    assert wall(meter_all([look_at([], NOON), look], policies(unseen="created"))) == 0


def test_meter_when_tasks_ended_before_the_first_look_then_they_count_from_since_only() -> None:
    story = task(end=at(10))
    look = look_at([story], at(20), evidence=True)
    assert meter(look, Beats()).records == []
    (record, _) = meter(look, Beats(), since=at(6)).records
    assert (record.resource, record.quantity) == ("wall", 240)


def test_meter_when_the_clock_goes_back_then_nothing_is_negative_and_people_are_told() -> None:
    done = meter_all([look_at([task()], at(minute)) for minute in (65, 55, 60, 70)])
    assert wall(done) == Decimal("4198.5")
    assert done[1].notes == ["The Engine's clock went back by 600 s: nothing is billed twice."]
    assert [one.notes for one in done[2:]] == [
        ["The Engine's clock went back by 300 s: nothing is billed twice."],
        [],
    ]


def test_meter_when_a_nodes_clock_is_far_ahead_then_no_interval_reaches_beyond_the_look() -> None:
    story = task(end=at(9))
    ended = look_at([story], at(9))
    ended = replace(ended, at=at(6))
    assert wall(meter_all([look_at([story], at(5)), ended])) == Decimal("418.5")


def test_meter_when_figures_are_sampled_then_they_are_cut_at_the_hour_as_well() -> None:
    looks = [look_at([], NOON)]
    for minute, used in ((50, 100), (70, 140), (75, 141)):
        figures = {"t1": sample_at(at(minute), used * 10**9, 10)}
        looks.append(look_at([task()], at(minute), samples=figures))
    done = meter_all(looks)
    (record,) = [r for r in done[2].records if r.resource == "cpu_used"]
    assert (str(record.quantity), record.key) == ("120", "t1:cpu_used:20260101T120001.500Z")
    pending = {r.resource: str(r.quantity) for r in accrued(done[-1].beats)}
    assert pending["cpu_used"] == "21"


def volume(size: int, created: int = NOON) -> VolumeSeen:
    return VolumeSeen("node1/home", created, size, ADA)


def look_at_volumes(minutes: float, *volumes: VolumeSeen, nodes: Sequence[str] = ("node1",)) -> Look:
    return Look(at=at(minutes), source=SOURCE, tasks=(), volumes=volumes, volume_nodes=frozenset(nodes))


def test_meter_when_a_volume_grows_then_its_size_counts_until_the_next_look() -> None:
    looks = [
        look_at_volumes(10, volume(100)),
        look_at_volumes(30, volume(200)),
        look_at_volumes(70, volume(0)),
    ]
    done = meter_all([*looks, look_at_volumes(80)])
    records = [r for one in done for r in one.records]
    byte_seconds = [(r.resource, r.unit, str(r.quantity)) for r in records]
    assert byte_seconds == [
        ("volume", "byte_second", str(100 * 1200 + 200 * 1800)),
        ("volume", "byte_second", "120000"),
    ]
    assert done[-1].beats.volumes == {}
    for record in records:
        assert read_record(show_record(record)) == record


def test_meter_when_nobody_looked_at_a_volumes_node_then_it_stays_open_for_a_day() -> None:
    looks = [
        look_at_volumes(0, volume(10)),
        look_at_volumes(10, nodes=["node2"]),
        look_at_volumes(20, volume(10)),
    ]
    done = meter_all(looks)
    assert accrued(done[-1].beats)[0].quantity == 12000
    gone = meter(look_at_volumes(20 + 1441, nodes=["node2"]), done[-1].beats)
    assert (len(gone.records), gone.beats.volumes) == (1, {})


def test_meter_when_a_volume_was_made_again_then_the_time_between_is_left_out() -> None:
    looks = [
        look_at_volumes(0, volume(10)),
        look_at_volumes(10, volume(10)),
        look_at_volumes(20, volume(10, at(15))),
    ]
    done = meter_all(looks)
    assert [r.quantity for r in done[-1].records] == [6000]


@pytest.mark.parametrize(
    ("look", "beats", "message"),
    [
        ({"source": "swarm:other"}, {}, "beats: are those of swarm:test, and this is swarm:other"),
        ({}, {"selection": "mine"}, "beats: were made with another selection"),
    ],
)
def test_meter_when_beats_are_others_then_refused(
    look: dict[str, str], beats: dict[str, str], message: str
) -> None:
    before = meter(look_at([task()], at(5)), Beats()).beats
    with pytest.raises(UsageError, match=message):
        meter(replace(look_at([task()], at(10)), **look), replace(before, **beats))


def test_meter_when_the_selection_changes_then_what_is_new_counts_from_the_last_look() -> None:
    before = meter(look_at([task()], at(5)), Beats(), selection="few", since=NOON).beats
    newcomer = replace(task(), id="t2")
    done = meter(look_at([task(), newcomer], at(70)), before, selection="many", reselect=True)
    whole = {record.key[:2]: record.quantity for record in done.records if record.resource == "wall"}
    assert whole == {"t1": Decimal("3598.5"), "t2": 3300}, (
        "the one from its begin, the other from the last look on"
    )
    fewer = meter(look_at([newcomer], at(75)), done.beats, selection="few", reselect=True)
    ended = [(record.key[:2], record.quantity) for record in fewer.records if record.resource == "wall"]
    assert ended == [("t1", 600)], "to its last beat"


def test_meter_when_the_cut_does_not_divide_a_day_then_refused() -> None:
    with pytest.raises(UsageError, match="cut: 7000 s do not divide a day"):
        meter(look_at([], NOON), Beats(), cut=7000)


@pytest.mark.parametrize("document", [{"version": 2}, {"version": 1}, {"version": 1, "tasks": {"t": 3}}])
def test_read_beats_when_damaged_then_refused_with_what_to_do(document: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"beats: are .* give those"):
        read_beats(document)


def test_read_beats_when_made_before_tasks_had_shapes_then_go_on() -> None:
    done = meter(look_at([task()], at(5)), Beats())
    document = show_beats(done.beats)
    del document["tasks"]["t1"]["names"]["shape"]
    assert read_beats(document) == done.beats


def test_read_policies_when_a_plan_says_little_then_the_rest_is_from_the_default() -> None:
    found = read_policies({"interval": 60, "unseen": None}, {"gpu": {"missed_beats": "5"}})
    assert found.of("gpu") == Policy(interval=60, missed_beats=5)
    assert found.of("notebook").patience == 180_000


@pytest.mark.parametrize(
    ("default", "plans", "message"),
    [
        ({"interval": 0}, {}, r"policy\.interval: 0 is no whole number of at least 1"),
        ({"unseen": "all"}, {}, r"policy\.unseen: 'all' is none of nothing, created"),
        ({}, {"gpu": {"beat": 1}}, r"plan_policies\.gpu\.beat: is no part of a policy"),
        ({}, {"gpu": 3}, r"plan_policies\.gpu: a mapping is needed"),
    ],
)
def test_read_policies_when_wrong_then_the_place_is_named(
    default: dict[str, object], plans: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read_policies(default, plans)
