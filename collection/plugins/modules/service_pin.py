#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: a service stays on the node where it runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_pin
short_description: Keep a service on the node where it runs
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Adds a constraint to a service of a swarm, so that it runs on its present node alone from then on. Its
    container goes on.
  - For services with volumes that lie on their node. Without it the swarm starts them anywhere after a
    stop, a change or the loss of the node, beside an empty volume.
  - Where the swarm has one node, or the service is kept on a node already, nothing is changed.
  - To let it go, deploy its stack without the constraint.
options:
  stack:
    description:
      - Name of the stack.
    type: str
    required: true
  service:
    description:
      - Name of the service in the stack.
    type: str
    required: true
extends_documentation_fragment:
  - labyard.platform.docker
attributes:
  check_mode:
    support: full
    description: Says whether it would be changed, and changes nothing.
  action_group:
    support: full
    description: Use C(group/labyard.platform.docker) in C(module_defaults) to set the connection once.
  diff_mode:
    support: none
    description: The constraint is returned.
"""

EXAMPLES = r"""
- name: Ensure the service database of the stack demo stays where its data lie
  labyard.platform.service_pin:
    stack: demo
    service: database
"""

RETURN = r"""
constraint:
  description: The constraint that keeps it, empty where the swarm has one node.
  returned: success
  type: str
  sample: node.hostname==node1
"""

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._stack.pin import pin_service


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {
        **docker_argument_spec(),
        "stack": {"type": "str", "required": True},
        "service": {"type": "str", "required": True},
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Keep the service where it is; the result is the module's.

    Raises StackError with a sentence for the person who reads it.
    """
    name = f"{options['stack']}_{options['service']}"
    changed, constraint = pin_service(connect_engine(options), name, dry_run=check_mode)
    return {"changed": changed, "constraint": constraint}


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
