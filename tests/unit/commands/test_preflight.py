"""What can never fit is refused at once, at the parameter that asks for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask

from ansible_collections.labyard.platform.plugins.module_utils._request.resources import Needs
from labyard.clock import utc_now
from labyard.commands.capacity import Room, find_obstacle
from labyard.commands.submit import CommandRequest, submit_command
from labyard.context import context, session
from labyard.deployments.nodes import find_lack, save_nodes
from labyard.errors import Forbidden, InvalidInput
from labyard.models import Node
from labyard.models.base import begin_writing
from tests.unit.conftest import make_person

GIB = 1024**3


def room(cpus: float = 2, memory: int = 4, **about: Any) -> Room:
    return Room("one", cpus, memory * GIB, **about)


@pytest.mark.parametrize(
    ("needs", "rooms", "expected"),
    [
        (Needs(cpu_limit=2, memory=GIB), [room()], None),
        (Needs(cpu_limit=3), [room(), room(2.5)], ("cpu", "3 cores", "2.5 cores")),
        (Needs(memory=9 * GIB), [room(), room(memory=8)], ("memory", "9 GiB", "8 GiB")),
        (Needs(memory=GIB // 2), [room(memory=0)], ("memory", "512 MiB", "0 MiB")),
        (Needs(gpus=1, gpu_name="gpu"), [room()], ("gpu", "1 GPU", "0 GPUs")),
        (Needs(gpus=1, gpu_name="gpu"), [room(), room(generic={"gpu": 2})], None),
        (
            Needs(cpu_limit=4, memory=3 * GIB),
            [room(cpus=8, memory=1), room(cpus=1, memory=8)],
            ("memory", "4 cores and 3 GiB", "not all of it on one node"),
        ),
        (Needs(constraints=("node.role==worker",)), [room(attributes={"node.role": "worker"})], None),
        (Needs(constraints=("node.role != worker",)), [room(attributes={"node.role": "manager"})], None),
        (
            Needs(constraints=("node.labels.disk == ssd",)),
            [room()],
            ("constraints", "node.labels.disk == ssd", "no node that fits"),
        ),
        (Needs(cpu_limit=99), [], None),
    ],
)
def test_obstacle_when_compared_with_nodes_then_names_the_resource_and_the_largest(
    needs: Needs, rooms: list[Room], expected: tuple[str, str, str] | None
) -> None:
    found = find_obstacle(needs, needs.cpu_limit, rooms)
    assert (found and (found.kind, found.wanted, found.largest)) == expected


def node(name: str, cpus: int = 2, memory: int = 4, **spec: Any) -> dict[str, Any]:
    """A node as the Engine's API shows it."""
    return {
        "ID": name,
        "Spec": {"Role": "worker", "Availability": "active", "Labels": {}, **spec},
        "Description": {
            "Hostname": name,
            "Platform": {"OS": "linux", "Architecture": "x86_64"},
            "Resources": {
                "NanoCPUs": cpus * 10**9,
                "MemoryBytes": memory * GIB,
                "GenericResources": [{"NamedResourceSpec": {"Kind": "gpu", "Value": "GPU-1"}}],
            },
            "Engine": {"Labels": {"rack": "7"}},
        },
        "Status": {"State": "ready"},
    }


def submit(**params: Any) -> None:
    begin_writing()
    person = make_person()
    begin_writing()
    request = CommandRequest("install", plan="notebook", name="demo", params=params)
    submit_command(session(), person, request, context().sealer)


def test_command_when_no_node_is_large_enough_then_is_refused_at_its_parameter(app: APIFlask) -> None:
    begin_writing()
    save_nodes(session(), [node("small"), node("large", cpus=8, memory=16)])
    session().commit()
    with pytest.raises(InvalidInput) as caught:
        submit(memory_limit=17 * 1024)
    assert caught.value.errors == {"memory_limit": "no node has 17 GiB; the largest has 16 GiB"}


def test_command_when_nobody_has_seen_the_nodes_lately_then_is_taken(app: APIFlask) -> None:
    begin_writing()
    save_nodes(session(), [node("small")], lambda: utc_now() - timedelta(hours=1))
    session().commit()
    submit(memory_limit=17 * 1024)


