# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module's core without a process of its own where the host is this very machine.

Packing a module, starting Python for it and importing what it needs takes half a second; asking
the engine takes hundredths. Where a module would run on this machine, as this user, with the same
environment, its core is called directly. Everywhere else it runs as any module does.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.labyard.platform.plugins.module_utils._stack.errors import StackError

Core = Callable[[dict[str, Any], bool], dict[str, Any]]


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
        _, options = self.validate_argument_spec(dict(self.argument_spec))
        try:
            return {**result, **type(self).core(options, self._task.check_mode)}
        except StackError as error:
            return {**result, "failed": True, "msg": str(error)}

    def _is_here(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether a module would run on this machine with nothing that sets it apart from us."""
        interpreter = str(self._templar.template(task_vars.get("ansible_python_interpreter", "auto")))
        return (
            self._connection.transport == "local"
            and not self._play_context.become
            and not self._task.async_val
            and not any(self._task.environment or ())
            and (interpreter.startswith("auto") or _is_ours(interpreter))
            and importlib.util.find_spec("docker") is not None
        )


def _is_ours(interpreter: str) -> bool:
    """Whether `interpreter` is the Python that runs us; python and python3 of one folder are the same."""
    theirs, ours = Path(interpreter), Path(sys.executable)
    return theirs.parent == ours.parent and theirs.exists() and theirs.samefile(ours)
