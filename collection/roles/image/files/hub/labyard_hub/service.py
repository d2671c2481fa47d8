"""The service that one server is, as the Engine API takes it. Pure.

Format: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Service/operation/ServiceCreate
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .names import digest, volume_name
from .profiles import Profile

_SECOND = 1_000_000_000
PREFIX = "labyard.hub"
OWNER = "labyard.owner"
NETWORK = f"{PREFIX}.network"


@dataclass(frozen=True)
class Ground:
    """What all servers of a hub have in common."""

    hub: str  # the hub's own name
    network: str  # where the hub finds them, if they share one
    home: Mapping[str, Any]  # type, source, driver, driver_opts; {user} in the source is the person
    home_target: str = "/home/labyard"
    constraints: Sequence[str] = ()
    endpoint_mode: str = "dnsrr"
    private_networks: Sequence[str] = ()  # each for one person at a time; none: all share `network`
    processes: int = 0  # the most in one container; 0: any number
    stop_seconds: int = 10  # from being told to end until it is killed

    @property
    def keeps_to_its_node(self) -> bool:
        """Whether a home lies on one node, so that its owner's servers must run there."""
        driver = self.home.get("driver") or "local"
        return self.home["type"] == "volume" and driver == "local" and not self.home.get("driver_opts")


@dataclass(frozen=True)
class Server:
    """One server of one person."""

    user: str
    name: str  # of the server; empty for the first
    service: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    place: str = ""  # the constraint of the node it must run on; empty: any
    network: str = ""  # the person's own for now; empty: that of all


def key_of(user: str, server: str) -> str:
    """What all services of one server have as their label, whatever they are called."""
    return digest(user, server)


def labels_of(ground: Ground, server: Server, profile: Profile) -> dict[str, str]:
    """Who it belongs to and what it is: what is metered by, and found by."""
    return {
        PREFIX: ground.hub,
        f"{PREFIX}.key": key_of(server.user, server.name),
        f"{PREFIX}.server": server.name,
        OWNER: server.user,
        "labyard.plan": profile.name,
        "labyard.shape": profile.name,
        **({NETWORK: server.network} if server.network else {}),
    }


def build_service(ground: Ground, server: Server, profile: Profile) -> dict[str, Any]:
    """The arguments of docker's `create_service`."""
    labels = labels_of(ground, server, profile)
    places = [*ground.constraints, *([server.place] if server.place else [])]
    container = {
        "Image": profile.image,
        "Args": list(server.command),
        "Env": sorted(f"{name}={value}" for name, value in server.environment.items()),
        "Labels": labels,
        "Mounts": [home_mount(ground, server.user)],
        "StopGracePeriod": ground.stop_seconds * _SECOND,
        "CapabilityDrop": ["ALL"],
        # Engines before 25 know no such thing for services, and pass over it.
        "Privileges": {"NoNewPrivileges": True},
        # The image has an init of its own.
        "Init": False,
    }
    return {
        "task_template": {
            "ContainerSpec": container,
            "Resources": profile.resources(ground.processes),
            # What ended by itself stays ended; what failed, or lost its node, starts again.
            "RestartPolicy": {"Condition": "on-failure", "Delay": 2 * _SECOND},
            "Placement": {"Constraints": places},
            "Networks": [{"Target": server.network or ground.network}],
        },
        "name": server.service,
        "labels": labels,
        "mode": {"Replicated": {"Replicas": 1}},
        "endpoint_spec": {"Mode": ground.endpoint_mode},
    }


def home_mount(ground: Ground, user: str) -> dict[str, Any]:
    """The mount of a person's home, which all their servers share."""
    home = ground.home
    mount: dict[str, Any] = {
        "Type": home["type"],
        "Source": volume_name(home["source"], user),
        "Target": ground.home_target,
    }
    if home["type"] == "volume":
        options: dict[str, Any] = {"Labels": {PREFIX: ground.hub, OWNER: user}}
        if home.get("driver_opts"):
            # The engine would copy the image's home into an empty one, with its mode for everybody.
            options["NoCopy"] = True
        if home.get("driver") or home.get("driver_opts"):
            options["DriverConfig"] = {
                "Name": home.get("driver") or "local",
                "Options": {
                    name: volume_name(str(value), user)
                    for name, value in (home.get("driver_opts") or {}).items()
                },
            }
        mount["VolumeOptions"] = options
    return mount
