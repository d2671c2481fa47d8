#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: have images of a registry on this engine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_pull
short_description: Pull images that an engine does not have
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Asks the registry what each name stands for now, and pulls what the engine of this node does not have.
    So a second run changes nothing, and one after a push refreshes.
  - Images are pulled by their digest, so a swarm that names the digest finds them and asks no registry.
  - An image with the label C(labyard.hash) gets a tag of that name too, which never moves.
options:
  images:
    description:
      - What to have.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name with its tag, as in V(registry.example.org:5000/labyard/base:current).
        type: str
        required: true
      digest:
        description:
          - The only digest that is taken. Another one at the registry is an error.
        type: str
        default: ""
      keep_as:
        description:
          - Repository under which it is kept here, as in V(labyard/base). Empty for that of O(images[].name).
        type: str
        default: ""
  least_free_mb:
    description:
      - MiB that must be free where the engine keeps images, before one is pulled.
    type: int
    default: 2048
extends_documentation_fragment:
  - labyard.platform.registry
attributes:
  check_mode:
    support: full
    description: Says what would be pulled.
  diff_mode:
    support: full
    description: Lists the names that are pulled, and those that are given.
"""

EXAMPLES = r"""
- name: Have the notebook image on all nodes before somebody asks for it
  labyard.platform.registry_pull:
    images:
      - name: registry.example.org:5000/labyard/notebook-minimal:current
"""

RETURN = r"""
pulled:
  description: The names that were pulled.
  returned: success
  type: list
  elements: str
named:
  description: The names that images of this engine were given.
  returned: success
  type: list
  elements: str
digests:
  description: Digest by name asked for.
  returned: success
  type: dict
references:
  description: By name asked for, the name that stays with this very image, where it says what it is made of.
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
from ansible_collections.labyard.platform.plugins.module_utils._registry.pulling import Wish, pull_images


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    wish = {
        "name": {"type": "str", "required": True},
        "digest": {"type": "str", "default": ""},
        "keep_as": {"type": "str", "default": ""},
    }
    return {
        **ENGINE_OPTIONS,
        "images": {"type": "list", "elements": "dict", "required": True, "options": wish},
        "least_free_mb": {"type": "int", "default": 2048},
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's answer; raises RegistryError."""
    engine = EngineImages(Path(options["socket"]), Path(options["login_folder"]))
    wishes = [Wish(**item) for item in options["images"]]
    done = pull_images(engine, wishes, options["least_free_mb"] * 2**20, check_mode)
    news = [f"pulled {name}\n" for name in done.pulled] + [f"named {name}\n" for name in done.named]
    return {
        "changed": bool(news),
        "pulled": done.pulled,
        "named": done.named,
        "digests": done.digests,
        "references": done.references,
        "diff": {"before": "", "after": "".join(news)},
    }


def main() -> None:
    """Entry point."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
