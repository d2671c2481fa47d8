"""The console's meter: when it looks, what it takes in, and what becomes of a look that failed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from ansible_collections.labyard.platform.plugins.module_utils._billing.beats import (
    Beats,
    OpenTask,
    show_beats,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.owners import Selection
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import read_tariff
from labyard import worker
from labyard.billing.hub_claims import HubTaken
from labyard.billing.ingest import take_records
from labyard.billing.meter_records import pending_records
from labyard.billing.meter_runs import begin_meter_run, read_metering
from labyard.billing.metering import meter_usage
from labyard.billing.prices import PriceList
from labyard.catalog.plans import configuration_of, spec_of
from labyard.clock import utc_now
from labyard.context import context, session
from labyard.errors import Unavailable
from labyard.models import Command, Meter, MeterRun, NodeCapacity, State, UsageRow, db, installation_id
from labyard.models.base import begin_writing
from labyard.runs.folder import prepare_folder
from labyard.runs.process import RunProcess
from labyard.settings import Settings
from labyard.statistics import prometheus_text
from labyard.status import find, read_status
from tests.unit.billing.swarm_story import ADA
from tests.unit.conftest import make_person, submit

STANDARD_TARIFF = read_tariff(
    {
        "name": "standard",
        "currency": "EUR",
        "valid_from": "2026-01-01",
        "prices": [
            {
                "name": "wide",
                "resource": "wall",
                "model": "unit",
                "per": "hour",
                "price": "7",
                "shapes": ["wide"],
            },
            {"name": "any", "resource": "wall", "model": "unit", "per": "hour", "price": "1"},
        ],
    }
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def record(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A record as usage_info returns it."""
    return {
        "source": "swarm:x",
        "key": f"t{number}:wall:20260101T110000.000Z",
        "account": "user:ada",
        "resource": "wall",
        "unit": "second",
        "quantity": "3600",
        "start": "2026-01-01T11:00:00Z",
        "end": "2026-01-01T12:00:00Z",
        "user": "ada",
        "project": "default",
        **changes,
    }


@dataclass
class Play:
    """Stands in for `start_process`: a play that has ended, and left what it leaves."""

    records: list[dict[str, Any]] = field(default_factory=list)
    beats: dict[str, Any] = field(default_factory=lambda: {"version": 1, "number": 1})
    capacity: list[dict[str, Any]] = field(default_factory=list)
    until: str = "2026-01-01T12:00:01Z"
    answer: str | None = None  # in place of what it writes
    failure: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    def __call__(self, folder: Path, _environment: dict[str, str]) -> tuple[RunProcess, None]:
        """Be that play."""
        self.folders.append(folder)
        self.requests.append(json.loads((folder / "request.json").read_text(encoding="utf-8"))["usage"])
        artifacts = folder / "artifacts" / "run"
        artifacts.mkdir(parents=True)
        events: list[dict[str, Any]] = [
            {
                "counter": 1,
                "event": "playbook_on_stats",
                "event_data": {"artifact_data": {"labyard_result": {}}},
            }
        ]
        if self.failure:
            data = {"task": "Meter the tasks of the swarm", "res": {"msg": self.failure}}
            events = [{"counter": 1, "event": "runner_on_failed", "event_data": data}]
        (artifacts / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
        (artifacts / "rc").write_text("2" if self.failure else "0")
        (artifacts / "status").write_text("failed" if self.failure else "successful")
        document = {
            "records": self.records,
            "beats": self.beats,
            "capacity": self.capacity,
            "until": self.until,
            "notes": [],
        }
        (folder / "usage.json").write_text(json.dumps(document) if self.answer is None else self.answer)
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        return RunProcess(child.pid, 0.0), None


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, keep_runs=3)


def look(
    play: Play,
    moment: datetime = NOON,
    claim: Callable[[Settings, str], Any] = lambda _settings, _console: False,
    **changes: Any,
) -> bool:
    """One turn of a worker at `moment`."""
    chosen = replace(context().settings, **changes)
    return meter_usage(
        session(), begin_writing, chosen, "here:1", take_records,
        clock=lambda: moment, start=play, claim=claim,
    )  # fmt: skip


def runs() -> list[MeterRun]:
    return list(session().scalars(select(MeterRun).order_by(MeterRun.id)))


