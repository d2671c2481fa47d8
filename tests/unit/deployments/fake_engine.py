"""A swarm in memory: the calls of the Engine API that the console reads and removes with."""

from __future__ import annotations

from collections import Counter
from typing import Any

from docker.errors import APIError, NotFound
from requests import Response

KINDS = ("service", "network", "config", "secret", "volume")


class FakeEngine:
    """Objects by kind and id; `calls` counts what was asked for."""

    def __init__(self, nodes: int = 1) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.task_list: list[dict[str, Any]] = []
        self.calls: Counter[str] = Counter()
        self.in_use: set[str] = set()  # names that cannot be removed
        self._nodes = nodes

    def add(
        self, kind: str, name: str, deployment: str, console: str, stack: str = "", running: int = 1
    ) -> None:
        """Put something on the swarm."""
        labels = {"labyard.deployment": deployment, "labyard.console": console}
        labels["com.docker.stack.namespace"] = stack or f"notebook-{deployment}"
        about: dict[str, Any] = {"Labels": labels, "Name": name}
        if kind == "service":
            about["TaskTemplate"] = {"ContainerSpec": {"Image": "image@sha256:0"}}
        shown: dict[str, Any] = {"ID": name, "Id": name, "Name": name, "Labels": labels, "Spec": about}
        shown["ServiceStatus"] = {"DesiredTasks": 1, "RunningTasks": running}
        self.objects[kind, name] = shown

    def create_config(self, name: str, data: bytes, labels: dict[str, str]) -> dict[str, Any]:
        if ("config", name) in self.objects:
            raise APIError("conflict", response=_conflict(), explanation=f"{name} is there already")
        self.objects["config", name] = {"ID": name, "Name": name, "Labels": labels}
        self.objects["config", name]["Spec"] = {"Name": name, "Labels": labels}
        return {"ID": name}

    def names(self, kind: str) -> list[str]:
        """What is there of that kind."""
        return sorted(name for found, name in self.objects if found == kind)

    def services(self, filters: dict[str, Any], status: bool = False) -> list[dict[str, Any]]:
        return self._list("service", filters)

    def networks(self, filters: dict[str, Any]) -> list[dict[str, Any]]:
        return self._list("network", filters)

    def configs(self, filters: dict[str, Any]) -> list[dict[str, Any]]:
        return self._list("config", filters)

    def secrets(self, filters: dict[str, Any]) -> list[dict[str, Any]]:
        return self._list("secret", filters)

    def volumes(self, filters: dict[str, Any]) -> dict[str, Any]:
        return {"Volumes": self._list("volume", filters) or None}

    def tasks(self, filters: dict[str, Any]) -> list[dict[str, Any]]:
        self.calls["tasks"] += 1
        return [t for t in self.task_list if t["ServiceID"] in filters.get("service", [t["ServiceID"]])]

    def nodes(self) -> list[dict[str, Any]]:
        room = {"NanoCPUs": 8 * 10**9, "MemoryBytes": 32 * 2**30}
        about = {"Spec": {"Role": "manager"}, "Description": {"Hostname": "node", "Resources": room}}
        return [{"ID": f"node{n}", **about} for n in range(self._nodes)]

    def inspect_volume(self, name: str) -> dict[str, Any]:
        return self._find("volume", name)

    def remove_service(self, ident: str) -> None:
        self._remove("service", ident)

    def remove_network(self, ident: str) -> None:
        self._remove("network", ident)

    def remove_config(self, ident: str) -> None:
        self._remove("config", ident)

    def remove_secret(self, ident: str) -> None:
        self._remove("secret", ident)

    def remove_volume(self, ident: str) -> None:
        self._remove("volume", ident)

    def _list(self, kind: str, filters: dict[str, Any]) -> list[dict[str, Any]]:
        self.calls[kind] += 1
        found = [about for (of, _), about in self.objects.items() if of == kind]
        if "name" in filters:
            return [about for about in found if about["Name"].startswith(filters["name"])]
        name, _, value = filters["label"].partition("=")
        return [a for a in found if name in a["Labels"] and value in ("", a["Labels"][name])]

    def _find(self, kind: str, ident: str) -> dict[str, Any]:
        if (kind, ident) not in self.objects:
            raise NotFound(f"no such {kind}")
        return self.objects[kind, ident]

    def _remove(self, kind: str, ident: str) -> None:
        self._find(kind, ident)
        if ident in self.in_use:
            raise APIError("conflict", response=_conflict(), explanation=f"{ident} is in use")
        del self.objects[kind, ident]


def _conflict() -> Response:
    answer = Response()
    answer.status_code = 409
    return answer
