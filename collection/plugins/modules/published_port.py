#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: a published port of its own for every stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: published_port
short_description: Claim a published port for a stack of a Docker swarm
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Gives a stack the lowest free port of a range and remembers it, so that every later call for the
    same stack returns the same port.
  - The claim is a swarm config named C(labyard-port-<port>). The managers of a swarm agree on every
    config, so two calls at the same time, on any node, never get the same port.
  - The claim carries the label C(com.docker.stack.namespace) and is removed with the stack by
    M(labyard.platform.swarm_stack) with O(labyard.platform.swarm_stack#module:state=absent).
  - Ports that a service of the swarm publishes are passed over. Where the engine is on this machine,
    so are ports on which another program listens.
options:
  stack:
    description:
      - Name of the stack that gets the port.
    type: str
    required: true
  range_start:
    description:
      - Lowest port of the range.
    type: int
    required: true
  range_end:
    description:
      - Highest port of the range, itself included.
    type: int
    required: true
  labels:
    description:
      - Labels to put on the claim beside its own.
    type: dict
    default: {}
extends_documentation_fragment:
  - labyard.platform.docker
attributes:
  check_mode:
    support: full
    description: Returns the port that would be claimed.
  action_group:
    support: full
    description: Use C(group/labyard.platform.docker) in C(module_defaults) to set the connection once.
  diff_mode:
    support: none
    description: There is nothing to compare.
seealso:
  - module: labyard.platform.swarm_stack
"""

EXAMPLES = r"""
- name: Claim a port for the stack demo
  labyard.platform.published_port:
    stack: demo
    range_start: 20000
    range_end: 20999
  register: claim

- name: Show where it will answer
  ansible.builtin.debug:
    msg: "http://127.0.0.1:{{ claim.port }}/"
"""

RETURN = r"""
port:
  description: The port of the stack.
  returned: success
  type: int
  sample: 20000
volumes:
  description:
    - Volumes of the stack that the engine has already. A stack that comes back after its removal finds
      its data there; whoever has to take back what was made for a new one keeps these.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._stack.ports import (
    PortRange,
    claim_port,
    nothing_listens,
    read_volumes,
)


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {
        **docker_argument_spec(),
        "stack": {"type": "str", "required": True},
        "range_start": {"type": "int", "required": True},
        "range_end": {"type": "int", "required": True},
        "labels": {"type": "dict", "default": {}},
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what the options say; the result is the module's.

    Raises StackError with a sentence for the person who reads it.
    """
    engine = connect_engine(options)
    volumes = read_volumes(engine, options["stack"])
    claim = claim_port(
        engine,
        options["stack"],
        PortRange(options["range_start"], options["range_end"]),
        {name: str(value) for name, value in options["labels"].items()},
        is_free=nothing_listens if engine.host.startswith("unix://") else lambda _port: True,
        dry_run=check_mode,
    )
    return {"changed": claim.changed, "port": claim.port, "volumes": volumes}


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
