#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: a deployment of a console's plan."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_deployment
version_added: 0.1.0
short_description: Make, change, start, stop or remove a deployment of a plan
author: The Labyard authors (@labyard)
description:
  - Lets a console have a deployment as the task describes it. What differs is changed by the phases of the
    service; what is as it should be is left alone.
  - The deployment belongs to O(owner), by default the owner of the key. Its name is unique among theirs in
    a project.
  - A request is named by its content. A task that is run twice at the same time, or sent again because no
    answer came, makes nothing twice.
  - If a command is running on the deployment already, the task waits until that has ended, and only then
    decides what is to be done.
extends_documentation_fragment:
  - labyard.platform.console
attributes:
  check_mode:
    description:
      - Says which phases would be run, and does nothing. The console looks at values, and at what the swarm
        has left, only when it is asked for the phase.
    support: full
  diff_mode:
    description:
      - Shows plan, health and parameters before and after. What stands under a name like C(password),
        C(secret), C(token) or C(key) is not shown.
    support: full
  action_group:
    description: Use C(group/labyard.platform.console) in C(module_defaults) to set url and key once.
    support: full
options:
  name:
    description: Name of the deployment.
    type: str
    required: true
  state:
    description:
      - With V(present), it is there with O(params), whether it runs or not. A new one is started. One whose
        last command failed is installed again, if it never was, or else updated.
      - With V(started), it is there and runs, as the swarm shows it.
      - With V(stopped), it is there and nothing of it runs.
      - With V(absent), it is removed.
    type: str
    choices: [present, absent, started, stopped]
    default: present
  plan:
    description:
      - Name of the plan.
      - Required for a new deployment. That of one which is there cannot be changed.
    type: str
  project:
    description: One of the owner's projects; the first by default.
    type: str
  owner:
    description:
      - User name of the person whose deployment it is. Naming somebody else takes an admin's key; the
        console's audit trail says who asked.
      - The owner of the key by default.
    type: str
  params:
    description:
      - Parameters of the service, by the names that C(labyard listservices) shows.
      - Those that are not named have their defaults in a new deployment, and stay as they are in one that is
        there.
    type: dict
    default: {}
  keep_data:
    description:
      - With O(state=absent), whether the data volumes outlive the deployment; with V(false), what is in them
        is lost.
      - If not set, the service's own default counts, which is to keep them.
    type: bool
  wait:
    description:
      - Wait until the phases have ended, and fail if one does.
      - With V(false), the first phase is asked for and not waited for; where more are needed, a further run
        of the task asks for the next.
    type: bool
    default: true
  wait_timeout:
    description: Seconds for everything, commands that were running already included.
    type: int
    default: 600
seealso:
  - module: labyard.platform.service_deployment_info
  - module: labyard.platform.service_plan
"""

EXAMPLES = r"""
- name: Ensure a notebook runs
  labyard.platform.service_deployment:
    name: demo
    plan: notebook
    state: started
    params:
      cpu_limit: 0.5
      memory_limit: 512
  register: demo

- name: Show where it is
  ansible.builtin.debug:
    msg: "{{ demo.deployment.endpoints | map(attribute='url') | join(' ') }}"

- name: Give it more memory
  labyard.platform.service_deployment:
    name: demo
    params:
      memory_limit: 768

- name: Stop it for the night
  labyard.platform.service_deployment:
    name: demo
    state: stopped

- name: Ensure Ada has a notebook
  labyard.platform.service_deployment:
    name: demo
    plan: notebook
    owner: ada

- name: Remove it with its files
  labyard.platform.service_deployment:
    name: demo
    state: absent
    keep_data: false
"""

RETURN = r"""
deployment:
  description:
    - The deployment as the console shows it, with C(id), C(state_name), C(health), C(endpoints), C(params)
      and more; see M(labyard.platform.service_deployment_info).
    - Null if there is none. In check mode, as it is now.
  returned: success, and failure of a command
  type: dict
  sample:
    id: k3v9x2ab
    name: demo
    plan: notebook
    state_name: COMPLETED
    health: running
    endpoints:
      - {name: JupyterLab, url: "http://127.0.0.1:20000/lab"}
phases:
  description: The phases that were asked for, or in check mode would be, in order.
  returned: success, and failure of a command
  type: list
  elements: str
  sample: [update, start]
commands:
  description:
    - The commands of these phases, each with C(id), C(phase), C(state_name), C(reason), C(message) and its
      C(tasks).
  returned: success, and failure of a command
  type: list
  elements: dict
  sample:
    - {id: 8m2kq0x7yt1c, phase: install, state_name: COMPLETED, reason: null, message: The notebook runs.}
"""

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._console.client import ConsoleClient
from ansible_collections.labyard.platform.plugins.module_utils._console.deployments import Conductor
from ansible_collections.labyard.platform.plugins.module_utils._console.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._console.steps import Wanted

STATES = ["present", "absent", "started", "stopped"]


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION; those of the connection come from the package."""
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": STATES, "default": "present"},
        "plan": {"type": "str"},
        "project": {"type": "str"},
        "owner": {"type": "str"},
        "params": {"type": "dict", "default": {}},
        "keep_data": {"type": "bool"},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 600},
    }


def run(client: ConsoleClient, options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the deployment to what `options` describe; the result is the module's.

    Raises ConsoleError with a sentence for the person who reads it.
    """
    wanted = Wanted(
        state=options["state"],
        name=options["name"],
        plan=options["plan"],
        project=options["project"] or "",
        owner=options["owner"] or None,
        params=options["params"] or {},
        keep_data=options["keep_data"],
    )
    conductor = Conductor(client, wanted, wait=options["wait"], timeout=options["wait_timeout"])
    return conductor.preview() if check_mode else conductor.ensure()


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