def test_meter_when_a_look_is_good_then_records_and_beats_are_there(app: APIFlask) -> None:
    make_person()
    assert look(Play([record(), record(1)]))
    (run,) = runs()
    assert (run.good, run.taken, run.known, run.refused, run.message) == (True, 2, 0, 0, "")
    rows = session().scalars(select(UsageRow).order_by(UsageRow.key)).all()
    assert [(row.key[:2], row.account) for row in rows] == [("t0", "user:ada"), ("t1", "user:ada")]
    meter = session().scalars(select(Meter)).one()
    assert (meter.beats, meter.since, meter.beat_at) == ({"version": 1, "number": 1}, NOON, NOON)


def test_meter_when_a_look_is_good_then_what_nodes_have_is_written_down(app: APIFlask) -> None:
    node = {"node": "n1", "name": "host1", "cpu": 4 * 10**9, "memory": 2**33, "gpu": 1, "up": True}
    seen = Play(capacity=[node], until="2026-01-01T12:00:01Z")
    look(seen)
    look(Play(capacity=[node], until="2026-01-01T12:15:02Z"), NOON + timedelta(minutes=15))
    look(Play(capacity=[node], until="2026-01-01T12:20:02Z"), NOON + timedelta(minutes=20))
    rows = session().scalars(select(NodeCapacity).order_by(NodeCapacity.start)).all()
    assert [(f"{row.start:%M:%S}", f"{row.end:%M:%S}", row.gpu) for row in rows] == [
        ("00:01", "00:01", 1),  # a second more than three looks that are missing
        ("15:02", "20:02", 1),
    ]


def test_meter_when_it_looks_again_then_with_the_beats_and_only_when_due(app: APIFlask) -> None:
    make_person()
    play = Play([record()])
    assert look(play)
    assert not look(play, NOON + timedelta(seconds=299))
    assert look(play, NOON + timedelta(seconds=300))
    assert [(run.taken, run.known) for run in runs()] == [(1, 0), (0, 1)]
    label = f"labyard.console={installation_id(session())}"
    assert play.requests[0] == {
        "labels": [label],
        "new_selection": "go_on",
        "beats": {},
        "since": "2026-01-01T12:00:00Z",
        "statistics": True,
        "volumes": True,
        "cut": 3600,
        "policy": {"interval": 300},
    }
    assert play.requests[1] == {**play.requests[0], "beats": {"version": 1, "number": 1}, "volumes": False}
    assert look(play, NOON + timedelta(hours=1))
    assert play.requests[2]["volumes"]


def test_meter_when_consoles_and_hubs_share_a_swarm_then_each_meters_its_own_once(app: APIFlask) -> None:
    hub = {"hub_url": "https://hub.example.org", "hub_stack": "lab-hub"}
    own = {"labyard.console": installation_id(session()), "labyard.deployment": "abcd1234"}
    others = {**own, "labyard.console": "another12345"}
    own_hub = {"labyard.hub": "lab-hub", "labyard.owner": "ada", "labyard.hub.key": "1"}
    other_hub = {**own_hub, "labyard.hub": "other-hub"}

    def metered(moment: datetime, **changes: Any) -> list[bool]:
        play = Play()
        assert look(play, moment, **changes)
        assert play.requests[0]["new_selection"] == "go_on"
        selection = Selection(labels=play.requests[0]["labels"])
        return [selection.fits(labels) for labels in (own, others, own_hub, other_hub)]

    assert metered(NOON, **hub) == [True, False, True, False]
    hour = timedelta(hours=1)
    assert metered(NOON + hour, **{**hub, "hub_stack": ""}) == [True, False, False, False], "another bills it"
    assert metered(NOON + 2 * hour) == [True, False, False, False]


def test_meter_when_another_console_bills_the_hub_then_meters_its_own_and_says_so(app: APIFlask) -> None:
    play, console = Play([record()]), installation_id(session())

    def refuse(settings: Settings, asking: str) -> None:
        assert (settings.hub_stack, asking) == ("lab-hub", console)
        assert not db.session().in_transaction()
        raise HubTaken("https://there.example bills it.")

    make_person()
    assert look(play, claim=refuse, hub_url="https://hub.example.org", hub_stack="lab-hub")
    assert play.requests[0]["labels"] == [f"labyard.console={console}"]
    (run,) = runs()
    assert (run.good, run.taken, run.message) == (True, 1, "https://there.example bills it.")


