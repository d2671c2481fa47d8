"""Claims of published ports: the lowest free one, one for a stack, never one for two."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import Conflict
from ansible_collections.labyard.platform.plugins.module_utils._stack.ports import (
    CLAIM_LABEL,
    STACK_LABEL,
    Claim,
    NoPortRange,
    PortRange,
    PortsUsedUp,
    claim_port,
    nothing_listens,
    read_published_ports,
)

RANGE = PortRange(20000, 20002)


class FakeSwarm:
    """Configs and services of a swarm; names of configs are unique, as Raft makes them."""

    def __init__(self, services: list[dict[str, Any]] | None = None) -> None:
        self.configs: dict[str, dict[str, Any]] = {}
        self.services = services or []
        self.hidden: set[str] = set()  # made by another between our looking and our creating

    def get(self, path: str, params: Any = None) -> Any:
        if path == "/services":
            return self.services
        return [c for name, c in self.configs.items() if name not in self.hidden]

    def post(self, path: str, body: Any = None) -> Any:
        spec = {"Name": body["Name"], "Labels": body["Labels"]}
        config = {"ID": f"id-{body['Name']}", "Spec": spec, "Data": body["Data"]}
        if self.configs.setdefault(body["Name"], config) is not config:
            self.hidden.discard(body["Name"])
            raise Conflict("name conflicts with an existing object", 409)
        return {"ID": config["ID"]}

    def delete(self, path: str) -> None:
        wanted = path.rpartition("/")[2]
        self.configs = {n: c for n, c in self.configs.items() if c["ID"] != wanted}


def claim(swarm: FakeSwarm, stack: str, *busy: int, **more: Any) -> Claim:
    return claim_port(swarm, stack, RANGE, {"labyard.plan": "x"}, is_free=lambda p: p not in busy, **more)


def publishing(port: int, place: str = "EndpointSpec") -> dict[str, Any]:
    ports = {"Ports": [{"PublishedPort": port, "TargetPort": 8888}]}
    if place == "Endpoint":
        return {"Spec": {"EndpointSpec": {}}, "Endpoint": ports}
    return {"Spec": {"EndpointSpec": ports}}


def test_claim_port_when_all_are_free_then_the_lowest_with_all_labels() -> None:
    swarm = FakeSwarm()
    assert claim(swarm, "a") == Claim(20000, changed=True)
    labels = swarm.configs["labyard-port-20000"]["Spec"]["Labels"]
    assert labels == {"labyard.plan": "x", STACK_LABEL: "a", CLAIM_LABEL: "20000"}


def test_claim_port_when_called_again_then_the_same_and_unchanged() -> None:
    swarm = FakeSwarm()
    claim(swarm, "a")
    assert claim(swarm, "a", 20000) == Claim(20000, changed=False)
    assert len(swarm.configs) == 1


@pytest.mark.parametrize("place", ["EndpointSpec", "Endpoint"])
def test_claim_port_when_a_service_publishes_it_then_the_next(place: str) -> None:
    assert claim(FakeSwarm([publishing(20000, place)]), "a").port == 20001


def test_claim_port_when_a_program_listens_then_the_next() -> None:
    assert claim(FakeSwarm(), "a", 20000, 20001).port == 20002


def test_claim_port_when_another_is_quicker_then_the_next() -> None:
    swarm = FakeSwarm()
    claim(swarm, "quick")
    swarm.hidden.add("labyard-port-20000")
    assert claim(swarm, "slow") == Claim(20001, changed=True)


def test_claim_port_when_two_claim_for_one_stack_then_both_get_the_lowest() -> None:
    swarm = FakeSwarm()
    claim(swarm, "a")
    swarm.hidden.add("labyard-port-20000")
    assert claim(swarm, "a") == Claim(20000, changed=False)
    assert list(swarm.configs) == ["labyard-port-20000"]


def test_claim_port_when_many_claim_at_once_then_all_differ() -> None:
    swarm, ports = FakeSwarm(), PortRange(20000, 20019)
    with ThreadPoolExecutor(8) as pool:
        claims = pool.map(lambda n: claim_port(swarm, f"s{n}", ports, {}, is_free=lambda _: True), range(20))
        assert sorted(c.port for c in claims) == list(range(20000, 20020))


def test_claim_port_when_dry_then_nothing_is_claimed() -> None:
    swarm = FakeSwarm()
    assert claim(swarm, "a", dry_run=True) == Claim(20000, changed=True)
    assert swarm.configs == {}


def test_claim_port_when_used_up_then_says_who_has_them_and_what_to_do() -> None:
    swarm = FakeSwarm([publishing(20001)])
    claim(swarm, "a")
    with pytest.raises(PortsUsedUp) as caught:
        claim(swarm, "b", 20002)
    assert str(caught.value) == (
        "No port is free: all 3 from 20000 to 20002 are taken (1 by deployments, 1 by other services of "
        "the swarm, 1 by other programs of this machine). Remove a deployment that is no longer needed, "
        "or widen the range."
    )


def test_read_published_ports_when_one_is_left_to_the_engine_then_it_is_no_port() -> None:
    assert read_published_ports(FakeSwarm([publishing(0), {"Spec": {}}])) == set()


@pytest.mark.parametrize(("first", "last"), [(0, 10), (10, 9), (1, 65536)])
def test_port_range_when_it_is_none_then_says_so(first: int, last: int) -> None:
    with pytest.raises(NoPortRange, match="is no range of ports"):
        PortRange(first, last)


def test_nothing_listens_when_a_program_listens_then_false() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        assert not nothing_listens(port)
    assert nothing_listens(port)
