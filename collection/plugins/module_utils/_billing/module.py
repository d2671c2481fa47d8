# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of this package share: from a core to the answer of a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .errors import BillingError

#: Takes the checked options and whether this is check mode; returns the result of the module, in which
#: `warnings` (a list of texts) and `diff` have the meaning that Ansible gives them.
Core = Callable[[dict[str, Any], bool], dict[str, Any]]


def run_module(argument_spec: Mapping[str, Any], core: Core, **settings: Any) -> None:
    """Be a module: read the options, call `core`, answer, end the process. A BillingError fails the task."""
    module = AnsibleModule(argument_spec=dict(argument_spec), supports_check_mode=True, **settings)
    try:
        result = core(module.params, module.check_mode)
    except BillingError as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**{key: value for key, value in result.items() if module._diff or key != "diff"})
