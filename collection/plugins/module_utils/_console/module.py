# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a core to the answer of a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .client import ConsoleClient
from .errors import ConsoleError
from .options import connect_console, console_argument_spec

#: Takes the console, the checked options and whether this is check mode; returns the result of the module.
Core = Callable[[ConsoleClient, dict[str, Any], bool], dict[str, Any]]


def run_module(argument_spec: Mapping[str, Any], core: Core) -> None:
    """Be a module: read the options (the connection's too), call ``core``, answer and end the process."""
    module = AnsibleModule(
        argument_spec={**argument_spec, **console_argument_spec()}, supports_check_mode=True
    )
    try:
        result = core(connect_console(module.params), module.params, module.check_mode)
    except ConsoleError as error:
        module.fail_json(msg=str(error), **_without_diff(error.result, module._diff))
    module.exit_json(**_without_diff(result, module._diff))


def _without_diff(result: Mapping[str, Any], wanted: bool) -> dict[str, Any]:
    return {key: value for key, value in result.items() if wanted or key != "diff"}
