"""Metering on a real swarm, against the Engine's own timestamps, up to the invoice."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import docker
import pytest
from apiflask import APIFlask
from sqlalchemy import select

from ansible_collections.labyard.platform.plugins.module_utils._billing.invoice import Invoice, build_invoice
from ansible_collections.labyard.platform.plugins.module_utils._billing.moments import as_moment, read_time
from ansible_collections.labyard.platform.plugins.module_utils._billing.months import Period
from ansible_collections.labyard.platform.plugins.module_utils._billing.parties import Party
from ansible_collections.labyard.platform.plugins.module_utils._billing.rating import Rater
from ansible_collections.labyard.platform.plugins.module_utils._billing.tariff import read_tariff
from ansible_collections.labyard.platform.plugins.module_utils._billing.usage import read_record
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import StackError
from ansible_collections.labyard.platform.plugins.modules.usage_info import argument_spec, run
from labyard.billing.ingest import take_records
from labyard.billing.metering import meter_usage
from labyard.context import context, session
from labyard.models import Meter, MeterRun, UsageRow, installation_id
from labyard.models.base import begin_writing
from tests.conftest import REPOSITORY, SCRIPTS, RunningConsole, wait_until
from tests.integration.stack_helpers import recorded_calls, run_tasks, service, stack_module
from tests.unit.conftest import app as console_app  # noqa: F401 - a console without processes
from tests.unit.conftest import make_person, settings  # noqa: F401 - the fixture, and a factory

DEFAULTS: dict[str, Any] = {key: option.get("default") for key, option in argument_spec().items()}
SMALL = {"resources": {"reservations": {"cpus": "0.01", "memory": "8M"}, "limits": {"cpus": "0.5"}}}
TASK = "com.docker.swarm.task.id"
CUT = 10  # seconds; records of this test are cut often

# Worked out by hand. Each deployment runs for less than ten minutes in all, whatever happens to its tasks.
INVOICE = """\
The tariff, in EUR: 1.00 for each begun package of ten minutes that a deployment runs; VAT 19 %.

crash   one task was killed, and another started in its place: less than 600 s, 1 package      1.00
scale   one task, for a while two: less than 600 s, 1 package                                  1.00
net                                                                                            2.00
VAT     19 % of 2.00 = 0.38                                                                    0.38
total                                                                                          2.38

