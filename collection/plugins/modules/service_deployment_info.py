#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: the deployments of a console."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_deployment_info
version_added: 0.1.0
short_description: Tell which deployments a console has
author: The Labyard authors (@labyard)
description:
  - Lists the deployments that the owner of the key may see, their own or an admin's all, newest first;
    what O(search) finds, by name.
  - The list is read to its end, however long it is.
extends_documentation_fragment:
  - labyard.platform.console
attributes:
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
  action_group:
    description: Use C(group/labyard.platform.console) in C(module_defaults) to set url and key once.
    support: full
options:
  name:
    description: Only deployments of exactly this name.
    type: str
  search:
    description: Only deployments whose name begins with this.
    type: str
  plan:
    description: Only deployments of this plan.
    type: str
  project:
    description: Only deployments in this project.
    type: str
  owner:
    description: Only deployments of this user. Those of others are an admin's to see.
    type: str
  state:
    description: Only deployments in this state.
    type: str
    choices: [INITIATED, PENDING, COMPLETED, REMOVED, FAILED]
  health:
    description: Only deployments of this health, as the swarm shows it.
    type: str
    choices: [unknown, running, stopped, degraded, missing]
  removed:
    description: Tell of removed ones too.
    type: bool
    default: false
seealso:
  - module: labyard.platform.service_deployment
"""

EXAMPLES = r"""
- name: Look at all notebooks
  labyard.platform.service_deployment_info:
    plan: notebook
  register: notebooks

- name: Show where they are
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.endpoints | map(attribute='url') | join(' ') }}"
  loop: "{{ notebooks.deployments }}"
  loop_control:
    label: "{{ item.id }}"

- name: Look for what does not run as it should
  labyard.platform.service_deployment_info:
    health: degraded
  register: degraded

- name: Stop if there is something
  ansible.builtin.assert:
    that: degraded.deployments | length == 0
    fail_msg: "{{ degraded.deployments | map(attribute='health_detail') | join(' ') }}"
"""

RETURN = r"""
deployments:
  description: The deployments, newest first, or by name with O(search). None of them holds a secret.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id of the deployment.
      type: str
    name:
      description: Its name, unique for its owner and project.
      type: str
    plan:
      description: Name of its plan.
      type: str
    project:
      description: Its project.
      type: str
    owner:
      description: User name of its owner.
      type: str
    state:
      description: Number of its state, 0 INITIATED, 1 PENDING, 5 COMPLETED, 8 REMOVED, 9 FAILED.
      type: int
    state_name:
      description: Name of its state.
      type: str
    health:
      description: V(running), V(stopped), V(degraded), V(missing) or V(unknown), as the swarm shows it.
      type: str
    health_detail:
      description: What is wrong with its health, in words.
      type: str
    message:
      description: What its last command said.
      type: str
    stack:
      description: Its name on the swarm.
      type: str
    params:
      description: Its parameters, by public name.
      type: dict
    endpoints:
      description: Where it answers, each with C(name) and C(url).
      type: list
      elements: dict
    services:
      description: Its services, each with C(name), C(image), C(replicas) and C(running).
      type: list
      elements: dict
    volumes:
      description: Its data volumes, each with C(name) and C(kept).
      type: list
      elements: dict
    version:
      description: Counts its changes.
      type: int
    created_at:
      description: When it was made (RFC 3339).
      type: str
    updated_at:
      description: When it was changed last.
      type: str
    removed_at:
      description: When it was removed; null if it was not.
      type: str
  sample:
    - id: k3v9x2ab
      name: demo
      plan: notebook
      project: default
      owner: ada
      state: 5
      state_name: COMPLETED
      health: running
      endpoints:
        - {name: JupyterLab, url: "http://127.0.0.1:20000/lab"}
"""

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._console.client import ConsoleClient
from ansible_collections.labyard.platform.plugins.module_utils._console.listing import list_deployments
from ansible_collections.labyard.platform.plugins.module_utils._console.module import run_module

STATES = ["INITIATED", "PENDING", "COMPLETED", "REMOVED", "FAILED"]
HEALTHS = ["unknown", "running", "stopped", "degraded", "missing"]


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION; those of the connection come from the package."""
    texts: dict[str, Any] = {name: {"type": "str"} for name in ("name", "search", "plan", "project", "owner")}
    return {
        **texts,
        "state": {"type": "str", "choices": STATES},
        "health": {"type": "str", "choices": HEALTHS},
        "removed": {"type": "bool", "default": False},
    }


def run(client: ConsoleClient, options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Look at the deployments; the result is the module's. Raises ConsoleError."""
    return {"changed": False, "deployments": list_deployments(client, options)}


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
