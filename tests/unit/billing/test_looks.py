"""What the meter reads from the Engine's documents."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._billing.errors import UsageError
from ansible_collections.labyard.platform.plugins.module_utils._billing.looks import (
    ContainerSeen,
    Look,
    Sample,
    join_nodes,
    read_containers,
    read_rates,
    read_sample,
    read_tasks,
    read_volumes,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.moments import (
    as_moment,
    decimal_of,
    from_moment,
    read_time,
)
from ansible_collections.labyard.platform.plugins.module_utils._billing.nodes import NodeSeen, read_nodes
from ansible_collections.labyard.platform.plugins.module_utils._billing.owners import (
    Selection,
    clean,
    name_owner,
)

EVERYTHING = Selection()
OWN = {
    "com.docker.stack.namespace": "notebook-jzcu8ac6",
    "labyard.deployment": "jzcu8ac6",
    "labyard.plan": "notebook",
    "labyard.project": "default",
    "labyard.owner": "ada",
}
TASK = "com.docker.swarm.task.id"


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2026-11-21T19:14:54.51297662Z", 1795288494512),
        ("2026-11-21T19:14:54.9999999Z", 1795288494999),
        ("2026-11-21T19:14:54Z", 1795288494000),
        ("2026-11-21T20:14:54.5+01:00", 1795288494500),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        ("2026-99-21T19:14:54Z", None),
    ],
)
def test_read_time_when_the_engine_writes_it_then_milliseconds(text: Any, milliseconds: int | None) -> None:
    assert read_time(text) == milliseconds
    if milliseconds is not None:
        assert from_moment(as_moment(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("amount", "places", "text"),
    [(0, 3, "0"), (100_000, 3, "100"), (1, 12, "0.000000000001"), (1500, 3, "1.5"), (90, 0, "90")],
)
def test_decimal_of_when_shown_then_exact_and_short(amount: int, places: int, text: str) -> None:
    assert f"{decimal_of(amount, places):f}" == text


@pytest.mark.parametrize(
    ("resources", "rates"),
    [
        ({}, {}),
        ({"Limits": {"NanoCPUs": 5, "MemoryBytes": 7}}, {"cpu": 5, "memory": 7}),
        ({"Limits": {"NanoCPUs": 5}, "Reservations": {"NanoCPUs": 2}}, {"cpu": 2}),
        (
            {
                "Reservations": {
                    "GenericResources": [
                        {"DiscreteResourceSpec": {"Kind": "NVIDIA-GPU", "Value": 2}},
                        {"NamedResourceSpec": {"Kind": "gpu", "Value": "uuid-1"}},
                        {"DiscreteResourceSpec": {"Kind": "ssd", "Value": 9}},
                    ]
                }
            },
            {"gpu": 3},
        ),
    ],
)
def test_read_rates_when_reserved_or_limited_then_the_reservation_comes_first(
    resources: dict[str, Any], rates: dict[str, int]
) -> None:
    assert read_rates(resources) == rates


def test_read_nodes_when_listed_then_what_they_have_and_whether_they_are_up() -> None:
    gpus = [{"DiscreteResourceSpec": {"Kind": "NVIDIA-GPU", "Value": 2}}]
    has = {"NanoCPUs": 4 * 10**9, "MemoryBytes": 2**33, "GenericResources": gpus}
    up = {"ID": "n2", "Status": {"State": "ready"}, "Description": {"Hostname": "host2", "Resources": has}}
    down = {"ID": "n1", "Status": {"State": "down"}, "Description": {"Hostname": "host1", "Resources": has}}
    joining = {"ID": "n3", "Status": {"State": "ready"}, "Description": {}}
    assert read_nodes([up, down, joining]) == [
        NodeSeen("n1", "host1", 4 * 10**9, 2**33, 2, up=False),
        NodeSeen("n2", "host2", 4 * 10**9, 2**33, 2, up=True),
    ]


def test_read_tasks_when_selected_then_names_rates_and_node() -> None:
    service = {"ID": "s1", "Spec": {"Name": "notebook-jzcu8ac6_notebook", "Labels": OWN}}
    task = {
        "ID": "t1",
        "ServiceID": "s1",
        "NodeID": "n1",
        "CreatedAt": "2026-11-21T19:14:00.1Z",
        "Status": {"State": "running", "Timestamp": "2026-11-21T19:14:54.512Z"},
        "Spec": {"ContainerSpec": {"Image": "a/b:1@sha256:00"}, "Resources": {"Limits": {"NanoCPUs": 10**9}}},
    }
    node = {"ID": "n1", "Status": {"State": "down"}, "Description": {"Hostname": "host1"}}
    (seen,) = read_tasks([service], [task], [node], Selection(labels=["labyard.deployment"]))
    assert (seen.id, seen.state, seen.since, seen.node_up) == ("t1", "running", 1795288494512, False)
    assert (seen.names.account, seen.names.deployment, seen.names.plan) == (
        "user:ada",
        "jzcu8ac6",
        "notebook",
    )
    assert seen.names.details == {"service": "notebook-jzcu8ac6_notebook", "node": "host1", "image": "a/b:1"}
    assert seen.rates == {"cpu": 10**9}
    assert read_tasks([service], [task], [node], Selection(stacks=["other"])) == []
    assert len(read_tasks([service], [task], [], Selection(deployments=["jzcu8ac6"]))) == 1


def test_read_tasks_when_the_shape_has_changed_then_each_task_has_its_own() -> None:
    def task(name: str, labels: dict[str, str]) -> dict[str, Any]:
        return {
            "ID": name,
            "ServiceID": "s1",
            "CreatedAt": "2026-11-21T19:14:00.1Z",
            "Status": {"State": "running", "Timestamp": "2026-11-21T19:14:54.512Z"},
            "Spec": {"ContainerSpec": {"Labels": labels}},
        }

    service = {"ID": "s1", "Spec": {"Name": "work", "Labels": {**OWN, "labyard.shape": "large"}}}
    former = task("t1", {"labyard.shape": "small", "labyard.plan": "other"})
    seen = read_tasks([service], [former, task("t2", {"labyard.shape": "large"})], [], EVERYTHING)
    assert [(one.names.shape, one.names.plan) for one in seen] == [
        ("small", "notebook"),
        ("large", "notebook"),
    ]
    (unlabelled,) = read_tasks([service], [task("t3", {})], [], EVERYTHING)
    assert unlabelled.names.shape == "large", "what the service says"


def test_name_owner_when_a_notebook_of_the_hub_then_its_owner_pays() -> None:
    labels = {
        "labyard.hub": "hub",
        "labyard.hub.key": "0a1b2c3d4e",
        "labyard.hub.server": "",
        "labyard.owner": "ada",
    }
    notebook = name_owner({**labels, "labyard.plan": "small"}, "service:x", {})
    assert (notebook.account, notebook.deployment, notebook.deployment_name, notebook.plan) == (
        "user:ada",
        "hub-0a1b2c3d4e",
        "notebook",
        "small",
    )
    home = name_owner({"labyard.hub": "hub", "labyard.owner": "ada"}, "volume:x", {})
    assert home.deployment.startswith("hub-home-")
    assert (home.account, home.deployment_name) == ("user:ada", "home")


@pytest.mark.parametrize(
    ("labels", "account", "deployment"),
    [
        ({"com.docker.stack.namespace": "blog"}, "stack:blog", "blog"),
        ({"labyard.project": "physics"}, "project:physics", ""),
        ({}, "service:lone", ""),
    ],
)
def test_name_owner_when_not_of_labyard_then_the_stack_stands_for_it(
    labels: dict[str, str], account: str, deployment: str
) -> None:
    found = name_owner(labels, "service:lone", {})
    assert (found.account, found.deployment) == (account, deployment)


def test_clean_when_too_long_or_unprintable_then_texts_that_differ_stay_different() -> None:
    assert clean("ada") == "ada"
    long = [clean("x" * 70 + end) for end in "ab"]
    assert [len(text) for text in long] == [64, 64]
    assert long[0] != long[1]
    assert clean("a\nb") not in ("ab", clean("a\tb"))


def test_read_containers_when_events_are_known_then_they_say_it_exactly() -> None:
    listed = [
        {"Created": 1000, "State": "running", "Labels": {TASK: "t1"}},
        {"Created": 1001, "State": "created", "Labels": {TASK: "t2"}},
        {"Created": 1002, "State": "exited", "Labels": {}},
    ]
    events = [
        {"Action": "start", "timeNano": 1000_500_000_000, "Actor": {"Attributes": {TASK: "t1"}}},
        {"Action": "die", "timeNano": 1003_999_999_999, "Actor": {"Attributes": {TASK: "t3"}}},
    ]
    assert read_containers(listed, events) == {
        "t1": {"created": 1_000_000, "ran": True, "started": 1_000_500},
        "t2": {"created": 1_001_000, "ran": False},
        "t3": {"died": 1_003_999, "ran": True},
    }


@pytest.mark.parametrize(
    "idle", [{"total_inactive_file": 30}, {"inactive_file": 30}], ids=["cgroup1", "cgroup2"]
)
def test_read_sample_when_of_either_cgroup_then_memory_without_what_can_be_dropped(
    idle: dict[str, int],
) -> None:
    stats = {
        "read": "2026-11-21T19:14:54.512Z",
        "cpu_stats": {"cpu_usage": {"total_usage": 5}},
        "memory_stats": {"usage": 100, "stats": idle},
        "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 10, "tx_bytes": 20}},
    }
    assert read_sample(stats) == {"at": 1795288494512, "cpu": 5, "memory": 70, "received": 11, "sent": 22}
    assert read_sample({**stats, "memory_stats": {}}) is None


def volume(name: str, size: int, driver: str = "local", **options: str) -> dict[str, Any]:
    about = {"CreatedAt": "2026-11-21T08:02:38Z", "UsageData": {"Size": size}, "Labels": OWN}
    return {"Name": name, "Driver": driver, "Options": options or None, **about}


def test_join_nodes_when_two_see_a_shared_volume_then_it_counts_once() -> None:
    shared = {"device": ":/homes/ada", "type": "nfs"}
    first = read_volumes(
        [volume("own", 1), volume("home", 5, **shared), volume("unknown", -1)], "n1", "host1"
    )
    second = read_volumes([volume("own", 2), volume("home", 7, **shared)], "n2", "host2")
    look = Look(at=0, source="swarm:x", tasks=())
    node = {"containers": {"t": {"created": 1}}, "samples": {}, "at": 0}
    nodes = [
        {**node, "id": "n1", "volumes": first},
        {**node, "id": "n2", "volumes": second, "at": 600_000, "name": "host2"},
    ]
    joined = join_nodes(look, nodes, EVERYTHING)
    assert joined.volumes is not None
    assert sorted(found.size for found in joined.volumes) == [1, 2, 7]
    assert joined.volume_nodes == {"n1", "n2"}
    assert joined.containers == {"t": ContainerSeen(created=1)}
    assert joined.notes == ["The clock of node host2 is 600 s from that of the manager: set both by NTP."]
    assert join_nodes(look, nodes, Selection(stacks=["other"])).volumes == []
    assert join_nodes(look, [{**nodes[0], "volumes": None}], EVERYTHING).volumes is None


@pytest.mark.parametrize("node", [{}, {"containers": {"t": {"x": 1}}}, {"containers": 3}])
def test_join_nodes_when_something_else_is_given_then_its_place_is_named(node: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"nodes\[0\]: is no look at a node"):
        join_nodes(Look(at=0, source="x", tasks=()), [node], EVERYTHING)


def test_join_nodes_when_figures_were_read_then_they_are_there() -> None:
    figures = {"at": 1, "cpu": 2, "memory": 3, "received": 4, "sent": 5}
    node = {"id": "n", "at": 0, "containers": {}, "samples": {"t": figures}, "volumes": None}
    assert join_nodes(Look(0, "x", ()), [node], EVERYTHING).samples == {"t": Sample(1, 2, 3, 4, 5)}