The invoice
-----------
crash Runtime 1.00
scale Runtime 1.00
net 2.00
VAT 0.38
total 2.38 EUR
"""


def usage(**options: Any) -> dict[str, Any]:
    """Call the module within this process."""
    return run({**DEFAULTS, **options})


@dataclass
class MeteredStacks:
    """Looks at stacks, each from where the last one stopped."""

    stacks: list[str]
    beats: dict[str, Any] = field(default_factory=dict)
    records: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    pending: list[dict[str, Any]] = field(default_factory=list)
    until: int = 0  # ms

    def look(self, *, forget: bool = False) -> None:
        """One look; with `forget` its outcome is handed over and then lost."""
        done = usage(stacks=self.stacks, beats=self.beats, cut=CUT, statistics=True)
        again = usage(stacks=self.stacks, beats=done["beats"], cut=CUT)
        assert not {r["key"] for r in again["records"]} & {r["key"] for r in done["records"]}
        for record in done["records"]:
            known = self.records.setdefault((record["source"], record["key"]), record)
            # Figures that were sampled at other moments are split otherwise; what is held never differs.
            is_sampled = record["resource"].endswith("_used") or record["resource"].startswith("network_")
            assert is_sampled or known == record, "the same key with other content"
        if not forget:
            self.beats, self.pending = done["beats"], done["pending"]
            self.until = read_time(done["until"]) or 0

    def seconds(self, stack: str, resource: str = "wall") -> Decimal:
        """All that was metered of a stack, up to the last look."""
        found = [*self.records.values(), *self.pending]
        amounts = [
            Decimal(r["quantity"]) for r in found if (r["deployment"], r["resource"]) == (stack, resource)
        ]
        return sum(amounts, Decimal(0))


@dataclass
class Witness:
    """Begins and ends of the containers of a stack as the Engine's containers and events tell, in ms."""

    engine: docker.DockerClient
    stack: str
    began_at: float = field(default_factory=time.time)
    spans: dict[str, tuple[int, int | None]] = field(default_factory=dict)

    def containers(self) -> list[Any]:
        """Its containers, ended ones too."""
        label = f"com.docker.stack.namespace={self.stack}"
        return list(self.engine.containers.list(all=True, filters={"label": label}, ignore_removed=True))

    def running(self) -> list[Any]:
        return [one for one in self.containers() if one.status == "running"]

    def note(self) -> None:
        """Write down what there is."""
        for container in self.containers():
            state = container.attrs["State"]
            started = read_time(state["StartedAt"])
            if started is not None:
                ended = None if state["Running"] else read_time(state["FinishedAt"])
                self.spans[container.id] = (started, ended)

    def note_removed(self) -> None:
        """Of containers that are gone the events know the end."""
        filters = {"type": "container", "event": "die", "label": f"com.docker.stack.namespace={self.stack}"}
        until = time.time()
        for event in self.engine.api.events(self.began_at, until, filters, decode=True):
            if event["id"] in self.spans:
                self.spans[event["id"]] = (self.spans[event["id"]][0], event["timeNano"] // 1_000_000)

    def seconds(self, until: int) -> float:
        """How long its containers ran in all, up to `until`."""
        return sum(((until if end is None else end) - start) / 1000 for start, end in self.spans.values())


def invoice_of(records: list[dict[str, Any]], names: dict[str, str]) -> Invoice:
    """The invoice for what the stacks ran, by the tariff of INVOICE."""
    price = {"name": "Runtime", "resource": "wall", "model": "package", "per": "second", "size": "600"}
    document = {"name": "standard", "currency": "EUR", "valid_from": "2020-01-01"}
    vat = {"name": "VAT", "percent": "19"}
    tariff = read_tariff({**document, "tax": vat, "prices": [{**price, "price": "1.00"}]})
    read = [read_record({**one, "deployment_name": names[one["deployment"]]}) for one in records]
    period = Period(min(r.start for r in read), max(r.end for r in read) + timedelta(seconds=1))
    rater = Rater([tariff], period.start, period.end)
    for record in read:
        rater.add(record)
    return build_invoice(rater.lines(), [tariff], Party("Ada"), Party("Computing Centre"), period)


def in_words(invoice: Invoice) -> str:
    """As INVOICE shows it."""
    rows = [f"{line.deployment_name} {line.price_name} {line.amount}" for line in invoice.lines]
    rows += [f"net {invoice.net}", *(f"{tax.name} {tax.amount}" for tax in invoice.taxes)]
    return "\n".join([*rows, f"total {invoice.total} {invoice.currency}"]) + "\n"


def test_meter_when_one_is_killed_and_one_scales_then_seconds_and_invoice_are_right(
    engine: docker.DockerClient, image: str, new_name: Callable[[], str]
) -> None:
    crash, scale = new_name(), new_name()
    witnesses = {name: Witness(engine, name) for name in (crash, scale)}
    meter = MeteredStacks([crash, scale])
    meter.look()
    beats: list[float] = []

    def beat(*, forget: bool = False) -> None:
        for witness in witnesses.values():
            witness.note()
        before = meter.until
        meter.look(forget=forget)
        beats.append((meter.until - before) / 1000)

    def documents(replicas: int) -> dict[str, Any]:
        return {"services": {"work": service(deploy={**SMALL, "replicas": replicas})}}

    for name in (crash, scale):
        stack_module(name, documents(1))
    beat()
    (victim,) = witnesses[crash].running()
    victim.kill()
    wait_until(
        lambda: [one.id for one in witnesses[crash].running()] not in ([], [victim.id]),
        30,
        "another task runs",
    )
    beat(forget=True)
    beat()
    stack_module(scale, documents(2))
    beat()
    stack_module(scale, documents(1))
    wait_until(lambda: len(witnesses[scale].running()) == 1, 30, "the second task has gone")
    witnesses[scale].note_removed()
    beat()
    for witness in witnesses.values():
        witness.note()
        witness.note_removed()

    for name, witness in witnesses.items():
        assert len(witness.spans) == 2
        real = witness.seconds(meter.until)
        assert float(meter.seconds(name)) == pytest.approx(real, abs=max(beats)), "within one beat"
        assert float(meter.seconds(name)) == pytest.approx(real, abs=4.0), "ends were seen, so much closer"
        assert meter.seconds(name, "cpu") * 100 == meter.seconds(name)
        assert meter.seconds(name, "memory") == meter.seconds(name) * 8 * 1024**2
        assert meter.seconds(name, "cpu_used") > 0
    records = [*meter.records.values(), *meter.pending]
    words = in_words(invoice_of(records, {crash: "crash", scale: "scale"}))
    assert words == INVOICE.partition("-----------\n")[2]


@pytest.fixture
def stack(new_name: Callable[[], str]) -> str:
    """A stack with one task and a volume."""
    name = new_name()
    source = {"services": {"work": service(volumes=["data:/data"], deploy=SMALL)}, "volumes": {"data": {}}}
    stack_module(name, source)
    return name


def test_usage_info_when_asked_then_as_many_calls_however_much_there_is(image: str, stack: str) -> None:
    with recorded_calls() as sent:
        usage(stacks=[stack])
    assert [path for _, path in sent] == [
        "/version",
        "/info",
        "/containers/json",
        "/events",
        "/info",
        "/services",
        "/tasks",
        "/nodes",
    ]
    with recorded_calls() as sent:
        usage(stacks=[stack], nodes=[])
    assert len(sent) == 5
    assert {method for method, _ in sent} == {"GET"}


def test_usage_info_of_a_node_when_asked_then_containers_figures_and_volumes(image: str, stack: str) -> None:
    node = usage(look="node", stacks=[stack], statistics=True, volumes=True)["node"]
    assert len(node["samples"]) == 1
    (figures,) = node["samples"].values()
    assert figures["cpu"] > 0
    volumes = [volume["name"] for volume in node["volumes"]]
    assert f"{stack}_data" in volumes
    done = usage(stacks=[stack], nodes=[node])
    assert len(done["beats"]["volumes"]) == 1
    assert {record["resource"] for record in done["pending"]} == {"wall", "cpu", "memory"}


def test_usage_info_when_the_beats_are_of_other_stacks_then_refused(image: str, stack: str) -> None:
    beats = usage(stacks=[stack])["beats"]
    with pytest.raises(StackError, match="another selection"):
        usage(stacks=["other"], beats=beats)


def test_usage_info_in_a_play_when_beats_are_kept_in_a_file_then_it_goes_on(
    image: str, stack: str, tmp_path: Path
) -> None:
    kept = tmp_path / "beats.json"
    task = {"labyard.platform.usage_info": {"stacks": [stack], "state_path": str(kept), "cut": 1}}
    keep = {
        "ansible.builtin.copy": {"content": "{{ done.beats | to_json }}", "dest": str(kept), "mode": "0600"}
    }
    show = {
        "ansible.builtin.copy": {"content": "{{ done.records | to_json }}", "dest": f"{tmp_path}/records"}
    }
    keys: list[str] = []
    for _ in range(2):
        played = run_tasks(tmp_path, [{**task, "register": "done"}, keep, {**show, "name": "Show"}])
        assert played.returncode == 0, played.stdout + played.stderr
        keys += [record["key"] for record in json.loads((tmp_path / "records").read_text())]
    assert len(keys) == len(set(keys)) > 3


@pytest.fixture
def app(console_app: APIFlask) -> APIFlask:  # noqa: F811
    """A console, and ada."""
    make_person()
    return console_app


def test_console_when_it_meters_then_records_of_its_deployments_are_taken_in(
    app: APIFlask, image: str, new_name: Callable[[], str]
) -> None:
    chosen = replace(context().settings, inventory=REPOSITORY / "inventories" / "local")
    name, console = new_name(), installation_id(session())
    labels = {"labyard.console": console, "labyard.deployment": "abcd1234", "labyard.owner": "ada"}
    stack_module(name, {"services": {"work": service(deploy=SMALL)}}, labels=labels)
    hour_ago = (as_moment(0) + timedelta(milliseconds=int(time.time() * 1000))) - timedelta(hours=1)
    session().rollback()
    begin_writing()
    session().add(Meter(beats={}, since=hour_ago, volumes_at=hour_ago + timedelta(hours=1)))
    session().commit()
    assert meter_usage(session(), begin_writing, chosen, "here:1", take_records)
    (seen,) = session().scalars(select(MeterRun)).all()
    assert seen.good, seen.message
    beats = session().scalars(select(Meter)).one().beats
    assert [task["names"]["account"] for task in beats["tasks"].values()] == ["user:ada"]
    stack_module(name, state="absent")
    later = lambda: seen.started_at + timedelta(seconds=301)  # noqa: E731 - a clock
    assert meter_usage(session(), begin_writing, chosen, "here:1", take_records, clock=later)
    runs = session().scalars(select(MeterRun).order_by(MeterRun.id)).all()
    assert runs[1].good, runs[1].message
    rows = session().scalars(select(UsageRow)).all()
    assert runs[1].taken == len(rows) >= 3
    assert {(row.account, row.deployment) for row in rows} == {("user:ada", "abcd1234")}
    assert {"wall", "cpu", "memory"} <= {row.resource for row in rows}


def play_billing(folder: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    """Run the play as an operator does, on this machine."""
    options = [
        word
        for one in (f"billing_folder={folder}", "billing_volumes=false", *variables)
        for word in ("-e", one)
    ]
    return subprocess.run(
        [str(SCRIPTS / "ansible-playbook"), "-i", "inventories/local", "playbooks/billing.yml", *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_play_when_run_by_hand_then_records_go_to_a_file_or_to_a_console(
    image: str, new_name: Callable[[], str], cheap_console: RunningConsole, tmp_path: Path
) -> None:
    name = new_name()
    labels = {"labyard.deployment": name, "labyard.owner": "admin"}
    stack_module(name, {"services": {"work": service(deploy=SMALL)}}, labels=labels)
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps({"billing_labels": [f"labyard.deployment={name}"], "billing_cut": 1}))
    to_file, to_console = tmp_path / "file", tmp_path / "console"
    done = play_billing(to_file, f"@{variables}")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (to_file / "records.jsonl").read_text().splitlines()
    written = [json.loads(line) for line in lines]
    assert {record["account"] for record in written} == {"user:admin"}
    assert (to_file / "records.jsonl").stat().st_mode & 0o777 == 0o600

    key = tmp_path / "key"
    there = (f"@{variables}", f"billing_url={cheap_console.url}", f"billing_api_key_file={key}")
    key.write_text("wrong")
    refused = play_billing(to_console, *there)
    assert refused.returncode != 0
    assert "did not take the records, and the next run sends them again" in refused.stdout
    assert not (to_console / "beats.json").exists()
    key.write_text(cheap_console.api_key + "\n")
    done = play_billing(to_console, *there)
    assert done.returncode == 0, done.stdout + done.stderr
    taken = cheap_console.call("GET", f"usage?deployment={name}&limit=200").json()["items"]
    first = {record["key"] for record in written}
    assert first <= {record["key"] for record in taken}
    assert {record["account"] for record in taken} == {"user:admin"}
    assert cheap_console.api_key not in done.stdout + refused.stdout
