"""How the platform does, for people: what works, what waits, and what somebody should see to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .accounts.scope import deployments_of
from .billing.meter_runs import NOT_METERED, Metering, read_metering
from .clock import Clock, utc_now
from .commands.order import Place, find_place
from .commands.recent import Recent, queue_age, read_recent
from .deployments.orphans import orphans_query
from .models import Command, Deployment, Health, Node, State, User, Worker
from .readiness import check_parts
from .settings import Settings

_LATE_STEP = "See below why the last looks failed. What runs on is billed when it can be seen again."
_SILENT = timedelta(seconds=30)  # after which a worker is taken for dead


@dataclass(frozen=True)
class Thresholds:
    """From where on something is worth a word; the role `monitoring` has the same numbers."""

    queue_age: float = 300  # seconds that a command waits for a worker
    deploy_seconds: float = 120  # within which 19 of 20 deployments should be ready
    failed_share: float = 0.2  # of deployments, 0 to 1
    failed_least: int = 3  # failures below that number are no sign of anything
    nodes_age: float = 120  # seconds without a look at the swarm


@dataclass(frozen=True)
class Finding:
    """Something that somebody should see to: how urgent, what is, and what to do."""

    level: str  # critical or warning
    text: str
    step: str


@dataclass(frozen=True)
class Status:
    """The platform as a whole, for admins."""

    parts: Mapping[str, str]  # "ok" or what is wrong
    nodes: Sequence[Node]
    workers: Sequence[tuple[Worker, bool]]  # with: it is alive
    waiting: int  # commands that no worker has yet
    running: int
    queue_age: float  # seconds
    recent: Mapping[str, Recent]
    orphans: int
    nodes_age: float | None  # seconds since the swarm was looked at; None: never
    metering: Metering = NOT_METERED

    @property
    def findings(self) -> list[Finding]:
        """What is beyond its threshold, the urgent first."""
        return sorted(find(self), key=lambda finding: finding.level)


@dataclass(frozen=True)
class OwnStatus:
    """What concerns one person."""

    works: Mapping[str, bool]  # part: whether it answers
    ailing: Sequence[Deployment]  # theirs that do not run as they should
    waiting: Sequence[tuple[Command, Place]]  # theirs that wait, and why


def read_status(session: Session, settings: Settings, clock: Clock = utc_now) -> Status:
    """How everything does now."""
    parts = check_parts(session, settings, clock)  # first: it asks the swarm, and may take its time
    now = clock()
    nodes = session.scalars(select(Node).order_by(Node.hostname, Node.id)).all()
    workers = session.scalars(select(Worker).order_by(Worker.name)).all()
    counted = select(Command.state, func.count()).where(Command.state.in_((State.INITIATED, State.PENDING)))
    counts = {state: n for state, n in session.execute(counted.group_by(Command.state))}
    return Status(
        parts=parts,
        nodes=nodes,
        workers=[(worker, worker.beat_at >= now - _SILENT) for worker in workers],
        waiting=counts.get(State.INITIATED, 0),
        running=counts.get(State.PENDING, 0),
        queue_age=queue_age(session, now, settings.command_limit),
        recent=read_recent(session, now),
        orphans=session.scalar(select(func.count()).select_from(orphans_query().subquery())) or 0,
        nodes_age=_age(now, [node.seen_at for node in nodes]),
        metering=read_metering(session, settings.usage_interval, now),
    )


def read_own_status(session: Session, person: User, settings: Settings, clock: Clock = utc_now) -> OwnStatus:
    """What `person` should know: no other people, no nodes, no causes that are not theirs to mend."""
    parts = check_parts(session, settings, clock)
    ailing = deployments_of(person).where(
        Deployment.state == State.COMPLETED,
        Deployment.health.in_((Health.DEGRADED.value, Health.MISSING.value)),
    )
    waits = select(Command).where(Command.issuer_id == person.id, Command.state == State.INITIATED)
    commands = session.scalars(waits.order_by(Command.created_at)).all()
    return OwnStatus(
        works={name: text == "ok" for name, text in parts.items()},
        ailing=session.scalars(ailing.order_by(Deployment.name)).all(),
        waiting=[(c, find_place(session, c, settings.command_limit, clock)) for c in commands],
    )


def find(status: Status, limits: Thresholds | None = None) -> Iterator[Finding]:
    """What is beyond the thresholds. Pure."""
    limits = limits or Thresholds()
    for name, text in status.parts.items():
        if text != "ok":
            yield Finding("critical", f"The {name}: {text}.", "Until it answers, nothing new is started.")
    yield from _find_on_swarm(status, limits)
    if status.queue_age > limits.queue_age:
        text = f"A command has been waiting for {status.queue_age:.0f} s (more than {limits.queue_age:g} s)."
        yield Finding("warning", text, "Start another worker, or give this one more places (--concurrency).")
    for phase, recent in status.recent.items():
        yield from _find_in_phase(phase, recent, limits)
    if status.metering.late:
        yield Finding("warning", _late_words(status.metering), _LATE_STEP)
    if status.orphans:
        what = "There is one orphan." if status.orphans == 1 else f"There are {status.orphans} orphans."
        yield Finding("warning", what, "See on the page of orphans what can be done about each.")


def _late_words(metering: Metering) -> str:
    if metering.age is None:
        return "What the swarm uses could not be metered yet."
    ago = f"{metering.age:.0f} s ago"
    return f"What the swarm uses was metered {ago}, and should be every {metering.interval} s."


def _find_on_swarm(status: Status, limits: Thresholds) -> Iterator[Finding]:
    for node in status.nodes:
        if not node.up:
            level = "critical" if node.manager else "warning"
            role = "manager" if node.manager else "node"
            how = "unreachable" if node.manager == "unreachable" else node.state or "unknown"
            text = f"The {role} {node.hostname or node.id} is {how}."
            yield Finding(
                level, text, "See to the machine; what ran there is started on others if it can be."
            )
    managers = [node for node in status.nodes if node.manager]
    lost = sum(not node.up for node in managers)
    if lost and len(managers) > 1 and len(managers) - lost <= len(managers) // 2 + 1:
        text = f"{lost} of {len(managers)} managers are away: with one more the swarm takes no changes."
        yield Finding(
            "critical", text, "Bring them back, or make other nodes managers, before anything else."
        )
    if status.nodes_age is not None and status.nodes_age > limits.nodes_age:
        text = f"Nobody has looked at the swarm for {status.nodes_age:.0f} s."
        yield Finding("warning", text, "Health and nodes are as old. Look at the log of the worker.")


def _find_in_phase(phase: str, recent: Recent, limits: Thresholds) -> Iterator[Finding]:
    ended = recent.completed + recent.failed
    if recent.failed >= limits.failed_least and recent.failed > limits.failed_share * ended:
        text = f"{recent.failed} of {ended} commands of the phase {phase} have failed in the last 30 minutes."
        yield Finding("critical", text, "Open some of them in the list of deployments: each says its cause.")
    slow = recent.quantile(0.95)
    if slow is not None and slow > limits.deploy_seconds:
        text = f"One in twenty commands of the phase {phase} takes {slow:.0f} s or more."
        yield Finding("warning", text, "Look at the load of the nodes, and whether images are there already.")


def _age(now: datetime, moments: Sequence[datetime]) -> float | None:
    return (now - max(moments)).total_seconds() if moments else None
