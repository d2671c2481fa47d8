"""The five states of commands, deployments and tasks, and which may follow which."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class State(IntEnum):
    """A state and its number in the API."""

    INITIATED = 0
    PENDING = 1
    COMPLETED = 5
    REMOVED = 8
    FAILED = 9

    @property
    def final(self) -> bool:
        """Whether a command or task in this state is over."""
        return self in FINAL


class Health(StrEnum):
    """What the swarm shows of a deployment; never guessed from its state."""

    UNKNOWN = "unknown"  # the swarm was not asked yet
    RUNNING = "running"
    STOPPED = "stopped"
    DEGRADED = "degraded"
    MISSING = "missing"


FINAL = frozenset({State.COMPLETED, State.REMOVED, State.FAILED})

COMMAND_MOVES = {
    State.INITIATED: {State.PENDING, State.FAILED},
    State.PENDING: {State.COMPLETED, State.FAILED},
    State.COMPLETED: set(),
    State.FAILED: set(),
}

# A run that was cut off is run again by itself once: its steps begin anew.
TASK_MOVES = {
    State.INITIATED: {State.PENDING, State.COMPLETED, State.FAILED},
    State.PENDING: {State.COMPLETED, State.FAILED, State.INITIATED},
    State.COMPLETED: {State.INITIATED},
    State.FAILED: set(),
}

DEPLOYMENT_MOVES = {
    State.INITIATED: {State.PENDING, State.FAILED},
    State.PENDING: {State.COMPLETED, State.REMOVED, State.FAILED},
    State.COMPLETED: {State.PENDING, State.FAILED},
    State.FAILED: {State.PENDING, State.COMPLETED, State.FAILED},
    State.REMOVED: set(),
}


class TransitionError(Exception):
    """A state cannot follow another; a fault of the program, not of a person."""


def keep_to(moves: dict[State, set[State]], old: State | None, new: State) -> State:
    """`new`, for the column of a row whose state is `old` (None: a new row); else TransitionError."""
    return new if old is None or old == new else check_move(moves, old, new)


def check_move(moves: dict[State, set[State]], old: State, new: State) -> State:
    """`new` if it may follow `old` in the table `moves`, else TransitionError."""
    if new not in moves.get(old, set()):
        raise TransitionError(f"{old.name} cannot become {new.name}")
    return new
