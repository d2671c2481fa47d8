"""What the roles are set to, as far as it bounds how many notebooks there may be."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

import yaml

from benchmarks.community import REPOSITORY

_ROLES = REPOSITORY / "collection" / "roles"


@dataclass(frozen=True)
class Settings:
    """Settings of the platform, by default those of the roles, and the numbers of hosts."""

    edge_addresses: int  # that containers and nodes can have in the network of the ingress
    hub_addresses: int  # the same of the network of the hub's notebooks
    nginx_connections: int  # of one process; there is one for each core
    nginx_memory: int  # MiB, of each nginx
    nginx_cores: float
    hub_cores: float
    hub_proxy_cores: float
    hub_proxy_memory: int  # MiB
    hub_starts: int  # starts that go on at once
    hub_start_timeout: float  # seconds
    web_replicas: int
    web_streams: int  # live pages of one process
    worker_replicas: int
    worker_concurrency: int
    database_connections: int
    prometheus_memory: int  # MiB
    prometheus_room: float  # GB
    prometheus_days: int
    managers: int = 3
    manager_cores: int = 4
    workers: int = 2
    worker_cores: int = 16
    worker_memory: int = 64  # GiB
    edges: int = 2

    @property
    def notebook_hosts(self) -> int:
        """Nodes on which notebooks run: no manager, so that notebooks do not slow the swarm down."""
        return self.workers


def read_settings(**changes: Any) -> Settings:
    """The defaults of the roles, with changes; the hosts are those of inventories/cluster."""
    role = {name: _defaults(name) for name in ("ingress", "jupyterhub", "console", "database", "monitoring")}
    edge, hub, console = role["ingress"], role["jupyterhub"], role["console"]
    monitoring = role["monitoring"]
    found = {
        "edge_addresses": addresses(edge["ingress_network_subnet"]),
        "hub_addresses": addresses(hub["jupyterhub_network_subnet"]),
        "nginx_connections": edge["ingress_connections"],
        "nginx_memory": edge["ingress_memory_limit"],
        "nginx_cores": edge["ingress_cpu_limit"],
        "hub_cores": hub["jupyterhub_hub_cpu_limit"],
        "hub_proxy_cores": hub["jupyterhub_proxy_cpu_limit"],
        "hub_proxy_memory": hub["jupyterhub_proxy_memory_limit"],
        "hub_starts": hub["jupyterhub_concurrent_starts"],
        "hub_start_timeout": hub["jupyterhub_start_timeout"],
        "web_streams": console["console_live_streams"],
        "web_replicas": console["console_web_replicas"],
        "worker_replicas": console["console_worker_replicas"],
        "worker_concurrency": console["console_worker_concurrency"],
        "database_connections": role["database"]["database_connections"],
        "prometheus_memory": monitoring["monitoring_memory_limit"],
        "prometheus_room": float(monitoring["monitoring_keep_size"].removesuffix("GB")),
        "prometheus_days": int(monitoring["monitoring_keep"].removesuffix("d")),
    }
    return Settings(**{**found, **changes})


def addresses(subnet: str) -> int:
    """What a network of the swarm can give away: not its own name, the gateway, or the last one."""
    return ipaddress.ip_network(subnet).num_addresses - 3


def _defaults(role: str) -> dict[str, Any]:
    text = (_ROLES / role / "defaults" / "main.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
