#!/usr/bin/python
# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: a folder for a home in a store that nodes share."""

from __future__ import annotations

DOCUMENTATION = r"""
module: home_store
short_description: Keep folders of homes in a store that nodes share
version_added: 0.1.0
author:
  - The Labyard authors
description:
  - Volumes on a shared store (NFS, CIFS, a bind mount) mount a folder that must be there. This makes it, by a
    container with the store mounted, so that neither this machine nor the people need it.
  - Without C(driver_opts) in O(home), homes are volumes on their nodes, and there is nothing to do.
options:
  home:
    description:
      - Where homes lie, C(driver) and C(driver_opts). C({user}) stands for the home and must be the last part
        of one of the options.
    type: dict
    required: true
  image:
    description:
      - An image of the engine with a shell, for the container.
    type: str
    required: true
  name:
    description:
      - Name of the home. Needed for O(state=present) and O(state=absent).
    type: str
  state:
    description:
      - V(present) makes the folder, with mode 0700, for the user 1000.
      - V(absent) moves it to C(.removed) in the store, and deletes what lies there for longer than
        O(keep_days).
      - V(swept) does only the latter.
      - V(marked) reads the mark of the store, and writes one if there is none. Nodes that read the same
        share it.
    type: str
    choices: [present, absent, swept, marked]
    default: present
  keep_days:
    description:
      - Days for which homes that were moved away can be brought back.
    type: int
    default: 30
extends_documentation_fragment:
  - labyard.platform.docker
attributes:
  check_mode:
    support: full
    description: Says what would be done.
  action_group:
    support: full
    description: Use C(group/labyard.platform.docker) in C(module_defaults) to set the connection once.
  diff_mode:
    support: none
    description: A folder is there or not.
"""

EXAMPLES = r"""
- name: Have a folder for a home on an NFS server
  labyard.platform.home_store:
    home:
      driver_opts: {type: nfs, o: "addr=192.0.2.9,nfsvers=4,rw", device: ":/export/homes/{user}"}
    image: labyard/base:current
    name: notebook-1a2b3c4d
"""

RETURN = r"""
volume:
  description: C(driver) and C(driver_opts) of the home's volume. Empty for one on its node.
  returned: with O(name)
  type: dict
swept:
  description: Names of the homes that were deleted.
  returned: with O(state=absent) and O(state=swept)
  type: list
  elements: str
mark:
  description: The mark of the store. Empty in check mode if it has none.
  returned: with O(state=marked)
  type: str
"""

from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._homes.folders import HomeFolders
from ansible_collections.labyard.platform.plugins.module_utils._homes.store import (
    StoreError,
    check_name,
    read_store,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.engine import (
    connect_engine,
    docker_argument_spec,
)
from ansible_collections.labyard.platform.plugins.module_utils._stack.module import run_module


def argument_spec() -> dict[str, Any]:
    """The options, see DOCUMENTATION."""
    return {
        **docker_argument_spec(),
        "home": {"type": "dict", "required": True},
        "image": {"type": "str", "required": True},
        "name": {"type": "str"},
        "state": {
            "type": "str",
            "choices": ["present", "absent", "swept", "marked"],
            "default": "present",
        },
        "keep_days": {"type": "int", "default": 30},
    }


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """The module's answer; raises StackError with a sentence for the person who reads it."""
    store = read_store(options["home"])
    state, name = options["state"], options["name"]
    if state in ("present", "absent"):
        if not name:
            raise StoreError(f"name: state {state} needs the name of a home.")
        check_name(name)
    volume = store.home(name) if name else {}
    if not store.is_shared:
        return {"changed": False, "volume": volume, "swept": [], "mark": ""}
    folders = HomeFolders(connect_engine(options), store, options["image"])
    if state == "present":
        return {"changed": folders.ensure(name, check_mode), "volume": volume}
    if state == "marked":
        return {"changed": False, "mark": folders.mark(check_mode)}
    moved = state == "absent" and folders.put_away(name, check_mode)
    swept = folders.sweep(options["keep_days"], check_mode)
    return {"changed": moved or bool(swept), "volume": volume, "swept": swept}


def main() -> None:
    """Run the module."""
    run_module(argument_spec(), run)


if __name__ == "__main__":
    main()
