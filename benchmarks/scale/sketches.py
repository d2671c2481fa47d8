"""What an inventory for so many notebooks looks like: hosts in the groups of inventories/cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .model import Use, hosts_for
from .settings import Settings, addresses, read_settings

#: Notebooks that one platform is made for at most: its hub and the hub's proxy are one process each.
ONE_PLATFORM = 1000


@dataclass(frozen=True)
class Sketch:
    """One platform, or several alike side by side."""

    notebooks: int  # of all platforms together
    platforms: int
    settings: Settings  # of one of them
    data_hosts: int  # hosts beside the managers, for what keeps data
    choices: dict[str, Any] = field(default_factory=dict)

    @property
    def each(self) -> int:
        """Notebooks of one platform."""
        return -(-self.notebooks // self.platforms)

    def inventory(self) -> dict[str, Any]:
        """The hosts.yml of one platform, with addresses of a documentation network or of 10.20.0.0/16."""
        settings = self.settings
        managers = {
            f"manager{n}": {"ansible_host": f"10.20.0.{10 + n}"} for n in range(1, settings.managers + 1)
        }
        edges = {f"edge{n}": {"ansible_host": f"10.20.1.{10 + n}"} for n in range(1, settings.edges + 1)}
        data = {f"data{n}": {"ansible_host": f"10.20.2.{10 + n}"} for n in range(1, self.data_hosts + 1)}
        workers = {
            f"worker{n:02}": {"ansible_host": f"10.20.3.{10 + n}"} for n in range(1, settings.workers + 1)
        }
        if not self.data_hosts:
            edges = {name: {} for name in list(workers)[: settings.edges]}
        homes = list(data) or list(managers)
        parts = ["registry", "directory", "database", "queue", "monitoring"]
        placed: dict[str, Any] = {
            part: {"hosts": {homes[number % len(homes)]: {}}} for number, part in enumerate(parts)
        }
        if self.data_hosts:
            labelled = {"hosts": workers, "vars": {"swarm_labels": {"labyard.notebooks": "true"}}}
            all_workers: dict[str, Any] = {"hosts": {**edges, **data}, "children": {"notebooks": labelled}}
        else:
            all_workers = {"hosts": workers}
        children = {
            "swarm_managers": {"hosts": managers},
            "swarm_workers": all_workers,
            "edge": {"hosts": {name: {} for name in edges}},
            **placed,
        }
        return {"all": {"children": children}}


def sketch(notebooks: int, use: Use | None = None) -> Sketch:
    """The inventory for so many notebooks at the same time, with room for one node to fail."""
    habits = use or Use()
    platforms = -(-notebooks // ONE_PLATFORM)
    each = -(-notebooks // platforms)
    small = each <= 150
    choices = _small() if small else _large(each)
    settings = read_settings(**_of_choices(choices), managers=3, edges=2 if small else 3)
    settings = read_settings(
        **_of_choices(choices),
        managers=settings.managers,
        manager_cores=4 if small else 8,
        edges=settings.edges,
        workers=hosts_for(each, settings, habits),
    )
    return Sketch(notebooks, platforms, settings, 0 if small else 3, choices)


def _play_variables(constraints: list[str]) -> dict[str, Any]:
    """Those of parts.yml, and where notebooks may run."""
    return {
        "notebook_image_prefix": "{{ platform_image_prefix }}",
        "notebook_home": "{{ storage_home }}",
        "notebook_constraints": constraints,
    }


def _small() -> dict[str, Any]:
    only_workers = ["node.role == worker"]
    return {
        "jupyterhub_notebook_constraints": only_workers,
        "console_play_variables": _play_variables(only_workers),
        "console_worker_replicas": 2,
        "console_worker_concurrency": 6,
        "database_connections": 150,
        "monitoring_keep_size": "16GB",
    }


def _large(notebooks: int) -> dict[str, Any]:
    wide = "/19" if notebooks > 3000 else "/20"
    only_workers = ["node.labels.labyard.notebooks == true"]
    return {
        "ingress_network_subnet": f"10.96.0.0{wide}",
        "jupyterhub_network_subnet": f"10.98.0.0{wide}",
        "ingress_connections": 16384,
        "ingress_cpu_limit": 4.0,
        "ingress_memory_limit": 2048,
        "jupyterhub_proxy_memory_limit": 1024,
        "jupyterhub_hub_memory_limit": 2048,
        "jupyterhub_notebook_constraints": only_workers,
        "console_play_variables": _play_variables(only_workers),
        "console_web_replicas": 4,
        "console_worker_replicas": 4,
        "console_worker_concurrency": 8,
        "console_worker_cpu_limit": 4.0,
        "database_connections": 300,
        "database_memory_limit": 4096,
        "monitoring_memory_limit": 2048,
        "monitoring_keep_size": "60GB",
    }


def _of_choices(choices: dict[str, Any]) -> dict[str, Any]:
    """The same as fields of Settings."""
    names = {
        "ingress_connections": "nginx_connections",
        "ingress_cpu_limit": "nginx_cores",
        "ingress_memory_limit": "nginx_memory",
        "jupyterhub_proxy_memory_limit": "hub_proxy_memory",
        "console_web_replicas": "web_replicas",
        "console_worker_replicas": "worker_replicas",
        "console_worker_concurrency": "worker_concurrency",
        "database_connections": "database_connections",
        "monitoring_memory_limit": "prometheus_memory",
    }
    found = {ours: choices[name] for name, ours in names.items() if name in choices}
    for name, ours in (
        ("ingress_network_subnet", "edge_addresses"),
        ("jupyterhub_network_subnet", "hub_addresses"),
    ):
        if name in choices:
            found[ours] = addresses(choices[name])
    if "monitoring_keep_size" in choices:
        found["prometheus_room"] = float(choices["monitoring_keep_size"].removesuffix("GB"))
    return found
