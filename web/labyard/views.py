"""Deployments, commands and plans as the documents that every interface shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ansible_collections.labyard.platform.plugins.module_utils._request.request import stack_name

from .catalog.plans import configuration_of
from .models import Command, Deployment, Event, Plan, Task


def show_time(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    return None if value is None else value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show_deployment(deployment: Deployment) -> dict[str, Any]:
    """A deployment, whole; it holds no secret."""
    return {
        "id": deployment.id,
        "name": deployment.name,
        "plan": deployment.plan.name,
        "project": deployment.project.name,
        "owner": deployment.owner.username,
        "state": int(deployment.state),
        "state_name": deployment.state.name,
        "health": deployment.health,
        "health_detail": deployment.health_detail,
        "message": deployment.message,
        "stack": stack_name(deployment.plan.name, deployment.id),
        "params": deployment.params,
        "endpoints": show_endpoints(deployment),
        "services": deployment.services,
        "volumes": deployment.volumes,
        "created_at": show_time(deployment.created_at),
        "updated_at": show_time(deployment.updated_at),
        "removed_at": show_time(deployment.removed_at),
    }


def show_endpoints(deployment: Deployment) -> list[dict[str, Any]]:
    """Where the deployment answers: name and url, without secrets."""
    return [{"name": e.get("name"), "url": e.get("url")} for e in deployment.endpoints]


def show_task(task: Task) -> dict[str, Any]:
    """One step of a command."""
    return {
        "name": task.name,
        "state": int(task.state),
        "state_name": task.state.name,
        "started_at": show_time(task.started_at),
        "ended_at": show_time(task.ended_at),
        "seconds": None if task.seconds is None else round(task.seconds, 3),
        "error": task.error or None,
    }


def show_command(command: Command) -> dict[str, Any]:
    """A command with its tasks and the deployment it is for."""
    deployment = command.deployment
    tasks = [show_task(task) for task in command.tasks]
    ended = sum(1 for task in command.tasks if task.state.final)
    return {
        "id": command.id,
        "state": int(command.state),
        "state_name": command.state.name,
        "reason": command.reason,
        "message": command.message,
        "phase": command.phase,
        "plan": deployment.plan.name,
        "params": command.params,
        "issuer": command.issuer.username,
        "deployment": {
            "id": deployment.id,
            "name": deployment.name,
            "state": int(deployment.state),
            "state_name": deployment.state.name,
            "health": deployment.health,
            "endpoints": show_endpoints(deployment),
        },
        "tasks": tasks,
        "progress": round(ended / len(tasks), 3) if tasks else 0.0,
        "created_at": show_time(command.created_at),
        "started_at": show_time(command.started_at),
        "finished_at": show_time(command.finished_at),
    }


def show_event(event: Event) -> dict[str, Any]:
    """One event of a run."""
    return {
        "id": event.id,
        "at": show_time(event.at),
        "kind": event.kind,
        "task": event.task,
        "text": event.text,
    }


def show_plan(plan: Plan) -> dict[str, Any]:
    """A plan and the phases of its configuration."""
    configuration = configuration_of(plan)
    return {
        "name": plan.name,
        "title": plan.title,
        "summary": plan.summary or configuration.summary,
        "icon": configuration.icon,
        "configuration": plan.configuration,
        "fixed": plan.fixed,
        "shapes": plan.shapes,
        "visible": plan.visible,
        "phases": [
            {"name": p.name, "title": p.title, "timeout": p.timeout, "steps": list(p.steps)}
            for p in configuration.phases.values()
        ],
    }
