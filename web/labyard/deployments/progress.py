"""Taking over what a run says while it goes on: its events, its steps, its lease."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from labyard.artifacts.events import EventTail, event_text, read_events
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


class Follower:
    """Takes over the events of one run as they come.

    It looks at a file first: while nothing new is in it, the database is left in peace.
    """

    def __init__(self, command_id: str, fence: int, artifacts: Path):
        self._claim = (command_id, fence)
        self._tail = EventTail(artifacts)
        self._waiting: list[dict[str, Any]] = []

    def has_news(self) -> bool:
        """Look at the file; whether there are events that were not taken over."""
        self._waiting.extend(self._tail.look())
        return bool(self._waiting)

    def take(self, session: Session) -> None:
        """Write the news into the database; say `taken` after the commit. Raises LeaseLost."""
        take_over(session, *self._claim, self._waiting)

    def taken(self) -> None:
        """What was written is there for good."""
        self._waiting = []


def take_events(session: Session, command_id: str, fence: int, artifacts: Path) -> int:
    """Take over the events in `artifacts` that are not in the database yet; how many there were.

    Raises LeaseLost if the claim `fence` is no longer the last one.
    """
    return take_over(session, command_id, fence, read_events(artifacts))


def take_over(session: Session, command_id: str, fence: int, events: Iterable[dict[str, Any]]) -> int:
    """Take over those of `events` that are not in the database yet; how many there were.

    Raises LeaseLost if the claim `fence` is no longer the last one.
    """
    command = hold_command(session, command_id, fence)
    run = next(r for r in command.runs if r.fence == fence)
    new = [event for event in events if event["counter"] > run.last_counter]
    if not new:
        return 0
    rows = [_row(command, run, event) for event in new]
    for start in range(0, len(rows), _BATCH):
        session.execute(insert(Event), rows[start : start + _BATCH])
    run.last_counter = new[-1]["counter"]
    write_steps(command, follow_steps(read_steps(command), new))
    return len(new)


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
