#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: have images of this engine in a registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_push
short_description: Push images that a registry does not have
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Compares images of the engine of this node with those of a registry, and pushes what it lacks or has
    otherwise. The engine talks to the registry, with its certificates (C(/etc/docker/certs.d)).
  - Looks for room first where the registry's volume is on this engine.
options:
  images:
    description:
      - What to push.
    type: list
    elements: dict
    required: true
    suboptions:
      source:
        description:
          - Name or id of an image of this engine.
        type: str
        required: true
      target:
        description:
          - Its name in the registry, as in V(registry.example.org:5000/labyard/base:current).
        type: str
        required: true
  volume:
    description:
      - Volume in which the registry keeps its images. If this engine has it, nothing is pushed that may
        not fit on its disk.
    type: str
    default: ""
extends_documentation_fragment:
  - labyard.platform.registry
attributes:
  check_mode:
    support: full
    description: Says what would be pushed.
  diff_mode:
    support: full
    description: Lists the names that are pushed.
"""

EXAMPLES = r"""
- name: Push an image of our own
  labyard.platform.registry_push:
    images:
      - source: our-tool:7
        target: registry.example.org:5000/tools/our-tool:7
"""

RETURN = r"""
pushed:
  description: The names that were pushed.
  returned: success
  type: list
  elements: str
digests:
  description: Digest by name in the registry. Empty in check mode for what is not there yet.
  returned: success
  type: dict
"""

from pathlib import Path
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._registry.engine import EngineImages
from ansible_collections.labyard.platform.plugins.module_utils._registry.module import (
    ENGINE_OPTIONS,
    run_module,
)
from ansible_collections.labyard.platform.plugins.module_utils._registry.pushing import push_images


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    pair = {"source": {"type": "str", "required": True}, "target": {"type": "str", "required": True}}
    return {
        **ENGINE_OPTIONS,
        "images": {"type": "list", "elements": "dict", "required": True, "options": pair},
        "volume": {"type": "str", "default": ""},
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's answer; raises RegistryError."""
    engine = EngineImages(Path(options["socket"]), Path(options["login_folder"]))
    pairs = [(item["source"], item["target"]) for item in options["images"]]
    done = push_images(engine, pairs, options["volume"], check_mode)
    return {
        "changed": bool(done.pushed),
        "pushed": list(done.pushed),
        "digests": done.digests,
        "diff": {"before": "", "after": "".join(f"{name}\n" for name in done.pushed)},
    }


def main() -> None:
    """Entry point."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