def test_meter_when_the_engine_cannot_say_who_bills_the_hub_then_the_look_fails(app: APIFlask) -> None:
    def silent(_settings: Settings, _console: str) -> None:
        raise Unavailable("The Docker Engine does not answer.")

    assert look(Play(), claim=silent, hub_url="https://hub.example.org", hub_stack="lab-hub")
    (run,) = runs()
    assert (run.good, run.message) == (False, "The Docker Engine does not answer.")


def test_meter_when_a_look_fails_then_the_beats_stay_and_admins_see_why(app: APIFlask) -> None:
    make_person()
    look(Play([record()]))
    bad = Play([record(1)], beats={"version": 1, "number": 2}, failure="No manager of the swarm answers.")
    assert look(bad, NOON + timedelta(minutes=5))
    assert runs()[-1].message == "Meter the tasks of the swarm: No manager of the swarm answers."
    assert not runs()[-1].good
    assert session().scalars(select(Meter.beats)).one() == {"version": 1, "number": 1}
    assert len(session().scalars(select(UsageRow)).all()) == 1


@pytest.mark.parametrize("answer", ["", "[]", '{"records": []}'])
def test_meter_when_what_the_play_wrote_cannot_be_read_then_the_look_failed(
    app: APIFlask, answer: str
) -> None:
    look(Play(answer=answer))
    assert runs()[0].message.startswith("What the play wrote cannot be read")


def test_meter_when_a_record_is_refused_then_the_others_are_taken_and_people_are_told(app: APIFlask) -> None:
    make_person()
    look(Play([record(), record(1, quantity="-1")]))
    (run,) = runs()
    assert (run.good, run.taken, run.refused) == (True, 1, 1)
    assert run.message.startswith("1 records were refused, the first: quantity: -1 is below 0")


def test_meter_when_another_worker_looks_then_this_one_does_not(app: APIFlask) -> None:
    begin_writing()
    assert begin_meter_run(session(), 300, "other:1", lambda: NOON) is not None
    session().commit()
    assert not look(Play(), NOON + timedelta(seconds=299))
    assert look(Play(), NOON + timedelta(seconds=301))
    assert [(run.good, run.message) for run in runs()] == [
        (False, "It was cut off: its worker is gone."),
        (True, ""),
    ]


def test_meter_when_a_worker_leaves_then_another_may_look_at_once(app: APIFlask) -> None:
    begin_writing()
    begin_meter_run(session(), 300, "other:1", utc_now)
    session().commit()
    worker.say_farewell("other:1")
    assert look(Play(), utc_now())
    assert runs()[0].message == "It was cut off: its worker has ended."


def test_meter_when_its_lease_was_lost_then_nothing_is_taken_in(app: APIFlask) -> None:
    make_person()

    class Slow(Play):
        def __call__(self, folder: Path, environment: dict[str, str]) -> tuple[RunProcess, None]:
            begin_writing()
            begin_meter_run(session(), 300, "other:1", lambda: NOON + timedelta(minutes=10))
            session().commit()
            return super().__call__(folder, environment)

    assert look(Slow([record()]))
    assert session().scalars(select(UsageRow)).all() == []
    assert session().scalars(select(Meter.beats)).one() == {}
    assert [run.worker for run in runs()] == ["here:1", "other:1"]


def test_meter_when_a_record_is_of_a_deployment_then_its_name_and_shape_are_in_it(app: APIFlask) -> None:
    deployment = submit(make_person(), plan="notebook", name="demo", params={"cpu_limit": 0.5}).deployment
    begin_writing()
    deployment.plan.shapes = {"small": {"cpu_limit": 0.5}, "large": {"cpu_limit": 2.0}}
    session().commit()
    look(Play([record(deployment=deployment.id, deployment_name="notebook-x")]))
    (row,) = session().scalars(select(UsageRow)).all()
    assert (row.deployment_name, row.shape) == ("demo", "small")


def end_well(command: Command, begun: datetime) -> None:
    """Let a command have been carried out."""
    begin_writing()
    command.state = State.PENDING
    command.state, command.started_at = State.COMPLETED, begun
    command.deployment.params = {**command.deployment.params, **command.params}
    command.deployment.services = [{"name": "notebook"}]
    command.deployment.state = State.PENDING
    command.deployment.state = State.COMPLETED
    session().commit()


