# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out whether secrets and configs on the swarm, whose content cannot be read, are the wanted ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .client import SwarmClient
from .desired import DesiredFile, DesiredStack
from .errors import EngineError
from .files import BASE, DIGEST, VERSION, digest, versions
from .live import LiveStack, labels_of


def content_digests(key: bytes, desired: DesiredStack) -> dict[str, str]:
    """Keyed hashes of all contents, by ``secret/<name>`` or ``config/<name>``."""
    result = {}
    for kind, files in (("secret", desired.secrets), ("config", desired.configs)):
        for name, file in files.items():
            result[f"{kind}/{name}"] = digest(key, f"{kind}/{desired.name}", file)
    return result


def adopt_contents(
    client: SwarmClient, desired: DesiredStack, live: LiveStack, digests: dict[str, str]
) -> set[str]:
    """Names of live secrets and configs that turn out to have the wanted content though their hash is not it.

    Those were made by ``docker stack deploy``, or hashed with a key that has been rotated since. The engine
    refuses to update one with other content, so an update that leaves the labels as they are tells.
    """
    same = set()
    for kind, files, objects in (
        ("secret", desired.secrets, live.secrets),
        ("config", desired.configs, live.configs),
    ):
        for name, file in files.items():
            existing = versions(file, objects)
            if file.external or not existing:
                continue
            newest = existing[-1][1]
            content = digests[f"{kind}/{name}"]
            if content and labels_of(objects[newest]).get(DIGEST) == content:
                continue
            if file.data is None or _adopt(client, kind, file, objects[newest], content):
                same.add(newest)
    return same


def _adopt(
    client: SwarmClient, kind: str, file: DesiredFile, live: dict[str, Any], content_digest: str
) -> bool:
    """Put the missing hash on a live secret or config; False if the engine says that the content differs."""
    labels = labels_of(live)
    stamped = {**labels, BASE: file.name, VERSION: labels.get(VERSION, "1")}
    if content_digest:
        stamped[DIGEST] = content_digest
    wanted = replace(file, name=live["Spec"]["Name"], labels=stamped)
    try:
        client.update_file(kind, live["ID"], live["Version"]["Index"], wanted)
    except EngineError as error:
        if "only updates to Labels are allowed" in str(error):
            return False
        raise
    return True
