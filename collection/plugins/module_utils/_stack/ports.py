# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claim a port of a range for a stack, so that no two stacks of a swarm ever get the same one.

A claim is a swarm config named after its port. The managers agree on every config by Raft and
refuse a second one of the same name, so a claim is atomic across processes and nodes; as an
object of the stack it goes when the stack goes. The config holds nothing but the stack's name.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from .errors import Conflict, StackError

CLAIM_PREFIX = "labyard-port-"
CLAIM_LABEL = "labyard.port"
STACK_LABEL = "com.docker.stack.namespace"


class Api(Protocol):
    """The part of `engine.Engine` that is needed here."""

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any: ...

    def post(self, path: str, body: Any = None) -> Any: ...

    def delete(self, path: str) -> None: ...


class NoPortRange(StackError):
    """Two numbers that are no range of ports."""


class PortsUsedUp(StackError):
    """No port of the range is free; the text says who has them and what to do."""


@dataclass(frozen=True)
class PortRange:
    """The ports `first` to `last`, both included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= 65535:
            raise NoPortRange(
                f"{self.first} to {self.last} is no range of ports: give two numbers from 1 to 65535, "
                "the lower one first"
            )

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Claim:
    """The port a stack has, and whether it got it just now."""

    port: int
    changed: bool


@dataclass
class _Refusals:
    """Why ports of the range were passed over, counted for the message."""

    claimed: int = 0
    published: int = 0
    busy: int = 0
    total: int = 0


def claim_port(
    api: Api,
    stack: str,
    ports: PortRange,
    labels: Mapping[str, str],
    *,
    is_free: Callable[[int], bool],
    dry_run: bool = False,
) -> Claim:
    """The lowest free port of `ports`, claimed for `stack`; its earlier claim if it has one.

    `api` is the engine of a swarm manager. `is_free` tells whether no other program of the
    machine listens on a port. With `dry_run` nothing is claimed. Raises PortsUsedUp, and
    EngineError if the engine refuses for another reason than the name being taken.
    """
    claims = read_claims(api)
    own = [port for port, owner in claims.items() if owner == stack]
    if own:
        return Claim(min(own), changed=False)
    published = read_published_ports(api)
    refusals = _Refusals(total=ports.last - ports.first + 1)
    for port in range(ports.first, ports.last + 1):
        if port in claims:
            refusals.claimed += 1
        elif port in published:
            refusals.published += 1
        elif not is_free(port):
            refusals.busy += 1
        elif dry_run:
            return Claim(port, changed=True)
        elif (config_id := _create_claim(api, port, stack, labels)) is None:
            refusals.claimed += 1
        else:
            return _settle(api, port, config_id, stack)
    raise PortsUsedUp(_describe(ports, refusals))


def read_claims(api: Api) -> dict[int, str]:
    """Every claimed port of the swarm and the stack that has it."""
    claims = {}
    for config in api.get("/configs", {"filters": {"label": [CLAIM_LABEL]}}):
        labels = config["Spec"].get("Labels") or {}
        if labels.get(CLAIM_LABEL, "").isdigit():
            claims[int(labels[CLAIM_LABEL])] = labels.get(STACK_LABEL, "")
    return claims


def read_published_ports(api: Api) -> set[int]:
    """Every port that a service of the swarm publishes, in either mode."""
    ports = set()
    for service in api.get("/services"):
        for place in (service["Spec"].get("EndpointSpec"), service.get("Endpoint")):
            for port in (place or {}).get("Ports") or ():
                ports.add(port.get("PublishedPort"))
    return ports - {None, 0}


def read_volumes(api: Api, stack: str) -> list[str]:
    """Names of the volumes of `stack` that this engine has."""
    found = api.get("/volumes", {"filters": {"label": [f"{STACK_LABEL}={stack}"]}})
    return sorted(volume["Name"] for volume in found["Volumes"] or ())


def nothing_listens(port: int) -> bool:
    """Whether a program could listen on TCP `port` of all addresses of this machine now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # Connections of an earlier program that are still closing do not keep a port busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - a service publishes on all addresses
        except OSError:
            return False
    return True


def _create_claim(api: Api, port: int, stack: str, labels: Mapping[str, str]) -> str | None:
    """Create the claim and return its id, or None if another stack was quicker."""
    claim = {
        "Name": f"{CLAIM_PREFIX}{port}",
        "Labels": {**labels, STACK_LABEL: stack, CLAIM_LABEL: str(port)},
        "Data": base64.b64encode(stack.encode()).decode(),
    }
    try:
        return str(api.post("/configs/create", claim)["ID"])
    except Conflict:
        return None


def _settle(api: Api, port: int, config_id: str, stack: str) -> Claim:
    """Keep one claim where two processes claimed for the same stack at once: the lowest port."""
    lowest = min((p for p, owner in read_claims(api).items() if owner == stack), default=port)
    if lowest < port:
        api.delete(f"/configs/{config_id}")
        return Claim(lowest, changed=False)
    return Claim(port, changed=True)


def _describe(ports: PortRange, refusals: _Refusals) -> str:
    holders = [
        f"{count} by {who}"
        for count, who in (
            (refusals.claimed, "deployments"),
            (refusals.published, "other services of the swarm"),
            (refusals.busy, "other programs of this machine"),
        )
        if count
    ]
    return (
        f"No port is free: all {refusals.total} from {ports} are taken ({', '.join(holders)}). "
        "Remove a deployment that is no longer needed, or widen the range."
    )
