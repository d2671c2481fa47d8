"""The limits of the platform. Needs are of n notebooks; s: settings, u: unit costs, use: habits."""

from __future__ import annotations

from .model import BRIDGE_PORTS, Limit, Units, Use, line_through
from .settings import Settings

#: Seconds between two looks of the hub at each server (labyard_hub), and of a worker at the swarm.
HUB_POLL, SWEEP = 30.0, 15.0
#: People for one core of the hub's one process: mybinder.org's peak is 13 % of a core at 150 people.
HUB_PEOPLE_A_CORE = 150 / 0.13
#: Series of one container, and bytes of one in Prometheus' memory.
SERIES, SERIES_BYTES, SCRAPE = 9, 4096, 30.0
#: Connections of a process of the console to the database.
POOL = 20
#: Bytes of the state that one manager hands to another; a few hundred MB were seen to fail.
STATE_ROOM = 100e6
#: Networks of /24 in the swarm's pool 10.0.0.0/8, less those that the roles take out of it.
POOL_NETWORKS = 65_536 - 3 * 16 - 1

_MEASURED = "measured"
_ROLE = "set by the role"


def _addresses(n: float, s: Settings) -> float:
    """One for each task, one for each node that has one there (moby#40989), and those of the platform."""
    return n + s.workers + s.managers + s.edges + 10


def _hub_cpu(n: float, _: Settings, u: Units, use: Use) -> float:
    """Of servers that run, and of a class that starts within a minute."""
    starts = n * use.class_share / 60 * u["hub_start_cpu"].median
    return n * u["hub_server_cpu"].median / 1000 + starts


def _nginx_connections(n: float, s: Settings, _: Units, use: Use) -> float:
    return n * use.active * (use.sockets + 1) * 2 / s.edges


def _nginx_memory(n: float, s: Settings, u: Units, use: Use) -> float:
    return n * use.active * (use.sockets + 1) * u["nginx_socket_memory"].median / 1024 / s.edges


def _nginx_cpu(n: float, s: Settings, u: Units, use: Use) -> float:
    spent = use.requests * u["nginx_request_cpu"].median + use.messages * u["nginx_message_cpu"].median
    return n * use.active * spent / 1e6 / s.edges


def _proxy_cpu(n: float, _: Settings, u: Units, use: Use) -> float:
    spent = (
        use.requests * u["hub_proxy_request_cpu"].median + use.messages * u["hub_proxy_message_cpu"].median
    )
    return n * use.active * spent / 1e6


def _proxy_memory(n: float, _: Settings, u: Units, use: Use) -> float:
    return 80 + n * use.active * (use.sockets + 1) * u["hub_proxy_socket_memory"].median / 1024


def _polls_by_label(n: float, _: Settings, u: Units, __: Use) -> float:
    return n / HUB_POLL * line_through(u, "tasks_by_label", n) / 1000


def _polls_by_service(n: float, _: Settings, u: Units, __: Use) -> float:
    return n / HUB_POLL * line_through(u, "tasks_by_service", n) / 1000


def _sweep(n: float, s: Settings, u: Units, _: Use) -> float:
    engine = 2 * line_through(u, "services_all", n) / 1000
    return s.worker_replicas * (engine + n * u["sweep_at_5000"].median / 1e6)


def _verdicts(n: float, s: Settings, u: Units, use: Use) -> float:
    return n * use.active * use.requests * u["web_verdict_cpu"].median / 1e6 / s.web_replicas


def _live_pages(n: float, s: Settings, u: Units, use: Use) -> float:
    return n * use.class_share * u["live_page_cpu"].median / 1000 / s.web_replicas


def _connections(_: float, s: Settings, __: Units, ___: Use) -> float:
    """Of web and worker at their worst, of the hub, of the exporter and an administrator."""
    return (s.web_replicas + s.worker_replicas) * POOL + 15 + 5


def _memory_of_nodes(n: float, s: Settings, _: Units, use: Use) -> float:
    return n * use.memory / s.notebook_hosts


