#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: which exact image a moving tag stands for on this engine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Find the pinned tag of an image on a Docker engine
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Says which exact image a moving tag such as C(labyard/notebook-minimal:current) stands for, so
    that a service keeps the image it was started with when the tag moves on.
  - The image role tags what it builds with the hash of what went in and writes the same hash into
    the label C(labyard.hash). This tag is returned; an image without it is returned by the name asked for.
options:
  name:
    description:
      - Name of the image, with its tag.
    type: str
    required: true
extends_documentation_fragment:
  - labyard.platform.docker
attributes:
  check_mode:
    support: full
    description: Nothing is changed.
  action_group:
    support: full
    description: Use C(group/labyard.platform.docker) in C(module_defaults) to set the connection once.
  diff_mode:
    support: none
    description: Nothing is changed.
"""

EXAMPLES = r"""
- name: Find the notebook image
  labyard.platform.image_info:
    name: labyard/notebook-minimal:current
  register: notebook_image

- name: Show it
  ansible.builtin.debug:
    var: notebook_image.image
"""

RETURN = r"""
image:
  description: The reference to use, pinned where it can be.
  returned: success
  type: str
  sample: labyard/notebook-minimal:3f1c9a2b7d04
pinned:
  description: Whether RV(image) names the content and so never moves.
  returned: success
  type: bool
id:
  description: The engine's id of the image.
  returned: success
  type: str
labels:
  description: The labels of the image.
  returned: success
  type: dict
"""

from typing import Any
from urllib.parse import quote

from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import NotFound, StackError
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module

HASH_LABEL = "labyard.hash"


def pinned_reference(name: str, image: dict[str, Any]) -> str | None:
    """The tag of `image` (an inspect document) that names its content, in the repository of `name`."""
    folder, _, last = name.rpartition("/")
    repository = f"{folder}/{last.split(':')[0]}".lstrip("/")
    content = ((image.get("Config") or {}).get("Labels") or {}).get(HASH_LABEL)
    pinned = f"{repository}:{content}"
    return pinned if content and pinned in (image.get("RepoTags") or ()) else None


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {**docker_argument_spec(), "name": {"type": "str", "required": True}}


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Look at the image; the result is the module's.

    Raises StackError with a sentence for the person who reads it.
    """
    name = options["name"]
    try:
        image = connect_engine(options).get(f"/images/{quote(name, safe='/:@')}/json")
    except NotFound as error:
        raise StackError(
            f"The image {name} is not on this Docker engine: `make up` (playbooks/local.yml) builds it."
        ) from error
    pinned = pinned_reference(name, image)
    return {
        "changed": False,
        "image": pinned or name,
        "pinned": pinned is not None,
        "id": image["Id"],
        "labels": (image.get("Config") or {}).get("Labels") or {},
    }


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
