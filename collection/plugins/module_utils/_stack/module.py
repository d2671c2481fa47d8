# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all modules of this package share: from a core to the answer of a module.

A core is a function ``(options, check_mode) -> result``. It knows nothing of Ansible, so that it runs the
same in a module's own process (:func:`run_module`) and in Ansible's (``plugin_utils/in_process.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .errors import StackError

#: Takes the checked options and whether this is check mode; returns the result of the module, in which
#: ``failed``, ``warnings`` (a list of texts) and ``diff`` have the meaning that Ansible gives them.
Core = Callable[[dict[str, Any], bool], dict[str, Any]]


def call_core(core: Core, options: dict[str, Any], *, check_mode: bool, diff: bool) -> dict[str, Any]:
    """The result of ``core``, without ``diff`` where nobody asked for it; a StackError is a failure."""
    try:
        result = core(options, check_mode)
    except StackError as error:
        return {"failed": True, "msg": str(error)}
    return result if diff else {key: value for key, value in result.items() if key != "diff"}


def run_module(argument_spec: Mapping[str, Any], core: Core) -> None:
    """Be a module: read the options, call ``core``, write the answer and end the process."""
    module = AnsibleModule(argument_spec=dict(argument_spec), supports_check_mode=True)
    result = call_core(core, module.params, check_mode=module.check_mode, diff=module._diff)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
