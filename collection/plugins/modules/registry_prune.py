#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: remove images from a registry that nobody needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_prune
short_description: Remove images from a registry that nobody needs
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Removes images that are not in use, not protected and not among the newest of their repository. All tags
    of an image go with it.
  - What they take on the disk is free after the registry's next garbage collection.
  - Talks to the registry over HTTPS, with the credentials that C(docker login) has kept.
options:
  registry:
    description:
      - The registry, as in V(registry.example.org:5000).
    type: str
    required: true
  ca_path:
    description:
      - File with its authority. If not set, that of C(/etc/docker/certs.d), then what this machine trusts.
    type: path
  in_use:
    description:
      - Images that are in use, in any form; see M(labyard.platform.image_use_info). Those of other registries
        may be among them.
    type: list
    elements: str
    required: true
  protect:
    description:
      - Patterns of C(repository:tag), as a shell has them. What one fits stays.
    type: list
    elements: str
    default: ["*:current", "*:latest"]
  keep:
    description:
      - So many images of each repository stay in any case, the newest.
    type: int
    default: 2
  login_folder:
    description:
      - Folder in which C(docker login) keeps credentials for registries.
    type: path
    default: ~/.docker
attributes:
  check_mode:
    support: full
    description: Says what would be removed.
  diff_mode:
    support: full
    description: Lists what is removed.
"""

EXAMPLES = r"""
- name: Find out which images this node uses
  labyard.platform.image_use_info:
  register: used

- name: Throw away what nobody needs
  labyard.platform.registry_prune:
    registry: registry.example.org:5000
    in_use: "{{ used.images }}"
    protect: ["*:current", "tools/*:*"]
"""

RETURN = r"""
removed:
  description: What was removed.
  returned: success
  type: list
  elements: dict
  contains:
    repository:
      description: The repository.
      type: str
    digest:
      description: The digest.
      type: str
    tags:
      description: All tags that it had.
      type: list
      elements: str
kept:
  description: What stays.
  returned: success
  type: list
  elements: dict
  contains:
    repository:
      description: The repository.
      type: str
    digest:
      description: The digest.
      type: str
    tags:
      description: All its tags.
      type: list
      elements: str
    reason:
      description: Why it stays.
      type: str
"""

from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._registry.credentials import find_credentials
from ansible_collections.labyard.platform.plugins.module_utils._registry.errors import RegistryError
from ansible_collections.labyard.platform.plugins.module_utils._registry.module import (
    ENGINE_OPTIONS,
    run_module,
)
from ansible_collections.labyard.platform.plugins.module_utils._registry.pruning import Decision, decide
from ansible_collections.labyard.platform.plugins.module_utils._registry.registry import Registry

TRUSTED = Path("/etc/docker/certs.d")


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {
        "registry": {"type": "str", "required": True},
        "ca_path": {"type": "path"},
        "in_use": {"type": "list", "elements": "str", "required": True},
        "protect": {"type": "list", "elements": "str", "default": ["*:current", "*:latest"]},
        "keep": {"type": "int", "default": 2},
        "login_folder": ENGINE_OPTIONS["login_folder"],
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's answer; raises RegistryError."""
    if options["keep"] < 0:
        raise RegistryError("keep: give 0 or more.")
    address = options["registry"]
    trusted = TRUSTED / address / "ca.crt"
    ca = Path(options["ca_path"]) if options["ca_path"] else trusted if trusted.exists() else None
    registry = Registry(address, ca, find_credentials(Path(options["login_folder"]), address))
    decisions = decide(registry.manifests(), address, options["in_use"], options["protect"], options["keep"])
    going = [decision for decision in decisions if decision.goes]
    if not check_mode:
        for decision in going:
            registry.delete(decision.manifest)
    return {
        "changed": bool(going),
        "removed": [_described(decision) for decision in going],
        "kept": [
            {**_described(decision), "reason": decision.reason} for decision in decisions if not decision.goes
        ],
        "diff": {"before": "".join(map(_line, going)), "after": ""},
    }


def _described(decision: Decision) -> dict[str, Any]:
    manifest = decision.manifest
    return {"repository": manifest.repository, "digest": manifest.digest, "tags": list(manifest.tags)}


def _line(decision: Decision) -> str:
    return f"{decision.manifest.repository}: {', '.join(decision.manifest.tags)}\n"


def main() -> None:
    """Entry point."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
