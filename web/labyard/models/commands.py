"""Commands, their tasks, their runs and the events of these."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from labyard.clock import utc_now

from .accounts import User
from .base import StateNumber, db, random_id, utc_column
from .deployments import Deployment
from .states import COMMAND_MOVES, TASK_MOVES, State, keep_to


def _of_deployment(column: str) -> Callable[[Any], int]:
    """What a new command copies from its deployment."""

    def copy(insert: Any) -> int:
        wanted = insert.get_current_parameters()["deployment_id"]
        query = select(getattr(Deployment, column)).where(Deployment.id == wanted)
        # 0: no such deployment, which the foreign key refuses in its own words
        return int(insert.connection.scalar(query) or 0)

    return copy


class Command(db.Model):
    """A request to run one phase for a deployment. The row is the truth; a queue only points at it."""

    __tablename__ = "commands"
    __table_args__ = (
        # One command at a time for each deployment: 0 and 1 are the states that are not final.
        Index(
            "uq_commands_running",
            "deployment_id",
            unique=True,
            sqlite_where=text("state IN (0, 1)"),
            postgresql_where=text("state IN (0, 1)"),
        ),
        # What lists filter and sort by, and where a page goes on.
        Index("ix_commands_created_at_id", "created_at", "id"),
        Index("ix_commands_owner_id_created_at_id", "owner_id", "created_at", "id"),
        Index("ix_commands_plan_id_created_at_id", "plan_id", "created_at", "id"),
        Index("ix_commands_project_id_created_at_id", "project_id", "created_at", "id"),
        Index("ix_commands_deployment_id_created_at_id", "deployment_id", "created_at", "id"),
        Index("ix_commands_state_created_at_id", "state", "created_at", "id"),
        Index("ix_commands_phase_created_at_id", "phase", "created_at", "id"),
        # Who was served when: the fair order asks for the last start of a person's commands.
        Index("ix_commands_issuer_id_started_at", "issuer_id", "started_at"),
    )

    id: Mapped[str] = mapped_column(String(12), primary_key=True, default=lambda: random_id(12))
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"))
    # Copies of what never changes of the deployment: so one index lists a person's commands by time.
    owner_id: Mapped[int] = mapped_column(default=_of_deployment("owner_id"))
    plan_id: Mapped[int] = mapped_column(default=_of_deployment("plan_id"))
    project_id: Mapped[int] = mapped_column(default=_of_deployment("project_id"))
    issuer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    phase: Mapped[str] = mapped_column(String(16))
    params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # by public name
    state: Mapped[State] = mapped_column(StateNumber(), default=State.INITIATED)
    reason: Mapped[str | None] = mapped_column(
        String(32)
    )  # for programs: failed, timeout, cancelled, lost ...
    message: Mapped[str] = mapped_column(Text, default="")  # for people: the cause in a sentence
    timeout: Mapped[int] = mapped_column(default=600)  # seconds a run may last
    # A larger number goes first; only operators may ask for more than 0.
    priority: Mapped[int] = mapped_column(default=0)
    # Only say what would change: the run is one in Ansible's check mode, the deployment stays as it is.
    check_only: Mapped[bool] = mapped_column(default=False)
    # What the run changed or, for `check_only`, would change: [{"object", "before", "after"}].
    difference: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    # The failed command that this one repeats, and the steps of it that need not be run again.
    retry_of: Mapped[str | None] = mapped_column(String(12))
    steps_done: Mapped[list[str]] = mapped_column(JSON, default=list)
    # The commit of the configuration's repository, for configurations that are fetched.
    source_commit: Mapped[str] = mapped_column(String(64), default="")
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = utc_column(default=utc_now)
    started_at: Mapped[datetime | None] = utc_column()
    finished_at: Mapped[datetime | None] = utc_column()
    # The claim: who works on it, until when, and a number that grows with each claim. A worker
    # whose number is no longer the row's may not write.
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None] = utc_column()
    fence: Mapped[int] = mapped_column(default=0)

    deployment: Mapped[Deployment] = relationship(back_populates="commands", lazy="joined")
    issuer: Mapped[User] = relationship(lazy="joined")
    tasks: Mapped[list[Task]] = relationship(
        back_populates="command", order_by="Task.position", cascade="all, delete-orphan"
    )
    runs: Mapped[list[Run]] = relationship(back_populates="command", order_by="Run.fence")

    @validates("state")
    def _keep_to_moves(self, _name: str, new: State) -> State:
        return keep_to(COMMAND_MOVES, self.state, new)

    @property
    def changes_deployment(self) -> bool:
        """Whether its end is an end for its deployment too; to look, or only to ask, changes nothing."""
        return self.phase != "check" and not self.check_only


class Task(db.Model):
    """One step of a command."""

    __tablename__ = "tasks"
    __table_args__ = (UniqueConstraint("command_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    command_id: Mapped[str] = mapped_column(ForeignKey("commands.id"), index=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[State] = mapped_column(StateNumber(), default=State.INITIATED)
    started_at: Mapped[datetime | None] = utc_column()
    ended_at: Mapped[datetime | None] = utc_column()
    seconds: Mapped[float | None] = mapped_column(Float)
    error: Mapped[str] = mapped_column(Text, default="")

    command: Mapped[Command] = relationship(back_populates="tasks")

    @validates("state")
    def _keep_to_moves(self, _name: str, new: State) -> State:
        return keep_to(TASK_MOVES, self.state, new)

    @property
    def done_before(self) -> bool:
        """Whether an earlier run completed it, so that this command left it out."""
        return self.name in self.command.steps_done


class Run(db.Model):
    """One execution of a command by ansible-runner."""

    __tablename__ = "runs"
    __table_args__ = (UniqueConstraint("command_id", "fence"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    command_id: Mapped[str] = mapped_column(ForeignKey("commands.id"), index=True)
    fence: Mapped[int]  # the claim under which it was started
    host: Mapped[str] = mapped_column(String(64), default="")  # whose folder and process these are
    folder: Mapped[str] = mapped_column(Text)
    pid: Mapped[int | None]
    # Process numbers are used again; with its start time (seconds since the machine's) one is unmistakable.
    pid_started: Mapped[float | None] = mapped_column(Float)
    started_at: Mapped[datetime] = utc_column(default=utc_now)
    ended_at: Mapped[datetime | None] = utc_column()
    exit_code: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(32), default="")
    last_counter: Mapped[int] = mapped_column(default=0)  # events taken over so far

    command: Mapped[Command] = relationship(back_populates="runs")


class Event(db.Model):
    """What a run said, in order; its id is the SSE event id."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("run_id", "counter"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    command_id: Mapped[str] = mapped_column(ForeignKey("commands.id"), index=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    counter: Mapped[int]
    at: Mapped[datetime] = utc_column(default=utc_now)
    kind: Mapped[str] = mapped_column(String(64))  # ansible-runner's event name
    task: Mapped[str] = mapped_column(Text, default="")
    text: Mapped[str] = mapped_column(Text, default="")  # secrets are taken out before it gets here
