#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: one node of a Docker swarm."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swarm_node
short_description: Role, labels and availability of a node of a Docker swarm, and its removal
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Makes a node what it is to be, and leaves alone what is not named.
  - Runs on a manager, or with the options of a manager's engine.
  - A manager is only made a worker, or struck off, if the managers that are left have a majority. A swarm
    without one can change nothing any more.
options:
  node:
    description:
      - Id or host name of the node. Of several with one host name, the one that is not down is meant.
    type: str
    required: true
  state:
    description:
      - V(present) makes the node what the other options say. It must be in the swarm.
      - V(absent) strikes a node off the list that has left or is lost. One that still answers is refused.
    type: str
    choices: [present, absent]
    default: present
  role:
    description:
      - What the node is in the swarm.
    type: str
    choices: [manager, worker]
  availability:
    description:
      - V(active) takes tasks, V(pause) takes no new ones, V(drain) gives away those that it has.
    type: str
    choices: [active, pause, drain]
  labels:
    description:
      - Labels to set.
    type: dict
    default: {}
  label_prefix:
    description:
      - Labels that begin with this and are not in O(labels) are taken away. Empty takes none away.
    type: str
    default: ""
  wait:
    description:
      - With O(availability=drain), wait until the node runs nothing any more.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds for that.
    type: int
    default: 300
extends_documentation_fragment:
  - labyard.platform.docker
attributes:
  check_mode:
    support: full
    description: Says what would change.
  action_group:
    support: full
    description: Use C(group/labyard.platform.docker) in C(module_defaults) to set the connection once.
  diff_mode:
    support: full
    description: Shows the node's role, availability and labels before and after.
seealso:
  - module: labyard.platform.swarm_stack_info
"""

EXAMPLES = r"""
- name: Ensure this node is an edge of the platform
  labyard.platform.swarm_node:
    node: "{{ ansible_facts.hostname }}"
    labels:
      labyard.edge: "true"

- name: Ensure nothing runs on a node that is to be mended
  labyard.platform.swarm_node:
    node: node3
    availability: drain

- name: Ensure a node that is lost is forgotten
  labyard.platform.swarm_node:
    node: node3
    state: absent
"""

RETURN = r"""
node:
  description: The node as it is now; in check mode, as it would be.
  returned: when there is one
  type: dict
  sample:
    id: 8k5fzlt3
    hostname: node3
    role: worker
    availability: drain
    state: ready
    address: 192.0.2.13
    labels: {labyard.edge: "true"}
"""

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._stack.nodes import name_of
from ansible_collections.labyard.platform.plugins.module_utils._swarm.members import (
    change_node,
    strike_off,
    wait_until_empty,
)
from ansible_collections.labyard.platform.plugins.module_utils._swarm.membership import Node, Wanted


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {
        **docker_argument_spec(),
        "node": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "role": {"type": "str", "choices": ["manager", "worker"]},
        "availability": {"type": "str", "choices": ["active", "pause", "drain"]},
        "labels": {"type": "dict", "default": {}},
        "label_prefix": {"type": "str", "default": ""},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what the options say; the result is the module's.

    Raises StackError with a sentence for the person who reads it.
    """
    engine = connect_engine(options)
    try:
        engine.require_manager()
        if options["state"] == "absent":
            gone = strike_off(engine, options["node"], check_mode)
            return {"changed": bool(gone), "diff": {"before": _summary(gone) if gone else {}, "after": {}}}
        before, after = change_node(engine, options["node"], _wanted(options), check_mode)
        if options["availability"] == "drain" and options["wait"] and not check_mode:
            wait_until_empty(engine, after, options["wait_timeout"])
        return {
            "changed": before is not after,
            "node": _summary(after),
            "diff": {"before": _summary(before), "after": _summary(after)},
        }
    finally:
        engine.close()


def _wanted(options: dict[str, Any]) -> Wanted:
    return Wanted(
        role=options["role"],
        availability=options["availability"],
        labels={name: str(text) for name, text in options["labels"].items()},
        label_prefix=options["label_prefix"],
    )


def _summary(node: Node) -> dict[str, Any]:
    spec, status = node["Spec"], node.get("Status") or {}
    return {
        "id": node["ID"],
        "hostname": name_of(node),
        "role": spec.get("Role"),
        "availability": spec.get("Availability"),
        "state": status.get("State"),
        "address": status.get("Addr"),
        "labels": dict(spec.get("Labels") or {}),
    }


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
