"""Figures for Prometheus, counted in the database when asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from . import __version__
from .billing.meter_runs import read_metering
from .clock import Clock, utc_now
from .commands.recent import Recent, queue_age, read_recent
from .deployments.orphans import orphans_query
from .models import Command, Deployment, Node, Notice, Run, State, Worker
from .settings import Settings

# Seconds that commands have been waiting for a worker.
_AGES = (0, 10, 60, 300)
_QUANTILES = (0.5, 0.95, 1.0)

Rows = Iterable[tuple[dict[str, str], float]]  # labels and value
Families = dict[str, tuple[str, Rows]]  # name to help text and rows


def prometheus_text(
    session: Session, clock: Clock = utc_now, command_limit: int = Settings.command_limit
) -> str:
    """The console's figures in Prometheus' text format, version 0.0.4."""
    families = {
        "labyard_info": ("The version of the console that answers.", [({"version": __version__}, 1)]),
        **_work_families(session, clock(), command_limit),
        **_swarm_families(session, clock()),
        **_usage_families(session, clock()),
    }
    lines = [line for name, (text, rows) in families.items() for line in _family(name, text, rows)]
    return "\n".join(lines) + "\n"


def _work_families(session: Session, now: datetime, command_limit: int) -> Families:
    """What people have asked for, and who works on it."""
    recent = read_recent(session, now)
    return {
        "labyard_deployments": ("Deployments that are not removed, by health.", _deployments(session)),
        "labyard_commands": ("Commands, by phase and state.", _commands(session)),
        "labyard_commands_waiting": (
            "Commands that have been waiting for a worker for at least so many seconds.",
            _waiting(session, now),
        ),
        "labyard_queue_age_seconds": (
            "Seconds for which the oldest command that may run has been waiting for a worker.",
            [({}, round(queue_age(session, now, command_limit), 1))],
        ),
        "labyard_recent_commands": (
            "Commands asked for in the last 30 minutes that have ended, by phase and outcome.",
            _outcomes(recent),
        ),
        "labyard_recent_command_seconds": (
            "Seconds from the request to the end, of those that completed, by quantile.",
            _durations(recent),
        ),
        "labyard_runs": ("Runs, by how they ended.", _runs(session)),
        "labyard_notices": ("Webhook messages and mails, by what became of them.", _notices(session)),
        "labyard_worker_silence_seconds": (
            "Seconds since a worker was last heard of.",
            _silences(session, now),
        ),
    }


def _swarm_families(session: Session, now: datetime) -> Families:
    """What the workers see of the swarm."""
    nodes = session.scalars(select(Node).order_by(Node.hostname, Node.id)).all()
    return {
        "labyard_orphans": ("Orphans that nobody has repaired yet, by kind.", _orphans(session)),
        "labyard_node_up": (
            "Nodes of the swarm, by role: 1 if a node is ready and, if a manager, reachable.",
            [(_name_node(node), node.up) for node in nodes],
        ),
        "labyard_node_active": (
            "Nodes of the swarm: 1 if a node takes tasks, 0 if it is paused or drained.",
            [(_name_node(node), node.availability == "active") for node in nodes],
        ),
        "labyard_nodes_age_seconds": (
            "Seconds since a worker looked at the swarm.",
            [({}, round((now - max(n.seen_at for n in nodes)).total_seconds(), 1))] if nodes else [],
        ),
    }


def _usage_families(session: Session, now: datetime) -> Families:
    """Whether what the swarm uses is metered."""
    age = read_metering(session, 0, now).age
    return {
        "labyard_usage_age_seconds": (
            "Seconds since what the swarm uses was metered and taken in.",
            [] if age is None else [({}, round(age, 1))],
        ),
    }


def _deployments(session: Session) -> Rows:
    query = select(Deployment.health, func.count()).where(Deployment.state != State.REMOVED)
    for health, count in session.execute(query.group_by(Deployment.health)):
        yield {"health": health}, count


def _commands(session: Session) -> Rows:
    query = select(Command.state, Command.phase, func.count()).group_by(Command.state, Command.phase)
    for state, phase, count in session.execute(query):
        yield {"phase": phase, "state": state.name}, count


def _waiting(session: Session, now: datetime) -> Rows:
    since = session.scalars(select(Command.created_at).where(Command.state == State.INITIATED))
    ages = [(now - moment).total_seconds() for moment in since]
    for least in _AGES:
        yield {"seconds": str(least)}, sum(age >= least for age in ages)


def _outcomes(recent: Mapping[str, Recent]) -> Rows:
    for phase, found in recent.items():
        for outcome, count in {"completed": 0, "failed": 0, **found.outcomes}.items():
            yield {"phase": phase, "outcome": outcome}, count


def _durations(recent: Mapping[str, Recent]) -> Rows:
    for phase, found in recent.items():
        for share in _QUANTILES:
            value = found.quantile(share)
            if value is not None:
                yield {"phase": phase, "quantile": f"{share:g}"}, round(value, 3)


def _name_node(node: Node) -> dict[str, str]:
    return {"node": node.hostname or node.id, "role": "manager" if node.manager else "worker"}


def _runs(session: Session) -> Rows:
    outcome = case(
        (Run.ended_at.is_(None), "running"), (Run.status == "", "cut_off"), else_=Run.status
    ).label("outcome")
    for found, count in session.execute(select(outcome, func.count()).group_by(outcome)):
        yield {"outcome": found}, count


def _notices(session: Session) -> Rows:
    state = case(
        (Notice.sent_at.is_not(None), "sent"), (Notice.next_at.is_not(None), "waiting"), else_="failed"
    ).label("state")
    query = select(Notice.channel, state, func.count()).group_by(Notice.channel, state)
    found = {(channel, word): count for channel, word, count in session.execute(query)}
    for channel in ("webhook", "mail"):
        for word in ("sent", "waiting", "failed"):
            yield {"channel": channel, "state": word}, found.get((channel, word), 0)


def _orphans(session: Session) -> Rows:
    listed = orphans_query().subquery()
    found = {kind: n for kind, n in session.execute(select(listed.c.kind, func.count()).group_by("kind"))}
    for kind in ("stack", "network", "volume", "port", "deployment"):
        yield {"kind": kind}, found.get(kind, 0)


def _silences(session: Session, now: datetime) -> Rows:
    for name, beat in session.execute(select(Worker.name, Worker.beat_at)):
        yield {"worker": name}, round((now - beat).total_seconds(), 1)


def _family(name: str, text: str, rows: Rows) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} gauge"
    for labels, value in rows:
        words = ",".join(f'{label}="{_escape(word)}"' for label, word in labels.items())
        whole = f"{name}{{{words}}}" if words else name
        yield f"{whole} {value + 0}"  # True is 1


def _escape(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
