# SPDX-License-Identifier: GPL-3.0-or-later
"""All calls to the engine that a stack needs, each a method. Nothing is decided here."""

from __future__ import annotations

import base64
import contextlib
import struct
from collections.abc import Collection, Mapping
from typing import Any

from .desired import NAMESPACE, DesiredFile
from .engine import Engine, EventStream
from .errors import Conflict, EngineError, NotFound
from .image import registry_of, repository_of
from .info import Snapshot
from .live import LiveStack, Objects, of_stack

_FILES = {"secret": "secrets", "config": "configs"}


class SwarmClient:
    """The swarm behind one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def swarm_key(self) -> bytes:
        """A key that only managers of the swarm can read, for keyed hashes; empty if it is not shown.

        :raises NotAManager:
        :raises ApiTooOld: the counts of tasks need API 1.41
        """
        self.engine.require_api("1.41", "A stack")
        swarm = self.engine.require_manager()
        return str((swarm.get("JoinTokens") or {}).get("Manager") or "").encode()

    def read_stack(self, stack: str, *, all_files: bool = True) -> LiveStack:
        """The stack as it is, in four calls.

        :param all_files: read secrets and configs of others too (external ones are among them)
        """
        networks = _by_name(self.engine.get("/networks"))
        filters = None if all_files else {"filters": _label(stack)}
        secrets = _by_name(self.engine.get("/secrets", filters))
        configs = _by_name(self.engine.get("/configs", filters))
        services = self.services(stack)
        return LiveStack(
            services=services,
            hidden_networks=self._hidden_networks(services, networks),
            networks=of_stack(networks, stack),
            secrets=of_stack(secrets, stack),
            configs=of_stack(configs, stack),
            all_networks=networks,
            all_secrets=secrets,
            all_configs=configs,
        )

    def _hidden_networks(self, services: Objects, networks: Objects) -> dict[str, str]:
        """Names by id of the networks that services use and the engine does not list, such as ``host``."""
        known = {network["Id"] for network in networks.values()}
        used = {
            attachment["Target"]
            for service in services.values()
            for attachment in service["Spec"]["TaskTemplate"].get("Networks") or []
        }
        found = {}
        for identity in sorted(used - known):
            with contextlib.suppress(NotFound):
                found[identity] = str(self.engine.get(f"/networks/{identity}")["Name"])
        return found

    def services(self, stack: str) -> Objects:
        """Services of the stack, with the counts of their tasks."""
        return _by_name(self.engine.get("/services", {"filters": _label(stack), "status": "true"}))

    def services_named(self, names: Collection[str]) -> Objects:
        """Services of the whole swarm with these names, or with names that start with one of them."""
        return _by_name(self.engine.get("/services", {"filters": {"name": sorted(names)}}))

    def snapshot(self, stack: str | None = None) -> Snapshot:
        """All that is known of one stack, or of all stacks, in seven calls.

        :raises NotAManager:
        :raises ApiTooOld: the counts of tasks need API 1.41
        """
        self.engine.require_api("1.41", "A stack")
        own = {"filters": _label(stack) if stack else {"label": [NAMESPACE]}}
        get = self.engine.get
        return Snapshot(
            services=get("/services", {**own, "status": "true"}),
            tasks=get("/tasks", own if stack else None),
            nodes=get("/nodes"),
            networks=get("/networks"),
            secrets=get("/secrets", own),
            configs=get("/configs", own),
            volumes=get("/volumes", own).get("Volumes") or [],
        )

    def networks(self, stack: str) -> Objects:
        """Networks of the stack."""
        return _by_name(self.engine.get("/networks", {"filters": _label(stack)}))

    def all_networks(self) -> set[str]:
        """Ids and names of all networks."""
        return {
            value for network in self.engine.get("/networks") for value in (network["Id"], network["Name"])
        }

    def tasks(self, stack: str) -> list[dict[str, Any]]:
        """Tasks of the stack, past ones too as far as the swarm remembers them."""
        tasks: list[dict[str, Any]] = self.engine.get("/tasks", {"filters": _label(stack)})
        return tasks

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes of the swarm."""
        nodes: list[dict[str, Any]] = self.engine.get("/nodes")
        return nodes

    def events(self, stack: str) -> EventStream | None:
        """Tells when containers of the stack on this engine start, end, or change their health."""
        filters = {
            **_label(stack),
            "type": ["container"],
            "event": ["start", "die", "destroy", "health_status"],
        }
        return self.engine.events(filters)

    def task_log(self, task: str, lines: int, timeout: float = 3) -> list[str]:
        """The last lines a task wrote; empty if the engine does not give them within ``timeout`` seconds."""
        params = {"stdout": "true", "stderr": "true", "tail": str(lines)}
        try:
            response = self.engine.request("GET", f"/tasks/{task}/logs", params, timeout=timeout)
        except EngineError:
            return []
        return _log_lines(response.content)[-lines:]

    def node_name(self, node: str) -> str:
        """The host name of a node, or its id if it has gone."""
        try:
            found = self.engine.get(f"/nodes/{node}")
        except EngineError:
            return node
        return str((found.get("Description") or {}).get("Hostname") or node)

    def is_local_only(self, image: str) -> bool:
        """Whether this engine has the image and no registry gave it or took it under that name."""
        try:
            found = self.engine.get(f"/images/{image}/json")
        except EngineError:
            return False
        # One image may have several names; only a digest under this one says that its registry knows it.
        mine = repository_of(image)
        return all(repository_of(digest) != mine for digest in found.get("RepoDigests") or ())

    def distribution(self, image: str) -> dict[str, Any]:
        """What the registry says of an image: ``Descriptor`` and ``Platforms``.

        :raises EngineError: it does not answer, or does not know the image
        """
        headers = {"X-Registry-Auth": self.registry_auth(image)}
        found: dict[str, Any] = self.engine.request(
            "GET", f"/distribution/{image}/json", headers=headers
        ).json()
        return found

    def registry_auth(self, image: str) -> str:
        """The stored credentials for the registry of an image, as a header; empty if there are none."""
        from docker.auth import get_config_header

        header = get_config_header(self.engine.api, registry_of(image))
        return header.decode() if isinstance(header, bytes) else str(header or "")

    def create_network(self, body: Mapping[str, Any]) -> str:
        """Create a network, returning its id."""
        return str(self.engine.post("/networks/create", body)["Id"])

    def create_service(self, spec: Mapping[str, Any], auth: str = "") -> str:
        """Create a service, returning its id."""
        return str(self.engine.post("/services/create", spec, headers=_auth(auth))["ID"])

    def update_service(self, service: str, version: int, spec: Mapping[str, Any], auth: str = "") -> None:
        """Replace the spec of a service.

        :raises OutOfSequence: it is no longer at ``version``
        """
        params = {"version": version, "registryAuthFrom": "spec"}
        self.engine.post(f"/services/{service}/update", spec, params, _auth(auth))

    def service(self, service: str) -> dict[str, Any]:
        """One service by id or name."""
        found: dict[str, Any] = self.engine.get(f"/services/{service}")
        return found

    def create_file(self, kind: str, file: DesiredFile) -> str:
        """Create a secret or config, returning its id."""
        return str(self.engine.post(f"/{_FILES[kind]}/create", _file_spec(file))["ID"])

    def update_file(self, kind: str, identity: str, version: int, file: DesiredFile) -> None:
        """Replace the labels of a secret or config. With data, the engine refuses other content.

        :raises EngineError: the content is another one
        """
        self.engine.post(f"/{_FILES[kind]}/{identity}/update", _file_spec(file), {"version": version})

    def volumes(self, stack: str) -> list[str]:
        """Names of the stack's volumes on this engine."""
        answer = self.engine.get("/volumes", {"filters": _label(stack)})
        return sorted(volume["Name"] for volume in answer.get("Volumes") or [])

    def remove_ended_containers(self, stack: str, volumes: Collection[str]) -> None:
        """Remove the containers of past tasks of a stack on this engine that hold one of these volumes."""
        filters = {**_label(stack), "volume": sorted(volumes), "status": ["exited", "dead", "created"]}
        for container in self.engine.get("/containers/json", {"all": "true", "filters": filters}):
            with contextlib.suppress(Conflict):  # the engine is removing it of its own accord just now
                self.remove("container", container["Id"])

    def remove(self, kind: str, identity: str) -> bool:
        """Remove an object; False if it was gone already.

        :param kind: service, network, secret, config, volume or container
        """
        try:
            self.engine.delete(f"/{kind}s/{identity}")
        except NotFound:
            return False
        return True


