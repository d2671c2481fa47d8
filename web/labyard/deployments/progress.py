"""Taking over what a run says while it goes on: its events, its steps, its lease."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from labyard.artifacts.outcome import event_text, read_events
from labyard.artifacts.steps import (
    DONE,
    FAILED,
    RUNNING,
    WAITING,
    Step,
    event_time,
    follow_steps,
    task_name,
)
from labyard.models import Command, Event, Run, State, Task
from labyard.runs.claim import hold_command

_STATE_OF = {WAITING: State.INITIATED, RUNNING: State.PENDING, DONE: State.COMPLETED, FAILED: State.FAILED}
_WORD_OF = {state: word for word, state in _STATE_OF.items()}
_BATCH = 200  # rows


def take_events(session: Session, command_id: str, fence: int, artifacts: Path) -> int:
    """Take over the events in `artifacts` that are not in the database yet; how many there were.

    Raises LeaseLost if the claim `fence` is no longer the last one.
    """
    command = hold_command(session, command_id, fence)
    run = next(r for r in command.runs if r.fence == fence)
    events = list(read_events(artifacts, run.last_counter))
    if not events:
        return 0
    rows = [_row(command, run, event) for event in events]
    for start in range(0, len(rows), _BATCH):
        session.execute(insert(Event), rows[start : start + _BATCH])
    run.last_counter = events[-1]["counter"]
    write_steps(command, follow_steps(read_steps(command), events))
    return len(events)


def read_steps(command: Command) -> list[Step]:
    """The command's task rows as steps."""
    return [
        Step(task.name, _WORD_OF[task.state], task.started_at, task.ended_at, task.error)
        for task in command.tasks
    ]


def write_steps(command: Command, steps: Sequence[Step]) -> None:
    """The steps as the command's task rows."""
    for task, step in zip(command.tasks, steps, strict=True):
        _write_step(task, step)


def _write_step(task: Task, step: Step) -> None:
    task.state = _STATE_OF[step.state]
    task.started_at = step.started
    task.ended_at = step.ended
    task.seconds = step.seconds
    task.error = step.error


def _row(command: Command, run: Run, event: dict[str, Any]) -> dict[str, Any]:
    return {
        "command_id": command.id,
        "run_id": run.id,
        "counter": event["counter"],
        "at": event_time(event),
        "kind": str(event.get("event", ""))[:64],
        "task": task_name(event),
        "text": event_text(event),
    }
