"""Where the roles of installed collections lie: the same places that Ansible looks into."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ansible.config.manager import ConfigManager

from labyard.settings import read_settings

_SIDECAR = Path("meta") / "service.yml"


def find_role(name: str) -> Path | None:
    """The folder of the service role `name` (namespace.collection.role), or None.

    As with Ansible, the first folder that has the collection counts, with the roles it has.
    """
    namespace, collection, role = name.split(".")
    for folder in collection_folders():
        found = folder / namespace / collection
        if found.is_dir():
            path = found / "roles" / role
            return path if (path / _SIDECAR).is_file() else None
    return None


def installed_roles() -> Iterator[str]:
    """The full names of all service roles in installed collections."""
    seen = set()
    for folder in collection_folders():
        for sidecar in sorted(folder.glob(f"*/*/roles/*/{_SIDECAR}")):
            namespace, collection, _, role = sidecar.parts[-6:-2]
            name = f"{namespace}.{collection}.{role}"
            if name not in seen and find_role(name) == sidecar.parents[1]:
                seen.add(name)
                yield name


def collection_folders() -> tuple[Path, ...]:
    """The folders `ansible_collections` of this installation, in Ansible's order."""
    places = ("ANSIBLE_CONFIG", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_HOME")
    return _collection_folders(tuple(os.environ.get(place) for place in places), tuple(sys.path))


@lru_cache(maxsize=4)
def _collection_folders(_environment: tuple[str | None, ...], paths: tuple[str, ...]) -> tuple[Path, ...]:
    settings = read_settings()
    adjacent = settings.playbook.parent / "collections"
    # As a play's environment: without a file of its own it reads none of the person who started us.
    config = ConfigManager(str(settings.ansible_config) if settings.ansible_config else None)
    configured, origin = config.get_config_value_and_origin("COLLECTIONS_PATHS")
    if origin == "default":  # a template that only Ansible itself fills in
        home = os.environ.get("ANSIBLE_HOME") or "~/.ansible"
        configured = [f"{home}/collections", "/usr/share/ansible/collections"]
    folders = []
    for place in (str(adjacent), *configured, *paths):
        path = Path(place or ".").expanduser()
        path = path if path.name == "ansible_collections" else path / "ansible_collections"
        if path.is_dir() and path not in folders:
            folders.append(path)
    return tuple(folders)
