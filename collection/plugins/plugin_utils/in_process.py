# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module's core without a process of its own where the host is this very machine.

Packing a module, starting Python for it and importing what it needs takes half a second; asking
the engine takes hundredths. Where a module would run on this machine, as this user, with the same
environment, its core is called directly. Everywhere else it runs as any module does.

"Directly" is in the worker that Ansible forks for the task: SIGTERM and the keyword `timeout` end it, what it
prints does not reach the output, and nothing of it is left for the next task.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator
from ansible.module_utils.common.json import Direction, get_module_decoder, get_module_encoder
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase

from ansible_collections.labyard.platform.plugins.module_utils._stack.module import Core, call_core

_PROFILE = "legacy"  # that of modules which import AnsibleModule as all of ours do


class InProcessAction(ActionBase):
    """Base of the action plugins of modules whose core is `run(options, check_mode) -> result`."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    argument_spec: Mapping[str, Any]
    core: Core

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """The module's result, whichever way it ran."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if not self._is_here(task_vars or {}):
            wrap = self._task.async_val and not self._connection.has_native_async
            return {**result, **self._execute_module(task_vars=task_vars, wrap_async=wrap)}
        checked = ModuleArgumentSpecValidator(dict(self.argument_spec)).validate(as_sent(self._task.args))
        if checked.error_messages:
            return {**result, "failed": True, "msg": self._words_for(checked.errors)}
        options = checked.validated_parameters
        answer = call_core(
            type(self).core, options, check_mode=self._task.check_mode, diff=bool(self._task.diff)
        )
        return {**result, **answer, "invocation": {"module_args": options}}

    def _words_for(self, errors: Any) -> str:
        """What a module says of options that it cannot take."""
        message = str(errors.msg)
        if isinstance(errors[0], UnsupportedError):
            return f"Unsupported parameters for ({self._task.action}) module: {message}"
        return message

    def _is_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether a module would run on this machine with nothing that sets it apart from us."""
        return (
            self._connection.transport == "local"
            and not self._play_context.become
            and not self._task.async_val
            and not any(self._task.environment or ())
            and self._is_our_python(task_vars)
            and importlib.util.find_spec("docker") is not None
        )

    def _is_our_python(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether a module would be run by our Python, or by whichever is found."""
        if self._task.delegate_to:
            task_vars = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        interpreter = str(self._templar.template(task_vars.get("ansible_python_interpreter", "auto")))
        return interpreter.startswith("auto") or _is_ours(interpreter)


def as_sent(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a task as a module gets them: plain values, without Ansible's tags, secrets opened."""
    text = json.dumps(dict(arguments), cls=get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE))
    sent: dict[str, Any] = json.loads(text, cls=get_module_decoder(_PROFILE, Direction.CONTROLLER_TO_MODULE))
    return sent


def _is_ours(interpreter: str) -> bool:
    """Whether `interpreter` is the Python that runs us; python and python3 of one folder are the same."""
    theirs, ours = Path(interpreter), Path(sys.executable)
    return theirs.parent == ours.parent and theirs.exists() and theirs.samefile(ours)
