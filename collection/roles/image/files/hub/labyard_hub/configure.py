"""The settings of JupyterHub, from what the swarm gives."""

from __future__ import annotations

import sys
from typing import Any

from sqlalchemy.engine import make_url

from .given import AUTHORITIES, Given
from .profiles import read_profiles
from .service import Ground
from .sign_in import configure_sign_in

PORT = 8888
_CULLER = "idle-culler"
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container


def configure(c: Any, given: Given) -> None:
    """Set all of `c`, the configuration object of traitlets."""
    _configure_hub(c, given)
    _configure_proxy(c, given)
    _configure_servers(c, given)
    _configure_services(c, given)
    configure_sign_in(c, given)


def database_url(url: str, password: str) -> str:
    """Where the hub keeps its state, with its password and the driver that is installed.

    PostgreSQL's client trusts no authority by itself: where it is to verify one, it is ours.
    """
    place = make_url(url)
    if place.get_backend_name() == "postgresql":
        place = place.set(drivername="postgresql+psycopg")
        if str(place.query.get("sslmode", "")).startswith("verify") and "sslrootcert" not in place.query:
            place = place.update_query_dict({"sslrootcert": str(AUTHORITIES)})
    if password:
        place = place.set(password=password)
    return place.render_as_string(hide_password=False)


def _configure_hub(c: Any, given: Given) -> None:
    settings, hub = given.settings, c.JupyterHub
    hub.hub_bind_url = f"http://{_EVERYWHERE}:8081"
    hub.hub_connect_url = f"http://{settings['hub_host']}:8081"
    # Where the proxy takes requests; people come by public_url.
    hub.bind_url = f"http://{_EVERYWHERE}:8000"
    hub.public_url = settings["public_url"]
    if settings["subdomains"]:
        hub.subdomain_host = settings["public_url"]
    hub.db_url = database_url(settings["database_url"], given.secrets.get("database_password", ""))
    hub.cookie_secret = bytes.fromhex(given.derived("cookies"))
    hub.authenticate_prometheus = True
    hub.concurrent_spawn_limit = settings["concurrent_starts"]
    hub.active_server_limit = settings["server_limit"]
    hub.allow_named_servers = settings["named_servers"] > 0
    hub.named_server_limit_per_user = settings["named_servers"]
    # Servers and proxy go on while the hub is away.
    hub.cleanup_servers = False
    hub.cleanup_proxy = False
    # How often activity, and the routes of the proxy, are looked at.
    hub.last_activity_interval = 15
    # A proxy that was replaced has another address at once.
    c.JupyterHubHTTPClient.connector_options = {"use_dns_cache": False}
    headers = {"Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff"}
    hub.tornado_settings = {"slow_spawn_timeout": 0, "headers": headers}


def _configure_proxy(c: Any, given: Given) -> None:
    c.JupyterHub.proxy_class = "configurable-http-proxy"
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = f"http://{given.settings['proxy_host']}:8001"
    c.ConfigurableHTTPProxy.auth_token = given.secrets["proxy_token"]


def _configure_servers(c: Any, given: Given) -> None:
    settings = given.settings
    c.JupyterHub.spawner_class = "labyard_hub.spawner.LabyardSpawner"
    spawner = c.LabyardSpawner
    spawner.ground = Ground(**settings["ground"])
    spawner.profiles = read_profiles(settings["profiles"])
    spawner.pending_timeout = settings["pending_timeout"]
    spawner.network_name = settings["ground"]["network"]
    spawner.cmd = ["jupyterhub-singleuser"]
    spawner.ip = _EVERYWHERE
    spawner.port = PORT
    spawner.default_url = "/lab"
    spawner.environment = dict(settings["environment"])
    spawner.start_timeout = settings["start_timeout"]
    spawner.http_timeout = settings["start_timeout"]
    spawner.poll_interval = 30
    # A person who may not sign in any more gets no new server either.
    c.Authenticator.refresh_pre_spawn = True


def _configure_services(c: Any, given: Given) -> None:
    """Programs that may ask the hub: each has a token, and may do no more than it needs."""
    settings, tokens = given.settings, given.secrets["tokens"]
    services: list[dict[str, Any]] = []
    roles: list[dict[str, Any]] = []
    rights = {
        "console": ["list:users", "read:users:name", "read:users:activity", "read:servers", "delete:servers"],
        "metrics": ["read:metrics"],
        "operator": ["admin:users", "admin:servers", "tokens"],
    }
    for name, scopes in rights.items():
        if tokens.get(name):
            services.append({"name": name, "api_token": tokens[name]})
            roles.append({"name": f"labyard-{name}", "scopes": scopes, "services": [name]})
    if settings["cull"]["timeout"] or settings["cull"]["max_age"]:
        services.append({"name": _CULLER, "command": cull_command(settings["cull"])})
        scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
        roles.append({"name": _CULLER, "scopes": scopes, "services": [_CULLER]})
    c.JupyterHub.services = services
    c.JupyterHub.load_roles = roles


def cull_command(cull: dict[str, int]) -> list[str]:
    """The program that ends servers without activity. All times are seconds."""
    options = {
        # Where only the age counts, being idle never ends anything.
        "timeout": cull["timeout"] or 10 * 365 * 86400,
        "max-age": cull["max_age"],
        "cull-every": cull["every"],
    }
    program = [sys.executable, "-m", "jupyterhub_idle_culler"]
    return program + [f"--{name}={value}" for name, value in options.items() if value]
