"""The service configurations that this installation knows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ansible_collections.labyard.platform.plugins import module_utils
from ansible_collections.labyard.platform.plugins.module_utils._request.spec import (
    Configuration,
    find_configurations,
)
from labyard.errors import NotFound


def collection_root() -> Path:
    """Where the collection labyard.platform is installed."""
    return Path(next(iter(module_utils.__path__))).resolve().parents[1]


@lru_cache(maxsize=1)
def known_configurations() -> dict[str, Configuration]:
    """All configurations of the collection, read once for each process."""
    return find_configurations(collection_root())


def get_configuration(name: str) -> Configuration:
    """The configuration of that full name; raises NotFound."""
    try:
        return known_configurations()[name]
    except KeyError:
        known = ", ".join(known_configurations()) or "none"
        raise NotFound(f"There is no service configuration {name}; known are: {known}.") from None
