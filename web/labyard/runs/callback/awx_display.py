# Copyright: The Labyard authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play says, as one line of JSON for each event, in the run's artifacts.

ansible-runner loads the callback `awx_display` from the folder that AWX_LIB_DIRECTORY names, and takes
its own where that is not set. Its own writes each event to a file of its own and sends its name through
the terminal to a parent, which writes it to another; on 200 tasks that costs a third of the play. This
one writes an event once, and takes the run's secrets out before it does.

A line has the keys that the console reads: `counter` (from 1, without a gap), `event` (ansible-runner's
name), `created` (ISO 8601 in UTC), `stdout` (what the event printed) and `event_data` (task, role,
host, res ...).
"""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.executor.task_result import CallbackTaskResult
from ansible.plugins.callback.default import CallbackModule as Default

from labyard.runs.ident import ARTIFACTS_VARIABLE, EVENTS
from labyard.runs.redact import redact_event

DOCUMENTATION = """
name: awx_display
type: stdout
short_description: Events of a play as lines of JSON
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

_LARGEST = 1024 * 1024  # characters of a line; a result that makes it longer is left out but for its message
_KINDS = {"[ERROR]": "error", "[WARNING]": "warning", "[DEPRECATION WARNING]": "deprecated"}


class CallbackModule(Default):
    """The default callback; what it prints goes into the event that it prints it for."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "awx_display"

    def __init__(self) -> None:
        super().__init__()
        artifacts = Path(os.environ[ARTIFACTS_VARIABLE])
        request = json.loads((artifacts.parents[1] / "request.json").read_text(encoding="utf-8"))
        self._file = EventFile(artifacts / EVENTS, tuple(request["secrets"].values()))
        self._printed: list[str] | None = None  # by the event at hand; None between events
        self._lock = threading.RLock()  # a thread of Ansible's hands in what its workers print
        self._pid = os.getpid()
        self._display_as_ever = self._display.display
        self._display.display = self._take_text

    # -- text ------------------------------------------------------------------

    def _take_text(self, msg: str, *arguments: Any, **options: Any) -> None:
        """Stands in for Display.display, which all of its other methods end in."""
        if os.getpid() != self._pid:
            self._display_as_ever(msg, *arguments, **options)  # a worker: it comes back by way of the parent
            return
        if not options.get("screen_only"):
            self._display_as_ever(msg, *arguments, **{**options, "log_only": True})
        if options.get("log_only"):
            return
        text = msg if msg.endswith("\n") or not options.get("newline", True) else f"{msg}\n"
        with self._lock:
            if self._printed is None:
                self._file.write(_kind_of(text), text, {})
            else:
                self._printed.append(text)

    @contextmanager
    def _event(self, kind: str, data: Mapping[str, Any]) -> Any:
        """An event whose text is all that is printed meanwhile."""
        with self._lock:
            self._printed = []
            try:
                yield
            finally:
                printed, self._printed = "".join(self._printed), None
                self._file.write(kind, printed, data)

    # -- what Ansible tells us -------------------------------------------------

    def v2_playbook_on_play_start(self, play: Any) -> None:
        with self._event("playbook_on_play_start", {"name": play.get_name().strip()}):
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        with self._event("playbook_on_task_start", _about_task(task)):
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        with self._event("playbook_on_task_start", _about_task(task)):
            super().v2_playbook_on_handler_task_start(task)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        data = {**_about_result(result), "ignore_errors": bool(ignore_errors)}
        with self._event("runner_on_failed", data):
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        with self._event("playbook_on_no_hosts_matched", {}):
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        with self._event("playbook_on_no_hosts_remaining", {}):
            super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_include(self, included_file: Any) -> None:
        with self._event("playbook_on_include", {"included_file": included_file._filename}):
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        names = ("changed", "dark", "failures", "ignored", "ok", "processed", "rescued", "skipped")
        data = {name: getattr(stats, name) for name in names}
        with self._event("playbook_on_stats", {**data, "artifact_data": stats.custom.get("_run", {})}):
            super().v2_playbook_on_stats(stats)


def _telling_of_result(name: str, event: str) -> Callable[[CallbackModule, CallbackTaskResult], None]:
    """A method that tells of a task's result as `event` and prints what the default callback prints."""

    @functools.wraps(getattr(Default, name))
    def tell(self: CallbackModule, result: CallbackTaskResult) -> None:
        with self._event(event, _about_result(result)):
            getattr(Default, name)(self, result)

    return tell


for _name, _kind in {
    "v2_runner_on_ok": "runner_on_ok",
    "v2_runner_on_skipped": "runner_on_skipped",
    "v2_runner_on_unreachable": "runner_on_unreachable",
    "v2_runner_item_on_ok": "runner_item_on_ok",
    "v2_runner_item_on_failed": "runner_item_on_failed",
    "v2_runner_item_on_skipped": "runner_item_on_skipped",
    "v2_runner_retry": "runner_retry",
    "v2_on_file_diff": "runner_on_file_diff",
    "v2_runner_on_async_poll": "runner_on_async_poll",
    "v2_runner_on_async_ok": "runner_on_async_ok",
    "v2_runner_on_async_failed": "runner_on_async_failed",
}.items():
    setattr(CallbackModule, _name, _telling_of_result(_name, _kind))


class EventFile:
    """A file of events, readable by its owner alone; without `secrets`, each line written at once."""

    def __init__(self, path: Path, secrets: tuple[str, ...]):
        self._secrets = secrets
        self._counter = 0
        self._cut_off = False  # the last line was not written whole: no space was left on the disk
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def write(self, kind: str, text: str, data: Mapping[str, Any]) -> None:
        """Add an event. Raises OSError; its counter is missing then, so that the loss is seen."""
        self._counter += 1
        event = {
            "counter": self._counter,
            "event": kind,
            "created": datetime.now(UTC).isoformat(),
            "stdout": text,
            "event_data": data,
        }
        line = json.dumps(event, default=str, skipkeys=True)
        if self._secrets or len(line) > _LARGEST:
            # By way of JSON: what is redacted is what will be read, whatever types a result is made of.
            event = json.loads(line)
            redact_event(event, self._secrets)
            line = json.dumps(event if len(line) <= _LARGEST else _shortened(event))
        self._put(f"\n{line}\n" if self._cut_off else f"{line}\n")

    def _put(self, text: str) -> None:
        content = text.encode()
        self._cut_off = True
        if os.write(self._descriptor, content) < len(content):
            raise OSError("an event was not written whole: no space is left for the run's artifacts")
        self._cut_off = False


def _about_task(task: Any, name: str = "") -> dict[str, Any]:
    about = {"task": name or task.name or task.action, "task_action": task.action}
    role = getattr(task, "_role", None)
    return {**about, "role": role.get_name()} if role else about


def _about_result(result: CallbackTaskResult) -> dict[str, Any]:
    about = _about_task(result.task, result.task_fields.get("name") or "")
    return {**about, "host": result.host.get_name(), "res": dict(result.result)}


def _kind_of(text: str) -> str:
    return next((kind for mark, kind in _KINDS.items() if text.lstrip().startswith(mark)), "verbose")


def _shortened(event: dict[str, Any]) -> dict[str, Any]:
    data = event["event_data"]
    message = str((data.get("res") or {}).get("msg") or "")
    about = {key: data.get(key) for key in ("task", "role", "host", "ignore_errors") if key in data}
    return {
        **event,
        "stdout": event["stdout"][: _LARGEST // 4],
        "event_data": {**about, "res": {"msg": message[: _LARGEST // 4]}},
    }
