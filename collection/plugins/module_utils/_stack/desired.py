# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stack should be: the bodies of the Engine's create calls, before names become ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NAMESPACE = "com.docker.stack.namespace"
IMAGE = "com.docker.stack.image"
#: On a service that was stopped after a failure: the number of replicas that it had.
PAUSED = "labyard.stack.paused"


@dataclass(frozen=True)
class DesiredFile:
    """A secret or a config."""

    name: str  # the name on the swarm; of changed content, the name that versions start from
    labels: dict[str, str] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)  # None: external, or kept by a driver
    external: bool = False
    driver: dict[str, Any] | None = None
    templating: str = ""
    path: str = ""  # of its key in the document


@dataclass(frozen=True)
class DesiredStack:
    """A stack as it should be. All mappings are by the name on the swarm.

    In the service specs, networks, secrets and configs are referred to by name; ids are filled in by
    ``plan.py``, where they are known, and by ``apply.py``.
    """

    name: str
    services: dict[str, dict[str, Any]] = field(default_factory=dict)  # ServiceSpec
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)  # body of /networks/create
    external_networks: dict[str, str] = field(default_factory=dict)  # name -> path of the key
    secrets: dict[str, DesiredFile] = field(default_factory=dict)
    configs: dict[str, DesiredFile] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    needs: tuple[tuple[str, str], ...] = ()  # (version of the API, path of the key that needs it)
    origins: dict[str, str] = field(default_factory=dict)  # path of a key -> the file that it stands in

    def where(self, path: str) -> str:
        """The path of a key with the file that it stands in before it, as errors have it."""
        return ": ".join(part for part in (self.origins.get(path, ""), path) if part)
