# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that older engines drop in silence, and the version of the API that has them. Pure.

Versions: https://docs.docker.com/reference/api/engine/version-history/
"""

from __future__ import annotations

from typing import Any

from .merge import Document

_MOUNT_TYPES = {"cluster": "1.42", "image": "1.48"}


def api_needs(document: Document) -> tuple[tuple[str, str], ...]:
    """What a document needs beyond API 1.41: (version, path of the key)."""
    found: list[tuple[str, str]] = []
    for name, service in document.get("services", {}).items():
        path = f"services.{name}"
        if service.get("oom_score_adj"):
            found.append(("1.46", f"{path}.oom_score_adj"))
        if service.get("healthcheck", {}).get("start_interval"):
            found.append(("1.44", f"{path}.healthcheck.start_interval"))
        for index, mount in enumerate(service.get("volumes", [])):
            found += _mount_needs(mount, f"{path}.volumes[{index}]")
    return tuple(found)


def _mount_needs(mount: dict[str, Any], path: str) -> list[tuple[str, str]]:
    found = []
    if mount["type"] in _MOUNT_TYPES:
        found.append((_MOUNT_TYPES[mount["type"]], f"{path}.type"))
    if mount.get("volume", {}).get("subpath"):
        found.append(("1.45", f"{path}.volume.subpath"))
    return found