def test_nodes_when_they_are_seen_again_then_are_what_they_are_now(app: APIFlask) -> None:
    begin_writing()
    save_nodes(session(), [node("one"), node("two")])
    save_nodes(session(), [node("two", cpus=4, Labels={"disk": "ssd"})])
    session().commit()
    (found,) = session().query(Node)
    assert (found.id, found.cpus, found.generic) == ("two", 4.0, {"gpu": 1})
    assert found.attributes["node.labels.disk"] == "ssd"
    assert found.attributes["engine.labels.rack"] == "7"


class FakeEngine:
    """What a swarm with one node and the given services and tasks answers."""

    def __init__(self, nodes: list[dict[str, Any]], taken: int = 0, ports: tuple[int, ...] = ()):
        spec = {
            "Labels": {"labyard.deployment": "other"},
            "EndpointSpec": {"Ports": [{"PublishedPort": port} for port in ports]},
        }
        self._nodes, self._services = nodes, [{"ID": "s", "Spec": spec}]
        reserved = {"Reservations": {"MemoryBytes": taken * GIB, "NanoCPUs": 10**9}}
        self._tasks = [{"ServiceID": "s", "NodeID": "n", "Spec": {"Resources": reserved}}]

    def nodes(self) -> list[dict[str, Any]]:
        return self._nodes

    def services(self) -> list[dict[str, Any]]:
        return self._services

    def tasks(self, filters: Any) -> list[dict[str, Any]]:
        return self._tasks

    def images(self, name: str) -> list[dict[str, Any]]:
        return [{}] if name == "here" else []


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        (Needs(memory=GIB), ""),
        (Needs(memory=2 * GIB), "No node has 2 GiB free now (1 GiB at most)"),
        (Needs(cpu=1.5), "There is not enough CPU. No node has 1.5 cores free now (1 core at most)"),
        (Needs(cpu_limit=1.5, cpu=0.1), ""),
        (Needs(ports=(20000, 20001)), "All ports from 20000 to 20001 are taken"),
        (Needs(ports=(20000, 20002)), ""),
        (Needs(image="here"), ""),
        (Needs(image="gone"), "The image gone is not on this swarm"),
        (Needs(constraints=("node.role == manager",)), "No node that takes containers now is one with"),
    ],
)
def test_lack_when_others_have_taken_the_rest_then_says_what_and_what_to_do(needs: Needs, words: str) -> None:
    found = find_lack(FakeEngine([node("n")], taken=3, ports=(20000, 20001)), "mine", needs)
    assert words in found
    assert bool(found) == bool(words)


def test_lack_when_the_deployment_itself_has_taken_it_then_there_is_none() -> None:
    assert find_lack(FakeEngine([node("n")], taken=4), "other", Needs(memory=4 * GIB)) == ""


def test_lack_when_every_node_is_drained_then_says_so() -> None:
    found = find_lack(FakeEngine([node("n", Availability="drain")]), "mine", Needs(memory=1))
    assert found.startswith("No node of the swarm takes containers now.")


def test_deployments_when_a_person_has_as_many_as_allowed_then_one_more_is_refused(app: APIFlask) -> None:
    person = make_person()
    for number in range(2):
        begin_writing()
        request = CommandRequest("install", plan="notebook", name=f"n{number}")
        submit_command(session(), person, request, context().sealer, deployment_limit=2)
        session().commit()
    begin_writing()
    request = CommandRequest("install", plan="notebook", name="more")
    with pytest.raises(InvalidInput) as caught:
        submit_command(session(), person, request, context().sealer, deployment_limit=2)
    assert "2 is the most you may have" in caught.value.errors["quota"]


def test_priority_when_it_is_an_operators_then_is_refused_to_others(app: APIFlask) -> None:
    person = make_person()
    begin_writing()
    request = CommandRequest("install", plan="notebook", name="demo", priority=5)
    with pytest.raises(Forbidden):
        submit_command(session(), person, request, context().sealer)
    with pytest.raises(InvalidInput):
        submit_command(
            session(),
            person,
            CommandRequest("install", plan="notebook", name="demo", priority=-5000),
            context().sealer,
        )


def test_check_when_there_is_nothing_to_compare_with_then_is_refused(app: APIFlask) -> None:
    person = make_person()
    begin_writing()
    with pytest.raises(InvalidInput) as caught:
        submit_command(
            session(),
            person,
            CommandRequest("install", plan="notebook", name="demo", check=True),
            context().sealer,
        )
    assert "check" in caught.value.errors
