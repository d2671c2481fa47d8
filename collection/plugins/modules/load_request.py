# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of this name; the work is done in plugins/action/load_request.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: load_request
short_description: Bring a request file into a play, checked and as plain data
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Reads a request file, checks it against the argument spec and the sidecar of the service role, and
    returns the values for M(ansible.builtin.set_fact).
  - Extra-vars, inventories and vars files are templated, so whatever a person typed into one of them
    is code. Values returned by this action are not. A text such as C({{ lookup('pipe', 'id') }}) stays
    the text it is.
  - Runs on the controller and needs no connection to the host.
options:
  path:
    description:
      - The request file, JSON, readable by its owner alone (mode C(0600)). See the examples.
      - Keys are V(plan) (the name of a plan, or a plan itself), V(phase), V(name), V(params), and, where a
        console keeps the deployment, V(deployment), V(secrets) and V(steps_done), the names of steps that
        an earlier run completed and that are not to be run again.
    type: str
    required: true
  plans_file:
    description:
      - YAML list of plans in which a plan given by its name is looked up.
    type: str
  secrets_dir:
    description:
      - Folder in which secrets that did not come with the request are kept, in a folder for each
        deployment. They are made by the phase C(install), once.
      - Defaults to C(secrets) in E(LABYARD_HOME), or in C(.local) of the current folder.
    type: str
attributes:
  check_mode:
    support: full
    description: Makes no secret.
  diff_mode:
    support: none
    description: There is nothing to compare.
notes:
  - Secrets that come with a request are written to a private folder beside it, C(<request file>.secrets).
    Who removes the request file removes this folder as well.
"""

EXAMPLES = r"""
# The request file demo.json:
#   {"plan": "notebook", "phase": "install", "name": "demo", "params": {"cpu_limit": 2}}
- name: Read the request
  labyard.platform.load_request:
    path: demo.json
    plans_file: plans.yml
  register: labyard_loaded

- name: Take over its values
  ansible.builtin.set_fact:
  args: "{{ labyard_loaded.variables }}"
  no_log: true

# What runs says by its labels whose it is and which shape it has, for the bill.
- name: Run the phase
  module_defaults:
    labyard.platform.swarm_stack:
      container_labels: "{{ labyard_deployment.container_labels }}"
  block:
    - name: Run the phase
      ansible.builtin.include_role:
        name: "{{ labyard_configuration }}"
        tasks_from: "{{ labyard_phase }}"
"""

RETURN = r"""
variables:
  description:
    - One variable for each option that was given or that the plan fixes, by the name of the role's option.
    - C(labyard_configuration), C(labyard_phase), and C(labyard_given), the list of these options.
    - C(labyard_deployment) with id, name, plan, project, owner, stack (its name on the swarm), labels, and
      container_labels for what runs.
    - C(labyard_steps_done), the names of the steps that an earlier run completed; a task skips itself with
      C(when).
    - C(labyard_secret_files), the path of the file of each secret. Secrets themselves are never variables.
    - C(labyard_secrets_folder), the folder of the secrets kept for this deployment, empty if there is none.
  returned: success
  type: dict
errors:
  description: What is wrong, by the place in the request.
  returned: failure
  type: dict
  sample:
    cpu_limit: must be between 0.1 and 64 cores
"""
