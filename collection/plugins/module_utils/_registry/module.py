# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell of the modules for images and registries: options in, answer or failure out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .errors import RegistryError

#: Options that all modules with an engine share.
ENGINE_OPTIONS: dict[str, Any] = {
    "socket": {"type": "path", "default": "/var/run/docker.sock"},
    "login_folder": {"type": "path", "default": "~/.docker"},
}


def run_module(argument_spec: dict[str, Any], run: Callable[[dict[str, Any], bool], dict[str, Any]]) -> None:
    """Call `run` with options and check mode; a RegistryError fails the task with its words."""
    module = AnsibleModule(argument_spec, supports_check_mode=True)
    try:
        answer = run(module.params, module.check_mode)
    except RegistryError as refused:
        module.fail_json(msg=str(refused))
    diff = answer.pop("diff", None)
    module.exit_json(**answer, **({"diff": diff} if module._diff and diff else {}))