def _label(stack: str) -> dict[str, list[str]]:
    return {"label": [f"{NAMESPACE}={stack}"]}


def _auth(header: str) -> dict[str, str]:
    return {"X-Registry-Auth": header} if header else {}


def _by_name(items: list[dict[str, Any]] | None) -> Objects:
    """Objects by their name; of networks of the same name the swarm's counts."""
    result: Objects = {}
    for item in items or []:
        name = item.get("Name") or item["Spec"]["Name"]
        if name not in result or item.get("Scope") == "swarm":
            result[name] = item
    return result


def _file_spec(file: DesiredFile) -> dict[str, Any]:
    spec: dict[str, Any] = {"Name": file.name, "Labels": file.labels}
    if file.data is not None:
        spec["Data"] = base64.b64encode(file.data).decode()
    if file.driver:
        spec["Driver"] = file.driver
    if file.templating:
        spec["Templating"] = {"Name": file.templating}
    return spec


def _log_lines(content: bytes) -> list[str]:
    """Lines of a log stream: frames of an 8-byte header (stream, length) and text, or text alone."""
    text, position = b"", 0
    while (
        position + 8 <= len(content)
        and content[position] in {1, 2}
        and content[position + 1 : position + 4] == b"\0\0\0"
    ):
        (length,) = struct.unpack(">I", content[position + 4 : position + 8])
        text += content[position + 8 : position + 8 + length]
        position += 8 + length
    text += content[position:]
    return [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
