"""Whatever looks there are, each second of a task is billed once, and never twice."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.labyard.platform.plugins.module_utils._billing.beats import (
    Beats,
    read_beats,
    show_beats,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.looks import Sample
from ansible_collections.labyard.platform.plugins.module_utils._billing.metering import accrued, meter
from ansible_collections.labyard.platform.plugins.module_utils._billing.moments import from_moment
from ansible_collections.labyard.platform.plugins.module_utils._billing.policies import Policies, Policy
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import UsageRecord, fingerprint
from tests.cases import many_cases
from tests.unit.billing.swarm_story import Story, look_at

BEGIN = 1_767_225_600_000 - 7_000_000  # a little before the first of January 2026
LENGTH = 14_000_000  # ms: four hours
CUT = 3600
PATIENT = Policies(Policy(missed_beats=10_000))
moments = st.integers(min_value=0, max_value=LENGTH)
lengths = st.integers(min_value=1, max_value=LENGTH)


@st.composite
def stories(draw: st.DrawFn, *, forgetful: bool = False) -> list[Story]:
    """Up to four tasks; `forgetful`: the swarm lists them for a short time only, and nodes are away."""
    found = []
    for number in range(draw(st.integers(1, 4))):
        created = BEGIN + draw(moments)
        start = created + draw(st.integers(0, 60_000))
        end = draw(st.none() | lengths.map(lambda length, start=start: start + length))
        more: dict[str, Any] = {}
        if forgetful:
            away = BEGIN + draw(moments)
            more["away"] = (away, away + draw(st.integers(0, 6_000_000)))
            if end is not None:
                more["forgotten"] = end + draw(st.sampled_from([0, 1, 200_000, LENGTH]))
        found.append(Story(f"task{number}", created, start, end, **more))
    return found


def union(records: Iterable[UsageRecord]) -> dict[str, UsageRecord]:
    """Records by key, as a store takes them: what is known already stays."""
    found: dict[str, UsageRecord] = {}
    for record in records:
        found.setdefault(record.key, record)
    return found


def intervals(records: Iterable[UsageRecord], resource: str = "wall") -> dict[str, list[tuple[int, int]]]:
    """Begins and ends in ms by task, in order."""
    found = defaultdict(list)
    for record in records:
        if record.resource == resource:
            task = record.key.split(":")[0]
            found[task].append((from_moment(record.start), from_moment(record.end)))
    return {task: sorted(spans) for task, spans in found.items()}


def check_apart(spans: Sequence[tuple[int, int]]) -> None:
    """Raises AssertionError if one is empty or backwards, overlaps another, or spans a border."""
    for start, end in spans:
        assert start < end
        assert start // (CUT * 1000) == (end - 1) // (CUT * 1000)
    for (_, before), (after, _) in pairwise(spans):
        assert before <= after


@many_cases
@given(
    told=stories(),
    looks=st.lists(st.tuples(moments, st.sampled_from(["kept", "kept", "lost", "twice"])), max_size=12),
)
def test_meter_when_looks_are_lost_and_repeated_then_each_second_is_billed_exactly_once(
    told: list[Story], looks: list[tuple[int, str]]
) -> None:
    records: list[UsageRecord] = []
    beats = meter(look_at(told, BEGIN), Beats(), policies=PATIENT, cut=CUT, since=BEGIN).beats
    last = BEGIN
    for moment, fate in [*sorted(looks), (3 * LENGTH, "kept")]:
        look = look_at(told, BEGIN + moment, evidence=True)
        done = meter(look, beats, policies=PATIENT, cut=CUT)
        records += done.records
        if fate == "twice":
            again = meter(look, beats, policies=PATIENT, cut=CUT)
            assert (again.records, show_beats(again.beats)) == (done.records, show_beats(done.beats))
            assert meter(look, done.beats, policies=PATIENT, cut=CUT).records == []
        if fate != "lost":
            beats = read_beats(json.loads(json.dumps(show_beats(done.beats))))
            last = BEGIN + moment
    by_key = union(records)
    assert all(fingerprint(record) == fingerprint(by_key[record.key]) for record in records)
    everything = [*by_key.values(), *accrued(beats, CUT)]
    billed = intervals(everything)
    for story in told:
        spans = billed.get(story.id, [])
        check_apart(spans)
        end = last if story.end is None else story.end
        assert sum(end - start for start, end in spans) == max(0, end - story.start)
        if spans:
            assert (spans[0][0], spans[-1][1]) == (story.start, end)
        held = sum(r.quantity for r in everything if r.resource == "cpu" and r.key.startswith(story.id))
        assert held * 4000 == max(0, end - story.start)


@many_cases
@given(
    told=stories(forgetful=True),
    looks=st.lists(
        st.tuples(moments, st.sampled_from([0, 0, 0, 600_000, -600_000]), st.booleans()), max_size=12
    ),
    policy=st.builds(
        Policy,
        missed_beats=st.integers(1, 20),
        node_away=st.sampled_from(["last_beat", "bill"]),
        ended_in_silence=st.sampled_from(["last_beat", "engine"]),
        running_after_silence=st.sampled_from(["bill", "skip"]),
        unseen=st.sampled_from(["nothing", "created"]),
    ),
)
def test_meter_when_nodes_die_clocks_jump_and_the_swarm_forgets_then_nothing_is_billed_twice(
    told: list[Story], looks: list[tuple[int, int, bool]], policy: Policy
) -> None:
    records: list[UsageRecord] = []
    beats, policies = Beats(), Policies(policy)
    latest = BEGIN
    for moment, wrong, evidence in [*sorted(looks), (3 * LENGTH, 0, False)]:
        look = look_at(told, BEGIN + moment, evidence=evidence, clock=wrong)
        done = meter(look, beats, policies=policies, cut=CUT)
        records += done.records
        assert meter(look, done.beats, policies=policies, cut=CUT).records == []
        beats, latest = done.beats, max(latest, look.at)
    assert len(union(records)) == len(records), "no key twice"
    billed = intervals([*records, *accrued(beats, CUT)])
    for story in told:
        spans = billed.get(story.id, [])
        check_apart(spans)
        for start, end in spans:
            assert story.created <= start
            # A clock that went ahead by ten minutes cannot be told from time that went by.
            assert end <= (latest if story.end is None else story.end + 600_000)


@many_cases
@given(told=stories(forgetful=True), moment=moments, looks=st.lists(moments, max_size=8))
def test_meter_when_a_task_is_forgotten_then_it_is_billed_to_its_last_beat(
    told: list[Story], moment: int, looks: list[int]
) -> None:
    records: list[UsageRecord] = []
    beats = Beats()
    beat: dict[str, int] = {}
    told = [Story(s.id, s.created, s.start, s.end, forgotten=s.end) for s in told]
    for at in sorted(BEGIN + one for one in [*looks, moment]):
        done = meter(look_at(told, at), beats, policies=PATIENT, cut=CUT)
        records, beats = records + done.records, done.beats
        beat |= {s.id: at for s in told if s.start <= at and (s.end is None or at < s.end)}
    billed = intervals([*records, *accrued(beats, CUT)])
    for story in told:
        total = sum(end - start for start, end in billed.get(story.id, []))
        assert total == (beat[story.id] - story.start if story.id in beat else 0)


@many_cases
@given(
    start=moments,
    steps=st.lists(
        st.tuples(st.integers(1, 9_000_000), st.integers(0, 10**13), st.integers(0, 10**10)),
        min_size=1,
        max_size=12,
    ),
)
def test_meter_when_figures_are_sampled_then_sums_are_those_of_the_counters(
    start: int, steps: list[tuple[int, int, int]]
) -> None:
    story = Story("task0", BEGIN, BEGIN + start)
    at, cpu, held, before = BEGIN + start, 0, 0, 0
    beats = meter(look_at([], at), Beats(), cut=CUT).beats
    records: list[UsageRecord] = []
    for number, (step, used, memory) in enumerate(steps):
        at, cpu = at + step, cpu + used
        held += (before if number else memory) * step
        before = memory
        figures = Sample(at=at, cpu=cpu, memory=memory, received=number, sent=0)
        done = meter(look_at([story], at, samples={"task0": figures}), beats, policies=PATIENT, cut=CUT)
        records, beats = records + done.records, done.beats
    everything = [*records, *accrued(beats, CUT)]
    total = {
        name: sum(r.quantity for r in everything if r.resource == name)
        for name in ("cpu_used", "memory_used", "network_in")
    }
    assert total["cpu_used"] * 10**9 == cpu
    assert total["memory_used"] * 1000 == held
    assert total["network_in"] == len(steps) - 1
    for spans in intervals(everything, "cpu_used").values():
        check_apart(spans)
