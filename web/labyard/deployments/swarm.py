"""The swarm, as far as the console reads it. The only file that talks to the Engine."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.utils import kwargs_from_env

from labyard.errors import Unavailable

from .health import ServiceView

# What `engine` gives: the calls of the Engine API.
EngineClient = docker.APIClient

_LABEL = "labyard.deployment"
_LOST_STATES = {"failed", "rejected", "orphaned"}
_TIMEOUT = 20  # seconds for one call
_FEW = 50  # services that are named one by one in a call
_STACK = "com.docker.stack.namespace"
_CONSOLE = "labyard.console"


@dataclass(frozen=True)
class SwarmObject:
    """Something that a console made."""

    kind: str  # service, network, volume, config or secret
    id: str
    name: str
    deployment_id: str
    stack: str


@dataclass(frozen=True)
class StoredConfig:
    """A config of the swarm; what it holds is not read."""

    id: str
    name: str
    labels: dict[str, str]


class _Client(docker.APIClient):
    """A client for which the authority that goes with the engine's address counts.

    Without this, REQUESTS_CA_BUNDLE, which names whom to trust on the web, would take its place.
    """

    def merge_environment_settings(self, url: Any, *given: Any, **named: Any) -> Any:
        """What a request takes from the environment: proxies, but no authority where we have our own."""
        settings = super().merge_environment_settings(url, *given, **named)
        return settings if self.verify is True else {**settings, "verify": self.verify}


@contextmanager
def engine(docker_host: str | None = None) -> Iterator[docker.APIClient]:
    """A connection to the Engine; raises Unavailable if it does not answer."""
    try:
        # The variables of the docker command line count: with DOCKER_HOST goes how to trust it.
        named = {"DOCKER_HOST": docker_host} if docker_host else {}
        options = kwargs_from_env(environment={**os.environ, **named})
        client = _Client(version="auto", timeout=_TIMEOUT, **options)
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
    # Tasks are many, and only those of a service that lacks some have anything to say.
    short = [service["ID"] for service in services if _lacks_tasks(service)]
    if short:
        few = {"service": short} if len(short) <= _FEW else {"label": label}
        for task in client.tasks(filters=few):
            tasks[task["ServiceID"]].append(task)
    found: dict[str, list[ServiceView]] = defaultdict(list)
    for service in services:
        found[service["Spec"]["Labels"][_LABEL]].append(_view(service, tasks[service["ID"]]))
    return found


def read_objects(client: docker.APIClient, console: str) -> list[SwarmObject]:
    """All that the console of that id has made, in five calls; volumes are those of this engine alone."""
    filters = {"label": f"{_CONSOLE}={console}"}
    found = [
        _object("service", s["ID"], s["Spec"]["Name"], s["Spec"]) for s in client.services(filters=filters)
    ]
    found += [_object("network", n["Id"], n["Name"], n) for n in client.networks(filters=filters)]
    for kind, items in (
        ("config", client.configs(filters=filters)),
        ("secret", client.secrets(filters=filters)),
    ):
        found += [_object(kind, item["ID"], item["Spec"]["Name"], item["Spec"]) for item in items]
    volumes = client.volumes(filters=filters).get("Volumes") or []
    return found + [_object("volume", v["Name"], v["Name"], v) for v in volumes]


def remove_object(client: docker.APIClient, found: SwarmObject) -> str:
    """Remove something from the swarm; "" or why it could not be removed now, in the engine's words.

    What is gone already counts as removed.
    """
    remove = {
        "service": client.remove_service,
        "network": client.remove_network,
        "config": client.remove_config,
        "secret": client.remove_secret,
        "volume": client.remove_volume,
    }[found.kind]
    try:
        remove(found.id)
    except NotFound:
        return ""
    except APIError as error:
        return f"{found.kind} {found.name}: {_explain(error)}"
    return ""


def has_volume(client: docker.APIClient, name: str) -> bool:
    """Whether this engine has the volume of that name."""
    try:
        client.inspect_volume(name)
    except NotFound:
        return False
    return True


def has_services(client: docker.APIClient, *labels: str) -> bool:
    """Whether a service of the swarm has one of `labels`, each `name=value`."""
    return any(client.services(filters={"label": label}) for label in labels)


def create_config(client: docker.APIClient, name: str, labels: dict[str, str], text: str) -> bool:
    """Make a config; False if there is one of that name: of all who try, one alone gets True."""
    try:
        client.create_config(name, text.encode(), labels)
    except APIError as error:
        if error.status_code == HTTPStatus.CONFLICT:
            return False
        raise
    return True


def read_config(client: docker.APIClient, name: str) -> StoredConfig | None:
    """The config of exactly that name, or None."""
    # The engine's filter finds names that begin with it, too.
    for found in client.configs(filters={"name": name}):
        if found["Spec"]["Name"] == name:
            return StoredConfig(found["ID"], name, found["Spec"].get("Labels") or {})
    return None


def remove_config(client: docker.APIClient, ident: str) -> None:
    """Remove a config; one that is gone already is no error."""
    with suppress(NotFound):
        client.remove_config(ident)


def read_logs(client: docker.APIClient, deployment_id: str, lines: int) -> list[dict[str, str]]:
    """The last `lines` lines of each service of the deployment: service, line."""
    found: list[dict[str, str]] = []
    for service in client.services(filters={"label": f"{_LABEL}={deployment_id}"}):
        raw = client.service_logs(service["ID"], stdout=True, stderr=True, tail=str(lines))
        text = b"".join(raw).decode("utf-8", errors="replace")
        name = service["Spec"]["Name"]
        found.extend({"service": name, "line": line} for line in text.splitlines())
    return found


def _object(kind: str, ident: str, name: str, about: dict[str, Any]) -> SwarmObject:
    labels = about.get("Labels") or {}
    return SwarmObject(kind, ident, name, labels.get(_LABEL, ""), labels.get(_STACK, ""))


def _lacks_tasks(service: dict[str, Any]) -> bool:
    status = service.get("ServiceStatus") or {}
    return int(status.get("RunningTasks") or 0) < int(status.get("DesiredTasks") or 0)


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
