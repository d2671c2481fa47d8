#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: a plan in the catalogue of a console."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_plan
version_added: 0.1.0
short_description: Make, change or retire a plan of the catalogue
author: The Labyard authors (@labyard)
description:
  - Lets the catalogue of a console have a plan, with the fields that the task names.
  - Fields that the task does not name stay as they are.
  - The key must be an admin's.
extends_documentation_fragment:
  - labyard.platform.console
attributes:
  check_mode:
    description: Says what would be done, and does nothing.
    support: full
  diff_mode:
    description: Shows the plan before and after.
    support: full
  action_group:
    description: Use C(group/labyard.platform.console) in C(module_defaults) to set url and key once.
    support: full
options:
  name:
    description: Short name of the plan, never changed once it is used.
    type: str
    required: true
  state:
    description:
      - With V(present), the plan is there as described.
      - With V(absent), nobody can order it any more. Deployments of it go on.
    type: str
    choices: [present, absent]
    default: present
  configuration:
    description:
      - The role that deploys the service, as C(namespace.collection.role).
      - Required for a new plan.
    type: str
  title:
    description: What people read. A new plan's is made of its name.
    type: str
  summary:
    description:
      - What people read below the title.
      - As long as a plan has none of its own, and after it was set to an empty text, people read that of its
        configuration.
    type: str
  fixed:
    description: Parameters that people cannot choose, with their values. All of them.
    type: dict
  shapes:
    description: Sizes that the form offers, each a set of parameters. All of them.
    type: dict
  visible:
    description: Whether people see it in the catalogue; admins always do.
    type: bool
  projects:
    description: Projects whose members see it; an empty list stands for everybody.
    type: list
    elements: str
  source:
    description:
      - The git repository from which the configuration is fetched at each run.
      - An empty mapping stands for a role that is installed on the workers.
      - The console looks at it when the plan is saved, not in check mode; a worker fetches it a few seconds
        later, and until then the plan is not available.
    type: dict
    suboptions:
      repository:
        description:
          - Address of the repository, beginning with C(https://). The host must be one of those from which
            the console may fetch, E(LABYARD_SOURCE_HOSTS).
          - Goes with O(source.ref).
        type: str
      ref:
        description: The full number of a commit, or a tag or branch, which is looked up each time.
        type: str
      path:
        description: Folder of the role in the repository; by default the repository itself.
        type: str
seealso:
  - module: labyard.platform.service_deployment
"""

EXAMPLES = r"""
- name: Offer small notebooks
  labyard.platform.service_plan:
    name: small-notebook
    title: Small notebook
    summary: JupyterLab for a first look.
    configuration: labyard.platform.notebook
    fixed:
      memory_limit: 512
    shapes:
      half:
        cpu_limit: 0.5
      whole:
        cpu_limit: 1.0

- name: Let only admins see them
  labyard.platform.service_plan:
    name: small-notebook
    visible: false

- name: See what would change if they were the lab's alone and came from its git repository
  labyard.platform.service_plan:
    name: small-notebook
    projects: [lab]
    configuration: lab.services.notebook
    source:
      repository: https://git.example.org/lab/services.git
      ref: v1.4
      path: roles/notebook
  check_mode: true
  diff: true

- name: Offer them no more
  labyard.platform.service_plan:
    name: small-notebook
    state: absent
"""

RETURN = r"""
plan:
  description:
    - The plan as the console shows it; in check mode, as it would be.
    - Null if there is none any more.
  returned: success
  type: dict
  sample:
    name: small-notebook
    title: Small notebook
    configuration: labyard.platform.notebook
    visible: true
    available: true
"""

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._console.module import run_module
from ansible_collections.labyard.platform.plugins.module_utils._console.plans import ensure_plan


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION; those of the connection come from the package."""
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "configuration": {"type": "str"},
        "title": {"type": "str"},
        "summary": {"type": "str"},
        "fixed": {"type": "dict"},
        "shapes": {"type": "dict"},
        "visible": {"type": "bool"},
        "projects": {"type": "list", "elements": "str"},
        "source": {
            "type": "dict",
            "options": {"repository": {"type": "str"}, "ref": {"type": "str"}, "path": {"type": "str"}},
            "required_together": [("repository", "ref")],
        },
    }


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), ensure_plan)


if __name__ == "__main__":
    main()
