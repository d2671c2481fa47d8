"""A run's artifact folder as a RunOutcome. Pure but for reading files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .events import clean_text, event_text, read_events
from .steps import task_name

# What Ansible says when one of its own processes was killed, by a person or for want of memory.
_DEAD_WORKER = "A worker was found in a dead state"
_FAILURES = ("runner_on_failed", "runner_on_unreachable", "runner_item_on_failed")


@dataclass(frozen=True)
class RunOutcome:
    """What is believed about a run: `rc`, `status`, its events and the result document."""

    succeeded: bool
    finished: bool  # rc and status were written: the run came to a clean end
    exit_code: int | None
    status: str  # ansible-runner's word, "" if it was never written
    result: Mapping[str, Any] | None  # labyard_result
    error: str  # the cause in a sentence, "" if it succeeded
    events: int  # how many events there are
    failed_task: str = ""
    lost_events: int = 0  # counters without an event
    raw: Mapping[str, Any] = field(default_factory=dict)


def read_outcome(folder: Path) -> RunOutcome:
    """Read the artifacts in `folder` (private_data_dir/artifacts/<ident>)."""
    exit_code = _read_number(folder / "rc")
    status = _read_text(folder / "status")
    events = list(read_events(folder))
    finished = exit_code is not None and status != "" and not _lost_a_worker(events)
    result = _find_result(events)
    succeeded = finished and exit_code == 0 and status == "successful" and result is not None
    task, error = ("", "") if succeeded else _find_error(events, folder, finished, result)
    last = max((e["counter"] for e in events), default=0)
    return RunOutcome(
        succeeded=succeeded,
        finished=finished,
        exit_code=exit_code,
        status=status,
        result=result if succeeded else None,
        error=error,
        events=len(events),
        failed_task=task,
        lost_events=last - len(events),
    )


def _lost_a_worker(events: list[dict[str, Any]]) -> bool:
    """Whether the play ended because a part of it was killed: nobody knows how far its task came."""
    return any(event.get("event") == "error" and _DEAD_WORKER in event_text(event) for event in events)


def _find_result(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    for event in reversed(events):
        if event.get("event") == "playbook_on_stats":
            data = (event.get("event_data") or {}).get("artifact_data") or {}
            result = data.get("labyard_result")
            return result if isinstance(result, dict) else None
    return None


def _find_error(
    events: list[dict[str, Any]], folder: Path, finished: bool, result: Mapping[str, Any] | None
) -> tuple[str, str]:
    """The task that failed and why, in words a person understands."""
    for event in reversed(events):
        data = event.get("event_data") or {}
        if event.get("event") in _FAILURES and not data.get("ignore_errors"):
            return task_name(event), _failure_words(data.get("res") or {})
    if not finished:
        return "", "The run was cut off before it ended: its process is gone."
    if not events:
        return "", _startup_words(folder)
    broken = [event_text(e) for e in events if e.get("event") == "error" and event_text(e)]
    if broken:
        return task_name(events[-1]), _one_paragraph(broken[-1].removeprefix("[ERROR]: "))
    if result is None:
        return "", "The play ended without a result (labyard_result): its role does not end with set_stats."
    return "", "The play ended with an error that names no task; see the log."


def _failure_words(result: Mapping[str, Any]) -> str:
    for item in result.get("results") or ():
        if isinstance(item, Mapping) and item.get("failed") and item.get("msg"):
            return _one_paragraph(item["msg"])
    if result.get("censored") and not result.get("msg"):
        return "A step that handles secrets failed; its output is hidden."
    return _one_paragraph(result.get("msg") or "The step failed and gave no reason.")


def _startup_words(folder: Path) -> str:
    """Ansible did not come as far as a play: its own last words say why."""
    for name in ("stderr", "stdout"):
        lines = [clean_text(line).strip() for line in _read_text(folder / name).splitlines()]
        errors = [line for line in lines if "ERROR" in line]
        if errors:
            return _one_paragraph(f"Ansible did not start the play: {errors[-1]}")
    return "Ansible did not start the play and gave no reason."


def _one_paragraph(text: Any) -> str:
    """`text` as one line of at most 1,000 characters; a trace back is left to the log."""
    words = clean_text(str(text)).split("Traceback (most recent call last)")[0]
    words = " ".join(words.split()) or "An unexpected error; the log has its details."
    return words if len(words) <= 1000 else words[:997] + "..."


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _read_number(path: Path) -> int | None:
    text = _read_text(path)
    return int(text) if re.fullmatch(r"-?\d+", text) else None
