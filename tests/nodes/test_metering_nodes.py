"""Metering across a swarm of three nodes, one of which is lost, by the calls of playbooks/billing.yml."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._billing.moments import read_time
from ansible_collections.labyard.platform.plugins.modules.usage_info import argument_spec, run
from tests.conftest import wait_until
from tests.nodes.node_stack import NodeStack, placed
from tests.nodes.swarm_nodes import SwarmNodes

DEFAULTS = {key: option.get("default") for key, option in argument_spec().items()}
#: The default policy, but that a silence is over six seconds: three looks that are missing.
POLICY = {**dict.fromkeys(argument_spec()["policy"]["options"]), "interval": 2}
CUT = 5  # seconds; records of this test are cut often
PORT = 8080
#: What is read, and who reads it once a second: CPU time and bytes on each node.
SOURCE = ["httpd", "-f", "-p", str(PORT), "-h", "/bin"]
READER = f"while true; do busybox wget -q -O /dev/null http://source:{PORT}/busybox; sleep 1; done"


class NodeMeter:
    """Looks at all nodes and then at the swarm, each from where the last one stopped."""

    def __init__(self, nodes: SwarmNodes, stack: str) -> None:
        self.nodes, self.stack = nodes, stack
        self.records: dict[str, dict[str, Any]] = {}
        self.pending: list[dict[str, Any]] = []
        self.beats: dict[str, Any] = {}
        self.samples: dict[str, dict[str, dict[str, int]]] = {}  # by node and task, of the last look
        self.up: dict[str, bool] = {}
        self.until = 0  # ms

    def look(self, away: str = "") -> None:
        """One look; the node `away` cannot be asked."""
        asked = [
            self._usage(name, look="node", statistics=True)["node"]
            for name in self.nodes.names
            if name != away
        ]
        self.samples = {node["name"]: node["samples"] for node in asked}
        done = self._usage("node1", nodes=asked, beats=self.beats, cut=CUT, policy=POLICY)
        for record in done["records"]:
            assert record["key"] not in self.records, "twice"
            self.records[record["key"]] = record
        self.beats, self.pending = done["beats"], done["pending"]
        self.up = {node["name"]: node["up"] for node in done["capacity"]}
        self.until = read_time(done["until"]) or 0

    def total(self, task: str, resource: str) -> Decimal:
        """All that was metered of a task, up to the last look."""
        return sum((Decimal(one["quantity"]) for one in self._of(task, resource)), Decimal(0))

    def places(self, task: str) -> set[str]:
        """The nodes that records of a task name."""
        return {one["details"]["node"] for one in self._of(task, "wall")}

    def tasks(self) -> set[str]:
        """The tasks of which anything was metered."""
        return {one["key"].partition(":")[0] for one in (*self.records.values(), *self.pending)}

    def has_measured(self, *tasks: str) -> bool:
        """Whether CPU and network of all these tasks are known."""
        return all(self.total(task, name) > 0 for task in tasks for name in ("cpu_used", "network_in"))

    def _of(self, task: str, resource: str) -> list[dict[str, Any]]:
        found = [*self.records.values(), *self.pending]
        return [one for one in found if one["key"].startswith(f"{task}:{resource}:")]

    def _usage(self, node: str, **options: Any) -> dict[str, Any]:
        return run({**DEFAULTS, "stacks": [self.stack], **self.nodes.connection(node), **options})


def running(nodes: SwarmNodes, stack: NodeStack, *services: str) -> dict[str, dict[str, Any]]:
    """The tasks that run and are to run, by id, with `began` in ms and `host`."""
    hosts = {node.id: node.attrs["Description"]["Hostname"] for node in nodes.client().nodes.list()}
    return {
        task["ID"]: {"began": read_time(task["Status"]["Timestamp"]), "host": hosts[task["NodeID"]]}
        for service in services
        for task in stack.tasks(service)
        if task["DesiredState"] == task["Status"]["State"] == "running"
    }


def seconds(start: int, end: int) -> Decimal:
    """Between two moments in ms."""
    return Decimal(end - start) / 1000


def test_usage_when_a_node_is_lost_then_each_task_counts_once_and_from_its_own_node(
    nodes: SwarmNodes, stack: NodeStack
) -> None:
    meter = NodeMeter(nodes, stack.name)
    meter.look()
    stack.deploy(
        source=placed("node.hostname == node1", command=SOURCE),
        work=placed("node.hostname != node1", replicas=2, command=["sh", "-c", READER]),
    )
    tasks = running(nodes, stack, "source", "work")
    of = {about["host"]: task for task, about in tasks.items()}
    assert set(of) == {"node1", "node2", "node3"}

    def measured() -> bool:
        meter.look()
        return meter.has_measured(*tasks)

    wait_until(measured, 60, "CPU and network of all tasks are measured")
    assert {name: list(found) for name, found in meter.samples.items()} == {n: [t] for n, t in of.items()}
    for name, task in of.items():
        figures = meter.samples[name][task]
        assert meter.total(task, "cpu_used") == Decimal(figures["cpu"]) / 10**9
        assert meter.total(task, "network_in") == figures["received"]
        assert meter.total(task, "network_out") == figures["sent"]
        assert meter.total(task, "wall") == seconds(tasks[task]["began"], meter.until)
        assert meter.places(task) == {name}

    survivor, lost = of["node2"], of["node3"]
    last_beat = meter.until
    nodes.kill("node3")
    nodes.wait_for_states({"node3": "down"})
    meter.look(away="node3")
    assert meter.up == {"node1": True, "node2": True, "node3": False}
    assert meter.total(lost, "wall") == seconds(tasks[lost]["began"], last_beat), "no longer than it was seen"
    wait_until(lambda: len(running(nodes, stack, "work")) == 2, 60, "a replacement runs")

    def closed() -> bool:
        meter.look(away="node3")
        return lost not in meter.beats["tasks"]

    wait_until(closed, 60, "the silence is over")
    later = running(nodes, stack, "work")
    (replacement,) = set(later) - {survivor}
    assert {about["host"] for about in later.values()} == {"node2"}

    def assert_each_once() -> None:
        assert meter.total(lost, "wall") == seconds(tasks[lost]["began"], last_beat)
        for task in (survivor, replacement):
            assert meter.total(task, "wall") == seconds(later[task]["began"], meter.until)
            assert meter.places(task) == {"node2"}
        assert meter.tasks() == {of["node1"], survivor, lost, replacement}

    assert_each_once()
    nodes.restart("node3")
    nodes.wait_for_states({"node3": "ready"})

    def told() -> bool:
        return all(task["Status"]["State"] != "running" for task in stack.tasks("work") if task["ID"] == lost)

    wait_until(told, 60, "the node has said what became of its task")
    meter.look()
    assert_each_once()
