#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: which images the containers of a node and the services of a swarm have."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_use_info
short_description: List the images that a node and its swarm use
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Lists the images of all containers of a node, running or not, and on a manager those of all services of
    the swarm, with the ones that a service would be rolled back to.
extends_documentation_fragment:
  - labyard.platform.registry
attributes:
  check_mode:
    support: full
    description: Nothing is changed.
  diff_mode:
    support: none
    description: Nothing is changed.
"""

EXAMPLES = r"""
- name: Find out which images this node uses
  labyard.platform.image_use_info:
  register: used
"""

RETURN = r"""
images:
  description: Names with tags, with digests, or with both.
  returned: success
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._registry.engine import EngineImages
from ansible_collections.labyard.platform.plugins.module_utils._registry.module import (
    ENGINE_OPTIONS,
    run_module,
)


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return dict(ENGINE_OPTIONS)


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's answer; raises RegistryError."""
    engine = EngineImages(Path(options["socket"]), Path(options["login_folder"]))
    return {"changed": False, "images": sorted(_of_containers(engine) | _of_services(engine))}


def _of_containers(engine: EngineImages) -> set[str]:
    found = engine.containers()
    names = {container["Image"] for container in found}
    for identity in {container["ImageID"] for container in found}:
        image = engine.find(identity)
        names.update(image.digests if image else ())
    return names


def _of_services(engine: EngineImages) -> set[str]:
    specs = [
        service[key] for service in engine.services() for key in ("Spec", "PreviousSpec") if service.get(key)
    ]
    return {
        spec["TaskTemplate"]["ContainerSpec"]["Image"]
        for spec in specs
        if "ContainerSpec" in spec["TaskTemplate"]
    }


def main() -> None:
    """Entry point."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