def test_meter_when_the_shape_changed_before_the_look_then_a_record_has_that_of_its_time(
    app: APIFlask,
) -> None:
    person = make_person()
    installed = submit(person, plan="notebook", name="demo", params={"cpu_limit": 0.5})
    deployment = installed.deployment
    deployment.plan.shapes = {"small": {"cpu_limit": 0.5}, "large": {"cpu_limit": 2.0}}
    end_well(installed, NOON - timedelta(hours=3))
    scaled = submit(person, "scale", deployment=deployment.id, params={"cpu_limit": 2.0})
    end_well(scaled, NOON - timedelta(minutes=5))
    about = {"deployment": deployment.id, "start": "2026-01-01T11:00:00Z", "end": "2026-01-01T11:55:03Z"}
    after = {**about, "start": "2026-01-01T11:55:03Z", "end": "2026-01-01T12:00:00Z"}
    records = [record(1, **about), record(2, **after), record(3, **after, shape="small")]
    assert look(Play(records))
    rows = session().scalars(select(UsageRow).order_by(UsageRow.key)).all()
    assert [(row.key[:2], row.shape) for row in rows] == [("t1", "small"), ("t2", "large"), ("t3", "small")]


def test_request_of_a_run_when_a_size_changes_then_says_the_shape_that_comes_of_it(
    app: APIFlask, tmp_path: Path
) -> None:
    person = make_person()
    installed = submit(person, plan="notebook", name="demo", params={"cpu_limit": 0.5, "memory_limit": 512})
    plan = installed.deployment.plan
    plan.shapes = {
        "small": {"cpu_limit": 0.5, "memory_limit": 512, "image_flavour": "minimal"},
        "wide": {"cpu_limit": 2.0, "memory_limit": 512, "image_flavour": "minimal"},
    }
    end_well(installed, NOON)
    scaled = submit(person, "scale", deployment=installed.deployment.id, params={"cpu_limit": 2.0})
    prepare_folder(tmp_path / "run", scaled, asdict(spec_of(plan)), {}, context().settings)
    request = json.loads((tmp_path / "run" / "request.json").read_text())
    assert request["deployment"]["shape"] == "wide"
    prices = PriceList("user:ada", STANDARD_TARIFF, "default", "ada")
    wanted = {**installed.deployment.params, **scaled.params}
    quote = prices.quote(plan, configuration_of(plan), wanted)
    assert quote.cost is not None
    assert quote.cost.per_hour == Decimal("7"), "the price of that shape"


def test_pending_when_an_hour_is_not_over_then_it_is_told_with_who_will_pay(app: APIFlask) -> None:
    deployment = submit(make_person(), plan="notebook", name="demo").deployment
    assert pending_records(session()) == []
    names = replace(ADA, deployment=deployment.id, deployment_name="notebook-x")
    beats = Beats(source="swarm:x", until=0, tasks={"t1": OpenTask(0, 90_000, names, {"cpu": 500_000_000})})
    look(Play(beats=show_beats(beats)))
    pending = pending_records(session())
    assert [(one.resource, str(one.quantity)) for one in pending] == [("wall", "90"), ("cpu", "45")]
    assert {(one.account, one.deployment_name) for one in pending} == {("user:ada", "demo")}


def test_meter_when_it_has_looked_often_then_old_folders_go_and_requests_are_forgotten(app: APIFlask) -> None:
    play = Play()
    for minutes in range(0, 25, 5):
        look(play, NOON + timedelta(minutes=minutes))
    kept = sorted(folder.name for folder in context().settings.meter_runs.iterdir())
    assert kept == ["3", "4", "5"]
    assert not list(context().settings.meter_runs.rglob("request.json"))


def test_metering_when_looks_are_missing_then_the_status_and_figures_say_so(
    app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labyard.status.check_parts", lambda *_: {"database": "ok"})
    assert "\nlabyard_usage_age_seconds " not in prometheus_text(session(), lambda: NOON)
    assert not read_metering(session(), 300, NOON).late
    look(Play(failure="The engine is away."))
    assert read_metering(session(), 300, NOON).late
    look(Play(), NOON + timedelta(minutes=5))
    later = NOON + timedelta(minutes=21)
    assert "\nlabyard_usage_age_seconds 960.0\n" in prometheus_text(session(), lambda: later)
    texts = [finding.text for finding in find(read_status(session(), context().settings, lambda: later))]
    assert "What the swarm uses was metered 960 s ago, and should be every 300 s." in texts
    assert not read_metering(session(), 0, later).late


def test_worker_when_its_turn_comes_then_it_meters(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(worker, "meter_usage", lambda *given: asked.append(given[3:]))
    worker.look_at_usage("here:1")
    assert asked == [("here:1", take_records)]
