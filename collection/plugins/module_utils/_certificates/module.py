# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell of the module for certificates: options in, answer or failure out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .errors import CertificateError


def run_module(
    argument_spec: dict[str, Any],
    run: Callable[[dict[str, Any], bool, datetime], dict[str, Any]],
    **settings: Any,
) -> None:
    """Call `run` with options, check mode and the time; a CertificateError fails the task in its words."""
    module = AnsibleModule(argument_spec, supports_check_mode=True, **settings)
    if importlib.util.find_spec("cryptography") is None:
        module.fail_json(msg=missing_required_lib("cryptography"))
    try:
        answer = run(module.params, module.check_mode, datetime.now(UTC))
    except CertificateError as refused:
        module.fail_json(msg=str(refused))
    left = f"{answer['days_left']} days left\n" if answer["not_after"] else ""
    diff = {"before": left, "after": f"made anew: {answer['reason']}\n" if answer["changed"] else left}
    module.exit_json(**answer, **({"diff": diff} if module._diff else {}))
