"""A JupyterHub on the swarm without our parts: SwarmSpawner as its documents have it, for comparison.

Hub and proxy are one service with the engine's socket. What this kernel needs is set (dnsrr), no more.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import docker
from docker.errors import APIError
from docker.types import ConfigReference, EndpointSpec, NetworkAttachmentConfig

_CONFIGURATION = """\
c.JupyterHub.ip = "0.0.0.0"
c.JupyterHub.port = 8000
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_connect_ip = "{name}"
c.JupyterHub.db_url = "sqlite:////tmp/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/tmp/cookie_secret"
c.JupyterHub.concurrent_spawn_limit = 100
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "operator", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "operator-role", "scopes": ["admin:users", "admin:servers", "tokens"],
     "services": ["operator"]}}
]
c.JupyterHub.spawner_class = "dockerspawner.SwarmSpawner"
c.SwarmSpawner.image = "{image}"
c.SwarmSpawner.cmd = ["jupyterhub-singleuser"]
c.SwarmSpawner.network_name = "{name}"
c.SwarmSpawner.prefix = "{name}"
c.SwarmSpawner.extra_endpoint_spec = {{"mode": "dnsrr"}}
c.SwarmSpawner.mem_limit = "1G"
c.SwarmSpawner.cpu_limit = 2
c.SwarmSpawner.start_timeout = 300
c.SwarmSpawner.http_timeout = 300
"""


@contextmanager
def started_plain_hub(
    engine: docker.DockerClient, hub_image: str, notebook_image: str, port: int
) -> Iterator[tuple[str, str]]:
    """The address of such a hub and the token of somebody who may start others' servers."""
    name, token = f"bench-plain-{secrets.token_hex(3)}", secrets.token_urlsafe(32)
    text = _CONFIGURATION.format(name=name, token=token, image=notebook_image)
    network = engine.networks.create(name, driver="overlay")
    config = engine.configs.create(name=name, data=text.encode())
    ports: dict[str, Any] = {port: (8000, "tcp", "host")}  # type: ignore[dict-item]  # numbers are right
    endpoint = EndpointSpec(mode="dnsrr", ports=ports)
    try:
        engine.services.create(
            hub_image,
            command=["jupyterhub", "--config", "/config.py"],
            name=name,
            user="0:0",
            workdir="/tmp",  # noqa: S108 - in a container
            mounts=["/var/run/docker.sock:/var/run/docker.sock:rw"],
            networks=[NetworkAttachmentConfig(name)],
            configs=[ConfigReference(str(config.id), name, filename="/config.py")],
            endpoint_spec=endpoint,
        )
        yield f"http://127.0.0.1:{port}", token
    finally:
        for service in engine.services.list(filters={"name": name}):
            service.remove()
        _wait_until_gone(engine, name)
        config.remove()
        with suppress(APIError):  # taken away with the last task that was in it
            network.remove()


def _wait_until_gone(engine: docker.DockerClient, name: str) -> None:
    end = time.monotonic() + 60
    while engine.containers.list(filters={"network": name}) and time.monotonic() < end:
        time.sleep(0.2)
