"""The swarm, as far as the console reads it. The only file that talks to the Engine."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException

from labyard.errors import Unavailable

from .health import ServiceView

_LABEL = "labyard.deployment"
_LOST_STATES = {"failed", "rejected", "orphaned"}
_TIMEOUT = 20  # seconds for one call


@contextmanager
def engine(docker_host: str | None = None) -> Iterator[docker.APIClient]:
    """A connection to the Engine; raises Unavailable if it does not answer."""
    try:
        # The variables of the docker command line count: with DOCKER_HOST goes how to trust it.
        named = {"DOCKER_HOST": docker_host} if docker_host else {}
        client = docker.from_env(timeout=_TIMEOUT, environment={**os.environ, **named}).api
    except DockerException as error:
        raise Unavailable("The Docker Engine does not answer. Is it running?") from error
    try:
        yield client
    except (requests.RequestException, APIError) as error:
        raise Unavailable(f"The Docker Engine refused: {_explain(error)}") from error
    finally:
        client.close()


def check_swarm(client: docker.APIClient) -> None:
    """Raises Unavailable if the Engine is not a manager of a swarm."""
    if not client.info().get("Swarm", {}).get("ControlAvailable"):
        raise Unavailable("The Docker Engine is not a manager of a swarm. Run the role swarm again.")


def read_services(client: docker.APIClient, deployment_id: str | None = None) -> dict[str, list[ServiceView]]:
    """The services of all deployments (or of one), by deployment id: two calls whatever their number."""
    label = _LABEL if deployment_id is None else f"{_LABEL}={deployment_id}"
    services = client.services(filters={"label": label}, status=True)
    tasks: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if services:
        for task in client.tasks(filters={"label": label}):
            tasks[task["ServiceID"]].append(task)
    found: dict[str, list[ServiceView]] = defaultdict(list)
    for service in services:
        found[service["Spec"]["Labels"][_LABEL]].append(_view(service, tasks[service["ID"]]))
    return found


def read_logs(client: docker.APIClient, deployment_id: str, lines: int) -> list[dict[str, str]]:
    """The last `lines` lines of each service of the deployment: service, line."""
    found: list[dict[str, str]] = []
    for service in client.services(filters={"label": f"{_LABEL}={deployment_id}"}):
        raw = client.service_logs(service["ID"], stdout=True, stderr=True, tail=str(lines))
        text = b"".join(raw).decode("utf-8", errors="replace")
        name = service["Spec"]["Name"]
        found.extend({"service": name, "line": line} for line in text.splitlines())
    return found


def _view(service: dict[str, Any], tasks: list[dict[str, Any]]) -> ServiceView:
    status = service.get("ServiceStatus") or {}
    spec = service["Spec"]
    image = spec["TaskTemplate"]["ContainerSpec"]["Image"].split("@")[0]
    return ServiceView(
        id=service["ID"],
        name=spec["Name"],
        image=image,
        desired=int(status.get("DesiredTasks") or 0),
        running=int(status.get("RunningTasks") or 0),
        detail=_last_error(tasks),
    )


def _last_error(tasks: list[dict[str, Any]]) -> str:
    """The newest task's own error, if that task does not run."""
    if not tasks:
        return ""
    newest = max(tasks, key=lambda t: t["CreatedAt"])
    status = newest.get("Status") or {}
    if status.get("State") in _LOST_STATES or (status.get("State") == "pending" and status.get("Err")):
        return str(status.get("Err") or status.get("Message") or "")
    return ""


def _explain(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error)