LIMITS = [
    Limit(
        "memory of the nodes (set aside)",
        "both",
        "GiB a node",
        _memory_of_nodes,
        lambda s: s.worker_memory - 4,
        "more nodes, or a smaller *_memory_reservation_ratio",
        _ROLE,
    ),
    Limit(
        "containers in one bridge of a node",
        "both",
        "containers a node",
        lambda n, s, u, use: n / s.notebook_hosts,
        lambda s: BRIDGE_PORTS,
        "more nodes",
        "https://github.com/moby/moby/issues/44973",
    ),
    Limit(
        "addresses of the hub's network",
        "hub",
        "addresses",
        lambda n, s, u, use: _addresses(n, s),
        lambda s: s.hub_addresses,
        "a wider jupyterhub_network_subnet, before the first notebook",
        _ROLE,
    ),
    Limit(
        "addresses of the ingress' network",
        "console",
        "addresses",
        lambda n, s, u, use: _addresses(n, s),
        lambda s: s.edge_addresses,
        "a wider ingress_network_subnet, before the first notebook",
        _ROLE,
    ),
    Limit(
        "addresses of a /24, had the roles left it at that",
        "both",
        "addresses",
        lambda n, s, u, use: _addresses(n, s),
        lambda s: 253,
        "the roles ask for a /20",
        "https://docs.docker.com/reference/cli/docker/network/create/",
    ),
    Limit(
        "networks of the swarm's pool",
        "console",
        "networks",
        lambda n, s, u, use: n,
        lambda s: POOL_NETWORKS,
        "a pool of smaller networks",
        "https://docs.mirantis.com/mke/3.3/install/plan-deployment/mcr-considerations/docker-swarm.html",
    ),
    Limit(
        "connections of nginx",
        "both",
        "a process at an edge node",
        lambda n, s, u, use: _nginx_connections(n, s, u, use) / s.nginx_cores,
        lambda s: s.nginx_connections,
        "more edge nodes, or a larger ingress_connections",
        _ROLE,
    ),
    Limit(
        "memory of nginx",
        "both",
        "MiB an edge node",
        _nginx_memory,
        lambda s: s.nginx_memory,
        "more edge nodes, or a larger ingress_memory_limit",
        _MEASURED,
    ),
    Limit(
        "CPU of nginx",
        "both",
        "cores an edge node",
        _nginx_cpu,
        lambda s: s.nginx_cores,
        "more edge nodes, or a larger ingress_cpu_limit",
        _MEASURED,
    ),
    Limit(
        "CPU of the hub's proxy (one process)",
        "hub",
        "cores",
        _proxy_cpu,
        lambda s: min(s.hub_proxy_cores, 1.0),
        "another platform: there is one proxy to a hub",
        _MEASURED,
    ),
    Limit(
        "memory of the hub's proxy",
        "hub",
        "MiB",
        _proxy_memory,
        lambda s: s.hub_proxy_memory,
        "a larger jupyterhub_proxy_memory_limit",
        _MEASURED,
    ),
    Limit(
        "CPU of the hub (one process), a class that begins",
        "hub",
        "cores",
        _hub_cpu,
        lambda s: min(s.hub_cores, 1.0),
        "another platform: there is one hub",
        _MEASURED,
    ),
    Limit(
        "CPU of the hub (one process), as at mybinder.org",
        "hub",
        "cores",
        lambda n, s, u, use: n / HUB_PEOPLE_A_CORE,
        lambda s: min(s.hub_cores, 1.0),
        "another platform: there is one hub",
        "https://jupyterhub.readthedocs.io/en/stable/explanation/capacity-planning.html",
    ),
    Limit(
        "the hub's looks at its servers, by label (before)",
        "hub",
        "cores of a manager",
        _polls_by_label,
        lambda s: 1.0,
        "it asks by the service's id now",
        _MEASURED,
    ),
    Limit(
        "the hub's looks at its servers, by id",
        "hub",
        "cores of a manager",
        _polls_by_service,
        lambda s: 1.0,
        "another platform",
        _MEASURED,
    ),
    Limit(
        "a worker's looks at the swarm",
        "console",
        "s of each 15",
        _sweep,
        lambda s: SWEEP / 2,
        "fewer workers with more places each",
        _MEASURED,
    ),
    Limit(
        "verdicts of the console for the ingress",
        "console",
        "cores of a web process",
        _verdicts,
        lambda s: 1.0,
        "more of console_web_replicas",
        _MEASURED,
    ),
    Limit(
        "live pages of the console that are told at once",
        "console",
        "pages",
        lambda n, s, u, use: n * use.class_share,
        lambda s: s.web_replicas * s.web_streams,
        "others look each second; more of console_web_replicas",
        _ROLE,
    ),
    Limit(
        "live pages of the console: CPU",
        "console",
        "cores of a web process",
        _live_pages,
        lambda s: 1.0,
        "more of console_web_replicas",
        _MEASURED,
    ),
    Limit(
        "connections of PostgreSQL",
        "both",
        "connections",
        _connections,
        lambda s: s.database_connections - 3,
        "a larger database_connections",
        _ROLE,
    ),
    Limit(
        "the swarm's state",
        "both",
        "MB",
        lambda n, s, u, use: n * 2 * u["state_bytes"].median / 1e6,
        lambda s: STATE_ROOM / 1e6,
        "another platform",
        "https://github.com/moby/swarmkit/issues/3113",
    ),
    Limit(
        "memory of Prometheus",
        "both",
        "MiB",
        lambda n, s, u, use: 100 + n * SERIES * SERIES_BYTES / 2**20 * (1 + use.starts_a_day / 4),
        lambda s: s.prometheus_memory,
        "a larger monitoring_memory_limit",
        "https://prometheus.io/docs/prometheus/latest/storage/",
    ),
    Limit(
        "room of Prometheus",
        "both",
        "GB for the days that it keeps",
        lambda n, s, u, use: n * SERIES / SCRAPE * 86400 * s.prometheus_days * 2 / 1e9,
        lambda s: s.prometheus_room,
        "a larger monitoring_keep_size, or it keeps fewer days",
        "https://prometheus.io/docs/prometheus/latest/storage/",
    ),
]
