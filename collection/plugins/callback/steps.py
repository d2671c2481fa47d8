# Copyright: The Labyard authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Standard output as one line a step, with times: for people who wait for an installation."""

from __future__ import annotations

import os
import threading
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: steps
type: stdout
short_description: One line a step with its time
version_added: 0.1.0
description:
  - Prints one line for each step of a play with the seconds since the start and the step's outcome.
  - Says every few seconds what it is still busy with while a step takes long.
  - Leaves out steps that only look, and steps that were skipped, unless they fail, change something or take
    longer than a second.
  - Ends with a summary, then what M(ansible.builtin.set_stats) hands over as C(labyard_closing_words).
author:
  - The Labyard authors (@labyard)
options:
  still_every:
    description: Seconds between two lines about a step that takes long.
    type: int
    default: 15
    env:
      - name: LABYARD_STEPS_STILL_EVERY
    ini:
      - section: callback_steps
        key: still_every
"""

EXAMPLES = r"""
# ANSIBLE_STDOUT_CALLBACK=labyard.platform.steps ansible-playbook playbooks/local.yml
"""

# Steps whose names begin so bring a state about; others only look.
_ACTING = ("Ensure ", "Wait ")
# These only steer the play; they are worth a line when they fail.
_STEERING = ("include_tasks", "include_role", "assert", "set_fact", "set_stats", "meta")
_LONG = 1.0  # seconds after which a step is shown whatever it does


class CallbackModule(CallbackBase):
    """Shows a play as lines of steps with times."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "labyard.platform.steps"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._start = time.monotonic()
        self._step = None  # name of the running step
        self._step_start = self._start
        self._changed = 0
        self._over = threading.Event()

    # -- what Ansible tells us -------------------------------------------------

    def v2_playbook_on_start(self, playbook):
        threading.Thread(target=self._say_what_takes_long, daemon=True).start()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._step = _step_name(task)
        self._step_start = time.monotonic()

    v2_playbook_on_handler_task_start = v2_playbook_on_task_start
    v2_playbook_on_cleanup_task_start = v2_playbook_on_task_start

    def v2_runner_on_ok(self, result):
        self._finish(result, "changed" if result.result.get("changed") else "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        if ignore_errors:
            return
        self._finish(result, "failed")
        self._write(f"           {_cause(result.result)}")

    def v2_runner_on_unreachable(self, result):
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats):
        self._over.set()
        outcome = f"changed by {self._changed} steps" if self._changed else "nothing changed"
        failed = any(stats.failures.values()) or any(stats.dark.values())
        self._line(f"{'stopped' if failed else 'done'}, {outcome}")
        words = stats.custom.get("_run", {}).get("labyard_closing_words")
        if words and not failed:
            self._write(f"\n{words}")

    # -- lines -----------------------------------------------------------------

    def _finish(self, result, outcome):
        task, seconds = result.task, time.monotonic() - self._step_start
        name = _step_name(task)
        self._step = None
        if outcome == "changed":
            self._changed += 1
        if task.action.endswith("debug"):
            self._line(str(result.result.get("msg", "")).strip())
        elif outcome == "ok" and task.action.rpartition(".")[2] in _STEERING:
            return
        elif outcome != "ok" or seconds >= _LONG or task.name.startswith(_ACTING):
            self._line(f"{name}: {outcome}" + (f", {seconds:.1f} s" if seconds >= _LONG else ""))

    def _say_what_takes_long(self):
        every = int(self.get_option("still_every"))
        said = 0
        while not self._over.wait(1):
            step, seconds = self._step, time.monotonic() - self._step_start
            said = min(said, int(seconds / every))
            if step and seconds / every >= said + 1:
                said = int(seconds / every)
                self._line(f"{step}: still busy, {seconds:.0f} s")

    def _line(self, text):
        self._write(f"[{time.monotonic() - self._start:6.1f} s] {text}")

    @staticmethod
    def _write(text):
        # Straight to the descriptor: a lock held by our thread must not be copied
        # into the processes that Ansible forks.
        os.write(1, f"{text}\n".encode())


def _step_name(task):
    """`role: task`, or the task's name alone outside of a role."""
    role = getattr(task, "_role", None)
    name = task.name or task.action
    return f"{role.get_name(include_role_fqcn=False)}: {name}" if role else name


def _cause(result):
    """The cause of a failure, as plain text on as many lines as it has."""
    for key in ("msg", "stderr", "exception"):
        if result.get(key):
            return str(result[key]).strip()
    return "no cause was given"
